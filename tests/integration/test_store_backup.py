"""Backups restore into either database, in a new epoch that is ahead of every follower."""

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from fix_db import EVERYTHING, fresh_database

from suite.model.changes import Changes, Closing
from suite.model.event import Action, Actor
from suite.model.service import ServiceRef
from suite.store import restore
from suite.store.backup import MARGIN
from suite.store.errors import NotMade, StoreError

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def target(request):
    """Where to restore to, of each kind."""
    with fresh_database(request, request.param) as database:
        yield database


@pytest.fixture
def store(db):
    """Something of everything, and one lease that ended."""
    store = db.open(key=b"secret")
    base = store.commit(EVERYTHING, store.read(), now=NOON)
    (lease,) = base.leases[ip_address("10.0.42.0")]
    store.commit(Changes(closed=(Closing(lease, "deleted"),)), base, now=NOON)
    return store


def contents(snapshot):
    """A snapshot without where and when."""
    return {
        name: getattr(snapshot, name)
        for name in type(snapshot).__dataclass_fields__
        if name not in {"epoch", "revision", "at"}
    }


def test_backup_restores_into_either_database(store, target, tmp_path):
    store.backup(tmp_path / "backup")

    restore(target.url, tmp_path / "backup")

    restored = target.open()
    assert contents(restored.read()) == contents(store.read())
    assert restored.history() == store.history()


def test_restored_log_goes_on_in_the_same_chain(store, target, tmp_path):
    store.backup(tmp_path / "backup")

    restore(target.url, tmp_path / "backup", key=b"secret", actor=Actor("operator", "ada"))

    restored = target.open(key=b"secret")
    assert restored.check() == []
    assert restored.events()[0].event.action is Action.RESTORED
    assert restored.events()[1:] == store.events()


def test_restore_begins_an_epoch_above_what_followers_know(store, target, tmp_path):
    before = store.read()
    store.backup(tmp_path / "backup")

    restore(target.url, tmp_path / "backup", above=before.revision + 2 * MARGIN)

    after = target.open().read()
    assert after.epoch != before.epoch
    assert after.revision == before.revision + 2 * MARGIN + 1


def test_follower_of_the_lost_database_reads_everything_anew(db, store, tmp_path):
    old = store.read()
    store.backup(tmp_path / "backup")
    store.close()
    db.reset()

    restore(db.url, tmp_path / "backup")

    store = db.open()
    assert store.refresh(old) == store.read()


def test_restored_database_takes_commits(store, target, tmp_path):
    store.backup(tmp_path / "backup")
    restore(target.url, tmp_path / "backup")

    restored = target.open()
    after = restored.commit(Changes(services_gone=(ServiceRef("default", "tea"),)), restored.read(), now=NOON)

    assert after == restored.read()


def test_backup_never_overwrites(store, tmp_path):
    (tmp_path / "backup").write_text("mine")

    with pytest.raises(NotMade, match="exists"):
        store.backup(tmp_path / "backup")

    assert (tmp_path / "backup").read_text() == "mine"


def test_backup_is_for_its_owner_alone(store, tmp_path):
    store.backup(tmp_path / "backup")

    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["backup"]


def test_restore_into_a_database_in_use_is_refused(db, store, tmp_path):
    store.backup(tmp_path / "backup")
    before = store.read()

    with pytest.raises(StoreError, match="empty database"):
        restore(db.url, tmp_path / "backup")

    assert store.read() == before


def test_damaged_backup_is_refused_and_leaves_nothing(postgres_db, target, tmp_path):
    postgres_db.open().backup(tmp_path / "backup")
    whole = (tmp_path / "backup").read_bytes()
    (tmp_path / "half").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(StoreError, match="cut off"):
        restore(target.url, tmp_path / "half")

    assert target.open().read().revision > 0


@pytest.mark.parametrize("octets", [b"", b"hello", b"\x1f\x8bnothing", b"SQLite format 3\0" + bytes(84)])
def test_file_that_is_no_backup_is_refused(target, tmp_path, octets):
    (tmp_path / "file").write_bytes(octets)

    with pytest.raises(StoreError, match=r"no backup|no database"):
        restore(target.url, tmp_path / "file")
