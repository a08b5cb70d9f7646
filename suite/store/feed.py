"""Waiting for somebody else's commit.

SQLite: the kernel tells when a file beside the database is written, and ``PRAGMA data_version``, which costs microseconds
and no disk, whether that was a commit; a commit of this process wakes its own waiters at once.  PostgreSQL tells through
NOTIFY, which a trigger on ``head`` sends; a slow look at ``head`` stands behind it, because a pooler between may swallow
notifications.

Whoever waits is given what is new by the same session that was told of it, in as few round trips as there can be: others
want that processor too, and each trip may have to wait for it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from suite.model.snapshot import Snapshot
from suite.store import snapshots
from suite.store.database import Database, Transaction
from suite.store.hearsay import Hearsay
from suite.store.listening import Listening
from suite.store.snapshots import News
from suite.store.stirring import Stirring

POLL = 0.02
"""Seconds between two looks at a SQLite file where the kernel does not tell of writes."""

SLICE = 0.5
"""Seconds after which a waiter looks all the same: whether its store was closed, and at ``head``."""


SETTLING = (0.0, *[0.001] * 40, *[0.005] * 92, 0.0)
"""Pauses between looks after a write was told: it is a commit only once it is on the disk, and that is not told."""


class Bell:
    """What a commit or the end of the store rings, so that waiters of this process need not look for it.

    Watches are kept from one wait to the next: a write between two of them would be told to nobody.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: set[Stirring] = set()
        self._free: list[Stirring] = []
        self._closed = threading.Event()

    @property
    def is_closed(self) -> bool:
        """Whether nobody shall wait any more."""
        return self._closed.is_set()

    def rest(self, seconds: float) -> None:
        """Let a moment pass, less when it is closed."""
        self._closed.wait(seconds)

    def ring(self, *, close: bool = False) -> None:
        """Wake everybody; with ``close`` for good."""
        with self._lock:
            if close:
                self._closed.set()
            for each in (*self._used, *self._free):
                each.ring()
            while self.is_closed and self._free:
                self._free.pop().close()

    @contextmanager
    def heard(self, folder: Path) -> Iterator[Stirring]:
        """Somebody who wakes when it rings, or when files of the database's folder are written."""
        with self._lock:
            stir = self._free.pop() if self._free else Stirring(folder)
            self._used.add(stir)
        try:
            yield stir
        finally:
            with self._lock:
                self._used.discard(stir)
                if self.is_closed:
                    stir.close()
                else:
                    self._free.append(stir)


Known = Callable[[], Snapshot]
"""The newest snapshot that whoever waits knows by now."""


def news(
    database: Database, known: Known, timeout: float, bell: Bell, listening: Listening, hearsay: Hearsay
) -> News | None:
    """What was committed since ``known``, by anybody, at most ``timeout`` seconds from now; ``hearsay`` is passed on meanwhile.

    Raises:
        Unavailable: the database is away, from the start or since.
    """
    deadline = time.monotonic() + timeout
    if database.path is None:
        with listening.session(database) as tx:
            hearsay.send(tx)
            return _looked(tx, known, bell, _pause_postgresql(tx, hearsay), deadline)
    with database.looking() as tx, bell.heard(database.path.absolute().parent) as stir:
        return _looked(tx, known, bell, _pause_sqlite(tx, bell, stir), deadline)


def _looked(tx: Transaction, known: Known, bell: Bell, pause: "Pause", deadline: float) -> News | None:
    while not bell.is_closed:
        found = snapshots.news(tx, known())
        if found is not None:
            return found
        if not pause(deadline):
            break
    return None


Pause = Callable[[float], bool]
"""Wait until looking at ``head`` is worth it, or until the deadline (then False)."""


def _pause_sqlite(tx: Transaction, bell: Bell, stir: Stirring) -> Pause:
    version = tx.scalar("PRAGMA data_version")
    slice_ = SLICE if stir.is_told else POLL

    def pause(deadline: float) -> bool:
        nonlocal version
        while (now := time.monotonic()) < deadline:
            looks = SETTLING if stir.wait(min(deadline, now + slice_)) else (0.0,)
            for each in looks:
                before, version = version, tx.scalar("PRAGMA data_version")
                if bell.is_closed or version != before:  # a commit, though perhaps not of anything that head counts
                    return True
                bell.rest(each)
        return False

    return pause


def _pause_postgresql(tx: Transaction, hearsay: Hearsay) -> Pause:
    def pause(deadline: float) -> bool:
        left = deadline - time.monotonic()
        for notice in tx.driver.notifies(timeout=min(SLICE, max(left, 0)), stop_after=1):
            hearsay.hear(notice.channel, notice.payload)
        return left > 0

    return pause
