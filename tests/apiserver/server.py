"""Starts the server in the test's own event loop, on a free port of the loopback."""

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import uvicorn

from apiserver.app import Api


class _Quiet(uvicorn.Server):
    """Signals are the test's own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Running:
    """A server that listens; it may be stopped and started again on the same port with the same objects."""

    def __init__(self, api: Api, host: str = "127.0.0.1", certificate: Path | None = None) -> None:
        """``certificate`` is a file with a certificate for ``host`` and its key: HTTPS then."""
        self.api = api
        self._host = host
        self._certificate = certificate
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, 0))
        self.port = self._socket.getsockname()[1]
        self._server: _Quiet | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http{'s' if self._certificate else ''}://{self._host}:{self.port}"

    def kubeconfig(self, directory: Path, token: str = "") -> Path:
        """A file for the client and for kubectl."""
        path = directory / "kubeconfig"
        user = {"token": token} if token else {}
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "test",
                    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                    "clusters": [{"name": "test", "cluster": {"server": self.url}}],
                    "users": [{"name": "test", "user": user}],
                }
            )
        )
        return path

    async def start(self) -> None:
        if self._socket.fileno() < 0:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((self._host, self.port))
        config = uvicorn.Config(
            self.api.app(),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
            ws="none",
            ssl_certfile=self._certificate,
        )
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # faults are asked for, not found
        self._server = _Quiet(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Go away at once, as a killed server does."""
        if self._server is None or self._task is None:
            return
        self.api.cut_watches()
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()  # some lead to machines that are gone, and would never end
        self._server.should_exit = self._server.force_exit = True
        await self._task
        self._socket.close()
        self._server = self._task = None


@contextlib.asynccontextmanager
async def running(api: Api | None = None) -> AsyncIterator[Running]:
    """A server for the length of a block."""
    server = Running(api or Api())
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
