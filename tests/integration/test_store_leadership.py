"""One instance leads at a time, and who was deposed cannot write."""

from contextlib import closing
from datetime import UTC, datetime

import pytest
from fix_netns import eventually

from suite.model.changes import Changes
from suite.model.node import Node
from suite.store.engine import open_database
from suite.store.errors import Deposed
from suite.store.leadership import Leadership

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
CHANGES = Changes(nodes=(Node("node-a"),))


def test_first_who_asks_leads_in_term_one(db):
    assert db.open().lead("a", NOON) == 1


def test_second_who_asks_does_not_lead(db):
    db.open().lead("a", NOON)

    assert db.open().lead("b", NOON) is None


def test_leader_keeps_its_term_without_writing(db):
    store = db.open()
    store.lead("a", NOON)
    before = db.rows("SELECT * FROM leadership")

    assert store.lead("a", NOON) == 1
    assert db.rows("SELECT * FROM leadership") == before


def test_leadership_passes_on_when_the_leader_closes(db):
    first, second = db.open(), db.open()
    first.lead("a", NOON)
    first.close()

    assert second.lead("b", NOON) == 2


def test_leader_may_write_under_its_term(db):
    store = db.open()
    term = store.lead("a", NOON)

    assert store.commit(CHANGES, store.read(), now=NOON, term=term).nodes


def test_deposed_leader_writes_nothing(db):
    first, second = db.open(), db.open()
    term = first.lead("a", NOON)
    first.resign()
    second.lead("b", NOON)

    with pytest.raises(Deposed, match="b leads in term 2"):
        first.commit(CHANGES, first.read(), now=NOON, term=term)

    assert not second.read().nodes


def test_leader_whose_session_was_ended_gets_a_new_term(postgres_db):
    store = postgres_db.open()
    store.lead("a", NOON)
    postgres_db.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")

    assert store.lead("a", NOON) == 2


def test_leader_that_says_nothing_for_too_long_is_succeeded_though_its_connection_stands(postgres_db):
    store = postgres_db.open()
    with closing(open_database(postgres_db.url)) as database:
        frozen = Leadership(database, patience=0.1)
        frozen.lead("a", NOON)

        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        assert eventually(lambda: postgres_db.rows(locks) == [(0,)])
        assert store.lead("b", NOON) == 2
        assert frozen.lead("a", NOON) is None
