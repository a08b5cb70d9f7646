"""Migrations lead where the tables say, up and down, on both databases, and keep what is in a database."""

import contextlib
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest

from suite.model.changes import Changes
from suite.model.event import Action, Event
from suite.model.lease import Lease, LeaseState
from suite.model.service import Service, ServiceRef
from suite.store import open_store, schema
from suite.store.engine import open_database
from suite.store.errors import SchemaForeign, SchemaTooNew, SchemaTooOld, StoreError, Unavailable

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
COFFEE = ServiceRef("default", "coffee")
REPOSITORY = Path(__file__).parents[2]

SHAPE = {
    "sqlite": "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name <> 'alembic_version' ORDER BY 1, 2",
    "postgres": """
        SELECT 'column', table_name, column_name, concat_ws(' ', data_type, is_nullable, column_default)
          FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
          FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT 'view', viewname, '', definition FROM pg_views WHERE schemaname = 'public'
        UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid)
          FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT 'function', proname, '', prosrc FROM pg_proc
          WHERE pronamespace = 'public'::regnamespace AND prolang = (SELECT oid FROM pg_language WHERE lanname = 'plpgsql')
        ORDER BY 1, 2, 3""",
}


def shape(db):
    """Everything that makes the schema, in words; blanks and the order of columns' commas aside."""
    return [tuple(re.sub(r"\s+", " ", str(each)).strip() for each in row) for row in db.rows(SHAPE[db.kind])]


def migrate(db, revision, *, down=False):
    from alembic import command

    with contextlib.closing(open_database(db.url)) as database:
        (command.downgrade if down else command.upgrade)(schema.alembic_config(database), revision)


def test_migrations_and_tables_make_the_same_schema(db):
    db.open().close()
    made_at_once = shape(db)
    db.reset()

    migrate(db, "head")

    assert shape(db) == made_at_once


def test_models_do_not_drift_from_migrations(db):
    from alembic import command

    migrate(db, "head")
    with contextlib.closing(open_database(db.url)) as database:
        command.check(schema.alembic_config(database))


def test_up_down_up_ends_where_up_ended(db):
    migrate(db, "head")
    first = shape(db)

    migrate(db, "base", down=True)
    assert [row for row in shape(db) if row[0] in {"table", "column"} and row[1] != "alembic_version"] == []

    migrate(db, "head")
    assert shape(db) == first


def test_newest_migration_is_the_one_the_store_expects():
    assert schema.known_versions()[-1] == schema.CURRENT


@pytest.mark.parametrize("start", schema.known_versions()[:-1])
def test_filled_older_database_keeps_everything(db, start):
    """Down to each older schema with data in it, and up again."""
    store = db.open()
    lease = Lease(ip_address("10.0.42.0"), COFFEE, "pool", LeaseState.BOUND, str(COFFEE), NOON)
    event = Event(Action.ALLOCATED, COFFEE, lease.address, "pool")
    before = store.commit(
        Changes(opened=(lease,), services=(Service(COFFEE),), events=(event,)), store.read(), now=NOON
    )
    store.close()
    migrate(db, start, down=True)

    store = db.open()

    after = store.read()
    assert replace(after, heartbeat_keys=before.heartbeat_keys) == before  # the keys are made anew
    assert len(after.heartbeat_keys) == 1
    assert store.verify().is_good
    assert store.check() == []


def test_who_only_looks_is_told_to_upgrade_and_nothing_is_changed(db):
    db.open().close()
    older = schema.known_versions()[0]
    migrate(db, older, down=True)

    with pytest.raises(SchemaTooOld, match=rf"schema {older}.*suite db upgrade"):
        db.open(create=False)

    assert db.rows("SELECT version_num FROM alembic_version") == [(older,)]


FOLLOWING = f"{int(schema.CURRENT) + 1:04}"

NEXT = f"""
from alembic import op

revision = "{FOLLOWING}"
down_revision = "{schema.CURRENT}"


def upgrade():
    op.execute("CREATE TABLE later (id BIGINT PRIMARY KEY)")


def downgrade():
    op.execute("DROP TABLE later")
"""


