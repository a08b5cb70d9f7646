"""The controller's half of the feed: an answer for a follower that stands somewhere.

Nothing is kept per follower.  An answer is made from the snapshot, whose structure all of them share, and from what the
database says each commit touched; it leaves in portions as fast as its reader takes them, so a slow one costs a portion.
The digest is carried from snapshot to snapshot and costs what changed.
"""

import threading
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

from suite import __version__
from suite.model.address import Address
from suite.model.snapshot import Snapshot
from suite.model.token import Scope
from suite.store.remote import lines
from suite.store.remote.lines import Header, Position, Secrets
from suite.store.remote.secret_files import secrets_of

if TYPE_CHECKING:
    from suite.store.store import Store
    from suite.store.touched import Touched

PORTION = 1 << 16
"""Octets that leave together."""


class Feed:
    """Answers, from any thread; ``current`` gives the snapshot to tell."""

    def __init__(
        self, store: "Store", current: Callable[[], Snapshot], ahead: Callable[[], tuple[Address, ...]] = tuple
    ) -> None:
        self._store = store
        self._current = current
        self._ahead = ahead
        self._adding = threading.Lock()
        self._summed = Snapshot()
        self._sum = 0

    def is_news(self, after: Position | None) -> bool:
        """Whether there is something to tell one who stands at ``after``; who is ahead of this controller waits for it."""
        snapshot = self._current()
        if not snapshot.is_complete:
            return False
        return after is None or after.epoch != snapshot.epoch or snapshot.revision > after.revision

    def answer(self, after: Position | None, scopes: Collection[Scope]) -> Iterator[bytes]:
        """The octets of an answer: changes where the database reaches back to ``after``, else everything.

        Raises:
            StoreError: the database is away.
        """
        snapshot, number = self._advance()
        touched = None
        if after is not None and after.epoch == snapshot.epoch and after.revision <= snapshot.revision:
            touched = self._store.touched(after.epoch, after.revision, snapshot.revision)
        kind = "base" if touched is None else "changes"
        header = Header(
            kind, snapshot.epoch, snapshot.revision, snapshot.at, lines.digest_text(number), lines.FORMAT, __version__,
            after=str(after) if touched is not None else "", ahead=self._ahead(),
        )  # fmt: skip
        content = lines.base_lines(snapshot) if touched is None else _changes(snapshot, touched)
        return _portions(whole(header, content, secrets_of(snapshot, scopes)))

    def _advance(self) -> tuple[Snapshot, int]:
        """The snapshot to tell now, and its digest."""
        with self._adding:
            old, new = self._summed, self._current()
            if new is not old:
                touched = self._store.touched(new.epoch, old.revision, new.revision) if old.epoch == new.epoch else None
                if touched is None:
                    self._sum = lines.total(map(lines.weight, lines.base_lines(new)))
                else:
                    self._sum = _moved(self._sum, old, new, touched)
                self._summed = new
            return self._summed, self._sum


def whole(header: Header, content: Iterator[bytes], secrets: Secrets) -> Iterator[bytes]:
    """Every line of an answer or a kept file."""
    yield lines.header_line(header)
    count = 0
    for text in content:
        yield text
        count += 1
    yield lines.secrets_line(secrets)
    yield lines.end_line(count + 1)


def _changes(snapshot: Snapshot, touched: "Touched") -> Iterator[bytes]:
    yield lines.small_line(snapshot)
    for table, keys in touched.items():
        if table == "configuration":
            yield lines.configuration_line(snapshot)
        for key in keys:
            yield lines.line_of(snapshot, table, key) or lines.gone_line(table, key)


def _moved(number: int, old: Snapshot, new: Snapshot, touched: "Touched") -> int:
    """The digest after what ``touched`` names became what it is in ``new``."""
    return lines.total(_weights(new, touched), number - lines.total(_weights(old, touched)))


def _weights(snapshot: Snapshot, touched: "Touched") -> Iterator[int]:
    for text in _changes(snapshot, touched):
        if not text.endswith(lines.GONE):
            yield lines.weight(text)


def _portions(content: Iterator[bytes]) -> Iterator[bytes]:
    """Lines together, so that each trip to the network is worth it."""
    portion = bytearray()
    for text in content:
        portion += text
        if len(portion) >= PORTION:
            yield bytes(portion)
            portion.clear()
    yield bytes(portion)
