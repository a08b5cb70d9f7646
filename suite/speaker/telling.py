"""Telling the database, or whoever stands for it, what this node's speaker does: only what has changed, and once in a while."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count

from suite.model.announcement import Announcement
from suite.model.peering import SessionState
from suite.model.publication import Origin
from suite.speaker.loop import Speaker

ANNOUNCEMENTS_INTERVAL = 1.0
"""Seconds between two looks at what is announced; nothing is written while it stays the same."""
ANNOUNCEMENTS_REVIEW = 5
"""Every so many of these looks is compared with the database, whatever was reported."""
SESSIONS_INTERVAL = 2.0
"""The same for BGP sessions; one that flaps is written at this pace at most."""

Note = Callable[[frozenset[SessionState]], Awaitable[bool]]
"""Takes the sessions down; whether it did."""


async def tell_announcements(speaker: Speaker, node: str, origin: Origin) -> None:
    """Report what the speaker announces when it has changed, and once in a while.

    After a partition every side has written itself down as the owner, and the one that stays it has nothing new to say.
    """
    reported: frozenset[Announcement] | None = None
    for turn in count():
        announced = speaker.announcements()
        is_review = turn % ANNOUNCEMENTS_REVIEW == 0
        if (is_review or announced != reported) and await origin.announce(node, announced):
            reported = announced
        await asyncio.sleep(ANNOUNCEMENTS_INTERVAL)


async def tell_sessions(speaker: Speaker, note: Note) -> None:
    """Report which BGP sessions are up, only when one has changed."""
    known: frozenset[SessionState] | None = None
    while True:
        now = speaker.session_states()
        if now != known and await note(now):
            known = now
        await asyncio.sleep(SESSIONS_INTERVAL)
