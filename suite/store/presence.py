"""Which programs run on this database: what each says of its roles, and whether it lives.

A program writes one row for each of its roles, and again only when what it says has changed.  That it lives is shown by a
lock that ends with it: on PostgreSQL an advisory lock of a session, on SQLite one octet of a file beside the database.
So nothing is written while nothing changes, and no clock is compared with another machine's.  A row whose lock is free
is marked as gone by whoever notices, after a while, and removed after a day; whoever takes its place (the same role on
the same node, after a crash) removes it at once, and one that lived after all says its own again.

Rows are no part of a snapshot: they raise no revision and wake nobody.
"""

import fcntl
import json
import os
import secrets
import struct
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from suite.model.status import KEPT, Fellow, Instance
from suite.store.advisory import AdvisoryLock
from suite.store.database import Database, Transaction
from suite.store.errors import Unavailable

LOCK = 7883003
"""The first number of each program's advisory lock; the second is the program's own."""
FLOCK = struct.Struct("hhqqi4x")
"""``struct flock`` of 64-bit Linux: type, whence, start, length, pid."""
GRACE = 3.0
"""Seconds for which a lock must be seen free: after a restart of PostgreSQL everybody takes theirs again."""
REVISION_PAUSE = 5.0
"""Seconds at least between two writes that differ in the revision alone; a busy suite commits many times a second."""
MUTE = 30.0
"""Seconds after a write that failed until the next; a follower with the right to read alone only listens."""

