"""The file that a follower goes on with: its last good snapshot, for its owner's eyes, whole or not at all.

The file holds what the feed sent, secrets included, and ends with a checksum of itself.  When it was last known to be the
newest is the file's own time, which costs no write of its content.
"""

import os
import time
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from suite import __version__
from suite.store.remote import lines
from suite.store.remote.feed import whole
from suite.store.remote.lines import FeedError, Header
from suite.store.remote.reader import Known, read

NAME = "snapshot.last"
UNKNOWN_AGE = float("inf")
PIECE, REST = 32, 0.001
"""Lines that are made at a stretch, and the seconds of rest after them."""
_CHECKSUM = b'["sha256",[],"'


def keep(path: Path, known: Known) -> None:
    """Replace the file, durably and all at once.

    Raises:
        OSError: it cannot be written; the old one is still there.
    """
    fresh = path.with_name(f"{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    digest = sha256()
    with os.fdopen(descriptor, "wb") as file:
        for text in _content(known):
            digest.update(text)
            file.write(text)
        file.write(_CHECKSUM + digest.hexdigest().encode() + b'"]\n')
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def touch(path: Path) -> None:
    """The controller was heard from: what the file holds is as good as new."""
    if path.exists():
        os.utime(path)


def recall(path: Path, now: float) -> tuple[Known, float]:
    """What the file holds, and its age in seconds at Unix time ``now``; an empty Known where there is none.

    A clock that stands before the file's time cannot tell its age: it is :data:`UNKNOWN_AGE`.

    Raises:
        FeedError: the file is broken.
        OSError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            age = now - os.fstat(file.fileno()).st_mtime
            known = read(_checked(file), Known()).known
    except FileNotFoundError:
        return Known(), UNKNOWN_AGE
    return known, age if age >= 0 else UNKNOWN_AGE


def _content(known: Known) -> Iterator[bytes]:
    """Everything but the checksum; written twice rather than held in memory."""
    snapshot = known.snapshot
    number = lines.digest_text(lines.total(map(lines.weight, _at_ease(lines.base_lines(snapshot)))))
    header = Header(
        "base", snapshot.epoch, snapshot.revision, snapshot.at, number, lines.FORMAT, __version__, ahead=known.ahead
    )
    yield from whole(header, _at_ease(lines.base_lines(snapshot)), known.secrets)


def _at_ease(texts: Iterable[bytes]) -> Iterator[bytes]:
    """The same with a rest now and then, for others in this process have something to answer meanwhile."""
    for number, text in enumerate(texts):
        if number % PIECE == 0:
            time.sleep(REST)
        yield text


def _checked(content: Iterable[bytes]) -> Iterator[bytes]:
    """The lines before the checksum; whoever reads to the end has heard that it is right."""
    digest = sha256()
    for text in content:
        if text.startswith(_CHECKSUM):
            if text != _CHECKSUM + digest.hexdigest().encode() + b'"]\n':
                raise FeedError("its checksum is wrong")
            return
        digest.update(text)
        yield text
    raise FeedError("its checksum is missing")
