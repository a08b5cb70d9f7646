"""What followers are served from, without the web framework: the run loop makes it and wakes who waits."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from suite.model.address import Address
from suite.model.publication import Origin
from suite.store.remote.feed import Feed
from suite.store.store import Store


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
    store: Store
    authority: Callable[[], str] = str
    """The certificate that followers pin, in PEM; empty where nothing listens for them."""
    probed: Callable[[Address], None] = lambda _address: None
