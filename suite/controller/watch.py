"""What starts a controller's turns beside its source: the database, the question who leads, and the clock."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from suite.controller.trouble import Trouble
from suite.model.address import Address
from suite.model.snapshot import Snapshot
from suite.store.errors import Unavailable
from suite.store.snapshots import News
from suite.store.store import Store

WAIT = 0.5
"""Seconds between two looks at who leads, and the longest wait for news from the database."""
LONGEST_SLEEP = 30.0
"""Seconds after which the clock is looked at again; it may have been set."""


class Watched(Protocol):
    """What is told of it."""

    snapshot: Snapshot
    away: Trouble
    turned: asyncio.Event
    """Set after each turn: what is due next may be something else now."""

    async def led(self, term: int | None) -> None:
        """This instance leads in ``term``, or (None) another one does."""

    async def take_news(self, news: News) -> None:
        """Somebody committed."""

    def hear_clean(self, addresses: tuple[Address, ...]) -> None:
        """Speakers of other programs found these to be nobody's."""

    async def come_back(self) -> None:
        """Try whether the database is back.

        Raises:
            Unavailable: it is still away.
        """

    def seconds_to_due(self) -> float | None:
        """How long until a held or cooling address goes on; None when none waits."""

    async def expire(self) -> None:
        """Something is due."""


async def watch_database(
    watched: Watched, store: Store, instance: str, clock: Callable[[], datetime], may_lead: Callable[[], bool]
) -> None:
    """Notice what others commit: operators, and the leader when this instance is not it; until cancelled."""
    while True:
        try:
            if watched.away:
                await asyncio.sleep(WAIT)
                await watched.come_back()
            term = await asyncio.to_thread(store.lead, instance, clock()) if may_lead() else None
            await watched.led(term)
            news = await asyncio.to_thread(store.news, lambda: watched.snapshot, WAIT)
            watched.hear_clean(store.heard_clean())
            if news is not None:
                await watched.take_news(news)
        except Unavailable as error:
            watched.away.begins(error)


async def watch_clock(watched: Watched) -> None:
    """Notice that a held or cooling address is due, until cancelled."""
    while True:
        seconds = watched.seconds_to_due()
        try:
            async with asyncio.timeout(None if seconds is None else min(LONGEST_SLEEP, max(0.0, seconds))):
                await watched.turned.wait()  # wait_for may swallow a cancellation on Python 3.11
        except TimeoutError:
            if (left := watched.seconds_to_due()) is not None and left <= 0:
                await watched.expire()
        watched.turned.clear()
