"""Which numbers are taken, kept as runs, so that finding a free one never walks the taken ones.

A run is a maximal stretch of consecutive taken numbers.  The first free number at or after ``low`` is ``low`` itself or
the end of the run that covers it plus one: one binary search, whether the pool is empty, nearly full, or an IPv6 /64.
"""

from bisect import bisect_right
from collections.abc import Iterable


class Occupancy:
    """A set of non-negative integers with a fast answer to "which is the first that is not in it?"."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for number in sorted(set(numbers)):
            if self._lasts and self._lasts[-1] + 1 == number:
                self._lasts[-1] = number
            else:
                self._firsts.append(number)
                self._lasts.append(number)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self._lasts[at]

    def runs(self) -> list[tuple[int, int]]:
        """The runs in order, ends included."""
        return list(zip(self._firsts, self._lasts, strict=True))

    def first_free(self, low: int) -> int:
        """The least number >= ``low`` that is not taken."""
        at = bisect_right(self._firsts, low) - 1
        if at >= 0 and low <= self._lasts[at]:
            return self._lasts[at] + 1
        return low

    def add(self, number: int) -> None:
        """Take ``number``; taking it twice changes nothing."""
        self.add_run(number, number)

    def add_run(self, first: int, last: int) -> None:
        """Take every number from ``first`` to ``last``, both included."""
        begin = bisect_right(self._lasts, first - 2)  # runs that end before first - 1 stay as they are
        end = bisect_right(self._firsts, last + 1)  # runs that start after last + 1 too
        if begin < end:
            first = min(first, self._firsts[begin])
            last = max(last, self._lasts[end - 1])
        self._firsts[begin:end] = [first]
        self._lasts[begin:end] = [last]

    def discard(self, number: int) -> None:
        """Give ``number`` back; giving back what is free changes nothing."""
        at = bisect_right(self._firsts, number) - 1
        if at < 0 or number > self._lasts[at]:
            return
        first, last = self._firsts[at], self._lasts[at]
        pieces = [(low, high) for low, high in ((first, number - 1), (number + 1, last)) if low <= high]
        self._firsts[at : at + 1] = [low for low, _ in pieces]
        self._lasts[at : at + 1] = [high for _, high in pieces]
