"""The names that were served last, on this machine's disk: what DNS begins with where the database is away at the start.

Where the database is a file of this machine there is nothing to bridge; a server's may be away just when a machine comes
back, and names are what everybody asks for first.  The file is a follower's (`suite.store.remote.kept`): whole or not at
all, for its owner's eyes, its own time saying when it was last known to be the newest.  So the stale limit counts over
restarts too: nobody is led to an address that may have been given to somebody else meanwhile.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from suite.model.publication import Publication
from suite.model.snapshot import Snapshot
from suite.nameserver.loop import LOOK, Nameserver
from suite.store.remote import kept
from suite.store.remote.lines import FeedError
from suite.store.remote.reader import Known

NAME = "names.last"
PATIENCE = 1.0
"""Seconds that a database may take to answer before the names of last time are served."""
SOON, PAUSE = 2.0, 30.0
"""Seconds after the first snapshot until it is kept, and between two looks at whether there is a newer one."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class LastNames:
    """What ``nameserver`` begins with, in the directory ``state``."""

    def __init__(self, nameserver: Nameserver, state: Path) -> None:
        self._nameserver = nameserver
        self._path = state / NAME

    async def meanwhile(self, getting: Awaitable[T]) -> T:
        """What ``getting`` gives; while it takes its time, names are answered as they were last."""
        trying = asyncio.ensure_future(getting)
        try:
            await asyncio.wait({trying}, timeout=PATIENCE)
            if not trying.done():
                await self._serve()
            while not trying.done():
                await asyncio.wait({trying}, timeout=LOOK)
                await self._nameserver.look_at_age()
            self._nameserver.begin_anew()
            return await trying
        finally:
            trying.cancel()

    async def keep(self, newest: Callable[[], Snapshot], is_current: Callable[[], bool]) -> None:
        """Keep what is newest on the disk, and how long ago it was known to be, until cancelled."""
        held: Snapshot | None = None
        await asyncio.sleep(SOON)
        while True:
            snapshot = newest()
            try:
                if snapshot.is_complete and is_current():
                    if held is None or (held.epoch, held.revision) != (snapshot.epoch, snapshot.revision):
                        await asyncio.to_thread(kept.keep, self._path, Known(snapshot))
                        held = snapshot
                    else:
                        kept.touch(self._path)
            except OSError as error:
                _log.warning("the names could not be kept in %s: %s", self._path, error.strerror)
            await asyncio.sleep(PAUSE if snapshot.is_complete else SOON)

    async def _serve(self) -> None:
        try:
            known, age = await asyncio.to_thread(kept.recall, self._path, time.time())
        except (FeedError, OSError) as error:
            _log.error("%s is not used: %s", self._path, error)
            return
        if known.snapshot.is_complete:
            _log.warning("names are answered as of revision %d, kept on the disk", known.snapshot.revision)
            await self._nameserver.follow(Publication(_alone(known.snapshot), None, age))


def _alone(snapshot: Snapshot) -> Snapshot:
    """Without secondaries: the serials of zones are the database's to give, and they must not learn of others."""
    dns = replace(snapshot.configuration.dns, transfer_acl=(), notify=())
    return replace(snapshot, configuration=replace(snapshot.configuration, dns=dns))
