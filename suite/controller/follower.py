"""Following the database where another process's controller writes: read, tell, and report what a speaker sees.

It never reads a source, never stands for leadership and never writes a lease of its own accord; the right to read the
tables is all it needs, but for what speakers report.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from suite.controller.reports import declined
from suite.model.address import Address
from suite.model.announcement import Announcement
from suite.model.configuration import Configuration
from suite.model.publication import Publication, Tell
from suite.model.snapshot import Snapshot
from suite.store.errors import Conflict, StoreError, Unavailable
from suite.store.store import Store

WAIT = 0.5
"""The longest wait for news, in seconds; the end of the process waits for it too."""
MOST_RACES = 20
"""How often a report is committed anew when somebody else was first; the speaker reports again."""

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
        self.trouble = ""
        """Why the database cannot be used; empty when it can."""

    async def load(self) -> Snapshot:
        """Read the database."""
        self.snapshot = self._completed(await asyncio.to_thread(self._store.read))
        return self.snapshot

    async def run(self) -> None:
        """Tell every new snapshot, until cancelled; nothing before the first full turn of a controller."""
        await self._publish()
        while True:
            try:
                if self.trouble:
                    await asyncio.sleep(WAIT)
                await self._look()
            except Unavailable as error:
                if not self.trouble:
                    _log.error("the database cannot be used: %s", error)
                self.trouble = str(error)

    async def announce(self, node: str, announced: frozenset[Announcement]) -> bool:
        """Write what ``node`` announces, when it differs; whether the database has it now."""
        try:
            await asyncio.to_thread(self._store.announce, node, announced, now=self._clock())
        except StoreError as error:
            _log.debug("what is announced could not be written yet: %s", error)
            return False
        return True

    async def decline(self, address: Address, mac: str, node: str) -> None:
        """Commit that a stranger has ``address``; a database that is away loses it, and the speaker asks again."""
        try:
            await asyncio.to_thread(self._commit_declined, address, mac, node)
        except StoreError as error:
            _log.warning("%s is in use by %s; the database cannot be told yet: %s", address, mac, error)

    def _commit_declined(self, address: Address, mac: str, node: str) -> None:
        """Runs in a worker thread; :meth:`_look` finds the commit like anybody else's."""
        snapshot = self.snapshot
        for _ in range(MOST_RACES):
            changes = declined(snapshot, address, mac, self._clock(), node)
            if not changes:
                return
            try:
                self._store.commit(changes, snapshot, now=self._clock())
            except Conflict:
                snapshot = self._store.refresh(snapshot)
            else:
                return

    async def _look(self) -> None:
        if await asyncio.to_thread(self._store.wait, self.snapshot, WAIT):
            known = self.snapshot
            self.snapshot = self._completed(await asyncio.to_thread(self._store.refresh, known))
            await self._publish()
        if self.trouble:
            _log.warning("the database is back")
            self.trouble = ""

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
