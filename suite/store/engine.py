"""The way to the database: one engine, its settings per connection, and its errors in our words.

SQLite: WAL, synchronous=FULL (a commit that returned survives a power cut), BEGIN IMMEDIATE for writing, recursive
triggers and foreign keys on.  PostgreSQL: psycopg 3, UTC, READ COMMITTED for writing (the row lock on ``head`` orders
the writers), REPEATABLE READ for reading (one view of all tables).
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError

from suite.store.errors import Conflict, ConnectionLost, OutcomeUnknown, StoreError, Unavailable

T = TypeVar("T")

BUSY_SECONDS = 10
"""How long a writer waits for another one before the database counts as unavailable."""

PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA recursive_triggers = ON",
)

SETTINGS = {
    "application_name": "suite",
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "options": f"-c timezone=UTC -c lock_timeout={BUSY_SECONDS}s -c idle_in_transaction_session_timeout=60s"
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3",
}
"""libpq's; the keepalives let both ends notice within 20 s that the other one is gone without a word."""


def time_text(at: datetime) -> str:
    """The fixed form of a time in SQLite, in hashes and in exports: UTC, microseconds, ``Z``."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%fZ") if at.year >= 1000 else _early(at)


def _early(at: datetime) -> str:
    raise StoreError(f"{at.isoformat()} lies before the year 1000", "give a later time")


@dataclass(frozen=True, slots=True)
class Database:
    """An engine and what differs between the two databases."""

    engine: Engine
    dialect: str
    path: Path | None = None
    """The file of a SQLite database."""

    def write(self, act: Callable[[Connection], T]) -> T:
        """``act`` in a transaction that may write; once more when a connection from the pool turns out to be dead.

        Raises:
            OutcomeUnknown: the connection broke during COMMIT.
        """
        return self._twice(self.writing, act)

    def read(self, act: Callable[[Connection], T]) -> T:
        """``act`` in a transaction that sees one state of all tables; once more when its connection was dead."""
        return self._twice(self.reading, act)

    def _twice(
        self, transaction: Callable[[], AbstractContextManager[Connection]], act: Callable[[Connection], T]
    ) -> T:
        try:
            with transaction() as connection:
                return act(connection)
        except ConnectionLost:
            with transaction() as connection:
                return act(connection)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write; commits at the end of the block."""
        with translated(self), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            self._commit(connection)

    def _commit(self, connection: Connection) -> None:
        try:
            connection.commit()
        except DBAPIError as error:
            if isinstance(_meaning(self, error), ConnectionLost):
                raise OutcomeUnknown("the connection broke during COMMIT", "read again to see what happened") from error
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of all tables."""
        with translated(self), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            else:
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection
            connection.rollback()

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """No transaction: every statement sees what is committed by then."""
        with translated(self), self.engine.connect() as connection:
            yield connection if self.is_sqlite else connection.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def is_sqlite(self) -> bool:
        return self.dialect == "sqlite"

    def sql(self, text: str) -> str:
        """``text``, written with ``?`` for parameters, as the driver wants it."""
        return text if self.is_sqlite else text.replace("?", "%s")

    def time_in(self, at: datetime | None) -> Any:
        """A time as the driver takes it."""
        return at if at is None or not self.is_sqlite else time_text(at)

    def time_out(self, value: Any) -> Any:
        """A time as the driver gave it, as an aware datetime in UTC; None stays None."""
        if value is None:
            return None
        return datetime.fromisoformat(value) if self.is_sqlite else value.astimezone(UTC)

    def close(self) -> None:
        self.engine.dispose()


def open_database(url: str, *, password_file: str = "", create: bool = True) -> Database:
    """The database at ``url``; connects at its first use.

    Raises:
        StoreError: the URL cannot be understood, names another kind of database, or carries a password.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, create=create)
    return _postgresql(parsed, password_file)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(
            "the database URL cannot be understood", "write sqlite:////PATH or postgresql://USER@HOST/NAME"
        ) from error
    if parsed.password:
        raise StoreError("the database URL carries a password", "put it into a file and name that as password_file")
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise StoreError(f"{parsed.get_backend_name()} is not supported", "use sqlite or postgresql")
    return parsed


