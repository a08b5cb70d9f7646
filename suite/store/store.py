"""The store as the roles see it: read, refresh, commit, wait, and the doors to history, audit and backup."""

import secrets
from datetime import UTC, datetime
from typing import Self

from suite.model.changes import Changes
from suite.model.snapshot import Snapshot
from suite.store import schema, snapshots
from suite.store.commit import Writer, write
from suite.store.engine import Database, open_database
from suite.store.feed import Bell, wait


class Store:
    """One database.  Every method may be called from any thread; each takes a connection of its own."""

    def __init__(self, database: Database, *, key: bytes = b"") -> None:
        self.database = database
        self._writer = Writer(secrets.token_hex(8), key)
        self._bell = Bell()

    @classmethod
    def open(cls, url: str, *, password_file: str = "", create: bool = True, key: bytes = b"") -> "Store":
        """See :func:`suite.store.open_store`."""
        database = open_database(url, password_file=password_file, create=create)
        try:
            schema.ensure(database, create=create, now=datetime.now(UTC), key=key)
        except BaseException:
            database.close()
            raise
        return cls(database, key=key)

    def close(self) -> None:
        """Give up all connections; whoever waits gets False."""
        self._bell.ring(close=True)
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self) -> Snapshot:
        """Everything at the newest revision."""
        with self.database.reading() as connection:
            return snapshots.read(connection, self.database)

    def refresh(self, snapshot: Snapshot) -> Snapshot:
        """``snapshot`` brought up to date; the same object when nothing happened since."""
        with self.database.reading() as connection:
            return snapshots.refresh(connection, self.database, snapshot)

    def commit(self, changes: Changes, based_on: Snapshot, *, now: datetime, term: int | None = None) -> Snapshot:
        """Write one turn as one revision, durably, or nothing of it.

        Args:
            changes: what to write; its new leases get ids, times and the revision here.
            based_on: the snapshot the turn was planned against.
            now: the clock; the commit's time is never before that of the commit before it.
            term: the term under which this instance leads; None for writers that need not lead.

        Returns:
            The snapshot after the commit.

        Raises:
            Conflict: somebody else was first; refresh and plan again.
            Deposed: ``term`` is over.
            Unavailable: the database is away, read-only or full.
            OutcomeUnknown: it went away during the commit and did not come back in time.
        """
        with self.database.writing() as connection:
            head, opened, is_newest = write(
                connection, self.database, self._writer, changes, based_on, now=now, term=term
            )
        self._bell.ring()
        return snapshots.applied(based_on, changes, opened, head) if is_newest else self.refresh(based_on)

    def wait(self, after: Snapshot, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds; whether something newer than ``after`` was committed by anybody."""
        return wait(self.database, after, timeout, self._bell)
