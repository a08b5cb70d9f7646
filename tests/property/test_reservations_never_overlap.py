"""However reservations are ordered, what is granted never overlaps, and what is exported can be imported again."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from suite.cli.reservations import COLUMNS, read_lines
from suite.controller.operator import Order, reserve
from suite.model.address import address_of, parse_range
from suite.model.changes import Changes
from suite.model.configuration import Configuration
from suite.model.event import Actor
from suite.model.lease import Reservation
from suite.model.pool import Pool
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot
from suite.model.succession import succeed
from suite.web.documents import reservation_documents

FIRST = int(parse_range("10.0.42.0").first)
CONFIGURATION = Configuration((Pool("p", (parse_range("10.0.42.0/27"),)),), digest="d")
ORDER = Order(Actor("operator", "anna"))
NOTES = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=5).map(str.strip)
NAMES = st.sampled_from([None, ServiceRef("default", "coffee"), ServiceRef("other", "tea")])
PINS = st.builds(
    lambda at, ref, note: Reservation(address_of(4, FIRST + at), ref, note), st.integers(0, 40), NAMES, NOTES
)
BLOCKS = st.builds(
    lambda at, size, note: Reservation(address_of(4, FIRST + at), None, note, last=address_of(4, FIRST + at + size)),
    st.integers(0, 40),
    st.integers(1, 10),
    NOTES,
)
ORDERS = st.lists(st.lists(st.one_of(PINS, BLOCKS), max_size=6), max_size=4)


def after(orders):
    """The snapshot after these orders, each committed before the next."""
    snapshot = Snapshot(configuration=CONFIGURATION)
    for wanted in orders:
        changes = reserve(snapshot, wanted, ORDER).changes
        snapshot = succeed(snapshot, changes, (), revision=snapshot.revision + 1, at=snapshot.at)
    return snapshot


def numbers(reservation):
    return range(int(reservation.address), int(reservation.last or reservation.address) + 1)


@given(ORDERS)
def test_granted_reservations_never_overlap(orders):
    held = [number for each in after(orders).reservations.values() for number in numbers(each)]

    assert len(held) == len(set(held))


@given(ORDERS)
def test_an_order_is_granted_refused_or_fulfilled_already(orders):
    *before, last = orders or [[]]
    snapshot = after(before)

    booking = reserve(snapshot, last, ORDER)

    refused = {index for index, _ in booking.refused}
    reserved = set(after([*before, last]).reservations.values())
    assert all(
        index in refused or any(each.address == wanted.address for each in reserved)
        for index, wanted in enumerate(last)
    )
    assert len(booking.changes.reserved) == len(booking.changes.events)


@given(ORDERS)
def test_what_is_exported_is_imported_without_a_change(orders):
    snapshot = after(orders)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((each.address, each.name, each.note) for each in reservation_documents(snapshot))

    lines = read_lines(io.StringIO(text.getvalue(), newline=""))

    assert [line.fault for line in lines if line.fault] == []
    assert reserve(snapshot, [line.reservation for line in lines], ORDER).changes == Changes()
