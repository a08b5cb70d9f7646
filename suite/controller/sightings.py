"""Telling the cluster who announces its Services: each announcement that begins becomes an Event in MetalLB's words.

Speakers write what they announce into the database, wherever they run; here the rows that are new are read once a second.
Every instance keeps count, and only the one that leads gets its Events sent, so the next leader repeats nothing.
"""

import asyncio
from collections.abc import Callable, Iterable

from suite.cluster.status import Note, node_assigned
from suite.model.announcement import Announcement
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot
from suite.store.errors import Unavailable
from suite.store.store import Store

INTERVAL = 1.0
"""Seconds between two looks at the table; one finds nothing in some ten microseconds."""


def assignments(begun: Iterable[Announcement], snapshot: Snapshot) -> list[tuple[ServiceRef, Note]]:
    """The Events for announcements that began: one for each Service, node and protocol, in the order they began."""
    found: dict[tuple[ServiceRef, Note], None] = {}
    for each in begun:
        for lease in snapshot.leases.get(each.address) or ():
            found[lease.ref, node_assigned(each.node, each.mode)] = None
    return list(found)


async def follow_announcements(
    store: Store, snapshot: Callable[[], Snapshot], note: Callable[[ServiceRef, Note], None]
) -> None:
    """Note what begins to be announced from now on, until cancelled; a database that is away is asked again."""
    last: int | None = None
    while True:
        try:
            if last is None:
                last = await asyncio.to_thread(store.last_announcement)
            else:
                begun, last = await asyncio.to_thread(store.announced_since, last)
                for ref, event in assignments(begun, snapshot()):
                    note(ref, event)
        except Unavailable:
            pass  # whoever writes to it says so
        await asyncio.sleep(INTERVAL)