@pytest.fixture
def next_release(tmp_path):
    """A copy of this program whose schema is one migration further; runs code in a process of its own."""
    for folder in ("suite", "migrations"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / f"migrations/versions/{FOLLOWING}_later.py").write_text(NEXT)
    module = tmp_path / "suite/store/schema.py"
    module.write_text(module.read_text().replace(f'CURRENT = "{schema.CURRENT}"', f'CURRENT = "{FOLLOWING}"'))

    def run(code, *arguments):
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    return run


UPGRADE = (
    "import sys; from suite.store import open_store; s = open_store(sys.argv[1]); print(s.read().revision, s.check())"
)


def test_next_release_upgrades_this_one_without_loss(db, next_release):
    store = db.open()
    revision = store.commit(Changes(services=(Service(COFFEE),)), store.read(), now=NOON).revision
    store.close()

    assert next_release(UPGRADE, db.url) == f"{revision} []\n"
    assert db.rows("SELECT count(*) FROM later") == [(0,)]


def test_sqlite_is_backed_up_before_an_upgrade(sqlite_db, next_release):
    store = sqlite_db.open()
    revision = store.read().revision
    store.close()

    next_release(UPGRADE, sqlite_db.url)

    (backup,) = sqlite_db.path.parent.glob(f"suite.db.before-{FOLLOWING}-*")
    with contextlib.closing(open_store(f"sqlite:///{backup}")) as store:
        assert store.read().revision == revision


def test_this_release_refuses_what_the_next_one_upgraded(db, next_release):
    db.open().close()
    next_release(UPGRADE, db.url)

    with pytest.raises(SchemaTooNew, match=FOLLOWING):
        db.open()


def test_unknown_newer_schema_is_refused_and_left_alone(db):
    db.open().close()
    db.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(SchemaTooNew, match="9999"):
        db.open()

    assert db.rows("SELECT version_num FROM alembic_version") == [("9999",)]


def test_database_of_another_program_is_refused_and_left_alone(db):
    db.execute("CREATE TABLE zoo (animal TEXT)")

    with pytest.raises(SchemaForeign, match="zoo"):
        db.open()

    assert db.rows("SELECT * FROM zoo") == []


def test_missing_database_is_not_made_unless_asked(sqlite_db):
    with pytest.raises(Unavailable, match="no database"):
        sqlite_db.open(create=False)

    assert not sqlite_db.path.exists()


def test_database_file_belongs_to_its_owner_alone(sqlite_db):
    sqlite_db.open()

    assert {oct(file.stat().st_mode & 0o777) for file in sqlite_db.path.parent.iterdir()} == {"0o600"}


def test_new_database_needs_no_alembic(sqlite_db):
    """Importing it costs more than everything else at the first start together."""
    code = "import sys; from suite.store import open_store; open_store(sys.argv[1]); print('alembic' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", code, sqlite_db.url], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )

    assert done.stdout == "False\n"


def test_many_processes_may_make_the_database_at_once(db):
    code = "import sys; from suite.store import open_store; print(open_store(sys.argv[1]).read().epoch)"
    command = [sys.executable, "-c", code, db.url]
    running = [subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) for _ in range(4)]

    epochs = [process.communicate(timeout=60)[0] for process in running]

    assert len(set(epochs)) == 1
    assert len(epochs[0].strip()) == 16


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://root@localhost/x", "not supported"),
        ("postgresql://ada:secret@localhost/x", "carries a password"),
        ("sqlite://", "needs a file"),
        ("what", "cannot be understood"),
    ],
)
def test_url_that_cannot_be_used_is_refused_with_the_reason(url, words):
    with pytest.raises(StoreError, match=words) as caught:
        open_store(url)

    assert "secret" not in str(caught.value)


def test_migrations_are_found_where_a_wheel_puts_them(tmp_path):
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "suite", tmp_path / "suite", ignore=ignore)
    shutil.copytree(REPOSITORY / "migrations", tmp_path / "suite/_migrations", ignore=ignore)
    code = "from suite.store import schema; print(schema.migrations_folder(), *schema.known_versions())"

    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout.split() == [str(tmp_path / "suite/_migrations"), *schema.known_versions()]
