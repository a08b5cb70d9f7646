"""Backups and what is made of them.

Of SQLite a backup is a SQLite file, copied while others read and write (VACUUM INTO).  Of PostgreSQL it is every row of
our tables as lines of JSON, compressed, read in one transaction: it needs no program beside this one and no matching
version of a server, and whoever has ``pg_dump`` may use that as well.  Either kind restores into either database, so
the way from one database to the other is a backup and a restore.

A restored database begins a new epoch, at a revision above every one that a follower may know.
"""

import base64
import contextlib
import gzip
import json
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import IO, Any, TypeVar

from sqlalchemy import Column, LargeBinary, Table

from suite.model.event import Action, Actor, Event
from suite.store.commit import Writer, write_events
from suite.store.database import Database, Transaction, time_of, time_text
from suite.store.errors import NotMade, SchemaForeign, SchemaTooNew, StoreError, Unavailable
from suite.store.snapshots import Head, read_head
from suite.store.tables import FLAG, TIME, metadata

MARGIN = 1_000_000
"""How many commits since the backup a restore allows for: a follower may know them though the backup does not."""

FORMAT = "suite-backup-1"
LEFT_OUT = {"leadership", "feed", "instance"}
"""What belongs to the running suite, not to its data."""
BATCH = 2_000

T = TypeVar("T")


def back_up(database: Database, target: Path) -> None:
    """Write a backup to ``target``, which appears whole or not at all, readable by its owner alone.

    Raises:
        NotMade: ``target`` exists, or no file can be made there.
        Unavailable: its disk is full.
    """
    part = _part_of(target)
    try:
        if database.path is not None:
            _vacuum(database.path, part)
        else:
            database.read(lambda tx: _write_lines(tx, part))
        sync(part)
        part.rename(target)
        sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"the backup failed ({error})", f"check the disk of {target}") from error
    finally:
        part.unlink(missing_ok=True)


def write_archive(target: Path, write: Callable[[IO[bytes]], T]) -> T:
    """Let ``write`` fill a new file that appears whole, on the disk, or not at all; what ``write`` returned.

    Raises:
        NotMade: ``target`` exists, or no file can be made there.
        Unavailable: its disk is full.
    """
    part = _part_of(target)
    try:
        with part.open("wb") as file:
            done = write(file)
            file.flush()
            os.fsync(file.fileno())
        part.rename(target)
        sync(target.parent)
    except OSError as error:
        raise Unavailable(f"{target} cannot be written ({error.strerror})", "check its folder and disk") from error
    finally:
        part.unlink(missing_ok=True)
    return done


def _part_of(target: Path) -> Path:
    """An empty file beside ``target``, readable by its owner alone, that takes its name when it is whole."""
    part = target.with_name(f"{target.name}.part")
    try:
        if target.exists():
            raise NotMade(f"{target} exists", "give a path where nothing stands")
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    except OSError as error:
        raise NotMade(f"{target} cannot be made: {error.strerror}", "give a path that can be written") from error
    return part


