"""Is the database whole: the file, the guards, the invariants, the log."""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import inspect

from suite.store import audit, rows
from suite.store.database import Database, Transaction
from suite.store.guards import guards
from suite.store.views import views

CHUNK = 1_000
"""Leases that are decoded together; one by one only where that fails."""

INVARIANTS = (
    (
        "SELECT address FROM lease WHERE valid_to IS NULL GROUP BY address HAVING count(DISTINCT share_group) > 1",
        "address {} is leased to Services that may not share it",
    ),
    (
        "SELECT l.address FROM lease_port p JOIN lease l ON l.id = p.lease_id WHERE l.valid_to IS NOT NULL",
        "address {} has a port taken by a lease that ended",
    ),
    (
        """SELECT a.address FROM lease a JOIN lease b ON b.address = a.address AND b.id > a.id
           AND b.namespace = a.namespace AND b.service = a.service
           AND b.valid_from < a.valid_to AND a.valid_from < coalesce(b.valid_to, a.valid_to)""",
        "address {} was leased to one Service twice at once",
    ),
    ("SELECT name FROM pool WHERE valid_to IS NULL GROUP BY name HAVING count(*) > 1", "pool {} stands twice"),
    (
        "SELECT lease.revision FROM lease, head WHERE lease.revision > head.revision",
        "a lease of revision {} lies in the future",
    ),
)
"""Questions whose answer must be empty, and what it means when it is not."""


def check(database: Database, *, key: bytes = b"") -> list[str]:
    """What is wrong, in sentences."""
    with database.reading() as tx:
        found = [*_file(tx), *_missing(tx), *_broken(tx), *_unreadable(tx), *_leases_unreadable(tx)]
        return found + list(audit.verify(tx, key=key).faults)


def _file(tx: Transaction) -> Iterator[str]:
    if tx.is_sqlite:
        try:
            yield from (text for (text,) in tx.execute("PRAGMA integrity_check").fetchall() if text != "ok")
            yield from _orphans(tx)
        except sqlite3.DatabaseError as error:
            yield f"the file is damaged: {error}"


def _orphans(tx: Transaction) -> Iterator[str]:
    """Rows whose parent is gone; SQLite names the table alone where a table has no row numbers."""
    for table in sorted({row[0] for row in tx.execute("PRAGMA foreign_key_check")}):
        for _, _, parent, column, key, *_ in tx.execute(f"PRAGMA foreign_key_list({table})").fetchall():
            gone = f"SELECT DISTINCT {column} FROM {table} WHERE {column} NOT IN (SELECT {key} FROM {parent}) LIMIT 10"  # noqa: S608
            yield from (
                f"table {table}: a row names {parent} {value}, which is not there" for (value,) in tx.execute(gone)
            )


def _unreadable(tx: Transaction) -> Iterator[str]:
    """Documents that somebody damaged: a start leaves them folded, so it need not notice."""
    for table, (columns, kind, _) in rows.DOCUMENTS.items():
        read = rows.adapter(kind).validate_json
        for *key, document in tx.scan(f"SELECT {', '.join(columns)}, document FROM {table}"):  # noqa: S608
            try:
                read(document)
            except ValueError as error:
                reason = str(error).splitlines()[0]
                yield f"table {table}: what stands at {'/'.join(key)} cannot be read ({reason})"


def _leases_unreadable(tx: Transaction) -> Iterator[str]:
    """Leases, those that ended too, that somebody damaged: they are decoded when somebody asks for them, and not before."""
    scan = tx.scan(rows.LEASE_SELECT)
    while chunk := list(islice(scan, CHUNK)):
        if _why_not_leases(chunk, tx):
            for row in chunk:
                if why := _why_not_leases([row], tx):
                    yield f"table lease: row {row[rows.LEASE_ID]} cannot be read ({why})"


def _why_not_leases(chunk: Sequence[Sequence[Any]], tx: Transaction) -> str:
    """Why no leases can be made of these rows; empty when they can."""
    try:
        rows.leases_of(chunk, tx.time_out)
    except (KeyError, TypeError, ValueError) as error:
        return str(error).splitlines()[0]
    return ""


def _missing(tx: Transaction) -> Iterator[str]:
    """Tables, views and guards that somebody dropped."""
    inspector = inspect(tx.connection)
    dialect = tx.connection.dialect.name
    from suite.store.tables import metadata  # 70 ms, for both dialects, that a start need not pay

    yield from (f"table {name} is missing" for name in sorted(set(metadata.tables) - set(inspector.get_table_names())))
    names = {text.split()[2] for text in views(dialect)}
    yield from (f"view {name} is missing" for name in sorted(names - set(inspector.get_view_names())))
    wanted = {text.split()[2] for text in guards(dialect) if text.startswith("CREATE TRIGGER")}
    yield from (f"guard {name} is missing or switched off" for name in sorted(wanted - _triggers(tx)))


def _triggers(tx: Transaction) -> set[str]:
    text = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if tx.is_sqlite
        else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'"
    )
    return {name for (name,) in tx.execute(text).fetchall()}


def _broken(tx: Transaction) -> Iterator[str]:
    for question, words in INVARIANTS:
        for row in tx.execute(f"{question} LIMIT 10").fetchall():
            yield words.format(row[0])
