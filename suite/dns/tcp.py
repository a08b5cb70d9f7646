"""TCP (RFC 7766): pipelined queries, limits on time and memory, streams of messages for transfers.

Each connection may be idle for a while, shorter when many are open; a message must arrive whole within the same time,
and a client that does not read stops being read. All replies that one turn makes leave in one write, each as soon as it is
ready (`conversation`). Networks take turns (`turns`), and between some of them the loop looks at its sockets: new connections,
new questions and what the server says never wait for more than a round.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suite.dns.conversation import Conversation, idle_seconds, told_seconds
from suite.dns.seats import Seats
from suite.dns.settings import IDLE
from suite.dns.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from suite.dns.conversation import Replies

ROUND = 0.001
"""Seconds of answering between two looks at the sockets; the turn that is running then is finished."""
_IPV6 = 16
_RESET = struct.pack("ii", 1, 0)  # linger for no time: close() sends RST


@dataclass(frozen=True, slots=True)
class Limits:
    """Connections in all and of one client, and seconds for idling, for one message, and for a client that must read.

    A client is an IPv4 address or an IPv6 network, whose length in bits `TcpServer.ipv6_prefix` says.
    """

    connections: int = 1000
    per_client: int = 100
    idle: float = IDLE
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
    """Serves listening sockets on the running loop. `converse(packet, client, idle)` gives the replies to a message.

    `idle` is how many seconds the client may be told that its connection may idle.
    """

    def __init__(
        self, converse: Callable[[bytes, bytes, float], Replies], limits: Limits, ipv6_prefix: int = 56
    ) -> None:
        self._converse = converse
        self.limits = limits
        self.ipv6_prefix = ipv6_prefix
        self.seats: Seats[Connection] = Seats(limits.connections, limits.per_client)
        self._turns: Turns[Connection] = Turns()
        self._spent = 0.0
        self._next: asyncio.Handle | None = None
        self._servers: list[asyncio.Server] = []

    async def start(self, listeners: list[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        for listener in listeners:
            self._servers.append(await loop.create_server(lambda: Connection(self), sock=listener))

    def stop(self) -> None:
        for server in self._servers:
            server.close()
        for connection in list(self.seats):
            connection.abort()

    def admit(self, connection: Connection) -> bool:
        """Give a connection a seat, that of another where all are taken, unless it finds no room."""
        loser = self.seats.admit(connection, connection.network, connection.client)
        if loser is not None and loser is not connection:
            loser.abort()
        return loser is not connection

    def serve(self, connection: Connection) -> None:
        """Give a connection its turn, at once if nobody waits and this look at the sockets has not cost much yet."""
        if self._turns or self._spent >= ROUND:
            self.line_up(connection)
        elif not connection.is_waiting:
            self._give_turn(connection)

    def line_up(self, connection: Connection) -> None:
        """Give it a turn after those of all who wait."""
        if not connection.is_waiting:
            connection.is_waiting = True
            self._turns.add(connection.network, connection)
        if self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._go_round)

    def _go_round(self) -> None:
        """Serve those who wait for a while; then the loop looks at its sockets, and calls again."""
        self._next, self._spent = None, 0.0
        while self._turns and self._spent < ROUND:
            self._give_turn(self._turns.take())
        if self._turns and self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._go_round)

    def _give_turn(self, connection: Connection) -> None:
        began = time.monotonic()
        connection.work()
        self._spent += time.monotonic() - began

    def converse(self, packet: bytes, client: bytes) -> Replies:
        """Give the replies to a message that came just now."""
        told = told_seconds(self.limits.idle, len(self.seats), self.limits.connections)
        return self._converse(packet, client, told)

    @property
    def idle(self) -> float:
        """Seconds a connection may wait now."""
        return idle_seconds(self.limits.idle, len(self.seats), self.limits.connections)


class Connection(asyncio.Protocol):
    """One client's stream: octets in, framed messages out."""

    def __init__(self, server: TcpServer) -> None:
        self.server = server
        self.client = self.network = b""
        self.is_waiting = False
        """Whether it is lined up for a turn."""
        self._conversation = Conversation(server.converse, b"", time.monotonic)
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None
        self._is_writable = True
        self._is_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - create_server gives nothing else
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.client = packed(peer[0]) if peer else b""
        self.network = network_of(self.client, self.server.ipv6_prefix)
        self._conversation = Conversation(self.server.converse, self.client, time.monotonic)
        if not self.server.admit(self):
            transport.abort()
            return
        self._arm(self.server.idle)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.seats.leave(self, self.network)
        self._conversation.end()
        if self._timer is not None:
            self._timer.cancel()

    def abort(self) -> None:
        """Reset the connection: what the client did not read leaves the kernel's memory too."""
        sock = self._transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        was_partial = self._conversation.is_partial
        self._conversation.feed(data)
        self._pace()
        self.server.serve(self)
        if not was_partial and self._conversation.is_partial:
            self._arm(self.server.idle)

    def eof_received(self) -> bool:
        """Answer what came before the client's half-close, then close."""
        self._is_ended = True
        self.server.serve(self)
        return True

    def pause_writing(self) -> None:
        self._is_writable = False
        self._pace()
        self._arm(self.server.limits.write)

    def resume_writing(self) -> None:
        self._is_writable = True
        self._arm(self.server.idle)
        self.server.serve(self)

    def work(self) -> None:
        """Do one turn, if the client takes it; others get theirs before the next."""
        self.is_waiting = False
        if not self._is_writable or self._transport.is_closing():
            return
        out = self._conversation.turn()
        if out or not self._conversation.is_partial:  # a message that drips in is no use
            self.server.seats.note(self, self.network)
            self._arm(self.server.idle)
        if out:
            self._transport.write(out)
        if self._conversation.is_broken:
            self._transport.close()
        elif self._conversation.is_unfinished:
            self.server.line_up(self)
        elif self._is_ended:
            self._transport.close()
        self._pace()

    def _pace(self) -> None:
        """Read on only while questions find room here; the others wait in the kernel, and then at the client."""
        if not self._is_writable or self._conversation.is_full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _expire(self) -> None:
        """End a connection that idles or drips; one that does not read is reset, and one whose turn has not come waits on."""
        if self.is_waiting and self._is_writable:
            self._arm(self.server.idle)
        elif self._is_writable and not self._conversation.is_streaming and not self._transport.is_closing():
            self._transport.close()
            self._arm(self.server.limits.write)
        else:
            self.abort()


def packed(address: str) -> bytes:
    """Octets of a textual IP address, a zone index cut off."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_pton(family, address.partition("%")[0])


def network_of(client: bytes, ipv6_prefix: int) -> bytes:
    """What counts as one client: an IPv4 address, or the network of so many bits that an IPv6 address lies in."""
    if len(client) != _IPV6:
        return client
    host_bits = 8 * _IPV6 - ipv6_prefix
    return (int.from_bytes(client) >> host_bits << host_bits).to_bytes(_IPV6)
