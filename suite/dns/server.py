"""Server: opens the sockets, starts workers, tells them every change, and replaces one that dies.

The sockets belong to the server, so they outlive a worker: what arrives meanwhile waits in the kernel until the spare,
which holds the same zones already, takes them over. In a small installation `processes=False` runs the same workers
as threads of this process.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING, Any

from suite.dns import feed, worker
from suite.dns.catalogue import Zones
from suite.dns.journal import Journal
from suite.dns.settings import Settings, Transfers
from suite.dns.tcp import Limits, open_listener
from suite.dns.udp import open_socket

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from suite.dns.feed import Update

ATTEMPTS = 20
_STOP_SECONDS = 3.0
_DRAIN_SECONDS = 1.0
_TCP_SECONDS = 0.05
_LONG = 1 << 16
"""Frames longer than this are not piled up in memory for a worker that is slow to read them."""


@dataclass(slots=True, eq=False)
class _Link:
    """One worker as the server sees it."""

    kind: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    body: subprocess.Popen[bytes] | threading.Thread
    taken: list[int] = field(default_factory=list)
    acked: int = -1
    counts: asyncio.Future[dict[str, int]] | None = None
    task: asyncio.Task[None] | None = None

    backlog: list[bytes] | None = field(default_factory=list)

    def tell(self, *document: Any) -> None:
        self.send(feed.encode(document))

    def send(self, frame: bytes) -> None:
        """Write a frame, but not before the zones that the worker starts with."""
        if self.backlog is None:
            self.writer.write(frame)
        else:
            self.backlog.append(frame)

    async def begin(self, frames: Iterable[bytes]) -> None:
        """Write the frames with the first zones, and what was said meanwhile."""
        for frame in frames:
            self.writer.write(frame)
            await self.drained()
        self.writer.write(b"".join(self.backlog or ()))
        self.backlog = None

    async def drained(self) -> None:
        """Wait until little is left to be written; not for one that is gone or stands still."""
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self.writer.drain()


class Server:
    """Answers DNS on every given address, UDP and TCP.

    `workers` UDP workers share each address (SO_REUSEPORT), one serves TCP, and one spare waits for any of them to die.
    """

    def __init__(
        self,
        listen: Sequence[tuple[str, int]],
        settings: Settings | None = None,
        *,
        workers: int = 1,
        processes: bool = True,
        limits: Limits | None = None,
    ) -> None:
        self.addresses = list(listen)
        self._settings = settings or Settings()
        self._workers = workers
        self._processes = processes
        self._limits = limits or Limits()
        self._zones = Zones()
        self._journal = Journal()
        self._revision = 0
        self._links: list[_Link] = []
        self._udp: list[socket.socket] = []
        self._listeners: list[socket.socket] = []
        self._telling = asyncio.Lock()
        self._progress = asyncio.Condition()
        self._replacing = asyncio.Lock()
        self._is_stopping = False
        self.restarts = 0

    @property
    def zones(self) -> Zones:
        """The catalogue as last published."""
        return self._zones

    @property
    def journal(self) -> Journal:
        """The differences IXFR serves; the last of a zone is what its latest publication changed, to be stored."""
        return self._journal

    async def start(self) -> None:
        """Open the sockets and start the workers; OSError when an address cannot be bound. Port 0 picks a free one."""
        self._open()
        count = len(self.addresses)
        for number in range(self._workers):
            await self._take(await self._spawn("udp"), "udp", list(range(number * count, (number + 1) * count)))
        if self._processes:
            await self._spawn("udp")
        await self._take(await self._spawn("tcp"), "tcp", [len(self._udp) + number for number in range(count)])

    def _open(self) -> None:
        """Open all sockets, or none."""
        with ExitStack() as undo:
            pairs = [_open_pair(address, port, undo) for address, port in self.addresses]
            self.addresses = [(listener.getsockname()[0], listener.getsockname()[1]) for _, listener in pairs]
            more = [
                undo.enter_context(open_socket(address, port))
                for _ in range(1, self._workers)
                for address, port in self.addresses
            ]
            undo.pop_all()
        self._listeners = [listener for _, listener in pairs]
        self._udp = [*(sock for sock, _ in pairs), *more]

    async def publish(self, updates: Iterable[Update], revision: int) -> None:
        """Make updates visible; returns when the next query to any worker sees them.

        A worker that serves TCP holds up no publication: one that stands still is waited for no longer than 50 ms, and not
        at all when it is behind already (`seen` tells). ZoneError or KeyError (and nothing changed anywhere) when an update
        breaks a rule or names no zone of ours.
        """
        is_behind = any(0 <= link.acked < self._revision for link in self._links if link.taken)
        await asyncio.shield(self._tell_all(updates, revision))  # half of it would be worse than none
        await self._acked(revision, for_tcp=0)  # one that is just being born serves nobody yet
        with suppress(TimeoutError):
            async with asyncio.timeout(0 if is_behind else _TCP_SECONDS):
                await self.visible(revision)

    async def _tell_all(self, updates: Iterable[Update], revision: int) -> None:
        async with self._telling:
            updates = feed.lean(self._zones, updates)
            old, self._zones = self._zones, feed.apply(self._zones, updates)
            is_copied = self._settings.transfers != Transfers()
            self._journal = feed.record(self._journal, old, self._zones, updates) if is_copied else Journal()
            self._revision = revision
            for frame in feed.frames(revision, updates):
                links = list(self._links)
                for link in links:
                    link.send(frame)
                for link in links if len(frame) > _LONG else ():
                    await link.drained()

    def configure(self, settings: Settings) -> None:
        """Use these settings from now on: they overtake no publication and are overtaken by none."""
        if settings == self._settings:
            return
        self._settings = settings
        for link in self._links:
            link.tell("settings", feed.pack_settings(settings))

    async def visible(self, revision: int) -> None:
        """Wait until every worker that answers has applied the revision."""
        await self._acked(revision, revision)

    @property
    def seen(self) -> int | None:
        """The revision that every worker which answers has applied, 0 before the first; None while none answers."""
        return min((max(link.acked, 0) for link in self._links if link.taken), default=None)

    async def _acked(self, revision: int, for_tcp: int) -> None:
        """Wait until every worker that answers has applied a revision, this one or another where it serves TCP."""
        needed = {"udp": revision, "tcp": for_tcp}
        async with self._progress:
            await self._progress.wait_for(
                lambda: all(link.acked >= needed[link.kind] for link in self._links if link.taken)
            )

    async def counts(self) -> dict[str, int]:
        """Sum the workers' counters: answers by transport, type and rcode."""
        total: dict[str, int] = {}
        for link in list(self._links):
            if link.counts is None or link.counts.done():
                link.counts = asyncio.get_running_loop().create_future()
                link.tell("count")
            for name, count in (await link.counts).items():
                total[name] = total.get(name, 0) + count
        return total

    async def stop(self) -> None:
        """Stop the workers and close the sockets."""
        self._is_stopping = True
        async with self._replacing:  # a worker that is just being born must not be left behind
            links = list(self._links)
        for link in links:
            link.tell("stop")
        for link in links:
            await asyncio.to_thread(_join, link.body)
            if link.task is not None:
                link.task.cancel()
                await asyncio.gather(link.task, return_exceptions=True)
            link.writer.close()
        for sock in (*self._udp, *self._listeners):
            sock.close()

    async def _take(self, link: _Link, kind: str, indexes: list[int]) -> None:
        """Let a worker serve these sockets; one for TCP then gets the differences, between two publications."""
        link.kind, link.taken = kind, indexes
        link.tell("take", indexes)
        if kind == "tcp":
            async with self._telling:
                for frame in feed.frames(self._revision, feed.histories(self._journal)):
                    link.send(frame)

    async def _spawn(self, kind: str) -> _Link:
        ours, theirs = socket.socketpair()
        body = self._body(kind, theirs)
        reader, writer = await asyncio.open_connection(sock=ours)
        link = _Link(kind, reader, writer, body)
        writer.write(feed.encode((feed.pack_settings(self._settings), astuple(self._limits))))
        async with self._telling:  # half a publication is nothing to begin with
            self._links.append(link)
            zones, revision = self._zones, self._revision
        link.task = asyncio.create_task(self._follow(link))
        await link.begin(feed.frames(revision, feed.whole(zones, Journal())))
        return link

    def _body(self, kind: str, control: socket.socket) -> Any:
        """Every worker holds all sockets: the spare may have to take any of them."""
        sockets = [*self._udp, *self._listeners]
        if not self._processes:
            copies = [sock.dup() for sock in sockets]
            thread = threading.Thread(target=worker.run, args=(control, copies), name=f"dns-{kind}", daemon=True)
            thread.start()
            return thread
        descriptors = [control.fileno(), *(sock.fileno() for sock in sockets)]
        command = [sys.executable, "-m", "suite.dns.worker", kind, *map(str, descriptors)]
        process = subprocess.Popen(command, pass_fds=descriptors, stdin=subprocess.DEVNULL)
        control.close()
        return process

    async def _follow(self, link: _Link) -> None:
        """Read what a worker says until it is gone; then put the spare in its place."""
        try:
            while True:
                size = int.from_bytes(await link.reader.readexactly(4))
                self._hear(link, *feed.decode(await link.reader.readexactly(size)))
                async with self._progress:
                    self._progress.notify_all()
        except (asyncio.IncompleteReadError, ConnectionError):
            link.writer.close()
        self._links.remove(link)
        async with self._replacing:
            if not self._is_stopping:
                await self._replace(link)
        async with self._progress:
            self._progress.notify_all()
        await asyncio.to_thread(_join, link.body)

    def _hear(self, link: _Link, verb: str, content: Any) -> None:
        if verb == "ack":
            link.acked = content
        elif link.counts is not None and not link.counts.done():
            link.counts.set_result(content)

    async def _replace(self, dead: _Link) -> None:
        self.restarts += 1
        if dead.counts is not None and not dead.counts.done():
            dead.counts.set_result({})
        spare = next((link for link in self._links if not link.taken), None)
        if spare is not None and dead.taken:
            await self._take(spare, dead.kind, dead.taken)
        fresh = await self._spawn("udp" if self._processes else dead.kind)
        if spare is None and dead.taken:
            await self._take(fresh, dead.kind, dead.taken)


def _open_pair(address: str, port: int, undo: ExitStack) -> tuple[socket.socket, socket.socket]:
    """Bind UDP and TCP to one port; a free one, when it is to be picked, must be free for both."""
    for _ in range(ATTEMPTS - 1 if not port else 0):
        listener = open_listener(address, port)
        try:
            return undo.enter_context(open_socket(address, listener.getsockname()[1])), undo.enter_context(listener)
        except OSError:
            listener.close()
    listener = undo.enter_context(open_listener(address, port))
    return undo.enter_context(open_socket(address, listener.getsockname()[1])), listener


def _join(body: subprocess.Popen[bytes] | threading.Thread) -> None:
    if isinstance(body, threading.Thread):
        body.join(_STOP_SECONDS)
        return
    try:
        body.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        body.kill()
        body.wait()
