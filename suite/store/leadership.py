"""Who leads: one instance at a time, found out without a clock and without writing while nothing changes.

The lock is the database's own: a PostgreSQL advisory lock, which a session holds until it ends, or on SQLite a lock on
a file beside the database, which a process holds until it ends.  Whoever gets it raises the term in ``leadership``.
The lock alone proves nothing (a leader cut off for a while may not know that it lost it); the term does, because every
commit checks it in its own transaction.
"""

import fcntl
import os
import threading
from datetime import datetime
from pathlib import Path

from suite.store.advisory import AdvisoryLock
from suite.store.database import Database
from suite.store.errors import Unavailable
from suite.store.snapshots import read_head

LOCK = 7883002
"""The advisory lock's number; one per database, since PostgreSQL keeps them apart by database."""
PATIENCE = 10.0
"""Seconds of silence after which PostgreSQL lets another lead: a leader that is frozen keeps its connection for ever."""


class Leadership:
    """This process's part in it; :meth:`lead` is called again and again, and costs no write while it holds."""

    def __init__(self, database: Database, *, patience: float = PATIENCE) -> None:
        self._database = database
        self._busy = threading.Lock()
        self._term: int | None = None
        self._file: int | None = None
        self._session = AdvisoryLock(database, LOCK, patience=patience)

    def lead(self, instance: str, now: datetime) -> int | None:
        """The term in which ``instance`` leads from now on or still leads; None while another one does.

        Raises:
            Unavailable: the database is away; whoever led before must count as deposed until this succeeds.
        """
        with self._busy:
            if not self._holds():
                self._term = None
                if not self._take():
                    return None
            if self._term is None:
                self._term = self._raise_term(instance, now)
            return self._term

    def resign(self) -> None:
        """Let somebody else lead; at the latest the end of the process does it."""
        with self._busy:
            self._term = None
            self._drop()

    def _holds(self) -> bool:
        return self._file is not None if self._database.is_sqlite else self._session.holds()

    def _take(self) -> bool:
        return self._take_file(self._database.path) if self._database.path else self._session.take()

    def _take_file(self, path: Path) -> bool:
        place = path.with_name(f"{path.name}.leader")
        try:
            descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(f"{place} cannot be opened ({error.strerror})", "check its rights") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._file = descriptor
        return True

    def _raise_term(self, instance: str, now: datetime) -> int:
        """Under the lock on ``head``, so that no commit of the old term is on its way when the new one begins."""
        database = self._database
        with database.writing() as tx:
            since = tx.time_in(max(now, read_head(tx, lock=True).time))
            term = int(tx.scalar("SELECT coalesce(max(term), 0) + 1 FROM leadership"))
            tx.execute(
                "INSERT INTO leadership (one, instance, term, since) VALUES (1, ?, ?, ?) ON CONFLICT (one)"
                " DO UPDATE SET instance = excluded.instance, term = excluded.term, since = excluded.since",
                (instance, term, since),
            )
        return term

    def _drop(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._session.drop()
