"""The HTTP server as this project wants it: no signals of its own, and no client that may hold a place for ever.

Importing this module imports uvicorn, and no web framework.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from fastapi import FastAPI

    from suite.web.probes import Probes
    from suite.web.serve import Later

MOST_CONNECTIONS = 256
"""Connections of one listener; beyond them the answer is 503."""
MOST_FOLLOWERS = 2048
"""The same for the listener of followers, each of which has a token and two connections."""
PATIENCE = 30.0
"""Seconds in which a connection must have got on: a request read, or an answer taken."""


class Server(uvicorn.Server):
    """Signals belong to the run loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


class ImpatientProtocol(H11Protocol):
    """Closes a connection that did not get on for a while, be it silent, dribbling, or not reading its answer."""

    patience = PATIENCE
    _seen: tuple[int, bool, int] | None = None
    _taken: int = 0
    _look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Start to watch."""
        super().connection_made(transport)
        self._look = self.loop.call_later(self.patience, self._look_after)

    def connection_lost(self, exc: Exception | None) -> None:
        """Watch no more."""
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """The client took some tens of kilobytes of a long answer."""
        self._taken += 1
        super().resume_writing()

    def _look_after(self) -> None:
        """Compare with the last look: another request, the same one answered, or more of its answer taken, is getting on."""
        cycle = self.cycle
        now = (id(cycle), getattr(cycle, "response_complete", True), self._taken)
        if now == self._seen or cycle is None:
            self.transport.abort()
            return
        self._seen = now
        self._look = self.loop.call_later(self.patience, self._look_after)


def make_server(
    app: "FastAPI | Later | Probes", protocol: type[H11Protocol] = ImpatientProtocol, tls: ssl.SSLContext | None = None
) -> Server:
    """A server for one listener; each has its own limit, so that a crowd on one does not shut the other."""
    return Server(
        uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS if tls is None else MOST_FOLLOWERS,
            ssl_context_factory=None if tls is None else lambda _config, _default: tls,
            timeout_graceful_shutdown=2,
        )
    )
