"""When a crowded worker looks at its sockets again: a network card's interrupt moderation, for questions.

A look costs the same whether one question waits or sixty-four, and a worker that is a little quicker than its clients finds
ten. So close to its limit, and while it falls behind again and again, it lets some gather first: there questions wait anyway,
for want of processor time, and fewer looks leave more of it. Otherwise each is answered at once.
"""

from __future__ import annotations

GATHERED, LONGEST = 32, 200e-6
"""Questions that are worth a look, and seconds that one may wait for others, the kernel's slack (50 microseconds) aside."""
GATHERED_LATE, LONGEST_LATE = 64, 1e-3
"""The same where questions are late anyway: those of a look that finds 128 wait as long for each other."""
_CROWDED, _CALM, _FULL = 40e-6, 80e-6, 12e-6  # seconds between two questions, on the average
_BEHIND = 128  # questions that waited together
_LATE = 256  # looks that remember them
_MEMORY = 64  # looks: the questions of one burst are no rate
_SILENCE = 10e-3  # such a gap ends any crowd, and a longer one says no more


class Moderation:
    """The rate of questions of one worker, and what follows from it. `is_crowded` from 25,000 a second on."""

    __slots__ = ("_gap", "_late", "_looked", "is_crowded")

    def __init__(self) -> None:
        self._gap, self._looked, self._late, self.is_crowded = _SILENCE, 0.0, 0, False

    def pause(self, count: int, now: float) -> float:
        """Give the seconds to let questions gather, after looks until `now` (seconds of a steady clock) that found `count`.

        Unless it fell behind lately that is none below 80,000 a second, nor for who asks one at a time, each as soon as the
        last is answered.
        """
        self._gap += (min((now - self._looked) / count, _SILENCE) - self._gap) / _MEMORY
        self._looked, self._late = now, _LATE if count >= _BEHIND else self._late - 1
        self.is_crowded = self._gap < (_CALM if self.is_crowded else _CROWDED)
        if self.is_crowded and self._late > 0:
            return min(max(GATHERED_LATE - count, 0) * self._gap, LONGEST_LATE)
        if self._gap < _FULL and 1 < count < GATHERED:
            return min((GATHERED - count) * self._gap, LONGEST)
        return 0.0
