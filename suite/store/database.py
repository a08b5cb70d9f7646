"""Transactions: the one way this package talks to either database.

SQLAlchemy makes and pools the connections, describes the tables and runs the migrations.  Statements go to the driver
as fixed texts: a durable commit costs a quarter of a millisecond on a good disk, and building statements anew would
cost as much again.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from suite.store.errors import ConnectionLost, OutcomeUnknown, StoreError, Unavailable
from suite.store.faults import translated

T = TypeVar("T")

SCAN = 2_000
"""Rows that PostgreSQL sends at once."""

CHUNK = 400
"""Keys asked for at once; SQLite takes 32,766 parameters, PostgreSQL 65,535."""


@lru_cache(256)
def time_text(at: datetime) -> str:
    """The fixed form of a time in SQLite, in hashes and in exports: UTC, microseconds, ``Z``.

    Raises:
        StoreError: the year has less than four digits, and the text would not sort.
    """
    if at.year < 1000:
        raise StoreError(f"{at.isoformat()} lies before the year 1000", "give a later time")
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%fZ")


@lru_cache(1024)
def time_of(text: str) -> datetime:
    """The inverse of :func:`time_text`; the rows of one commit repeat one time."""
    return datetime.fromisoformat(text)


@lru_cache(256)
def _with_percent(text: str) -> str:
    return text.replace("?", "%s")


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction in progress.  Statements have ``?`` where a parameter stands, on both databases."""

    connection: Connection
    """SQLAlchemy's, for looking at the schema and changing it."""
    driver: Any
    """sqlite3's or psycopg's connection."""
    is_sqlite: bool
    gathered: list[tuple[str, Sequence[Any]]] | None = None
    """Insertions that wait to become one statement with those that follow; None where each goes out at once."""

    def execute(self, text: str, parameters: Sequence[Any] = ()) -> Any:
        """The driver's cursor after one statement."""
        self.send()
        if self.is_sqlite:
            return self.driver.execute(text, parameters)
        return self.driver.execute(_with_percent(text) if parameters else text, parameters or None)

    def send(self) -> None:
        """Send the insertions that wait, as one statement; they see nothing of each other."""
        if self.gathered:
            texts, parameters = zip(*self.gathered, strict=True)
            self.gathered.clear()
            self.driver.execute(_together(texts), [value for each in parameters for value in each])

    def execute_many(self, text: str, parameters: Sequence[Sequence[Any]]) -> int:
        """One statement for each of ``parameters``; how many rows they touched together."""
        self.send()
        cursor = self.driver.cursor()
        cursor.executemany(text if self.is_sqlite else _with_percent(text), parameters)
        return int(cursor.rowcount)

    def scalar(self, text: str, parameters: Sequence[Any] = ()) -> Any:
        """The first value of the first row; None without a row."""
        row = self.execute(text, parameters).fetchone()
        return None if row is None else row[0]

    def scan(self, text: str) -> Iterator[Sequence[Any]]:
        """Many rows, never all in memory at once; the text takes no parameters."""
        self.send()
        if self.is_sqlite:
            yield from self.driver.execute(text)
            return
        with self.driver.cursor("scan") as cursor:
            cursor.execute(text, binary=True)
            while rows := cursor.fetchmany(SCAN):
                yield from rows

    def by_keys(self, select: str, columns: Sequence[str], keys: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[Any]]:
        """Rows of ``select`` whose ``columns`` are one of ``keys``."""
        mark = f"({', '.join('?' * len(columns))})"
        for start in range(0, len(keys), CHUNK):
            chunk = keys[start : start + CHUNK]
            wanted = f"{select} WHERE ({', '.join(columns)}) IN (VALUES {', '.join([mark] * len(chunk))})"
            yield from self.execute(wanted, tuple(value for key in chunk for value in key))

    def insert(self, into: str, types: Sequence[str], rows: Sequence[Sequence[Any]], on_conflict: str = "") -> None:
        """Insert rows in the fewest round trips: executemany in SQLite, one statement over arrays in PostgreSQL.

        One statement also lets PostgreSQL's statement triggers look at all rows once.

        Args:
            into: ``table (column, ...)``.
            types: PostgreSQL's type of each column.
            rows: values in that order; none is fine.
            on_conflict: an ``ON CONFLICT ...`` clause.
        """
        if len(rows) == 1:
            self._insert(_insert_one(into, len(types), on_conflict), rows[0])
        elif rows and self.is_sqlite:
            self.execute_many(_insert_one(into, len(types), on_conflict), rows)
        elif rows:
            arrays = tuple(list(column) for column in zip(*rows, strict=True))
            self._insert(_insert_arrays(into, tuple(types), on_conflict), arrays)

    def _insert(self, text: str, parameters: Sequence[Any]) -> None:
        if self.gathered is None:
            self.execute(text, parameters)
        else:
            self.gathered.append((text, parameters))

    def time_in(self, at: datetime | None) -> Any:
        """A time as the driver takes it."""
        return time_text(at) if self.is_sqlite and at is not None else at

    def time_out(self, value: Any) -> Any:
        """A time as the driver gave it, as an aware datetime in UTC; None stays None."""
        if value is None:
            return None
        return time_of(value) if self.is_sqlite else value.astimezone(UTC)


@lru_cache(64)
def _together(texts: tuple[str, ...]) -> str:
    """One statement of PostgreSQL that carries out all ``texts``."""
    *others, last = texts
    parts = ", ".join(f"part_{number} AS ({text})" for number, text in enumerate(others))
    return _with_percent(f"WITH {parts} {last}" if others else last)


