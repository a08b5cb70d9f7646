"""The schema: made at once in an empty database, upgraded by Alembic in an older one, refused in a newer one.

Alembic costs a third of a second to import, so it is imported only when there is something to upgrade; that both ways
lead to the same schema is a test.
"""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect

from suite.model.event import SYSTEM, Action, Actor, Event
from suite.store.backup import back_up, begin_epoch, load
from suite.store.commit import Writer, write_events
from suite.store.database import Database, Transaction, time_text
from suite.store.errors import SchemaForeign, SchemaTooNew, SchemaTooOld, StoreError, Unavailable
from suite.store.faults import translated
from suite.store.guards import guards
from suite.store.snapshots import Head
from suite.store.tables import metadata
from suite.store.views import views

if TYPE_CHECKING:
    from alembic.config import Config

CURRENT = "0005"
"""The newest migration; a test compares it with the folder."""

EXTENSION = "btree_gist"
"""PostgreSQL's own module that lets the exclusion constraint compare text; trusted, so the database's owner may add it."""


def migrations_folder() -> Path:
    """Where the migrations stand: in a wheel inside the package, in a checkout at the top."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def version(database: Database) -> str | None:
    """The migration the database is at; None when it is empty.

    Raises:
        SchemaForeign: it holds tables, and none of them is ours.
    """
    with database.reading() as tx:
        names = inspect(tx.connection).get_table_names()
        if "alembic_version" in names:
            found: str | None = tx.scalar("SELECT version_num FROM alembic_version")
            return found
        if names:
            raise SchemaForeign(
                f"the database holds tables of another program ({', '.join(sorted(names)[:3])}, ...)",
                "use a database of its own",
            )
    return None


def ensure(database: Database, *, create: bool, now: datetime, key: bytes = b"") -> None:
    """Bring the schema to :data:`CURRENT`, whatever is there now; several processes may try at once.

    Without ``create`` nothing is changed.

    Raises:
        Unavailable: it would have to be created.
        SchemaTooOld: it would have to be upgraded.
        SchemaTooNew: it is at a migration that this release does not know.
    """
    found = version(database)
    if found is None:
        if not create:
            raise Unavailable("the database is empty", "start `suite run` once, or `suite db upgrade`")
        make(database, now=now, key=key)
    elif found != CURRENT:
        if not create:
            _check_known(found)
            raise SchemaTooOld(
                f"the database is at schema {found}, and this release needs {CURRENT}",
                "`suite db upgrade` brings it there, and copies a SQLite file first",
            )
        upgrade(database, found, now=now)
    _check_server(database)


def make(database: Database, *, now: datetime, key: bytes = b"") -> None:
    """Create everything in an empty database, and the first event of its log."""
    with database.writing() as tx:
        if not _is_taken(tx):
            _make_tables(tx)
            _make_guards(tx)
            begin(tx, now=now, key=key)


def restore(
    database: Database, source: Path, *, now: datetime, above: int = 0, actor: Actor = SYSTEM, key: bytes = b""
) -> None:
    """Create everything in an empty database, filled from a backup of either kind, in a new epoch.

    Args:
        database: where to; nothing may be in it.
        source: what ``backup`` wrote.
        now: the clock.
        above: the highest revision that any follower is known to have seen; 0 where nobody knows.
        actor: who restores.
        key: seals the event that says so.

    Raises:
        StoreError: the database is not empty, or ``source`` is no whole backup of this schema.
    """
    with database.writing() as tx:
        if _is_taken(tx) or inspect(tx.connection).get_table_names():
            raise StoreError("a backup is restored into an empty database only", "name a new file or database")
        _make_tables(tx)
        load(tx, source, current=CURRENT)
        _make_guards(tx)
        begin_epoch(tx, Writer("", key), now=now, above=above, actor=actor)


def _is_taken(tx: Transaction) -> bool:
    """Whether another process was first; on PostgreSQL nobody else begins while this transaction goes on."""
    if not tx.is_sqlite:
        tx.execute("SELECT pg_advisory_xact_lock(7883001)")
    return inspect(tx.connection).has_table("head")


def _make_tables(tx: Transaction) -> None:
    _extend(tx)
    metadata.create_all(tx.connection, checkfirst=False)
    tx.execute(VERSION_TABLE)
    tx.execute("INSERT INTO alembic_version (version_num) VALUES (?)", (CURRENT,))


def _make_guards(tx: Transaction) -> None:
    dialect = tx.connection.dialect.name
    for statement in (*guards(dialect), *views(dialect)):
        tx.execute(statement)


VERSION_TABLE = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
    " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)
"""As Alembic makes it."""


def begin(tx: Transaction, *, now: datetime, key: bytes = b"") -> None:
    """The first row of ``head`` and the first event: a random epoch, and Unix time as the first revision.

    Unix time, so that a database made anew is ahead of what followers saw of a lost one that committed less than
    once a second.
    """
    at = now.astimezone(UTC)
    head = Head(secrets.token_hex(8), int(at.timestamp()), "", at, 0)
    tx.execute(
        "INSERT INTO head (one, epoch, revision, hash, time, last_lease) VALUES (1, ?, ?, '', ?, 0)",
        (head.epoch, head.revision, tx.time_in(at)),
    )
    created = Event(Action.CREATED, reason=f"epoch {head.epoch} begins", after=f'{{"epoch":"{head.epoch}"}}')
    write_events(tx, (created,), head, key=key)
    tx.execute("INSERT INTO feed (revision, writer, changed) VALUES (?, '', NULL)", (head.revision,))
    tx.execute(
        "INSERT INTO secret (name, place, value, since) VALUES ('heartbeat', 0, ?, ?)",
        (secrets.token_hex(32), tx.time_in(at)),
    )


def known_versions() -> Sequence[str]:
    """Every migration this release has, oldest first."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(alembic_config())
    return [script.revision for script in reversed(list(scripts.walk_revisions()))]


