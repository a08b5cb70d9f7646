"""Which BGP session was up or down, from when until when, is in the database; an unchanged report writes nothing."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from suite.model.announcement import Announcement
from suite.model.changes import Changes
from suite.model.event import Action, Actor, Event
from suite.model.peering import SessionState

NOON = datetime(2100, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ADA = Actor("operator", "ada")
UP = SessionState("node1", "gateway", "192.168.1.1", True, 64512, "192.168.1.1")
REFUSED = SessionState("node1", "gateway", "192.168.1.1", False, why="connect: connection refused")
UNREACHABLE = SessionState("node1", "gateway", "192.168.1.1", False, why="connect: no route to host")


@pytest.fixture
def store(db):
    return db.open()


def spans(store, **which):
    return [(each.state, each.since, each.until) for each in store.sessions(**which)]


def test_a_session_that_is_up_is_an_open_row(store):
    store.note_sessions("node1", frozenset({UP}), now=NOON)

    assert spans(store) == [(UP, NOON, None)]


def test_the_same_report_again_writes_nothing(store):
    store.note_sessions("node1", frozenset({UP}), now=NOON)

    assert store.note_sessions("node1", frozenset({UP}), now=NOON + MINUTE) is False


def test_a_session_that_falls_ends_its_row_and_begins_another_with_the_reason(store):
    store.note_sessions("node1", frozenset({UP}), now=NOON)

    store.note_sessions("node1", frozenset({REFUSED}), now=NOON + MINUTE)

    assert spans(store) == [(REFUSED, NOON + MINUTE, None), (UP, NOON, NOON + MINUTE)]


def test_another_reason_for_being_down_goes_on_in_the_same_row(store):
    store.note_sessions("node1", frozenset({REFUSED}), now=NOON)

    store.note_sessions("node1", frozenset({UNREACHABLE}), now=NOON + MINUTE)

    assert spans(store) == [(UNREACHABLE, NOON, None)]


def test_a_node_that_ends_closes_its_own_rows_only(store):
    other = SessionState("node2", "gateway", "192.168.1.1", True, 64512, "192.168.1.1")
    store.note_sessions("node1", frozenset({UP}), now=NOON)
    store.note_sessions("node2", frozenset({other}), now=NOON)

    store.note_sessions("node1", frozenset(), now=NOON + MINUTE)

    assert spans(store, node="node1") == [(UP, NOON, NOON + MINUTE)]
    assert spans(store, node="node2") == [(other, NOON, None)]


def test_a_report_over_the_network_keeps_its_time_though_the_database_is_further(store):
    store.commit(Changes(events=(Event(Action.CONFIGURED, actor=ADA),)), store.read(), now=NOON + 9 * MINUTE)

    store.take_sessions("node1", "a-1", frozenset({UP}), at=NOON)
    store.take_sessions("node1", "a-2", frozenset({REFUSED}), at=NOON + MINUTE)

    assert spans(store) == [(REFUSED, NOON + MINUTE, None), (UP, NOON, NOON + MINUTE)]


def test_a_report_that_is_delivered_again_changes_nothing(store):
    store.take_sessions("node1", "a-1", frozenset({UP}), at=NOON)
    store.take_sessions("node1", "a-2", frozenset({REFUSED}), at=NOON + MINUTE)

    store.take_sessions("node1", "a-1", frozenset({UP}), at=NOON)

    assert spans(store) == [(REFUSED, NOON + MINUTE, None), (UP, NOON, NOON + MINUTE)]


def test_one_report_may_tell_of_announcements_and_of_sessions(store):
    claim = Announcement(ip_address("10.10.10.10"), "node1", "bgp", peer="gateway")
    store.take_report("node1", "a-1", frozenset({claim}), at=NOON)

    store.take_sessions("node1", "a-1", frozenset({UP}), at=NOON)

    assert spans(store) == [(UP, NOON, None)]


def test_a_row_never_ends_before_it_began(store):
    store.take_sessions("node1", "a-1", frozenset({UP}), at=NOON)

    store.take_sessions("node1", "b-1", frozenset(), at=NOON - MINUTE)

    assert spans(store) == [(UP, NOON, NOON)]


def test_pruning_takes_what_ended_before_and_leaves_what_is_open(store, tmp_path):
    store.note_sessions("node1", frozenset({UP}), now=NOON)
    store.note_sessions("node1", frozenset({REFUSED}), now=NOON + MINUTE)

    later = Changes(events=(Event(Action.CONFIGURED, actor=ADA),))
    store.commit(later, store.read(), now=NOON + 3 * MINUTE)

    store.prune(NOON + 2 * MINUTE, tmp_path / "archive", now=NOON + 4 * MINUTE, actor=ADA)

    assert spans(store) == [(REFUSED, NOON + MINUTE, None)]


def test_an_aggregate_is_remembered_for_each_address_it_leads_to(db, store):
    whole = Announcement(ip_address("10.10.10.10"), "node1", "bgp", peer="gateway", prefix="10.10.10.0/24")

    store.announce("node1", frozenset({whole}), now=NOON)

    assert db.rows("SELECT address, peer, prefix FROM announcement") == [("10.10.10.10", "gateway", "10.10.10.0/24")]
    assert store.announce("node1", frozenset({whole}), now=NOON + MINUTE) is False
