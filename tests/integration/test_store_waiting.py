"""Waiting for a commit: what others write beside the leases wakes a waiter once, and not for good."""

import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address

from suite.model.announcement import Announcement
from suite.model.changes import Changes
from suite.model.service import Service, ServiceRef
from suite.store import feed
from suite.store.stirring import Stirring

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
COFFEE = ServiceRef("default", "coffee")
ANNOUNCED = frozenset({Announcement(ip_address("10.0.42.1"), "node-a", "layer2", "eth0", "", "02:00:00:00:00:01")})


def test_a_write_beside_the_leases_wakes_a_waiter_once(sqlite_db):
    waiting, writing = sqlite_db.open(), sqlite_db.open()
    with waiting.database.looking() as tx, closing(Stirring(sqlite_db.path.parent)) as stir:
        pause = feed._pause_sqlite(tx, feed.Bell(), stir)
        writing.announce("node-a", ANNOUNCED, now=NOON)

        woken = [pause(time.monotonic() + 20), pause(time.monotonic() + 0.01)]

    assert woken == [True, False]


def test_a_commit_between_two_waits_is_told_by_the_second(db):
    waiting, writing = db.open(), db.open()
    first = waiting.read()
    assert waiting.news(lambda: first, timeout=0) is None
    after = writing.commit(Changes(services=(Service(COFFEE),)), writing.read(), now=NOON)

    assert waiting.news(lambda: first, timeout=0).snapshot == after
    assert waiting.news(lambda: after, timeout=0) is None


def test_a_database_that_lags_behind_has_no_news(db):
    store = db.open()
    snapshot = store.read()
    ahead = replace(snapshot, revision=snapshot.revision + 1)

    assert store.news(lambda: ahead, timeout=0) is None


def test_news_of_a_service_name_it_alone(db):
    waiting, writing = db.open(), db.open()
    before = waiting.read()
    writing.commit(Changes(services=(Service(COFFEE),)), writing.read(), now=NOON)

    assert waiting.news(lambda: before, timeout=5).services == {COFFEE}


def test_news_of_settings_may_concern_any_service(db):
    waiting, writing = db.open(), db.open()
    before = waiting.read()
    writing.commit(Changes(drained=("default",), services=(Service(COFFEE),)), writing.read(), now=NOON)

    news = waiting.news(lambda: before, timeout=5)

    assert (news.services, news.tables) == (None, {"drained_pool", "service"})


def test_a_closed_store_has_no_session_left(postgres_db):
    store = postgres_db.open()
    store.news(store.read, timeout=0)
    listening = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'suite' AND datname = current_database()"
    )

    store.close()

    deadline = time.monotonic() + 10
    while postgres_db.rows(listening) != [(0,)]:
        assert time.monotonic() < deadline


def test_a_write_beside_the_leases_is_no_news(db):
    waiting, writing = db.open(), db.open()
    snapshot = waiting.read()
    writing.announce("node-a", ANNOUNCED, now=NOON)

    assert waiting.news(lambda: snapshot, timeout=0.05) is None
