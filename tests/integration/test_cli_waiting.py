"""A write that waits names the DNS servers that do not answer by it in time, on any machine."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from suite.cli.fault import Exit, Fault
from suite.cli.target import Target
from suite.cli.waiting import await_names
from suite.model.status import Instance

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def behind(db):
    """A store, and what a DNS server says that follows it and has not seen its newest revision."""
    store = db.open()
    snapshot = store.read()
    instance = Instance("nameserver", "node-a", "1", snapshot.epoch, snapshot.revision - 1, (), ())
    store.meet((instance,), now=NOON, uptime=0.0)
    return store, instance


def target_of(db, tmp_path):
    return Target.of(None, tmp_path, db.url)


def test_a_server_that_lags_is_named(behind, db, tmp_path):
    store, _ = behind

    with pytest.raises(Fault, match=r"after 0\.1 s these do not answer by it: node-a") as caught:
        await_names(target_of(db, tmp_path), store.read(), 0.1)

    assert caught.value.exit_code == Exit.TIMEOUT


def test_a_server_that_follows_is_not_waited_for(behind, db, tmp_path):
    store, instance = behind
    store.meet((replace(instance, revision=instance.revision + 1),), now=NOON, uptime=100.0)

    await_names(target_of(db, tmp_path), store.read(), 5)


def test_without_patience_nobody_is_waited_for(behind, db, tmp_path):
    store, _ = behind

    await_names(target_of(db, tmp_path), store.read(), 0)
