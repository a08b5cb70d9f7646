"""A DNS server running beside a test: its loop lives in a thread of its own, and plain sockets talk to it."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from suite.dns.feed import ReplaceZone, SetState
from suite.dns.server import Server

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from suite.dns.catalogue import Zones
    from suite.dns.feed import Update

TIMEOUT = 5.0
QUIET = 0.3


class Running:
    """A started server and the means to ask it."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self.server, self.loop = server, loop

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def publish(self, *updates: Update, revision: int = 1) -> None:
        self.run(self.server.publish(updates, revision))

    def address(self, version: int = 4) -> tuple[str, int]:
        return next(pair for pair in self.server.addresses if (":" in pair[0]) == (version == 6))

    def udp(self, packet: bytes, version: int = 4, *, expect: bool = True) -> bytes | None:
        """Ask over UDP; without `expect` a short silence is an answer too."""
        family = socket.AF_INET6 if version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(TIMEOUT if expect else QUIET)
            sock.connect(self.address(version))
            sock.send(packet)
            try:
                return sock.recv(65535)
            except TimeoutError:
                return None

    def connect(self, version: int = 4) -> socket.socket:
        return socket.create_connection(self.address(version), TIMEOUT)

    def tcp(self, packet: bytes, version: int = 4, *, expect: bool = True) -> bytes | None:
        with self.connect(version) as sock:
            sock.settimeout(TIMEOUT if expect else QUIET)
            sock.sendall(len(packet).to_bytes(2) + packet)
            try:
                return receive(sock)
            except TimeoutError:
                return None


def receive(sock: socket.socket) -> bytes | None:
    """Read one framed message; None when the peer closed."""
    head = _exactly(sock, 2)
    return _exactly(sock, int.from_bytes(head)) if head is not None else None


def _exactly(sock: socket.socket, size: int) -> bytes | None:
    """So many octets, however they arrive (a socket with a timeout does not wait for all of them by itself)."""
    octets = b""
    while len(octets) < size:
        more = sock.recv(size - len(octets))
        if not more:
            return None
        octets += more
    return octets


@contextmanager
def running(zones: Zones, *arguments: Any, **options: Any) -> Iterator[Running]:
    """Start a server on loopback with these zones; stop it at the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    listen = options.pop("listen", [("127.0.0.1", 0), ("::1", 0)])
    here = Running(_made(loop, listen, arguments, options), loop)
    try:
        here.run(here.server.start())
        here.publish(
            *(ReplaceZone(zone) for zone in zones.by_origin.values()), SetState(ready=zones.ready, stale=zones.stale)
        )
        yield here
    finally:
        try:
            here.run(here.server.stop())
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


def _made(loop: asyncio.AbstractEventLoop, listen: Any, arguments: Any, options: Any) -> Server:
    async def make() -> Server:
        return Server(listen, *arguments, **options)

    return asyncio.run_coroutine_threadsafe(make(), loop).result(5)
