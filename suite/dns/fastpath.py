"""Ready-made answers: a first cut that answers everything by the reference; the compiled answers take its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.dns import feed
from suite.dns.settings import Context
from suite.dns.wire import respond

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from suite.dns.catalogue import Zones
    from suite.dns.feed import Update
    from suite.dns.settings import Settings


class Compiled:
    """Answers for one worker. `clock` gives Unix seconds."""

    def __init__(self, zones: Zones, settings: Settings, clock: Callable[[], int]) -> None:
        self.zones, self.settings, self.clock = zones, settings, clock
        self.ready: dict[bytes, tuple[bytes, int, int]] = {}
        self.counts: list[int] = [0]

    def apply(self, updates: list[Update]) -> None:
        """Make updates visible to the next query."""
        self.zones = feed.apply(self.zones, updates)

    def report(self) -> dict[str, int]:
        """Counters so far."""
        return {"ready": self.counts[0]}

    def quick(self, packet: bytes, client: bytes) -> bytes | None:
        return None

    def slow(self, packet: bytes, client: bytes) -> bytes | None:
        return respond(self.zones, packet, Context(self.settings, client, self.clock()))

    def converse(self, packet: bytes, client: bytes) -> Iterator[bytes]:
        """Give the replies to one packet that came over TCP."""
        reply = respond(self.zones, packet, Context(self.settings, client, self.clock(), tcp=True))
        if reply is not None:
            yield reply
