"""Writing down what is reported: what speakers see, for whoever has the database, and why a configuration was kept out."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from suite.controller.reports import declined
from suite.model.address import Address
from suite.model.announcement import Announcement
from suite.model.problem import Problem
from suite.model.snapshot import Snapshot
from suite.store.errors import Conflict, StoreError
from suite.store.store import Store

MOST_RACES = 20
"""How often a report is committed anew when somebody else was first; the speaker reports again."""

_log = logging.getLogger(__name__)


async def announce(store: Store, node: str, announced: frozenset[Announcement], now: datetime) -> bool:
    """Write what ``node`` announces, when it differs; whether the database has it now."""
    try:
        await asyncio.to_thread(store.announce, node, announced, now=now)
    except StoreError as error:
        _log.debug("what is announced could not be written yet: %s", error)
        return False
    return True


def commit_declined(
    store: Store, snapshot: Snapshot, address: Address, mac: str, node: str, clock: Callable[[], datetime]
) -> tuple[Snapshot, bool]:
    """Commit that a stranger has ``address``: the snapshot there is now, and whether there was anything to commit.

    Raises:
        Unavailable: the database is away; the speaker asks the network again, and reports again.
    """
    for _ in range(MOST_RACES):
        changes = declined(snapshot, address, mac, clock(), node)
        if not changes:
            return snapshot, False
        try:
            return store.commit(changes, snapshot, now=clock()), True
        except Conflict:
            snapshot = store.refresh(snapshot)
    return snapshot, False


def rejection(errors: Sequence[Problem]) -> str:
    """Why a configuration was kept out, in one sentence for the audit log; empty without errors."""
    others = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{errors[0]}{others}" if errors else ""
