"""What was announced last, on this machine's disk: what a speaker begins with where the database is away at the start.

Where the database is a file of this machine there is nothing to bridge.  A server's may come back later than the machines that
announce addresses, and may itself be reached by one of them.  The file is a follower's (`suite.store.remote.kept`): whole or not
at all, for its owner's eyes, with the keys that make the nodes believe each other.  What has changed meanwhile, others know: a node
whose snapshot is older is passed over where that matters, and every address is asked for before it is announced.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar

from suite.model.publication import Publication
from suite.model.snapshot import Snapshot
from suite.model.token import Scope
from suite.store.remote import kept
from suite.store.remote.lines import FeedError
from suite.store.remote.reader import Known
from suite.store.remote.secret_files import secrets_of

NAME = "plan.last"
PATIENCE = 2.0
"""Seconds that a database may take to answer before the plan of last time counts."""
PAUSE = 5.0
"""Seconds between two looks at whether there is a newer snapshot."""
SHARE = 20
"""A large one takes a while to write: at most one such part of the time is spent on that."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Announcer(Protocol):
    """As much of a speaker as is needed."""

    async def follow(self, publication: Publication) -> None:
        """Announce what the publication says."""

    async def run(self) -> None:
        """Look after what is announced, until cancelled."""


class LastPlan:
    """What ``speaker`` begins with, in the directory ``state``."""

    def __init__(self, speaker: Announcer, state: Path, patience: float = PATIENCE) -> None:
        self._speaker = speaker
        self._patience = patience
        self._path = state / NAME

    async def meanwhile(self, getting: Awaitable[T]) -> T:
        """What ``getting`` gives; while it takes its time, addresses are announced as they were last."""
        trying, announcing = asyncio.ensure_future(getting), asyncio.Event()
        looking_after = asyncio.create_task(self._look_after(announcing))
        try:
            await asyncio.wait({trying}, timeout=self._patience)
            if not trying.done() and await self._begin():
                announcing.set()
            return await trying
        finally:
            trying.cancel()
            looking_after.cancel()

    async def keep(self, newest: Callable[[], Snapshot], is_current: Callable[[], bool]) -> None:
        """Keep what is newest on the disk, until cancelled; nothing is written while nothing changes."""
        held: tuple[str, int] | None = None
        fault = ""
        while True:
            snapshot, began = newest(), time.monotonic()
            if snapshot.is_complete and is_current() and held != (snapshot.epoch, snapshot.revision):
                try:
                    await asyncio.to_thread(self._keep, snapshot)
                    held, fault = (snapshot.epoch, snapshot.revision), ""
                except OSError as error:
                    if (now := str(error)) != fault:
                        _log.warning("the plan could not be kept in %s: %s", self._path, error.strerror)
                    fault = now
            await asyncio.sleep(max(PAUSE, SHARE * (time.monotonic() - began)))

    async def _look_after(self, announcing: asyncio.Event) -> None:
        await announcing.wait()
        await self._speaker.run()

    def _keep(self, snapshot: Snapshot) -> None:
        kept.keep(self._path, Known(snapshot, secrets_of(snapshot, {Scope.SPEAKER})))

    async def _begin(self) -> bool:
        try:
            known, age = await asyncio.to_thread(kept.recall, self._path, time.time())
        except (FeedError, OSError) as error:
            _log.error("%s is not used: %s", self._path, error)
            return False
        if known.snapshot.is_complete:
            _log.warning("addresses are announced as of revision %d, kept on the disk", known.snapshot.revision)
            await self._speaker.follow(Publication(known.snapshot, None, age))
        return known.snapshot.is_complete
