"""Which addresses come next: the free ones that the next Services will most likely get, so that the LAN can be asked before.

The order is that of `allocation`; a few addresses for each pool and family are enough, because what is taken is
followed by the next one after the same commit.
"""

from itertools import islice

from suite.ipam.allocation import Terms
from suite.ipam.reservations import first_free
from suite.model.address import Address, Range, address_of
from suite.model.pool import Pool

FEW = 4
"""Addresses looked ahead for each pool and family."""
MOST = 32
"""Addresses looked ahead in all."""


def ahead(terms: Terms) -> tuple[Address, ...]:
    """The next free addresses of each pool that gives any, in the order of choice."""
    found = (
        address
        for pool in terms.pools
        if not terms.is_draining(pool)
        for family in sorted(pool.families())
        for address in _next_of(pool, family, terms)
    )
    return tuple(islice(found, MOST))


def _next_of(pool: Pool, family: int, terms: Terms) -> list[Address]:
    found: list[Address] = []
    for span in pool.ranges:
        rest: Range | None = span if span.family == family else None
        while rest is not None and len(found) < FEW:
            number = first_free(rest, terms.ledger.taken[family], terms.kept_back.pins[family])
            if number is None:
                break
            found.append(address_of(family, number))
            rest = Range(address_of(family, number + 1), rest.last) if number < int(rest.last) else None
    return found
