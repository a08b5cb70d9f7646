"""The open leases, indexed for the questions an allocation asks.

A ledger is made of a snapshot and kept in step with it, address by address.  It holds nothing that the snapshot does not
hold; it only answers faster: what is free, what could be joined, what is cooling or held and since when, what is due.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from suite.ipam.occupancy import Occupancy
from suite.model.address import Address, Range, address_of
from suite.model.lease import Lease, LeaseState
from suite.model.persistent import parted
from suite.model.service import ServiceRef

if TYPE_CHECKING:
    from suite.model.snapshot import Snapshot

K = TypeVar("K")
V_co = TypeVar("V_co", covariant=True)

_Waiting = tuple[datetime, int]
"""Since when, and the number of the address: the oldest first, the lowest of equals."""


class _Lookup(Protocol[K, V_co]):
    """As much of a mapping as is needed: a persistent map of a snapshot, or a dict."""

    def get(self, key: K, /) -> V_co | None: ...
    def keys(self) -> Iterable[K]: ...


class Ledger:
    """Open leases by address, by Service, by sharing group and by state.

    Made of a snapshot it copies none of its leases: what the snapshot holds is looked up there, and only what has
    changed since is kept here.
    """

    def __init__(self, leases: Iterable[Lease] = (), *, snapshot: Snapshot | None = None) -> None:
        alone: list[Address]  # still folded, so bound and shared with nobody: taken, and nothing else to remember
        others: Iterable[tuple[Address, tuple[Lease, ...]]]
        by_address: _Lookup[Address, tuple[Lease, ...]]
        by_ref: _Lookup[ServiceRef, tuple[Lease, ...]]
        if snapshot is not None:
            by_address, by_ref = snapshot.leases, snapshot.holdings
            alone, others = parted(snapshot.leases)
        else:
            by_address, by_ref = grouped = _grouped(leases)
            alone, others = [], grouped[0].items()
        self._base_by_address, self._base_by_ref = by_address, by_ref
        self._by_address: dict[Address, tuple[Lease, ...]] = {}
        self._by_ref: dict[ServiceRef, tuple[Lease, ...]] = {}
        self._shared: dict[tuple[str, int], list[int]] = {}
        self._waiting: dict[tuple[LeaseState, str, int], list[_Waiting]] = defaultdict(list)
        self._due: list[tuple[datetime, int, Address]] = []
        self._ticket = 0
        self.bound_count = len(alone)
        numbers = {family: [int(each) for each in alone if each.version == family] for family in (4, 6)}
        for address, here in others:
            numbers[address.version].append(int(address))
            if len(here) == 1 and here[0].state is LeaseState.BOUND and not here[0].share_group.startswith("key:"):
                self.bound_count += 1  # nearly all: nothing to remember but that the address is taken
            else:
                self._index(address, here)
        self.taken = {family: Occupancy(each) for family, each in numbers.items()}

    def at(self, address: Address) -> tuple[Lease, ...]:
        """The open leases on ``address``: none when it is free, several only where it is shared."""
        changed = self._by_address.get(address)
        return changed if changed is not None else self._base_by_address.get(address) or ()

    def of(self, ref: ServiceRef) -> tuple[Lease, ...]:
        """The open leases of a Service in any state, IPv4 first."""
        changed = self._by_ref.get(ref)
        mine = changed if changed is not None else self._base_by_ref.get(ref) or ()
        if len(mine) < 2:
            return mine
        return tuple(sorted(mine, key=lambda lease: (lease.address.version, int(lease.address))))

    def bound(self, ref: ServiceRef) -> tuple[Lease, ...]:
        """What the Service has now, IPv4 first."""
        return tuple(lease for lease in self.of(ref) if lease.state is LeaseState.BOUND)

    def refs(self) -> Iterator[ServiceRef]:
        """Every Service that has an open lease."""
        yield from (ref for ref, leases in self._by_ref.items() if leases)
        yield from (ref for ref in self._base_by_ref.keys() if ref not in self._by_ref)  # noqa: SIM118

    def addresses(self) -> Iterator[Address]:
        """Every address with an open lease."""
        yield from (address for address, leases in self._by_address.items() if leases)
        yield from (address for address in self._base_by_address.keys() if address not in self._by_address)  # noqa: SIM118

    def joinable(self, group: str, span: Range) -> Iterator[Address]:
        """Addresses in ``span`` that leases of this sharing group have, lowest first."""
        numbers = self._shared.get((group, span.family), [])
        for at in range(bisect_left(numbers, int(span.first)), len(numbers)):
            if numbers[at] > int(span.last):
                return
            yield address_of(span.family, numbers[at])

    def waiting(self, state: LeaseState, pool: str, family: int) -> Iterator[Address]:
        """Addresses of ``pool`` on which nothing but cooling (or held) leases lie, the longest waiting first."""
        for _, number in self._waiting.get((state, pool, family), ()):
            yield address_of(family, number)

    def replace(self, address: Address, leases: tuple[Lease, ...]) -> None:
        """Say anew which open leases lie on ``address``."""
        before = self.at(address)
        self._unindex(address, before)
        self._by_address[address] = leases
        for ref in {lease.ref for lease in (*before, *leases)}:
            elsewhere = tuple(lease for lease in self.of(ref) if lease.address != address)
            self._by_ref[ref] = (*elsewhere, *(lease for lease in leases if lease.ref == ref))
        if leases:
            self._index(address, leases)
            self.taken[address.version].add(int(address))
        else:
            self.taken[address.version].discard(int(address))

    def due(self, now: datetime) -> list[Lease]:
        """Held and cooling leases whose time is over, each given out once."""
        addresses: dict[Address, None] = {}
        while self._due and self._due[0][0] <= now:
            addresses[heappop(self._due)[2]] = None
        return [
            lease
            for address in addresses
            for lease in self.at(address)
            if lease.until is not None and lease.until <= now
        ]

    def next_due(self) -> datetime | None:
        """When :meth:`due` next has something to give; None when nothing waits."""
        while self._due:
            until, _, address = self._due[0]
            if any(lease.until == until for lease in self.at(address)):
                return until
            heappop(self._due)
        return None

    def _index(self, address: Address, leases: tuple[Lease, ...]) -> None:
        number, family = int(address), address.version
        for lease in leases:
            self.bound_count += lease.state is LeaseState.BOUND
            if lease.until is not None:
                self._ticket += 1
                heappush(self._due, (lease.until, self._ticket, address))
        if leases[0].share_group.startswith("key:"):
            insort(self._shared.setdefault((leases[0].share_group, family), []), number)
        state = _state(leases)
        if state is LeaseState.HELD or state is LeaseState.COOLING:
            insort(self._waiting[state, leases[0].pool, family], (_since(leases), number))

    def _unindex(self, address: Address, leases: tuple[Lease, ...]) -> None:
        if not leases:
            return
        number, family = int(address), address.version
        self.bound_count -= sum(lease.state is LeaseState.BOUND for lease in leases)
        if leases[0].share_group.startswith("key:"):
            _remove(self._shared[leases[0].share_group, family], number)
        state = _state(leases)
        if state is LeaseState.HELD or state is LeaseState.COOLING:
            _remove(self._waiting[state, leases[0].pool, family], (_since(leases), number))


def _grouped(leases: Iterable[Lease]) -> tuple[dict[Address, tuple[Lease, ...]], dict[ServiceRef, tuple[Lease, ...]]]:
    by_address: dict[Address, tuple[Lease, ...]] = {}
    by_ref: dict[ServiceRef, tuple[Lease, ...]] = {}
    for lease in leases:
        by_address[lease.address] = (*by_address.get(lease.address, ()), lease)
        by_ref[lease.ref] = (*by_ref.get(lease.ref, ()), lease)
    return by_address, by_ref


def _state(leases: tuple[Lease, ...]) -> LeaseState:
    """The state of an address: bound as long as anybody has it, then held as long as anybody may come back."""
    states = {lease.state for lease in leases}
    for state in (LeaseState.BOUND, LeaseState.DECLINED, LeaseState.HELD):
        if state in states:
            return state
    return LeaseState.COOLING


def _since(leases: tuple[Lease, ...]) -> datetime:
    """Since when the address has been waiting: the last one to leave counts."""
    return max(lease.valid_from for lease in leases)


def _remove(ordered: list[Any], item: Any) -> None:
    at = bisect_left(ordered, item)
    if at < len(ordered) and ordered[at] == item:
        del ordered[at]
