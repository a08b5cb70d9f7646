"""Checks of pools and reservations against each other."""

from suite.config.draft import Draft
from suite.config.shape import Reading
from suite.config.tree import Cursor
from suite.model.address import Range, address_key

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
    pools = [span for pool in draft.pools for span in pool.value.ranges]
    kept: list[Span] = []
    for each in draft.reservations:
        span = Range(each.value.address, each.value.last or each.value.address)
        kept.append((span, "", each.place("address")))
        if not any(span.first in pool and span.last in pool for pool in pools):
            message = f"{_text(span)} lies in no pool, so nobody could get it anyway"
            reading.warn(each.place("address"), "reservation.outside", message)
    for (span, _, before), (other, _, at) in _overlaps(kept):
        message = f"{_text(other)} is reserved already, by {_text(span)} ({before.path}); remove one"
        reading.fault(at, "reservation.twice", message)


def _text(span: Range) -> str:
    return str(span.first) if span.size == 1 else f"{span.first}-{span.last}"
