"""Who announced what is in the database, and an unchanged report writes nothing."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from suite.model.announcement import Announcement

NOON = datetime(2100, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FIRST, SECOND = ip_address("10.0.42.9"), ip_address("fd00:42::9")
ROWS = "SELECT address, node, interface, mac, valid_to IS NULL, end_reason FROM announcement ORDER BY id"


def here(address, node="compute1", mac="02:00:00:00:10:01"):
    return Announcement(address, node, "layer2", "eth0", mac=mac)


@pytest.fixture
def store(db):
    return db.open()


def rows(db):
    return [(*row[:4], bool(row[4]), row[5]) for row in db.rows(ROWS)]


def test_what_a_node_announces_is_an_open_row_for_each_address(db, store):
    store.announce("compute1", frozenset({here(FIRST), here(SECOND)}), now=NOON)

    assert rows(db) == [
        ("10.0.42.9", "compute1", "eth0", "02:00:00:00:10:01", True, ""),
        ("fd00:42::9", "compute1", "eth0", "02:00:00:00:10:01", True, ""),
    ]


def test_the_same_report_again_writes_nothing(store):
    store.announce("compute1", frozenset({here(FIRST)}), now=NOON)

    assert store.announce("compute1", frozenset({here(FIRST)}), now=NOON + MINUTE) is False


def test_what_is_not_announced_any_more_is_closed(db, store):
    store.announce("compute1", frozenset({here(FIRST)}), now=NOON)

    store.announce("compute1", frozenset(), now=NOON + MINUTE)

    assert rows(db) == [("10.0.42.9", "compute1", "eth0", "02:00:00:00:10:01", False, "withdrawn")]


def test_whoever_takes_over_from_a_dead_node_closes_its_row(db, store):
    store.announce("compute1", frozenset({here(FIRST)}), now=NOON)

    store.announce("compute2", frozenset({here(FIRST, "compute2", "02:00:00:00:10:02")}), now=NOON + MINUTE)

    assert [(row[1], *row[4:]) for row in rows(db)] == [
        ("compute1", False, "taken over by compute2"),
        ("compute2", True, ""),
    ]


def test_announcements_raise_no_revision(store):
    before = store.read().revision

    store.announce("compute1", frozenset({here(FIRST)}), now=NOON)

    assert store.read().revision == before


def test_only_what_began_since_the_last_look_is_told(store):
    store.announce("compute1", frozenset({here(FIRST)}), now=NOON)
    seen = store.last_announcement()
    store.announce("compute1", frozenset({here(FIRST), here(SECOND)}), now=NOON + MINUTE)

    assert store.announced_since(seen) == ([here(SECOND)], seen + 1)


def test_what_began_and_ended_between_two_looks_is_not_told(store):
    store.announce("compute1", frozenset({here(FIRST)}), now=NOON)
    store.announce("compute1", frozenset(), now=NOON + MINUTE)

    assert store.announced_since(0) == ([], 1)
