"""When to tell the LAN, unasked, who owns an address. Pure: time is an argument.

At take-over a burst: at once, three quick repeats against loss, then once every 1.1 s until 4.4 s have passed, because Linux
ignores a change of a neighbour entry that is younger than its locktime of one second. Afterwards a slow refresh for as
long as the address stays ours: switches forget a MAC after 300 s, and a forgotten one is flooded or, worse, lost.
"""

import heapq
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

BURST = (0.0, 0.05, 0.2, 0.5, 1.1, 2.2, 3.3, 4.4)
"""Seconds after take-over."""

REFRESH = 100.0
"""Seconds between two announcements of a settled owner: two get lost before a switch forgets."""

QUICKEST = 0.05
"""Seconds between two announcements even when the caller came late for the first."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class Bursts(Generic[Key]):
    """The announcements due for each key (an address on an interface); a heap, so 10,000 keys cost what one costs."""

    schedule: tuple[float, ...] = BURST
    refresh: float = REFRESH
    _heap: list[tuple[float, int, Key, int, float]] = field(default_factory=list)
    _started: dict[Key, int] = field(default_factory=dict)
    _serial: int = 0

    def start(self, key: Key, now: float) -> None:
        """The key was taken over, or its owner has reason to say so again; a burst under way starts anew."""
        self._serial += 1
        self._started[key] = self._serial
        heapq.heappush(self._heap, (now + self.schedule[0], self._serial, key, 0, now))

    def stop(self, key: Key) -> None:
        """Not ours any more: nothing further is sent for the key."""
        self._started.pop(key, None)

    def due(self, now: float, limit: int = 64) -> list[Key]:
        """Up to `limit` keys to announce now, the longest due first; each is rescheduled."""
        ready: list[Key] = []
        while self._heap and self._heap[0][0] <= now and len(ready) < limit:
            _, serial, key, step, began = heapq.heappop(self._heap)
            if self._started.get(key) != serial:
                continue
            ready.append(key)
            heapq.heappush(self._heap, (self._following(step, began, now), serial, key, step + 1, began))
        return ready

    def next_timer(self) -> float | None:
        """When `due` has something to say next; None if there is nothing to announce."""
        while self._heap and self._started.get(self._heap[0][2]) != self._heap[0][1]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def __contains__(self, key: Key) -> bool:
        return key in self._started

    def _following(self, step: int, began: float, now: float) -> float:
        if step + 1 < len(self.schedule):
            return max(began + self.schedule[step + 1], now + QUICKEST)
        return now + self.refresh
