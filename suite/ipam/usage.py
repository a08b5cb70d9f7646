"""How many addresses a pool has, and how many of them are in which state."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from suite.model.address import Range
from suite.model.lease import Lease, LeaseState
from suite.model.pool import Pool


@dataclass(frozen=True, slots=True)
class Usage:
    """Addresses of one pool; a shared address counts once, capacities are exact however large."""

    pool: str
    capacity_v4: int
    capacity_v6: int
    bound: int = 0
    held: int = 0
    cooling: int = 0
    declined: int = 0

    @property
    def capacity(self) -> int:
        """Usable addresses of both families."""
        return self.capacity_v4 + self.capacity_v6


def capacity(pool: Pool, family: int) -> int:
    """Usable addresses of ``family``: without excluded ones, and without .0 and .255 where the pool avoids them."""
    count = 0
    for span in pool.ranges:
        if span.family == family:
            count += _usable(span, pool) - sum(_usable(part, pool) for part in _excluded(span, pool))
    return count


def usage(pool: Pool, addresses: Iterable[tuple[Lease, ...]]) -> Usage:
    """The pool's figures; ``addresses`` are the open leases of each address in use, in any pool."""
    states: Counter[LeaseState] = Counter()
    for leases in addresses:
        if leases and leases[0].pool == pool.name:
            states[_strongest(leases)] += 1
    return Usage(
        pool.name,
        capacity(pool, 4),
        capacity(pool, 6),
        states[LeaseState.BOUND],
        states[LeaseState.HELD],
        states[LeaseState.COOLING],
        states[LeaseState.DECLINED],
    )


def _strongest(leases: tuple[Lease, ...]) -> LeaseState:
    order = list(LeaseState)
    return min((lease.state for lease in leases), key=order.index)


def _excluded(span: Range, pool: Pool) -> list[Range]:
    """The parts of ``span`` that nobody gets, disjoint."""
    parts: list[Range] = []
    for hole in sorted(pool.excluded, key=lambda each: (each.family, int(each.first))):
        if not hole.overlaps(span):
            continue
        first = max(hole.first, span.first, key=int)
        last = min(hole.last, span.last, key=int)
        if parts and int(parts[-1].last) >= int(first):
            if int(parts[-1].last) < int(last):
                parts[-1] = Range(parts[-1].first, last)
        else:
            parts.append(Range(first, last))
    return parts


def _usable(span: Range, pool: Pool) -> int:
    if not pool.avoid_buggy or span.family != 4:
        return span.size
    return span.size - _ending(span, 0) - _ending(span, 255)


def _ending(span: Range, octet: int) -> int:
    """How many addresses of ``span`` end in this octet."""
    return (int(span.last) - octet) // 256 - (int(span.first) - 1 - octet) // 256