@lru_cache(64)
def _insert_one(into: str, width: int, on_conflict: str) -> str:
    return f"INSERT INTO {into} VALUES ({', '.join('?' * width)}) {on_conflict}"  # noqa: S608 - this package's texts


@lru_cache(64)
def _insert_arrays(into: str, types: tuple[str, ...], on_conflict: str) -> str:
    arrays = ", ".join(f"?::{kind}[]" for kind in types)
    return f"INSERT INTO {into} SELECT * FROM unnest({arrays}) {on_conflict}"  # noqa: S608


class SameFile:
    """The file of a SQLite database, which has to be the one that was opened first.

    SQLite goes on with a file that has no name any more as if nothing had happened: every commit would succeed, and be gone
    with the program.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first: tuple[int, int] | None = None

    def require(self) -> None:
        """Look whether the file is there, and the same.

        Raises:
            Unavailable: it was removed, or another one stands in its place; where it is put back, all goes on.
        """
        try:
            status = os.stat(self._path)  # noqa: PTH116 - asked at every transaction, and this is three times as fast
        except OSError as error:
            if self._first is None:
                return  # nobody has opened it yet; whoever does is told what is wrong
            what = "was removed" if isinstance(error, FileNotFoundError) else f"cannot be seen ({error.strerror})"
            raise Unavailable(
                f"{self._path} {what} while the suite used it",
                "put it back; or end the suite, `suite db restore` a backup, and start it",
            ) from error
        found = (status.st_dev, status.st_ino)
        self._first = self._first or found
        if found != self._first:
            raise Unavailable(
                f"{self._path} was replaced by another file while the suite used it",
                "start the suite again to use that one; `suite db restore` makes it known as another epoch",
            )


@dataclass(frozen=True, slots=True)
class Database:
    """An engine, and which of the two databases it leads to."""

    engine: Engine
    path: Path | None = None
    """The file of a SQLite database; None for PostgreSQL."""
    file: SameFile | None = None
    """What watches over that file."""

    @property
    def is_sqlite(self) -> bool:
        return self.path is not None

    @property
    def dialect(self) -> str:
        return "sqlite" if self.is_sqlite else "postgresql"

    def write(self, act: Callable[[Transaction], T], *, is_piped: bool = False) -> T:
        """``act`` in a transaction that may write; once more when a connection from the pool turns out to be dead.

        With ``is_piped`` PostgreSQL is only waited for where ``act`` fetches something, and at the end; an error shows
        there, and how many rows a statement touched does not show at all.

        Raises:
            OutcomeUnknown: the connection broke during COMMIT.
        """
        return self._twice(self._piped if is_piped and not self.is_sqlite else self.writing, act)

    def read(self, act: Callable[[Transaction], T]) -> T:
        """``act`` in a transaction that sees one state of all tables; once more when its connection was dead."""
        return self._twice(self.reading, act)

    def _twice(
        self, transaction: Callable[[], AbstractContextManager[Transaction]], act: Callable[[Transaction], T]
    ) -> T:
        try:
            with transaction() as tx:
                return act(tx)
        except ConnectionLost:
            self.engine.dispose()  # the others in the pool are as dead
            with transaction() as tx:
                return act(tx)

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """A transaction that may write; commits at the end of the block."""
        with self._connected() as tx:
            if self.is_sqlite:
                tx.driver.execute("BEGIN IMMEDIATE")
            yield tx
            self._commit(tx)

    def _commit(self, tx: Transaction) -> None:
        try:
            with translated(self.path, tx.driver):
                tx.driver.commit()
        except ConnectionLost as error:
            raise _unknown() from error

    @contextmanager
    def _piped(self) -> Iterator[Transaction]:
        """As :meth:`writing` in PostgreSQL; COMMIT goes out together with the last statements."""
        has_asked = False
        with self._connected() as tx:
            try:
                with translated(self.path, tx.driver), tx.driver.pipeline():
                    piped = replace(tx, gathered=[])
                    yield piped
                    piped.send()
                    has_asked = True
                    tx.driver.execute("COMMIT", prepare=False)
            except ConnectionLost as error:
                if has_asked:
                    raise _unknown() from error
                raise

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A transaction that sees one state of all tables."""
        with self._connected("REPEATABLE READ") as tx:
            if self.is_sqlite:
                tx.driver.execute("BEGIN")
            yield tx
            tx.driver.rollback()

    @contextmanager
    def looking(self) -> Iterator[Transaction]:
        """No transaction: every statement sees what is committed by then."""
        with self._connected("AUTOCOMMIT") as tx:
            yield tx

    @contextmanager
    def _connected(self, isolation: str = "") -> Iterator[Transaction]:
        if self.file is not None:
            self.file.require()
        with translated(self.path), self.engine.connect() as connection:
            if isolation and not self.is_sqlite:
                connection.execution_options(isolation_level=isolation)
            driver: Any = connection.connection.dbapi_connection
            try:
                with translated(self.path, driver):
                    yield Transaction(connection, driver, self.is_sqlite)
            except ConnectionLost:
                connection.invalidate()
                raise

    def close(self) -> None:
        """Close the connections that nobody uses; the others close when they come back."""
        self.engine.dispose()


def _unknown() -> OutcomeUnknown:
    return OutcomeUnknown("the connection broke during COMMIT", "read again to see what happened")
