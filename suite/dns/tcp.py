"""TCP (RFC 7766): pipelined queries, limits on time and memory, streams of messages for transfers.

Each connection may be idle for a while, shorter when many are open; a message must arrive whole within the same time,
and a client that does not read stops being read. All replies to what one segment carried leave in one write, each as
soon as it is ready (`conversation`).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suite.dns.conversation import Conversation, idle_seconds

if TYPE_CHECKING:
    from suite.dns.conversation import Converse

_RESET = struct.pack("ii", 1, 0)  # linger for no time: close() sends RST


@dataclass(frozen=True, slots=True)
class Limits:
    """Connections in all and of one client, and seconds for idling, for one message, and for a client that must read."""

    connections: int = 1000
    per_client: int = 100
    idle: float = 10.0
    write: float = 20.0


def open_listener(address: str, port: int) -> socket.socket:
    """Bind and listen; v6 sockets take v6 only."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ExitStack() as undo:
        sock = undo.enter_context(socket.socket(family, socket.SOCK_STREAM))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(512)
        sock.setblocking(False)
        undo.pop_all()
    return sock


class TcpServer:
    """Serves listening sockets on the running loop. `converse(packet, client)` gives the replies to a message."""

    def __init__(self, converse: Converse, limits: Limits) -> None:
        self.converse = converse
        self.limits = limits
        self.open: set[Connection] = set()
        self.by_client: dict[bytes, int] = {}
        self._servers: list[asyncio.Server] = []

    async def start(self, listeners: list[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        for listener in listeners:
            self._servers.append(await loop.create_server(lambda: Connection(self), sock=listener))

    def stop(self) -> None:
        for server in self._servers:
            server.close()
        for connection in list(self.open):
            connection.abort()

    def admit(self, connection: Connection) -> bool:
        """Count a connection in, unless a limit is reached."""
        mine = self.by_client.get(connection.client, 0)
        if len(self.open) >= self.limits.connections or mine >= self.limits.per_client:
            return False
        self.open.add(connection)
        self.by_client[connection.client] = mine + 1
        return True

    def leave(self, connection: Connection) -> None:
        if connection not in self.open:
            return
        self.open.discard(connection)
        left = self.by_client.pop(connection.client) - 1
        if left:
            self.by_client[connection.client] = left

    @property
    def idle(self) -> float:
        """Seconds a connection may wait now."""
        return idle_seconds(self.limits.idle, len(self.open), self.limits.connections)


class Connection(asyncio.Protocol):
    """One client's stream: octets in, framed messages out."""

    def __init__(self, server: TcpServer) -> None:
        self.server = server
        self.client = b""
        self._conversation = Conversation(server.converse, b"")
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None
        self._next: asyncio.Handle | None = None
        self._is_writable = True
        self._is_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - create_server gives nothing else
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.client = packed(peer[0]) if peer else b""
        self._conversation = Conversation(self.server.converse, self.client)
        if not self.server.admit(self):
            transport.abort()
            return
        self._arm(self.server.idle)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.leave(self)
        self._conversation.end()
        for handle in (self._timer, self._next):
            if handle is not None:
                handle.cancel()

    def abort(self) -> None:
        """Reset the connection: what the client did not read leaves the kernel's memory too."""
        sock = self._transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        was_partial = self._conversation.is_partial
        self._conversation.feed(data)
        self._work()
        if not was_partial or not self._conversation.is_partial:
            self._arm(self.server.idle)

    def eof_received(self) -> bool:
        """Answer what came before the client's half-close, then close."""
        self._is_ended = True
        self._work()
        return True

    def pause_writing(self) -> None:
        self._is_writable = False
        self._pace()
        self._arm(self.server.limits.write)

    def resume_writing(self) -> None:
        self._is_writable = True
        self._arm(self.server.idle)
        self._work()

    def _work(self) -> None:
        """Do one turn, if the client takes it and none is waiting already; others get theirs before the next."""
        if self._next is not None or not self._is_writable or self._transport.is_closing():
            return
        out = self._conversation.turn()
        if out:
            self._transport.write(out)
        if self._conversation.is_broken:
            self._transport.close()
        elif self._conversation.is_unfinished:
            self._next = asyncio.get_running_loop().call_soon(self._work_on)
        elif self._is_ended:
            self._transport.close()
        self._pace()

    def _pace(self) -> None:
        """Read on only while questions find room here; the others wait in the kernel, and then at the client."""
        if not self._is_writable or self._conversation.is_full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _work_on(self) -> None:
        self._next = None
        if self._conversation.is_streaming:
            self._arm(self.server.idle)
        self._work()

    def _arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _expire(self) -> None:
        """End a connection that idles or drips; one that does not read is reset."""
        if self._is_writable and not self._conversation.is_streaming and not self._transport.is_closing():
            self._transport.close()
            self._arm(self.server.limits.write)
        else:
            self.abort()


def packed(address: str) -> bytes:
    """Octets of a textual IP address, a zone index cut off."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_pton(family, address.partition("%")[0])
