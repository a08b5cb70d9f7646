"""Serving the application on a unix socket and, where configured, on an address.

The unix socket belongs to this user alone (0600), so it needs no other authentication.  A socket file that nobody
listens on is a leftover of a crash and is replaced; one that somebody listens on is another suite.
"""

import asyncio
import os
import socket
import ssl
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.model.configuration import Listen
from suite.web.backend import Backend

if TYPE_CHECKING:
    from fastapi import FastAPI

    from suite.web.http_server import Server

LONGEST_PATH = 107
"""Octets of a unix socket's path (sun_path less its zero)."""


class NoSocket(OSError):  # noqa: N818 - an outcome at start, told to a person
    """Nobody can serve there."""


class SocketTaken(NoSocket):
    """Somebody else serves there."""


def open_unix(path: Path) -> socket.socket:
    """A listening socket at ``path`` that only this user may connect to.

    Raises:
        SocketTaken: another suite runs with this state directory.
        NoSocket: the path is too long, its directory is missing or may not be written.
    """
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise NoSocket(f"{path}: a socket's path has at most {LONGEST_PATH} octets; choose a shorter state directory")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        _clear(path)
        listener.bind(str(path))
    except NoSocket:
        listener.close()
        raise
    except OSError as error:
        listener.close()
        raise NoSocket(f"{path}: {error.strerror}; choose another state directory") from error
    finally:
        os.umask(before)
    listener.listen(128)
    return listener


def open_tcp(listen: Listen) -> socket.socket:
    """A listening socket at ``listen``.

    Raises:
        NoSocket: the port is taken, or the address not of this machine.
    """
    family = socket.AF_INET6 if listen.address.version == 6 else socket.AF_INET
    # The protocol is said, because asyncio turns Nagle's algorithm off only where it is: without, an answer of two pieces waits
    # for an acknowledgement that the other side delays by 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((str(listen.address), listen.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise NoSocket(f"{listen}: {error.strerror}; choose another place with web.listen") from error
    return listener


@dataclass(frozen=True, slots=True)
class Secured:
    """A listener that speaks TLS."""

    listener: socket.socket
    context: ssl.SSLContext


@dataclass(slots=True)
class Places:
    """Where a process answers HTTP."""

    listeners: list[socket.socket] = field(default_factory=list)
    """For everything."""
    probes: list[socket.socket] = field(default_factory=list)
    """For what :mod:`suite.web.probes` answers, and nothing else."""
    is_web: bool = True
    """Whether this process has the role; without it the first who asks waits until the framework is imported."""

    def __bool__(self) -> bool:
        return bool(self.listeners or self.probes)

    def copy(self) -> "Places":
        """The same places with sockets of their own."""
        return Places([each.dup() for each in self.listeners], [each.dup() for each in self.probes], self.is_web)

    def close(self) -> None:
        """Take no more connections."""
        for each in (*self.listeners, *self.probes):
            each.close()


class Later:
    """The application, made when somebody first asks: a speaker of a cluster is asked by a person, if ever."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._app: FastAPI | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request (ASGI)."""
        if self._app is None:
            self._app = await asyncio.to_thread(_application, self._backend)
        await self._app(scope, receive, send)


async def serve(backend: Backend, places: Places, stop: asyncio.Event, secured: Secured | None = None) -> None:
    """Serve at ``places`` until ``stop`` is set; the listeners are closed at the end.

    The framework is imported in a thread, because it takes a quarter of a second that DNS should not wait for.
    """
    servers = await asyncio.to_thread(_servers, backend, places, secured)
    serving = [asyncio.create_task(server.serve(sockets=[listener])) for server, listener in servers]
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({*serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        for server, _ in servers:
            server.should_exit = True
        await asyncio.gather(*serving)


def _servers(backend: Backend, places: Places, secured: Secured | None) -> "list[tuple[Server, socket.socket]]":
    """A server for each listener."""
    from suite.web.http_server import make_server
    from suite.web.probes import Probes

    found = [(make_server(Probes(backend)), listener) for listener in places.probes]
    if places.listeners or secured is not None:
        app = _application(backend) if places.is_web else Later(backend)
        found += [(make_server(app), listener) for listener in places.listeners]
        found += [(make_server(app, tls=each.context), each.listener) for each in (secured,) if each is not None]
    return found


def _application(backend: Backend) -> "FastAPI":
    from suite.web.application import application

    return application(backend)


def _clear(path: Path) -> None:
    try:
        is_socket = stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise SocketTaken(f"{path} is no socket; move it away")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise SocketTaken(f"another suite serves {path}")