SELECT = "SELECT process, role, node, pid, version, epoch, revision, reasons, notes, since, gone FROM instance"
UPSERT = (
    "INSERT INTO instance (process, role, node, pid, version, epoch, revision, reasons, notes, since, gone)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL) ON CONFLICT (process, role) DO UPDATE SET node = excluded.node,"
    " version = excluded.version, epoch = excluded.epoch, revision = excluded.revision, reasons = excluded.reasons,"
    " notes = excluded.notes, gone = NULL"
)
HELD = (
    "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted"
    " AND classid = ?::bigint::oid AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class Locks(Protocol):
    """Locks by number, each held until its process ends."""

    def take(self, number: int) -> bool:
        """Hold ``number``, and no other any more; False when another process holds it."""

    def holds(self) -> bool:
        """Whether what was taken is still held."""

    def held(self, tx: Transaction, numbers: Iterable[int]) -> set[int]:
        """Those of ``numbers`` that other processes hold."""

    def drop(self) -> None:
        """Hold none."""


class Presence:
    """This process among the others on its database; :meth:`meet` is called again and again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._locks: Locks = FileLocks(database.path) if database.path else SessionLocks(database)
        self._busy = threading.Lock()
        self._process = 0
        self._since: datetime | None = None
        self._revisions_at = 0.0
        self._mute_until = 0.0
        self._missed: dict[int, float] = {}

    def meet(self, mine: Sequence[Instance], *, now: datetime, uptime: float) -> tuple[Fellow, ...]:
        """Say what the roles of this process do, and hear what those of the others say.

        Args:
            mine: the roles of this process.
            now: the clock, for people.
            uptime: a clock that nobody sets, in seconds.

        Raises:
            Unavailable: the database is away, read-only or full.
        """
        with self._busy:
            outdated = self._take_number()
            self._since = self._since or now
            fellows, living = self._look()
            ours = {each.instance.role: each for each in fellows if each.process == self._process}
            others = [each for each in fellows if each.process not in {self._process, *outdated}]
            lost = self._lost(others, living, uptime)
            stale = [each for each in others if self._is_stale(each, living, mine, now)]
            said = self._news(mine, ours, uptime)
            if (said or lost or stale or outdated) and uptime >= self._mute_until:
                self._mute_until = uptime + MUTE
                self._write(said, lost, stale, outdated, now)
                self._mute_until = 0.0
            return tuple(replace(each, gone=now) if each in lost else each for each in others if each not in stale)

    def fellows(self) -> tuple[Fellow, ...]:
        """Every role that any process told of and that was not found to be gone, for whoever only looks."""
        fellows, living = self._look()
        return tuple(each for each in fellows if each.gone or each.process in living)

    def leave(self) -> None:
        """Say that this process ends in order: its rows go with it.

        Raises:
            Unavailable: the database is away; the others will find out.
        """
        with self._busy:
            try:
                if self._process:
                    self._database.write(lambda tx: _forget(tx, [self._process]))
            finally:
                self._process = 0
                self._locks.drop()

    def close(self) -> None:
        """Let go of the lock and leave the rows: the others will find that this process has ended."""
        with self._busy:
            self._process = 0
            self._locks.drop()

    def _take_number(self) -> list[int]:
        """Hold a number; those that were ours before and are lost."""
        if self._process and (self._locks.holds() or self._locks.take(self._process)):
            return []
        before = [self._process] if self._process else []
        self._process = 0
        while not self._process:
            number = secrets.randbelow(2**31 - 1) + 1
            if self._locks.take(number):
                self._process = number
        return before

    def _look(self) -> tuple[list[Fellow], set[int]]:
        """All rows, and the numbers of those processes among them that live."""

        def act(tx: Transaction) -> tuple[list[Fellow], set[int]]:
            fellows = [_fellow(row, tx) for row in tx.execute(f"{SELECT} ORDER BY node, role, process").fetchall()]
            return fellows, self._locks.held(tx, {each.process for each in fellows})

        return self._database.read(act)

    def _lost(self, others: Iterable[Fellow], living: set[int], uptime: float) -> list[Fellow]:
        """Whose lock has been free for long enough, and who is not marked yet."""
        free = {each.process for each in others if each.gone is None and each.process not in living}
        self._missed = {process: self._missed.get(process, uptime) for process in free}
        return [each for each in others if each.process in free and uptime - self._missed[each.process] >= GRACE]

    def _is_stale(self, other: Fellow, living: set[int], mine: Iterable[Instance], now: datetime) -> bool:
        if other.process in living:
            return False
        place = (other.instance.role, other.instance.node)
        is_long_gone = other.gone is not None and now - other.gone > KEPT
        return is_long_gone or any((each.role, each.node) == place for each in mine)

    def _news(self, mine: Sequence[Instance], known: dict[str, Fellow], uptime: float) -> list[Instance]:
        """What has to be said anew; revisions alone are news only now and then."""
        changed = [each for each in mine if each.role not in known or _differs(each, known[each.role])]
        if not changed:
            changed = [each for each in mine if (each.epoch, each.revision) != _followed(known[each.role].instance)]
            if uptime - self._revisions_at < REVISION_PAUSE:
                return []
        if changed:
            self._revisions_at = uptime
        return changed

    def _write(
        self, said: list[Instance], lost: list[Fellow], stale: list[Fellow], outdated: list[int], now: datetime
    ) -> None:
        def act(tx: Transaction) -> None:
            _forget(tx, outdated)
            if said:
                tx.execute_many(UPSERT, [self._row(each, tx) for each in said])
            if lost:
                gone = [(tx.time_in(now), each.process, each.instance.role) for each in lost]
                tx.execute_many("UPDATE instance SET gone = ? WHERE process = ? AND role = ? AND gone IS NULL", gone)
            if stale:
                old = [(each.process, each.instance.role) for each in stale]
                tx.execute_many("DELETE FROM instance WHERE process = ? AND role = ?", old)

        self._database.write(act)

    def _row(self, mine: Instance, tx: Transaction) -> tuple[Any, ...]:
        texts = (json.dumps(mine.reasons), json.dumps(mine.notes))
        return (
            self._process, mine.role, mine.node, os.getpid(), mine.version, mine.epoch, mine.revision, *texts,
            tx.time_in(self._since),
        )  # fmt: skip


def _fellow(row: Sequence[Any], tx: Transaction) -> Fellow:
    process, role, node, pid, version, epoch, revision, reasons, notes, since, gone = row
    told = (tuple(json.loads(reasons)), tuple(json.loads(notes)))
    instance = Instance(role, node, version, epoch, revision, *told)
    return Fellow(instance, process, pid, tx.time_out(since), tx.time_out(gone))


def _differs(mine: Instance, known: Fellow) -> bool:
    epoch, revision = _followed(mine)
    return known.gone is not None or replace(known.instance, epoch=epoch, revision=revision) != mine


def _followed(instance: Instance) -> tuple[str, int]:
    return instance.epoch, instance.revision


def _forget(tx: Transaction, processes: Iterable[int]) -> None:
    for process in processes:
        tx.execute("DELETE FROM instance WHERE process = ?", (process,))


class SessionLocks:
    """PostgreSQL: everybody may look into ``pg_locks``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock: AdvisoryLock | None = None

    def take(self, number: int) -> bool:
        """See :class:`Locks`."""
        self.drop()
        lock = AdvisoryLock(self._database, LOCK, number)
        if lock.take():
            self._lock = lock
        return self._lock is not None

    def holds(self) -> bool:
        """See :class:`Locks`."""
        return self._lock is not None and self._lock.holds()

    def held(self, tx: Transaction, numbers: Iterable[int]) -> set[int]:
        """See :class:`Locks`."""
        wanted = set(numbers)
        return {number for (number,) in tx.execute(HELD, (LOCK,)).fetchall() if number in wanted} if wanted else set()

    def drop(self) -> None:
        """See :class:`Locks`."""
        if self._lock is not None:
            self._lock.drop()
            self._lock = None


class FileLocks:
    """SQLite: one octet for each process of an empty file beside the database, by locks of the open file.

    Those (F_OFD_SETLK) end with the descriptor and not, as POSIX locks do, with any descriptor of the same file.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}.running")
        self._file: int | None = None

    def take(self, number: int) -> bool:
        """See :class:`Locks`."""
        self.drop()
        descriptor = self._open(os.O_RDWR | os.O_CREAT)
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, number, 1, 0))
        except OSError:
            os.close(descriptor)
            return False
        self._file = descriptor
        return True

    def holds(self) -> bool:
        """See :class:`Locks`; a file that somebody removed shows nobody's lock."""
        return self._file is not None and os.fstat(self._file).st_nlink > 0

    def held(self, _tx: Transaction, numbers: Iterable[int]) -> set[int]:
        """See :class:`Locks`."""
        wanted = set(numbers)
        if not wanted or not self._path.exists():
            return set()
        descriptor = self._open(os.O_RDONLY)
        try:
            return {number for number in wanted if _is_locked(descriptor, number)}
        finally:
            os.close(descriptor)

    def drop(self) -> None:
        """See :class:`Locks`."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self, flags: int) -> int:
        try:
            return os.open(self._path, flags | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be opened ({error.strerror})", "check its rights") from error


def _is_locked(descriptor: int, number: int) -> bool:
    asked = FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, number, 1, 0)
    answer = FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked))
    return bool(answer[0] != fcntl.F_UNLCK)