def _check_known(found: str) -> None:
    if found not in known_versions():
        raise SchemaTooNew(
            f"the database is at schema {found}, which this release (schema {CURRENT}) does not know",
            "run the newer release, or restore the backup it made before its upgrade",
        )


def upgrade(database: Database, found: str, *, now: datetime) -> None:
    """Apply what is missing since ``found``; a SQLite file is copied first, beside itself.

    Raises:
        SchemaTooNew: ``found`` is no migration of this release.
    """
    from alembic import command

    _check_known(found)
    if database.path is not None:
        stamp = time_text(now)[:19].replace(" ", "T").replace(":", "")
        back_up(database, database.path.with_name(f"{database.path.name}.before-{CURRENT}-{stamp}"))
    with translated(database.path):
        command.upgrade(alembic_config(database), "head")


def alembic_config(database: Database | None = None) -> "Config":
    """Alembic's settings for this database; migrations find the engine in ``attributes``."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    if database is not None:
        config.attributes["database"] = database
    return config


def _extend(tx: Transaction) -> None:
    if tx.is_sqlite or tx.scalar("SELECT 1 FROM pg_extension WHERE extname = ?", (EXTENSION,)):
        return
    from psycopg import Error

    try:
        tx.execute(f"CREATE EXTENSION {EXTENSION}")
    except Error as error:
        raise StoreError(
            f"PostgreSQL's module {EXTENSION} cannot be added ({error})",
            f"install postgresql-contrib, and let an administrator run once in this database: CREATE EXTENSION {EXTENSION}",
        ) from error


def _check_server(database: Database) -> None:
    """Refuse versions that lack what the schema needs: STRICT tables (SQLite 3.37), trusted extensions (PostgreSQL 13)."""
    with database.reading() as tx:
        have = tx.connection.dialect.server_version_info or (0,)
    need = (3, 37) if database.is_sqlite else (13,)
    if have < need:
        name = "SQLite" if database.is_sqlite else "PostgreSQL"
        raise StoreError(
            f"{name} {'.'.join(map(str, have))} is too old", f"use {name} {'.'.join(map(str, need))} or newer"
        )
