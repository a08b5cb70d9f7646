"""The log is only ever extended, and shows it when somebody tried otherwise."""

import io
import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from suite.model.changes import Changes, Closing
from suite.model.event import Action, Actor, Event
from suite.model.lease import Lease, LeaseState
from suite.model.node import Node
from suite.model.service import ServiceRef
from suite.store.audit import parse_anchor, verify_lines
from suite.store.errors import StoreError

NOON = datetime(2100, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ADA = Actor("operator", "ada")
COFFEE = ServiceRef("default", "coffee")
FIRST = ip_address("10.0.42.9")


def turn(store, number, *, now=NOON):
    """One commit with two events."""
    events = (Event(Action.ALLOCATED, COFFEE, FIRST, "pool", f"turn {number}"), Event(Action.RELEASED, COFFEE, FIRST))
    return store.commit(Changes(events=events), store.read(), now=now)


@pytest.fixture
def store(db):
    """Three commits an hour apart; the last closes the lease that the first opened."""
    store = db.open()
    lease = Lease(FIRST, COFFEE, "pool", LeaseState.BOUND, str(COFFEE), NOON)
    event = Event(Action.ALLOCATED, COFFEE, FIRST, "pool", "first")
    base = store.commit(Changes(opened=(lease,), events=(event,)), store.read(), now=NOON)
    closed = Changes(closed=(Closing(base.leases[FIRST][0], "gone"),), events=(replace(event, action=Action.RELEASED),))
    store.commit(closed, base, now=NOON + HOUR)
    turn(store, 3, now=NOON + 2 * HOUR)
    return store


FORBIDDEN = {
    "event changed": "UPDATE event SET reason = 'else'",
    "event removed": "DELETE FROM event WHERE n = 1",
    "head set back": "UPDATE head SET revision = revision - 1",
    "head with another hash": "UPDATE head SET hash = 'else'",
    "head removed": "DELETE FROM head",
    "lease changed": "UPDATE lease SET namespace = 'else'",
    "lease opened again": "UPDATE lease SET valid_to = NULL, end_revision = NULL",
    "lease removed": "DELETE FROM lease",
    "event beside the chain": (
        "INSERT INTO event (revision, n, at, actor_kind, actor, action, prev_hash, hash)"
        " SELECT revision, 9, time, 'operator', 'eve', 'released', hash, 'x' FROM head"
    ),
    "event with another predecessor": (
        "INSERT INTO event (revision, n, at, actor_kind, actor, action, prev_hash, hash)"
        " SELECT revision, 3, time, 'operator', 'eve', 'released', 'x', 'y' FROM head"
    ),
    "event of another revision": (
        "INSERT INTO event (revision, n, at, actor_kind, actor, action, prev_hash, hash)"
        " SELECT revision + 1, 1, time, 'operator', 'eve', 'released', hash, 'y' FROM head"
    ),
    "checkpoint without its event": (
        "INSERT INTO checkpoint (revision, through_revision, through_n, through_hash, before, events, leases)"
        " SELECT h.revision, e.revision, e.n, e.hash, '2200-01-01 00:00:00.000000Z', 1, 0 FROM event e, head h"
        " WHERE e.action = 'created'"
    ),
}


@pytest.mark.parametrize("statement", FORBIDDEN.values(), ids=FORBIDDEN.keys())
@pytest.mark.usefixtures("store")
def test_database_itself_refuses(db, statement):
    before = db.rows("SELECT * FROM event"), db.rows("SELECT * FROM lease"), db.rows("SELECT * FROM head")

    with pytest.raises(Exception, match=r"event_|lease_|head_|checkpoint_"):
        db.execute(statement)

    assert (db.rows("SELECT * FROM event"), db.rows("SELECT * FROM lease"), db.rows("SELECT * FROM head")) == before


@pytest.mark.parametrize("table", ["event", "lease", "head", "checkpoint"])
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
def test_sqlite_replace_is_refused_whatever_the_connection_set(sqlite_db, table, recursive):
    store = sqlite_db.open()
    lease = Lease(FIRST, COFFEE, "pool", LeaseState.BOUND, str(COFFEE), NOON)
    store.commit(Changes(opened=(lease,)), store.read(), now=NOON)
    prune_some(sqlite_db, store)

    with sqlite_db.plain() as connection:
        connection.execute(f"PRAGMA recursive_triggers = {recursive}")
        with pytest.raises(Exception, match=f"{table}_"):
            connection.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")


def prune_some(db, store):
    """So that there is a checkpoint."""
    turn(store, 1, now=NOON + HOUR)
    store.prune(NOON + HOUR, db.path.with_name("archive"), now=NOON + HOUR, actor=ADA)


@pytest.mark.parametrize("table", ["event", "lease", "head", "checkpoint"])
def test_postgresql_refuses_truncate(postgres_db, table):
    postgres_db.open()

    with pytest.raises(Exception, match=f"{table}_no_truncate"):
        postgres_db.execute(f"TRUNCATE {table} CASCADE")


def test_untouched_log_is_good(store):
    report = store.verify()

    assert report.is_good
    assert report.events == 5


@pytest.mark.usefixtures("store")
def test_chain_is_what_the_cookbook_says(db):
    """Recomputed here from plain rows, with nothing of the store."""
    from hashlib import sha256

    last = ""
    for values in db.rows(f"SELECT {', '.join(SIGNED)}, hash FROM event ORDER BY revision, n"):
        row = {name: text(value) for name, value in zip(SIGNED, values, strict=False) if value not in {None, ""}}
        line = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        last = sha256((last + line).encode()).hexdigest()
        assert values[-1] == last


SIGNED = (
    "action", "actor", "actor_kind", "address", "after", "at", "before", "family", "n", "namespace", "node", "pool",
    "reason", "revision", "service",
)  # fmt: skip


def text(value):
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%fZ") if isinstance(value, datetime) else value


def unguarded(db, *statements):
    """What somebody does who owns the database and drops the guards."""
    with db.plain() as connection:
        for trigger in TRIGGERS:
            connection.execute(f"DROP TRIGGER {trigger}{'' if db.path else ' ON ' + trigger.split('_')[0]}")
        for statement in statements:
            connection.execute(statement)


TRIGGERS = ("event_no_update", "event_no_delete", "event_extends_head", "head_only_rises")

TAMPERED = {
    "changed": (("UPDATE event SET reason = 'else' WHERE reason = 'first' AND action = 'released'",), "was changed"),
    "removed from the middle": (
        ("DELETE FROM event WHERE action = 'released' AND reason = 'first'",),
        "does not continue",
    ),
    "removed from the start": (("DELETE FROM event WHERE action = 'created'",), "does not continue"),
    "removed from the end": (("DELETE FROM event WHERE n = 2",), "head has another hash"),
    "address key changed": (
        ("UPDATE event SET addr_key = (SELECT addr_key FROM other_key) WHERE n = 2",),
        "was changed",
    ),
    "time moved": (("UPDATE event SET at = '2000-01-01 00:00:00.000000Z' WHERE n = 2",), "was changed"),
}


@pytest.mark.parametrize(("statements", "words"), TAMPERED.values(), ids=TAMPERED.keys())
def test_walk_names_what_was_tampered_with(db, store, statements, words):
    db.execute(
        "CREATE VIEW other_key AS SELECT " + ("X'040A00002A'" if db.path else "'\\x040A00002A'::bytea") + " AS addr_key"
    )

    unguarded(db, *statements)

    assert words in store.verify().faults[0]


def test_anchor_shows_a_log_shortened_together_with_head(db, store):
    anchor = parse_anchor(str(store.anchor()))
    last = store.events()[0]
    unguarded(
        db,
        f"DELETE FROM event WHERE revision = {last.revision}",
        "UPDATE head SET revision = revision - 1,"
        " hash = (SELECT hash FROM event ORDER BY revision DESC, n DESC LIMIT 1)",
    )

    assert store.verify().is_good
    assert "shortened" in store.verify(anchors=[anchor]).faults[0]


def test_sealed_log_is_good_with_its_key(db):
    store = db.open(key=b"secret")
    turn(store, 1)

    report = store.verify()

    assert report.is_good
    assert report.sealed == 2


def test_commit_without_the_key_shows(db):
    store = db.open(key=b"secret")
    turn(store, 1)
    turn(db.open(), 2)
    turn(store, 3)

    assert "carries no seal" in store.verify().faults[0]


def test_end_without_a_seal_shows(db):
    store = db.open(key=b"secret")
    turn(db.open(), 2)

    assert "the end of the log carries no seal" in store.verify().faults[0]


def test_seal_of_another_key_shows(db):
    turn(db.open(key=b"other"), 1)

    assert "not made with this key" in db.open(key=b"secret").verify().faults[0]


def test_export_can_be_walked_without_a_database(store):
    file = io.BytesIO()
    exported = store.export(file)

    report = verify_lines(file.getvalue().splitlines())

    assert report.is_good
    assert (report.events, report.last) == (5, exported.last)


def test_changed_line_of_an_export_shows(store):
    file = io.BytesIO()
    store.export(file)

    report = verify_lines(file.getvalue().replace(b'"turn 3"', b'"turn 4"').splitlines())

    assert "was changed" in report.faults[0]


def test_export_cut_off_is_an_error(store):
    file = io.BytesIO()
    store.export(file)

    with pytest.raises(StoreError, match="cut off"):
        verify_lines(file.getvalue().splitlines()[:-1])


def test_prune_moves_a_prefix_into_the_archive(db, store, tmp_path):
    done = store.prune(NOON + 2 * HOUR, tmp_path / "archive", now=NOON + 3 * HOUR, actor=ADA, reason="two years")

    assert (done.events, done.leases) == (3, 1)
    assert verify_lines((tmp_path / "archive").read_bytes().splitlines()).events == 3
    assert [each.event.action for each in store.events()] == [Action.PRUNED, Action.RELEASED, Action.ALLOCATED]
    assert db.rows("SELECT count(*) FROM lease") == [(0,)]


def test_pruned_log_is_good_and_says_who_pruned(store, tmp_path):
    store.prune(NOON + 2 * HOUR, tmp_path / "archive", now=NOON + 3 * HOUR, actor=ADA)

    report = store.verify()

    assert (report.is_good, report.pruned) == (True, 3)
    assert store.events(action=Action.PRUNED)[0].event.actor == ADA


def test_log_can_be_pruned_again(store, tmp_path):
    store.prune(NOON + HOUR, tmp_path / "1", now=NOON + 3 * HOUR, actor=ADA)
    store.prune(NOON + 3 * HOUR, tmp_path / "2", now=NOON + 4 * HOUR, actor=ADA)

    assert store.verify().is_good


def test_prune_of_nothing_leaves_everything_as_it_was(store, tmp_path):
    before = store.events()

    with suppress(StoreError):
        store.prune(datetime(2000, 1, 1, tzinfo=UTC), tmp_path / "archive", now=NOON, actor=ADA)

    assert store.events() == before
    assert not (tmp_path / "archive").exists()


def test_open_leases_outlive_a_prune(store, tmp_path):
    lease = Lease(FIRST, COFFEE, "pool", LeaseState.BOUND, str(COFFEE), NOON)
    after = store.commit(Changes(opened=(lease,)), store.read(), now=NOON + 3 * HOUR)
    after = store.commit(Changes(nodes=(Node("a"),)), after, now=NOON + 9 * HOUR)

    store.prune(NOON + 8 * HOUR, tmp_path / "archive", now=NOON + 9 * HOUR, actor=ADA)

    assert store.read().leases == after.leases


def test_a_row_whose_parent_is_gone_is_told_with_what_it_names(sqlite_db):
    store = sqlite_db.open()
    sqlite_db.execute("PRAGMA foreign_keys = OFF")
    sqlite_db.execute(
        "INSERT INTO lease_port (addr_key, protocol, port, lease_id) VALUES (x'040a000001', 'TCP', 80, 17)"
    )

    assert "table lease_port: a row names lease 17, which is not there" in store.check()


def test_a_document_that_cannot_be_read_is_told_with_its_name(db):
    store = db.open()
    db.execute(
        "INSERT INTO service (namespace, name, document, revision) VALUES ('default', 'coffee', '{\"ref\": 7}', 1)"
    )

    (found,) = store.check()

    assert found.startswith("table service: what stands at default/coffee cannot be read (")


def test_a_lease_that_cannot_be_read_is_told_though_it_ended(db, store):
    db.execute(f"DROP TRIGGER lease_closes_once{'' if db.path else ' ON lease'}")
    db.execute("UPDATE lease SET ports = 'nonsense'")
    (number,) = db.rows("SELECT id FROM lease")[0]

    assert [each for each in store.check() if each.startswith(f"table lease: row {number} cannot be read (")]


def test_whole_database_is_found_healthy(store):
    assert store.check() == []


def test_missing_guard_is_found(db, store):
    unguarded(db)

    assert "guard event_no_delete is missing or switched off" in store.check()
