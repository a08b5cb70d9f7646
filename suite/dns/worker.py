"""A worker: one process (or thread) that serves UDP sockets in a loop of its own and applies what the server tells it.

It holds every socket from its start but reads only those it was told to take, so a spare can step in for a dead worker
without a packet lost. One that is told to take listeners goes over to a loop of asyncio and serves TCP with the zones it has.
Each publication is acknowledged once the very next query will see it.

Control frames in:  (settings, limits), then  ("names", origin, ...)  ("update", revision, rows)  ("settings", row)
                    ("take", [index, ...])  ("count",)  ("stop",)
Control frames out: ("ack", revision)           ("counts", {...})
"""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from suite.dns import feed
from suite.dns.catalogue import Zones
from suite.dns.fastpath import Compiled
from suite.dns.moderation import Moderation
from suite.dns.tcp import Limits, TcpServer
from suite.dns.udp import BATCH, Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from suite.dns.settings import Settings

_BATCHES_PER_TURN = 16
_STDERR = 2
_NICENESS = -5


class Worker:
    """The loop. `control` is one end of a socketpair; `sockets` are bound or listening, none of them read yet.

    `has_priority`: it may give itself more of the processor when it takes UDP sockets, as a process can.
    """

    def __init__(
        self,
        control: socket.socket,
        sockets: list[socket.socket],
        settings: Settings,
        limits: Limits,
        *,
        has_priority: bool = False,
    ) -> None:
        self._control = control
        self._control.setblocking(False)
        self._sockets, self._limits, self._has_priority = sockets, limits, has_priority
        self._listeners: list[socket.socket] = []
        self._tcp: TcpServer | None = None
        self._inbox = bytearray()
        self._pieces = feed.Pieces()
        self._answers = Compiled(Zones(), settings, _unix_seconds, salt=secrets.randbits(64), log=_log)
        self._endpoints: dict[int, Endpoint] = {}
        self._epoll = select.epoll()
        self._epoll.register(control, select.EPOLLIN)
        self._is_running = True
        self._moderation = Moderation()
        self._verbs: dict[str, Callable[..., None]] = {
            "names": self._pieces.add, "update": self._update, "settings": self._configure, "take": self._take,
            "count": self._count, "stop": self._stop,
        }  # fmt: skip

    def run(self) -> None:
        """Serve until told to stop, or until the server is gone."""
        control = self._control.fileno()
        while self._is_running and not self._listeners:
            for fd, _ in self._epoll.poll():
                if fd == control:
                    self._listen()
                else:
                    self._serve(self._endpoints[fd])
        self._epoll.close()
        if self._is_running:
            asyncio.run(self._serve_streams())

    async def _serve_streams(self) -> None:
        """Serve TCP until told to stop, or until the server is gone."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        self._tcp = TcpServer(self._answers.converse, self._limits, self._answers.settings.prefixes[1])
        await self._tcp.start(self._listeners)

        def listen() -> None:
            self._listen()
            if not self._is_running:
                loop.remove_reader(self._control)
                ended.set()

        loop.add_reader(self._control, listen)
        await ended.wait()
        self._tcp.stop()

    def _serve(self, endpoint: Endpoint) -> None:
        """Serve while batches come full; less than that, epoll says sooner than a try whether more is waiting."""
        total = 0
        for _ in range(_BATCHES_PER_TURN):
            count = endpoint.serve(self._answers)
            total += count
            if count < BATCH:
                break
        if total:
            self._gather(total)

    def _gather(self, count: int) -> None:
        """Let questions gather where there are many; who waits for them then must not interrupt those who ask."""
        was_crowded, pause = self._moderation.is_crowded, self._moderation.pause(count, time.monotonic())
        if self._moderation.is_crowded != was_crowded:
            policy = os.SCHED_OTHER if was_crowded else os.SCHED_BATCH
            with suppress(OSError):  # forbidden by a filter of system calls: it costs speed, no answer
                os.sched_setscheduler(0, policy, os.sched_param(0))
        if pause:
            time.sleep(pause)

    def _listen(self) -> None:
        octets = self._receive()
        if not octets:
            self._is_running = False
            return
        self._inbox += octets
        while len(self._inbox) >= 4:
            size = int.from_bytes(self._inbox[:4])
            if len(self._inbox) < 4 + size:
                return
            verb, *fields = feed.decode(bytes(self._inbox[4 : 4 + size]))
            del self._inbox[: 4 + size]
            self._verbs[verb](*fields)

    def _receive(self) -> bytes:
        try:
            return self._control.recv(1 << 20)
        except (ConnectionResetError, BrokenPipeError):
            return b""

    def _update(self, revision: int, rows: list[tuple[Any, ...]]) -> None:
        obey_update(self._answers, self._pieces.unpack(rows))
        self._tell("ack", revision)

    def _configure(self, row: tuple[Any, ...]) -> None:
        settings = feed.unpack_settings(row)
        self._answers.configure(settings)
        if self._tcp is not None:
            self._tcp.ipv6_prefix = settings.prefixes[1]

    def _take(self, indexes: list[int]) -> None:
        taken = [self._sockets[index] for index in indexes]
        self._listeners = [sock for sock in taken if sock.type == socket.SOCK_STREAM]
        if self._listeners:
            self._answers.transport = "tcp"
            return
        if self._has_priority:
            with suppress(PermissionError):  # answers come before the work of telling everybody about changes
                os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
        for sock in taken:
            endpoint = Endpoint(sock)
            self._endpoints[endpoint.fd] = endpoint
            self._epoll.register(endpoint.fd, select.EPOLLIN)

    def _count(self) -> None:
        self._tell("counts", self._answers.report())

    def _stop(self) -> None:
        self._is_running = False

    def _tell(self, *document: Any) -> None:
        self._control.setblocking(True)
        try:
            self._control.sendall(feed.encode(document))
        except (ConnectionResetError, BrokenPipeError):
            self._is_running = False
        self._control.setblocking(False)


def _log(line: str) -> None:
    """Write a line of the query log where this program's other messages go; a log that is full, gone or read by nobody loses it.

    A pipe that can be written to has room for PIPE_BUF octets (4,096), more than a line has: nobody waits for its reader.
    """
    with suppress(OSError):
        if select.select((), (_STDERR,), (), 0)[1]:
            os.write(_STDERR, line.encode())


def _unix_seconds() -> int:
    return int(time.time())


def obey_update(answers: Compiled, updates: list[feed.Update]) -> None:
    """Apply updates. The garbage collector waits meanwhile, and whole zones leave its sight: its walks delay answers."""
    gc.disable()
    try:
        answers.apply(updates)
    finally:
        gc.enable()
    if any(isinstance(update, feed.ReplaceZone) for update in updates):
        gc.freeze()


def run(control: socket.socket, sockets: list[socket.socket], *, has_priority: bool = False) -> None:
    """Serve as a worker; the first control frame holds settings and limits."""
    control.setblocking(True)
    settings, limits = feed.decode(_exactly(control, int.from_bytes(_exactly(control, 4))))
    try:
        unpacked = feed.unpack_settings(settings), Limits(*limits)
        Worker(control, sockets, *unpacked, has_priority=has_priority).run()
    finally:
        for sock in (control, *sockets):
            sock.close()


def _exactly(sock: socket.socket, size: int) -> bytes:
    octets = sock.recv(size, socket.MSG_WAITALL)
    if len(octets) < size:
        raise SystemExit("the server went away")
    return octets


def main(arguments: list[str]) -> None:
    """Run as a process: `python -m suite.dns.worker KIND CONTROL_FD SOCKET_FD...`; KIND is for those who list processes."""
    for number in (signal.SIGINT, signal.SIGTERM):  # of a whole group: the server says when to stop
        signal.signal(number, signal.SIG_IGN)
    control, *sockets = (socket.socket(fileno=int(text)) for text in arguments[1:])
    run(control, sockets, has_priority=True)


if __name__ == "__main__":
    main(sys.argv[1:])