def sync(path: Path) -> None:
    """Wait until the file, or the names in the folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _vacuum(source: Path, target: Path) -> None:
    with contextlib.closing(sqlite3.connect(f"file:{source}?mode=rw", uri=True, timeout=30)) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))


def _write_lines(tx: Transaction, target: Path) -> None:
    with gzip.open(target, "wt", encoding="utf-8", compresslevel=6) as file:
        version = tx.scalar("SELECT version_num FROM alembic_version")
        file.write(json.dumps({"format": FORMAT, "schema": version}) + "\n")
        for table in metadata.sorted_tables:
            file.write(json.dumps({"table": table.name, "columns": [column.name for column in table.columns]}) + "\n")
            outward = [_outward(column) for column in table.columns]
            for row in tx.scan(_select(table)):
                values = [None if value is None else act(value) for act, value in zip(outward, row, strict=True)]
                file.write(json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n")
        file.write(json.dumps({"end": True}) + "\n")


def _select(table: Table) -> str:
    names = ", ".join(column.name for column in table.columns)
    return f"SELECT {names} FROM {table.name}"  # noqa: S608 - names from this package


def _outward(column: Column[Any]) -> Callable[[Any], Any]:
    if column.type is TIME:
        return time_text
    return _base64 if isinstance(column.type, LargeBinary) else _same


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _same(value: Any) -> Any:
    return value


# ---- restored -----------------------------------------------------------------------------------------------------


def load(tx: Transaction, source: Path, *, current: str) -> None:
    """Fill empty tables, before their guards stand, from a backup of either kind.

    Raises:
        StoreError: ``source`` is no backup, is cut off, or has another schema than ``current``.
    """
    version, tables = _read(source)
    if version != current:
        raise SchemaTooNew(
            f"the backup has schema {version}, this release has {current}",
            "restore it with the release that made it, then upgrade",
        )
    for name, columns, rows in tables:
        table = metadata.tables.get(name)
        if table is None or name in LEFT_OUT:
            for _ in rows:
                pass
            continue
        _fill(tx, table, columns, rows)


def _fill(tx: Transaction, table: Table, columns: list[str], rows: Iterator[list[Any]]) -> None:
    inward = [_inward(table.columns[name], is_sqlite=tx.is_sqlite) for name in columns]
    into = f"{table.name} ({', '.join(columns)})"
    text = f"INSERT INTO {into} VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - names checked by the lookup
    batch: list[tuple[Any, ...]] = []
    for row in rows:
        batch.append(tuple(None if value is None else act(value) for act, value in zip(inward, row, strict=True)))
        if len(batch) == BATCH:
            tx.execute_many(text, batch)
            batch.clear()
    if batch:
        tx.execute_many(text, batch)


def _inward(column: Column[Any], *, is_sqlite: bool) -> Callable[[Any], Any]:
    if column.type is TIME and not is_sqlite:
        return time_of
    if column.type is FLAG:
        return int if is_sqlite else bool
    return _octets if isinstance(column.type, LargeBinary) else _same


def _octets(value: Any) -> bytes:
    return base64.b64decode(value) if isinstance(value, str) else bytes(value)


Tables = Iterator[tuple[str, list[str], Iterator[list[Any]]]]


def _read(source: Path) -> tuple[str, Tables]:
    try:
        with source.open("rb") as file:
            magic = file.read(16)
    except OSError as error:
        raise Unavailable(f"{source} cannot be read ({error.strerror})", "check its path and rights") from error
    if magic.startswith(b"SQLite format 3"):
        return _read_sqlite(source)
    if magic.startswith(b"\x1f\x8b"):
        return _read_lines(source)
    raise SchemaForeign(f"{source} is no backup", "give a file that `suite db backup` wrote")


def _read_sqlite(source: Path) -> tuple[str, Tables]:
    connection = sqlite3.connect(f"file:{source}?mode=ro&immutable=1", uri=True)
    try:
        version = str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
    except (sqlite3.Error, TypeError) as error:
        connection.close()
        raise SchemaForeign(
            f"{source} is no database of this program", "give a file that `suite db backup` wrote"
        ) from error

    def tables() -> Tables:
        with contextlib.closing(connection):
            for table in metadata.sorted_tables:
                yield table.name, [column.name for column in table.columns], connection.execute(_select(table))

    return version, tables()


def _read_lines(source: Path) -> tuple[str, Tables]:
    file = gzip.open(source, "rt", encoding="utf-8")  # noqa: SIM115 - closed by the generator below
    try:
        first = json.loads(file.readline())
        version = str(first["schema"]) if first["format"] == FORMAT else ""
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        file.close()
        raise SchemaForeign(f"{source} is no backup", "give a file that `suite db backup` wrote") from error
    return version, _tables_of_lines(file, source)


def _tables_of_lines(file: Any, source: Path) -> Tables:
    """Tables of a compressed backup; each one's rows must be taken before the next is asked for."""
    header: dict[str, Any] = {}

    def rows() -> Iterator[list[Any]]:
        with _readable(source):
            for line in file:
                entry = json.loads(line)
                if isinstance(entry, dict):
                    header.update(entry)
                    return
                yield entry

    with _readable(source), contextlib.closing(file):
        header.update(json.loads(file.readline()))
        while "end" not in header:
            name, columns = header.pop("table"), header.pop("columns")
            yield name, columns, rows()


@contextlib.contextmanager
def _readable(source: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, ValueError, KeyError, zlib.error) as error:
        raise StoreError(f"{source} is cut off or damaged ({error})", "copy it again, or use another backup") from error


def begin_epoch(tx: Transaction, writer: Writer, *, now: datetime, above: int, actor: Actor) -> None:
    """Move a restored database to a new epoch, above what followers know, and say so in its log."""
    old = read_head(tx)
    at = max(now, old.time)
    revision = max(old.revision + MARGIN, int(at.timestamp()), above + 1)
    head = Head(token_hex(8), revision, old.hash, at, old.last_lease)
    tx.execute("UPDATE head SET epoch = ?, revision = ?, time = ?", (head.epoch, head.revision, tx.time_in(at)))
    event = Event(
        Action.RESTORED,
        reason=f"restored from a backup at revision {old.revision}; epoch {head.epoch} begins",
        before=json.dumps({"epoch": old.epoch, "revision": old.revision}, separators=(",", ":")),
        after=json.dumps({"epoch": head.epoch}, separators=(",", ":")),
        actor=actor,
    )
    write_events(tx, (event,), head, key=writer.key)
    tx.execute("INSERT INTO feed (revision, writer, changed) VALUES (?, '', NULL)", (head.revision,))
