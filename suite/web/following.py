"""What followers are served from, without the web framework: the run loop makes it and wakes who waits."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from suite.model.address import Address
from suite.model.lease import Lease
from suite.model.publication import Origin
from suite.store.remote.feed import Feed
from suite.web.followers import Followers

if TYPE_CHECKING:
    from suite.store.store import Store

NEWS_FOR = timedelta(seconds=60)
"""How long a stranger at an address that nobody has is news: its speaker asks again far sooner."""


def is_outdated(leases: Iterable[Lease], at: datetime, now: datetime) -> bool:
    """Whether a stranger found at ``at`` is of no account: who got the address only after that has another story.

    At an address without ``leases`` it counts while it is fresh; what waited in a journal was about somebody's address.
    """
    begun = [lease.valid_from for lease in leases]
    return min(begun) > at if begun else now - at > NEWS_FOR


class News:
    """Wakes whoever waits for a newer snapshot; for the event loop's own thread."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """There is something new."""
        self._rung.set()
        self._rung = asyncio.Event()

    async def wait(self, seconds: float) -> bool:
        """Whether something came within ``seconds``."""
        rung = self._rung
        try:
            async with asyncio.timeout(seconds):
                await rung.wait()
        except TimeoutError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Following:
    """What followers are served from: the feed, and where their reports go."""

    feed: Feed
    news: News
    origin: Origin
    store: "Store"
    authority: Callable[[], str] = str
    """The certificate that followers pin, in PEM; empty where nothing listens for them."""
    probed: Callable[[Address], None] = lambda _address: None
    followers: Followers = field(default_factory=Followers)
