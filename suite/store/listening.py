"""Sessions of PostgreSQL that are told of commits, kept from one wait to the next.

What is said between two waits then lies in the session until the next one, and nobody has to ask for it anew each time.
They are kept out of the pool, since whoever else got one would be told of commits too.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy import Connection

from suite.store import hearsay
from suite.store.database import Database, Transaction
from suite.store.faults import translated

CHANNELS = ("suite_head", hearsay.CHANNEL)
"""What a trigger says of each commit, and what ``hearsay`` passes on."""


class Listening:
    """The sessions of one store; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[Transaction] = []
        self._is_closed = False

    @contextmanager
    def session(self, database: Database) -> Iterator[Transaction]:
        """A session that nobody else uses now; one in which anything goes wrong is used no more.

        Raises:
            Unavailable: the database is away.
        """
        with self._lock:
            tx = self._free.pop() if self._free else None
        with ExitStack() as undo:
            tx = tx or _begun(database)
            undo.callback(_end, tx.connection)
            with translated(database.path, tx.driver):
                yield tx
            with self._lock:
                if not self._is_closed:
                    self._free.append(tx)
                    undo.pop_all()

    def close(self) -> None:
        """End all sessions, those in use when they are given back."""
        with self._lock:
            self._is_closed = True
            while self._free:
                _end(self._free.pop().connection)


def _begun(database: Database) -> Transaction:
    with translated(database.path), ExitStack() as undo:
        connection = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        undo.callback(_end, connection)
        for channel in CHANNELS:
            connection.exec_driver_sql(f"LISTEN {channel}")
        undo.pop_all()
    return Transaction(connection, connection.connection.dbapi_connection, is_sqlite=False)


def _end(connection: Connection) -> None:
    connection.invalidate()  # ends the session; closing would only pool it
    connection.close()
