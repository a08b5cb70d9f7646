"""Checks of pools and reservations against each other."""

from itertools import pairwise

from suite.config.draft import Draft, Placed
from suite.config.shape import Reading
from suite.config.tree import Cursor
from suite.model.address import Address, Range, address_key
from suite.model.lease import Reservation

Span = tuple[Range, str, Cursor]
"""A range, the name of its pool, and where it was written."""


def check_pools(draft: Draft, reading: Reading) -> None:
    """Ranges that overlap, and reservations that overlap or lie outside every pool."""
    spans = [
        (span, pool.value.name, pool.place("addresses", index))
        for pool in draft.pools
        for index, span in enumerate(pool.value.ranges)
    ]
    for (span, name, _), (other, owner, at) in _overlaps(spans):
        whose = "the same pool" if name == owner else f"pool {name}"
        reading.fault(at, "pool.overlap", f"{other} overlaps {span} of {whose}; an address belongs to one range")
    _check_reservations(draft, reading)


def _overlaps(spans: list[Span]) -> list[tuple[Span, Span]]:
    """Each range that begins inside one before it in numeric order, with that one; of the two the first written first."""
    order = {id(each): number for number, each in enumerate(spans)}
    found: list[tuple[Span, Span]] = []
    widest: Span | None = None
    for each in sorted(spans, key=lambda each: address_key(each[0].first)):
        if widest is not None and widest[0].overlaps(each[0]):
            found.append((widest, each) if order[id(widest)] < order[id(each)] else (each, widest))
        if widest is None or address_key(each[0].last) > address_key(widest[0].last):
            widest = each
    return found


def _check_reservations(draft: Draft, reading: Reading) -> None:
    spans = [span for pool in draft.pools for span in pool.value.ranges]
    ordered = sorted(draft.reservations, key=lambda each: address_key(each.value.address))
    for before, each in pairwise(ordered):
        if address_key(_last(before.value)) >= address_key(each.value.address):
            message = f"{each.value.address} is reserved twice (as {before.place('address').path}); remove one"
            reading.fault(each.place("address"), "reservation.twice", message)
    for each in draft.reservations:
        if not any(each.value.address in span and _last(each.value) in span for span in spans):
            message = f"{_text(each)} lies in no pool, so nobody could get it anyway"
            reading.warn(each.place("address"), "reservation.outside", message)


def _last(reservation: Reservation) -> Address:
    return reservation.last or reservation.address


def _text(placed: Placed[Reservation]) -> str:
    value = placed.value
    return f"{value.address}-{value.last}" if value.last else str(value.address)
