"""The drivers' errors in this package's words: who must do what about them."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from suite.store.errors import Conflict, ConnectionLost, StoreError, Unavailable, Unusable

BUSY_SECONDS = 10
"""How long a writer waits for another one before the database counts as unavailable."""

SQLITE_FAULTS = {
    "SQLITE_FULL": ("the disk is full", "make room on the disk of"),
    "SQLITE_READONLY": ("the database is read-only", "check the rights and the mount of"),
    "SQLITE_CANTOPEN": ("the database cannot be opened", "check the path and its rights:"),
    "SQLITE_IOERR": ("the disk failed", "look at the kernel log and the disk of"),
    "SQLITE_BUSY": (f"another program keeps the database locked for {BUSY_SECONDS} s", "find out who has open"),
    "SQLITE_LOCKED": ("the database is locked", "find out who has open"),
    "SQLITE_CORRUPT": ("the database file is damaged", "restore a backup of"),
    "SQLITE_NOTADB": ("the file is no SQLite database", "choose another path than"),
    "SQLITE_PROTOCOL": ("the locks of the database file do not work", "move it to a local disk:"),
}
"""By the beginning of the name of SQLite's error code: what happened, and what to do about the file."""

SQLITE_FOR_GOOD = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_PROTOCOL")
"""What stays so until somebody mends it; the others may pass."""

SQLITE_CONFLICTS = {
    "SQLITE_CONSTRAINT_UNIQUE",
    "SQLITE_CONSTRAINT_PRIMARYKEY",
    "SQLITE_CONSTRAINT_FOREIGNKEY",
    "SQLITE_CONSTRAINT_TRIGGER",
}
"""What another writer may have caused; CHECK and NOT NULL are mistakes of this one."""

POSTGRESQL_CONFLICTS = ("23001", "23503", "23505", "23P01", "40001", "40P01")
"""Our guards, foreign keys, uniqueness, exclusion, serialization failures, deadlocks."""

POSTGRESQL_DENIED = "42501"

POSTGRESQL_AWAY = ("08", "53", "57", "58", "55P03", "25006", "XX")
"""Connection, resources (disk full is 53100), operator intervention, system error, lock not available, read-only,
internal error."""

POSTGRESQL_REFUSES = ("28", "3D000")
"""Wrong password or user, no such database."""
POSTGRESQL_REFUSALS = (
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "does not exist",
    "Peer authentication failed",
)
"""The same in words, because libpq gives no SQLSTATE of a connection that was refused; another language is waited for."""


@contextmanager
def translated(path: Path | None, connection: Any = None) -> Iterator[None]:
    """Turn what the drivers raise into this package's errors; ``path`` is the file of a SQLite database.

    ``connection`` is the driver's, where there is one already: if it broke, the error is :class:`ConnectionLost`.
    Errors that mean a mistake of this program (a wrong statement, say) stay as they are.
    """
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("all connections to the database are busy", "find out what keeps them") from error
    except DBAPIError as error:
        known = meaning(error.orig, path, connection)
        if known is None:
            raise
        raise known from error
    except _driver_errors() as error:
        known = meaning(error, path, connection)
        if known is None:
            raise
        raise known from error


@cache
def _driver_errors() -> tuple[type[Exception], ...]:
    from psycopg import Error

    return (sqlite3.Error, Error)


def meaning(error: BaseException | None, path: Path | None, connection: Any = None) -> StoreError | None:
    """What a driver's error means; None where it means a mistake of this program."""
    if path is not None:
        return _meaning_sqlite(error, path)
    return _meaning_postgresql(error, is_broken=connection is not None and connection.closed)


def _meaning_sqlite(error: BaseException | None, path: Path) -> StoreError | None:
    name = getattr(error, "sqlite_errorname", None) or ""
    if name in SQLITE_CONFLICTS:
        return Conflict(str(error))
    for prefix, (what, fix) in SQLITE_FAULTS.items():
        if name.startswith(prefix):
            kind = Unusable if prefix in SQLITE_FOR_GOOD else Unavailable
            return kind(f"{what} ({error})", f"{fix} {path}")
    return None


def _meaning_postgresql(error: BaseException | None, *, is_broken: bool) -> StoreError | None:
    from psycopg import InterfaceError, OperationalError

    text, state = " ".join(str(error).split()), getattr(error, "sqlstate", None) or ""
    if state == POSTGRESQL_DENIED:
        return Unavailable(f"PostgreSQL does not let this user do that ({text})", "grant it, if it is meant to")
    if state.startswith(POSTGRESQL_CONFLICTS):
        return Conflict(text)
    if state.startswith(POSTGRESQL_REFUSES) or (not state and any(words in text for words in POSTGRESQL_REFUSALS)):
        return Unusable(f"PostgreSQL refuses us ({text})", "check the user, the password file and the database's name")
    if is_broken:
        return ConnectionLost(f"PostgreSQL closed the connection ({text})", "check the server and the network to it")
    # libpq gives no SQLSTATE when the connection itself is what failed
    if state.startswith(POSTGRESQL_AWAY) or (not state and isinstance(error, OperationalError | InterfaceError)):
        return Unavailable(f"PostgreSQL is not available ({text})", "check the server, its disk and the network to it")
    return None
