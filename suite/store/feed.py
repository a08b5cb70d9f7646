"""Waiting for somebody else's commit.

SQLite tells through ``PRAGMA data_version``, which costs microseconds and no disk; a commit of this process wakes its
own waiters at once.  PostgreSQL tells through NOTIFY, which a trigger on ``head`` sends; a slow look at ``head`` stands
behind it, because a pooler between may swallow notifications.
"""

import threading
import time
from collections.abc import Callable

from suite.model.snapshot import Snapshot
from suite.store.database import Database, Transaction

POLL = 0.02
"""Seconds between two looks at a SQLite file."""

SLICE = 0.5
"""Seconds after which a waiter on PostgreSQL looks whether its store was closed, and at ``head``."""


class Bell:
    """What a commit or the end of the store rings, so that waiters of this process need not poll for it."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.is_closed = False

    def ring(self, *, close: bool = False) -> None:
        """Wake everybody; with ``close`` for good."""
        with self._condition:
            self.is_closed |= close
            self._condition.notify_all()

    def wait(self, seconds: float) -> None:
        """Until it rings, at most this long."""
        with self._condition:
            if not self.is_closed:
                self._condition.wait(seconds)


def wait(database: Database, after: Snapshot, timeout: float, bell: Bell) -> bool:
    """Whether something newer than ``after`` was committed within ``timeout`` seconds.

    Raises:
        Unavailable: the database is away, from the start or since.
    """
    deadline = time.monotonic() + timeout
    with database.looking() as tx:
        pause = _pause_sqlite(tx, bell) if database.is_sqlite else _pause_postgresql(tx)
        found = False
        while not bell.is_closed:
            if is_newer(tx, after):
                found = True
                break
            if not pause(deadline):
                break
        if not database.is_sqlite:
            tx.execute("UNLISTEN *")
    return found


def is_newer(tx: Transaction, after: Snapshot) -> bool:
    """Whether ``head`` has moved on since ``after``."""
    epoch, revision = tx.execute("SELECT epoch, revision FROM head").fetchone()
    return bool(epoch != after.epoch or revision > after.revision)


Pause = Callable[[float], bool]
"""Wait until looking at ``head`` is worth it, or until the deadline (then False)."""


def _pause_sqlite(tx: Transaction, bell: Bell) -> Pause:
    version = tx.scalar("PRAGMA data_version")

    def pause(deadline: float) -> bool:
        while (left := deadline - time.monotonic()) > 0:
            bell.wait(min(POLL, left))
            if bell.is_closed or tx.scalar("PRAGMA data_version") != version:
                return True
        return False

    return pause


def _pause_postgresql(tx: Transaction) -> Pause:
    tx.execute("LISTEN suite_head")

    def pause(deadline: float) -> bool:
        left = deadline - time.monotonic()
        for _ in tx.driver.notifies(timeout=min(SLICE, max(left, 0)), stop_after=1):
            pass
        return left > 0

    return pause
