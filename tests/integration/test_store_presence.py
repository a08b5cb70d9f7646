"""Who runs on a database is in it, is found to be gone without a clock, and an unchanged word writes nothing."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from suite.model.status import Instance
from suite.store.errors import Unavailable

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROWS = "SELECT role, node, revision, reasons, gone IS NULL FROM instance ORDER BY node, role"
REPOSITORY = Path(__file__).parents[2]

SPEAKER = Instance("speaker", "node-a", "1.0", "e", 5, ("no link",), ("cannot speak BGP",))
WEB = Instance("web", "node-b", "1.0", "e", 5)

CHILD = """
import os, signal, sys
from datetime import UTC, datetime
from suite.model.status import Instance
from suite.store.errors import Unavailable
from suite.store import open_store
open_store(sys.argv[1]).meet([Instance("speaker", "node-b", "1.0")], now=datetime.now(UTC), uptime=0.0)
os.kill(os.getpid(), signal.SIGKILL)
"""


def rows(db):
    return [(*row[:4], bool(row[4])) for row in db.rows(ROWS)]


def ended(db):
    """A program on this database that told of its speaker and then let go of everything without a word."""
    store = db.open()
    store.meet([Instance("speaker", "node-b", "1.0")], now=NOON, uptime=0.0)
    store.close()


def seen(store, mine=(WEB,), *, now=NOON, uptime=100.0):
    return [(each.instance.node, each.gone) for each in store.meet(mine, now=now, uptime=uptime)]


def test_another_process_hears_what_a_role_said(db):
    first, second = db.open(), db.open()
    first.meet([SPEAKER], now=NOON, uptime=100.0)

    (fellow,) = second.meet([WEB], now=NOON, uptime=100.0)

    assert fellow.instance == SPEAKER
    assert (fellow.since, fellow.gone) == (NOON, None)


def test_nobody_is_a_fellow_of_itself(db):
    store = db.open()
    store.meet([SPEAKER, WEB], now=NOON, uptime=100.0)

    assert store.meet([SPEAKER, WEB], now=NOON, uptime=200.0) == ()


def test_the_same_word_again_writes_nothing(sqlite_db):
    store = sqlite_db.open()
    store.meet([SPEAKER], now=NOON, uptime=100.0)
    with sqlite_db.plain() as other:
        before = other.execute("PRAGMA data_version").fetchone()

        store.meet([SPEAKER], now=NOON + HOUR, uptime=3700.0)

        assert other.execute("PRAGMA data_version").fetchone() == before


def test_why_a_role_is_not_ready_is_written_at_once(db):
    store = db.open()
    store.meet([WEB], now=NOON, uptime=100.0)

    store.meet([Instance("web", "node-b", "1.0", "e", 6, ("ill",))], now=NOON, uptime=100.1)

    assert rows(db) == [("web", "node-b", 6, '["ill"]', True)]


def test_revisions_alone_are_written_now_and_then(db):
    store = db.open()
    store.meet([WEB], now=NOON, uptime=100.0)
    after = Instance("web", "node-b", "1.0", "e", 9)

    store.meet([after], now=NOON, uptime=104.9)
    early = rows(db)
    store.meet([after], now=NOON, uptime=105.1)

    assert [each[2] for each in early + rows(db)] == [5, 9]


def test_telling_raises_no_revision(db):
    store = db.open()
    before = store.read().revision

    store.meet([WEB], now=NOON, uptime=100.0)

    assert store.read().revision == before


def test_killed_program_is_gone_once_its_lock_was_free_for_three_seconds(db):
    subprocess.run([sys.executable, "-c", CHILD, db.url], cwd=REPOSITORY, check=False)
    store = db.open()

    first, second = seen(store, uptime=100.0), seen(store, now=NOON + HOUR, uptime=103.0)

    assert first == [("node-b", None)]
    assert second == [("node-b", NOON + HOUR)]


def test_killed_program_that_starts_again_takes_its_place_at_once(db):
    ended(db)
    store = db.open()

    assert seen(store, [Instance("speaker", "node-b", "1.0")]) == []
    assert rows(db) == [("speaker", "node-b", 0, "[]", True)]


def test_program_whose_place_was_taken_though_it_lived_says_its_own_again(db):
    first, second = db.open(), db.open()
    first.meet([SPEAKER], now=NOON, uptime=100.0)
    db.execute("DELETE FROM instance")

    first.meet([SPEAKER], now=NOON, uptime=101.0)

    assert seen(second, uptime=102.0) == [("node-a", None)]


def test_what_was_found_to_be_gone_stays_so_for_everybody_since_then(db):
    ended(db)
    store = db.open()
    seen(store)
    seen(store, uptime=103.0)

    assert seen(db.open(), [SPEAKER], now=NOON + HOUR) == [("node-b", NOON), ("node-b", None)]


@pytest.mark.parametrize(
    ("mine", "now"),
    [
        pytest.param(Instance("speaker", "node-b", "1.0"), NOON, id="its place is taken"),
        pytest.param(WEB, NOON + timedelta(hours=25), id="a day later"),
    ],
)
def test_gone_program_is_forgotten_when(db, mine, now):
    ended(db)
    store = db.open()
    seen(store)
    seen(store, uptime=103.0)

    assert seen(store, [mine], now=now, uptime=104.0) == []
    assert "speaker" not in {row[0] for row in rows(db)} or mine.role == "speaker"


def test_program_that_ends_in_order_leaves_no_row(db):
    store = db.open()
    store.meet([WEB], now=NOON, uptime=100.0)

    store.leave()

    assert rows(db) == []


def test_program_whose_session_was_ended_takes_its_place_again(postgres_db):
    first, second = postgres_db.open(), postgres_db.open()
    first.meet([SPEAKER], now=NOON, uptime=100.0)
    postgres_db.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    seen(second)
    seen(second, uptime=103.0)

    first.meet([SPEAKER], now=NOON, uptime=104.0)

    assert seen(second, uptime=105.0) == [("node-a", None)]


def test_whoever_only_looks_sees_those_that_live(db):
    store = db.open()
    store.meet([SPEAKER], now=NOON, uptime=100.0)

    assert [each.instance for each in db.open().fellows()] == [SPEAKER]


def test_whoever_may_only_read_hears_the_others_all_the_same(postgres_db):
    speaker = postgres_db.open()
    speaker.meet([SPEAKER], now=NOON, uptime=100.0)
    [(name,)] = postgres_db.rows("SELECT current_database()")
    postgres_db.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    listener = postgres_db.open()
    with pytest.raises(Unavailable):
        listener.meet([WEB], now=NOON, uptime=100.0)

    assert seen(listener, uptime=101.0) == [("node-a", None)]
