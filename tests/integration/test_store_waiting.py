"""Waiting for a commit: what others write beside the leases wakes a waiter once, and not for good."""

import time
from contextlib import closing
from datetime import UTC, datetime
from ipaddress import ip_address

from suite.model.announcement import Announcement
from suite.store import feed
from suite.store.stirring import Stirring

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ANNOUNCED = frozenset({Announcement(ip_address("10.0.42.1"), "node-a", "layer2", "eth0", "", "02:00:00:00:00:01")})


def test_a_write_beside_the_leases_wakes_a_waiter_once(sqlite_db):
    waiting, writing = sqlite_db.open(), sqlite_db.open()
    with waiting.database.looking() as tx, closing(Stirring(sqlite_db.path.parent)) as stir:
        pause = feed._pause_sqlite(tx, feed.Bell(), stir)
        writing.announce("node-a", ANNOUNCED, now=NOON)

        woken = [pause(time.monotonic() + 20), pause(time.monotonic() + 0.01)]

    assert woken == [True, False]


def test_a_write_beside_the_leases_is_no_news(db):
    waiting, writing = db.open(), db.open()
    snapshot = waiting.read()
    writing.announce("node-a", ANNOUNCED, now=NOON)

    assert waiting.wait(snapshot, timeout=0.05) is False
