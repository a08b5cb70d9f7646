"""What operators keep back: addresses pinned to a name, and addresses that nobody gets."""

from collections import defaultdict
from collections.abc import Iterable

from suite.ipam.occupancy import Occupancy
from suite.model.address import Address, Range
from suite.model.lease import Reservation
from suite.model.pool import Pool
from suite.model.service import ServiceRef

MOST_PINS = 1 << 17
"""Single addresses that avoid-buggy-ips may mark per range: those of an IPv4 /8."""


class KeptBack:
    """Reservations, excluded ranges and buggy addresses of one configuration, indexed."""

    def __init__(self, reservations: Iterable[Reservation] = (), pools: Iterable[Pool] = ()) -> None:
        self._pinned: dict[Address, ServiceRef | None] = {}
        self._by_ref: dict[ServiceRef, list[Address]] = defaultdict(list)
        self._blocked = {4: Occupancy(), 6: Occupancy()}
        self.pins = {4: Occupancy(), 6: Occupancy()}
        """Every address that a free choice passes over, by family."""
        for reservation in reservations:
            self._reserve(reservation)
        for pool in pools:
            for span in pool.excluded:
                self._block(span.first, span.last)
            if pool.avoid_buggy:
                self._pin_buggy(pool)

    def holder(self, address: Address) -> tuple[bool, ServiceRef | None]:
        """(True, the name it is kept for or None for nobody) when the address is kept back, else (False, None)."""
        if address in self._pinned:
            return True, self._pinned[address]
        return int(address) in self._blocked[address.version], None

    def kept_for(self, ref: ServiceRef) -> list[Address]:
        """Addresses reserved for this name, in the order they were reserved."""
        return self._by_ref.get(ref, [])

    def _reserve(self, reservation: Reservation) -> None:
        address = reservation.address
        if reservation.last is not None:
            self._block(address, reservation.last)
            return
        self._pinned[address] = reservation.ref
        self.pins[address.version].add(int(address))
        if reservation.ref is not None:
            self._by_ref[reservation.ref].append(address)

    def _block(self, first: Address, last: Address) -> None:
        self._blocked[first.version].add_run(int(first), int(last))
        self.pins[first.version].add_run(int(first), int(last))

    def _pin_buggy(self, pool: Pool) -> None:
        for span in pool.ranges:
            if span.family == 4 and span.size <= MOST_PINS << 7:
                low, high = int(span.first), int(span.last)
                for ending in (0, 255):
                    for number in range(low + (ending - low) % 256, high + 1, 256):
                        self.pins[4].add(number)


def first_free(span: Range, taken: Occupancy, pins: Occupancy) -> int | None:
    """The lowest number of ``span`` that is neither taken nor kept back; None when there is none."""
    number, last = int(span.first), int(span.last)
    while number <= last:
        free = taken.first_free(number)
        number = pins.first_free(free)
        if number == free:
            return number if number <= last else None
    return None
