"""When a crowded worker looks at its sockets again: a network card's interrupt moderation, for questions.

A look costs the same whether one question waits or sixty-four, and a worker that is quicker than its clients finds few:
at 140,000 questions a second ten a look, of two workers beside each other one or two. So a worker that is asked often
lets some gather first, and one that is not answers each at once. It waits longer while looks find more than they can take:
then questions are late anyway, for want of processor time, and fewer looks leave more of it.
"""

from __future__ import annotations

GATHERED = 32
"""Questions that are worth a look."""
SHORT, LONG = 30e-6, 200e-6
"""Seconds that a question may wait for others, the kernel's slack (50 microseconds) aside: mostly, and where all are late."""
_CROWDED, _CALM = 40e-6, 80e-6  # seconds between two questions, on the average
_MEMORY = 8  # looks
_LATE = 256  # looks
_SILENCE = 1e-3  # so long a gap and any longer one are alike


class Moderation:
    """The rate of questions of one worker, and what follows from it. `is_crowded` from 25,000 a second on."""

    __slots__ = ("_gap", "_late", "_looked", "_most", "is_crowded")

    def __init__(self, most: int) -> None:
        """`most` is what one look takes."""
        self._most = most
        self._gap, self._looked, self._late, self.is_crowded = _SILENCE, 0.0, 0, False

    def pause(self, count: int, now: float) -> float:
        """Give the seconds to let questions gather, after looks at `now` (seconds of a steady clock) that found `count`.

        Who asks one question at a time, each as soon as the last is answered, is never kept waiting.
        """
        self._gap += (min((now - self._looked) / count, _SILENCE) - self._gap) / _MEMORY
        self._looked, self._late = now, _LATE if count >= self._most else self._late - 1
        self.is_crowded = self._gap < (_CALM if self.is_crowded else _CROWDED)
        if self.is_crowded and 1 < count < GATHERED:
            return min((GATHERED - count) * self._gap, LONG if self._late > 0 else SHORT)
        return 0.0
