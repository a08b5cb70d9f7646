"""Questions about the past."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from suite.model.address import parse_range
from suite.model.changes import Changes, Closing
from suite.model.event import Action, Actor, Event
from suite.model.lease import Lease, LeaseState
from suite.model.service import ServiceRef

NOON = datetime(2100, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
COFFEE, TEA = ServiceRef("default", "coffee"), ServiceRef("default", "tea")
FIRST, SECOND = ip_address("10.0.42.9"), ip_address("10.0.42.10")


def lease(ref, address):
    return Lease(address, ref, "pool", LeaseState.BOUND, str(ref), NOON)


def event(action, ref, address):
    return Event(action, ref, address, "pool", "because", actor=Actor("operator", "ada"))


@pytest.fixture
def store(db):
    """Coffee has the first address from 12:00 to 12:10, tea from 12:10 on; coffee has the second from 12:10 on."""
    store = db.open()
    first = Changes(opened=(lease(COFFEE, FIRST),), events=(event(Action.ALLOCATED, COFFEE, FIRST),))
    base = store.commit(first, store.read(), now=NOON)
    moved = Changes(
        closed=(Closing(base.leases[FIRST][0], "moved"),),
        opened=(lease(TEA, FIRST), lease(COFFEE, SECOND)),
        events=(
            event(Action.RELEASED, COFFEE, FIRST),
            event(Action.ALLOCATED, TEA, FIRST),
            event(Action.ALLOCATED, COFFEE, SECOND),
        ),
    )
    store.commit(moved, base, now=NOON + 10 * MINUTE)
    return store


@pytest.mark.parametrize(
    ("minute", "expected"), [(-1, []), (0, [COFFEE]), (9, [COFFEE]), (10, [TEA]), (60, [TEA])], ids=str
)
def test_who_had_the_address_at_that_minute(store, minute, expected):
    found = store.history(FIRST, at=NOON + minute * MINUTE)

    assert [each.ref for each in found] == expected


def test_everything_a_service_ever_had_newest_first(store):
    assert [each.address for each in store.history(ref=COFFEE)] == [SECOND, FIRST]


def test_closed_lease_tells_when_and_why_it_ended(store):
    old = store.history(FIRST)[-1]

    assert (old.valid_to, old.end_reason) == (NOON + 10 * MINUTE, "moved")


def test_range_is_numeric_not_textual(store):
    assert len(store.history(parse_range("10.0.42.10-10.0.42.255"))) == 1


def test_pages_follow_one_another(store):
    page = store.history(limit=2)

    assert [each.id for each in store.history(limit=2, before_id=page[-1].id)] == [1]


def test_events_of_a_service_newest_first(store):
    found = store.events(ref=COFFEE)

    assert [each.event.action for each in found] == [Action.ALLOCATED, Action.RELEASED, Action.ALLOCATED]


def test_event_comes_back_as_it_was_written(store):
    (found,) = store.events(SECOND)

    assert found.event == event(Action.ALLOCATED, COFFEE, SECOND)


def test_events_of_a_span_include_its_start_and_not_its_end(store):
    assert len(store.events(since=NOON, until=NOON + 10 * MINUTE)) == 1


def test_pages_of_events_follow_one_another(store):
    page = store.events(limit=2)

    rest = store.events(limit=10, before=page[-1].place)

    assert [each.event.action for each in rest] == [Action.RELEASED, Action.ALLOCATED, Action.CREATED]
