"""Following the database where another process's controller writes: read, tell, and report what a speaker sees.

It never reads a source, never stands for leadership and never writes a lease of its own accord; the right to read the
tables is all it needs, but for what speakers report.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from suite.controller.plan import Planner
from suite.controller.reporting import announce, commit_declined
from suite.controller.trouble import Trouble
from suite.model.address import Address
from suite.model.announcement import Announcement
from suite.model.configuration import Configuration
from suite.model.publication import Publication, Tell
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot
from suite.store.errors import StoreError, Unavailable
from suite.store.store import Store

WAIT = 0.5
"""The longest wait for news, in seconds; the end of the process waits for it too."""
REST = 20
"""Which free addresses come next is found out from all leases, so at most one such part of the time is spent on it."""

_log = logging.getLogger(__name__)


class DatabaseFollower:
    """An Origin of publications beside no controller.

    ``own`` is the configuration this process read itself: the database keeps no passwords of peers, so those of the same
    peers in ``own`` count.  With ``looks_ahead`` publications name the free addresses that come next, for a speaker.
    """

    def __init__(
        self,
        store: Store,
        tell: Tell,
        clock: Callable[[], datetime],
        own: Configuration,
        *,
        looks_ahead: bool = False,
    ) -> None:
        self._store = store
        self._tell = tell
        self._clock = clock
        self._own = own
        self._looks_ahead = looks_ahead
        self._ahead: tuple[Address, ...] = ()
        self._told_ahead: tuple[Address, ...] = ()
        self._told: Snapshot | None = None
        self.snapshot = Snapshot()
        self.away = Trouble()

    @property
    def trouble(self) -> str:
        """Why the database cannot be used; empty when it can."""
        return str(self.away)

    async def load(self) -> Snapshot:
        """Read the database."""
        self.snapshot = self._completed(await asyncio.to_thread(self._store.read))
        return self.snapshot

    async def run(self) -> None:
        """Tell every new snapshot, until cancelled; nothing before the first full turn of a controller."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            if self._looks_ahead:
                tasks.create_task(self._look_ahead())

    async def _follow(self) -> None:
        await self._publish()
        while True:
            try:
                if self.away:
                    await asyncio.sleep(WAIT)
                await self._look()
            except Unavailable as error:
                self.away.begins(error)

    async def announce(self, node: str, announced: frozenset[Announcement]) -> bool:
        """Write what ``node`` announces, when it differs; whether the database has it now."""
        return await announce(self._store, node, announced, self._clock())

    async def decline(self, address: Address, mac: str, node: str) -> None:
        """Commit that a stranger has ``address``; a database that is away loses it, and the speaker asks again."""
        try:
            await asyncio.to_thread(commit_declined, self._store, self.snapshot, address, mac, node, self._clock)
        except StoreError as error:
            _log.warning("%s is in use by %s; the database cannot be told yet: %s", address, mac, error)

    def probed(self, address: Address) -> None:
        """Let the controllers on the database know that nobody has ``address``."""
        self._store.say_clean(address)

    async def _look(self) -> None:
        if news := await asyncio.to_thread(self._store.news, lambda: self.snapshot, WAIT):
            self.snapshot = self._completed(news.snapshot)
            await self._publish(news.services if self._told is news.since else None)
        elif self._told_ahead != self._ahead:
            await self._publish(frozenset())
        self.away.ends()

    async def _look_ahead(self) -> None:
        """Find out anew what comes next after commits, in a worker thread; news of them do not wait for it."""
        known = None
        while True:
            began, snapshot = time.monotonic(), self.snapshot
            if snapshot is not known and snapshot.is_complete:
                self._ahead = await asyncio.to_thread(lambda: Planner(snapshot).ahead())  # noqa: B023 - awaited here
                known = snapshot
            await asyncio.sleep(max(WAIT, REST * (time.monotonic() - began)))

    async def _publish(self, touched: frozenset[ServiceRef] | None = None) -> None:
        if self.snapshot.is_complete:
            self._told, self._told_ahead = self.snapshot, self._ahead
            await self._tell(Publication(self.snapshot, touched, ahead=self._ahead))

    def _completed(self, snapshot: Snapshot) -> Snapshot:
        """``snapshot`` with the passwords that only this process's own documents hold."""
        passwords = {(peer.name, peer.address): peer.password for peer in self._own.peers if peer.password}
        if not passwords:
            return snapshot
        peers = tuple(
            replace(peer, password=passwords.get((peer.name, peer.address), ""))
            for peer in snapshot.configuration.peers
        )
        if peers == snapshot.configuration.peers:
            return snapshot  # a configuration that is the same object says that nothing in it changed
        return replace(snapshot, configuration=replace(snapshot.configuration, peers=peers))
