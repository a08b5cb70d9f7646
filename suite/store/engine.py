"""From a URL to an engine, with the settings of each connection.

SQLite: WAL, synchronous=FULL (a commit that returned survives a power cut), recursive triggers and foreign keys on.
PostgreSQL: psycopg 3, UTC, READ COMMITTED for writing (the row lock on ``head`` orders the writers), REPEATABLE READ
for reading (one view of all tables).
"""

import os
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from suite.store.database import Database, SameFile
from suite.store.errors import StoreError, Unavailable, Unusable
from suite.store.faults import BUSY_SECONDS

PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA foreign_keys = ON",
    "PRAGMA recursive_triggers = ON",
)

SETTINGS = {
    "application_name": "suite",
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "tcp_user_timeout": "15000",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "options": f"-c timezone=UTC -c lock_timeout={BUSY_SECONDS}s -c idle_in_transaction_session_timeout=60s"
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3",
}
"""libpq's; the keepalives let both ends notice within 20 s that the other one is gone without a word.

Keepalives are not sent while octets wait for their acknowledgement: then the user timeout (milliseconds, RFC 5482)
counts; without it a commit into a cut cable would wait for a quarter of an hour, and its controller count as ready.
"""


def open_database(url: str, *, password_file: str = "", create: bool = True) -> Database:
    """The database at ``url``; connects at its first use.

    Raises:
        StoreError: the URL cannot be understood, names another kind of database, or carries a password.
    """
    path = sqlite_file(url)
    return _postgresql(_parse(url), password_file) if path is None else _sqlite(path, create=create)


def sqlite_file(url: str) -> Path | None:
    """The file that ``url`` names; None where it names no SQLite database.

    Raises:
        StoreError: as :func:`open_database`.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    if not parsed.database or parsed.database == ":memory:":
        raise StoreError("a SQLite database needs a file", "write sqlite:////PATH")
    return Path(parsed.database).absolute()


def remove_file(path: Path) -> None:
    """Remove a SQLite database that nobody has open, with what SQLite puts beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(
            "the database URL cannot be understood", "write sqlite:////PATH or postgresql://USER@HOST/NAME"
        ) from error
    if parsed.password:
        raise StoreError(
            "the database URL carries a password", "put it into a file: database.password-file, or PGPASSFILE"
        )
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise StoreError(f"{parsed.get_backend_name()} is not supported", "use sqlite or postgresql")
    return parsed


def _sqlite(path: Path, *, create: bool) -> Database:
    _prepare(path, create=create)
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS}, pool_size=8, max_overflow=24)

    @event.listens_for(engine, "connect")
    def _settle(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours to say
        for pragma in PRAGMAS:
            connection.execute(pragma).close()

    return Database(engine, path, SameFile(path))


def _prepare(path: Path, *, create: bool) -> None:
    """Make the file for its owner alone, before SQLite makes it for everybody."""
    if path.exists():
        return
    if not create:
        raise Unavailable(f"there is no database at {path}", "start `suite run` once, or give its path")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise Unusable(f"{path} cannot be created ({error.strerror})", "choose another state directory") from error


def _postgresql(url: URL, password_file: str) -> Database:
    arguments: dict[str, str] = dict(SETTINGS)
    if password_file:
        arguments["password"] = _password(Path(password_file))
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"), connect_args=arguments, pool_size=8, max_overflow=24
    )
    return Database(engine)


def _password(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Unusable(f"the password file {path} cannot be read ({error.strerror})", "check its rights") from error
    if not lines or not lines[0]:
        raise Unusable(f"the password file {path} is empty", "its first line is the password")
    return lines[0]
