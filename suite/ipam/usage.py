"""How much of each pool is used: counted over runs of addresses, so that an IPv6 /64 costs what an IPv4 /24 does."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from suite.model.lease import LeaseState, Reservation
from suite.model.pool import Pool
from suite.model.snapshot import Snapshot

Run = tuple[int, int]
"""First and last number of consecutive addresses of one family."""

_STRENGTH = (LeaseState.COOLING, LeaseState.HELD, LeaseState.DECLINED, LeaseState.BOUND)
"""The state of an address with several leases is the last of these among them."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Addresses of one family of one pool; they add up to ``total``.

    A reserved address that is leased counts as what its lease is.
    """

    pool: str
    family: int
    total: int
    bound: int = 0
    held: int = 0
    cooling: int = 0
    declined: int = 0
    reserved: int = 0

    @property
    def free(self) -> int:
        """Those that anybody could get now."""
        return max(self.total - self.bound - self.held - self.cooling - self.declined - self.reserved, 0)


def pool_usage(snapshot: Snapshot) -> list[Usage]:
    """The usage of every pool, by family; one pass over the open leases."""
    pools = snapshot.configuration.pools
    counts: dict[tuple[str, int], dict[LeaseState, int]] = {}
    leased: dict[tuple[str, int], list[int]] = {}
    for leases in snapshot.leases.values():
        first = leases[0]
        key = (first.pool, first.address.version)
        state = first.state if len(leases) == 1 else max((lease.state for lease in leases), key=_STRENGTH.index)
        here = counts.setdefault(key, {})
        here[state] = here.get(state, 0) + 1
        leased.setdefault(key, []).append(int(first.address))
    reservations = (*snapshot.configuration.reservations, *snapshot.reservations.values())
    return [
        _usage(pool, family, counts.get((pool.name, family), {}), leased.get((pool.name, family), []), reservations)
        for pool in pools
        for family in sorted(pool.families())
    ]


def _usage(
    pool: Pool, family: int, counts: dict[LeaseState, int], leased: list[int], reservations: Iterable[Reservation]
) -> Usage:
    runs = _without(
        _merged((int(span.first), int(span.last)) for span in pool.ranges if span.family == family),
        _merged((int(span.first), int(span.last)) for span in pool.excluded if span.family == family),
    )
    kept = _merged(
        (int(each.address), int(each.last or each.address)) for each in reservations if each.address.version == family
    )
    skips_buggy = pool.avoid_buggy and family == 4
    total = _size(runs, skips_buggy=skips_buggy)
    reserved = total - _size(_without(runs, kept), skips_buggy=skips_buggy)
    reserved -= sum(_is_in(number, kept) for number in leased) if kept else 0
    return Usage(
        pool.name,
        family,
        total,
        counts.get(LeaseState.BOUND, 0),
        counts.get(LeaseState.HELD, 0),
        counts.get(LeaseState.COOLING, 0),
        counts.get(LeaseState.DECLINED, 0),
        max(reserved, 0),
    )


def _merged(runs: Iterable[Run]) -> list[Run]:
    """The same numbers in rising runs that do not touch one another."""
    merged: list[Run] = []
    for first, last in sorted(runs):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def _without(runs: list[Run], cuts: list[Run]) -> list[Run]:
    """``runs`` less ``cuts``; both rising."""
    kept: list[Run] = []
    for first, last in runs:
        for low, high in cuts:
            if high < first or low > last:
                continue
            if low > first:
                kept.append((first, low - 1))
            first = high + 1  # noqa: PLW2901  (what is left of the run)
        if first <= last:
            kept.append((first, last))
    return kept


def _size(runs: Iterable[Run], *, skips_buggy: bool) -> int:
    return sum(last - first + 1 - (_buggy(first, last) if skips_buggy else 0) for first, last in runs)


def _buggy(first: int, last: int) -> int:
    """How many numbers from ``first`` to ``last`` end in the octet 0 or 255."""
    return sum((last - ending) // 256 - (first - 1 - ending) // 256 for ending in (0, 255))


def _is_in(number: int, runs: list[Run]) -> bool:
    place = bisect_right(runs, (number, float("inf"))) - 1
    return place >= 0 and runs[place][0] <= number <= runs[place][1]
