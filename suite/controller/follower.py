"""Following the database where another process's controller writes: read, tell, and report what a speaker sees.

It never reads a source, never stands for leadership and never writes a lease of its own accord; the right to read the
tables is all it needs, but for what speakers report.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from suite.controller.reporting import announce, commit_declined
from suite.controller.trouble import Trouble
from suite.model.address import Address
from suite.model.announcement import Announcement
from suite.model.configuration import Configuration
from suite.model.publication import Publication, Tell
from suite.model.snapshot import Snapshot
from suite.store.errors import StoreError, Unavailable
from suite.store.store import Store

WAIT = 0.5
"""The longest wait for news, in seconds; the end of the process waits for it too."""

_log = logging.getLogger(__name__)


class DatabaseFollower:
    """An Origin of publications beside no controller.

    ``own`` is the configuration this process read itself: the database keeps no passwords of peers, so those of the same
    peers in ``own`` count.
    """

    def __init__(self, store: Store, tell: Tell, clock: Callable[[], datetime], own: Configuration) -> None:
        self._store = store
        self._tell = tell
        self._clock = clock
        self._own = own
        self._has_told = False
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

    async def _look(self) -> None:
        if await asyncio.to_thread(self._store.wait, self.snapshot, WAIT):
            known = self.snapshot
            self.snapshot = self._completed(await asyncio.to_thread(self._store.refresh, known))
            await self._publish()
        self.away.ends()

    async def _publish(self) -> None:
        if self.snapshot.is_complete:
            await self._tell(Publication(self.snapshot))

    def _completed(self, snapshot: Snapshot) -> Snapshot:
        """``snapshot`` with the passwords that only this process's own documents hold."""
        passwords = {(peer.name, peer.address): peer.password for peer in self._own.peers if peer.password}
        if not passwords:
            return snapshot
        peers = tuple(
            replace(peer, password=passwords.get((peer.name, peer.address), ""))
            for peer in snapshot.configuration.peers
        )
        return replace(snapshot, configuration=replace(snapshot.configuration, peers=peers))