def _sqlite(url: URL, *, create: bool) -> Database:
    if not url.database or url.database == ":memory:":
        raise StoreError("a SQLite database needs a file", "write sqlite:////PATH")
    path = Path(url.database).absolute()
    _prepare(path, create=create)
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS}, pool_size=8, max_overflow=24)

    @event.listens_for(engine, "connect")
    def _settle(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours to say
        for pragma in PRAGMAS:
            connection.execute(pragma).close()

    return Database(engine, "sqlite", path)


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
        raise Unavailable(f"{path} cannot be created ({error.strerror})", "choose another state directory") from error


def _postgresql(url: URL, password_file: str) -> Database:
    arguments: dict[str, str] = dict(SETTINGS)
    if password_file:
        arguments["password"] = _password(Path(password_file))
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"), connect_args=arguments, pool_size=8, max_overflow=24
    )
    return Database(engine, "postgresql")


def _password(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Unavailable(f"the password file {path} cannot be read ({error.strerror})", "check its rights") from error
    if not lines or not lines[0]:
        raise Unavailable(f"the password file {path} is empty", "its first line is the password")
    return lines[0]


def insert_many(
    connection: Connection,
    database: Database,
    into: str,
    types: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    on_conflict: str = "",
) -> None:
    """Insert rows in the fewest round trips: executemany in SQLite, one statement over arrays in PostgreSQL.

    One statement also lets PostgreSQL's statement triggers look at all rows once.

    ``into`` is ``table (column, ...)``, ``types`` PostgreSQL's type of each column, ``rows`` the values in that order
    (none is fine), ``on_conflict`` an ``ON CONFLICT ...`` clause.
    """
    if not rows:
        return
    if database.is_sqlite or len(rows) == 1:
        marks = ", ".join("?" * len(types))
        text = database.sql(f"INSERT INTO {into} VALUES ({marks}) {on_conflict}")  # noqa: S608 - texts of this package
        connection.exec_driver_sql(text, [tuple(row) for row in rows])
        return
    arrays = ", ".join(f"%s::{kind}[]" for kind in types)
    text = f"INSERT INTO {into} SELECT * FROM unnest({arrays}) {on_conflict}"  # noqa: S608
    connection.exec_driver_sql(text, tuple(list(column) for column in zip(*rows, strict=True)))


@contextmanager
def translated(database: Database) -> Iterator[None]:
    """Turn the driver's errors into this package's."""
    try:
        yield
    except DBAPIError as error:
        known = _meaning(database, error)
        if known is None:
            raise
        raise known from error


def _meaning(database: Database, error: DBAPIError) -> StoreError | None:
    origin: Any = error.orig
    if database.is_sqlite:
        return _meaning_sqlite(error, getattr(origin, "sqlite_errorname", "") or "", database.path)
    return _meaning_postgresql(error, getattr(origin, "sqlstate", "") or "")


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


def _meaning_sqlite(error: DBAPIError, name: str, path: Path | None) -> StoreError | None:
    if isinstance(error, IntegrityError):
        return Conflict(str(error.orig))
    for prefix, (what, fix) in SQLITE_FAULTS.items():
        if name.startswith(prefix):
            return Unavailable(f"{what} ({error.orig})", f"{fix} {path}")
    return None


POSTGRESQL_CONFLICTS = ("23", "40001", "40P01")
POSTGRESQL_AWAY = ("08", "53", "57", "58", "55P03", "25006", "XX", "28", "3D000")
"""Classes of SQLSTATE: connection, resources (disk full is 53100), operator intervention, system error, lock not
available, read-only, internal error, wrong password, no such database."""


def _meaning_postgresql(error: DBAPIError, state: str) -> StoreError | None:
    text = " ".join(str(error.orig).split())
    if state.startswith(POSTGRESQL_CONFLICTS):
        return Conflict(text)
    if error.connection_invalidated:
        return ConnectionLost(f"PostgreSQL closed the connection ({text})", "check the server and the network to it")
    if state.startswith(POSTGRESQL_AWAY) or (not state and _is_connection_fault(error)):
        return Unavailable(f"PostgreSQL is not available ({text})", "check the server, its disk and the network to it")
    return None


def _is_connection_fault(error: DBAPIError) -> bool:
    """Whether the connection itself is what failed; libpq gives no SQLSTATE then."""
    from psycopg import InterfaceError, OperationalError

    return isinstance(error.orig, OperationalError | InterfaceError)
