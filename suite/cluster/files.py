"""A directory of Kubernetes manifests as a source: no cluster needed.

Read are ``*.yaml``, ``*.yml`` and ``*.json``, recursively, through symbolic links; names that begin with a dot are not,
so the ``..data`` of a mounted ConfigMap is followed by its links and counted once.  The kernel says when something
changed (inotify, through ``watchfiles``); a slow scan beside it sees what inotify cannot: changes behind links, on
network file systems, and a directory that was replaced.  What is believed of it all stands in ``directory``.
"""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from suite.cluster.directory import Directory, Unreadable
from suite.cluster.manifest import MAX_SIZE
from suite.cluster.source import Batch, Deliver
from suite.model.problem import Problem

SUFFIXES = (".yaml", ".yml", ".json")
MAX_FILES = 100_000
MAX_DEPTH = 32

STEP = 20
"""Milliseconds without a further change after which a change is looked at; a file being written is left alone."""
PATIENCE = 60
"""Milliseconds after which it is looked at even so."""
CLOCK_TICK = 20_000_000
"""Nanoseconds: two changes this close together may carry the same time, so a file this young is read once more."""
SCAN_INTERVAL = 1.0
"""Seconds between two scans that nothing asked for, at least; scans take at most half a percent of the time."""
MAX_MISSED = 20
"""Scans that the first complete picture waits for a file that changes under every reading."""
SETTLE_INTERVAL = 0.1
"""Seconds to the next scan when a file changed while it was read, or the watch was only just set up."""

_log = logging.getLogger(__name__)

Mark = tuple[int, int, int, int]
"""Device, inode, time of change and size: a file whose mark is the same is not read again."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What one scan found."""

    files: dict[str, Mark] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)
    """Directories below that cannot be looked into, and why."""
    identity: tuple[int, int] = (0, 0)
    failure: str = ""


class FileSource:
    """The Services in a directory.

    Args:
        path: the directory; it need not be there yet.
        remembered: how many Services the database knows from it (see :class:`Directory`).
    """

    def __init__(self, path: Path | str, *, remembered: int = 0) -> None:
        self._path = Path(path)
        self._directory = Directory(str(path), remembered=remembered)
        self._marks: dict[str, Mark] = {}
        self._news = asyncio.Event()
        self._told_problems: tuple[Problem, ...] = ()
        self._has_told_all = False
        self._missed = 0
        self._interval = SETTLE_INTERVAL
        self._identity: tuple[int, int] = (0, 0)

    def believe_empty(self) -> None:
        """An operator confirms that the emptied directory is meant so."""
        self._directory.believe()
        self._news.set()

    async def run(self, deliver: Deliver) -> None:
        """Deliver everything once the directory can be read, then each change, until cancelled."""
        while True:
            async with self._watching():
                watched = await asyncio.to_thread(identity_of, self._path)
                while True:
                    self._news.clear()
                    batch = await asyncio.to_thread(self._look)
                    if batch is not None:
                        await deliver(batch)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), self._interval)
                    if self._identity != watched:
                        break  # another directory stands there now; the kernel still watches the old one

    @asynccontextmanager
    async def _watching(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._watch())
        self._interval = SETTLE_INTERVAL
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch(self) -> None:
        import watchfiles  # 60 ms that a source in a cluster need not pay
        from watchfiles._rust_notify import WatchfilesRustInternalError

        try:
            async for _ in watchfiles.awatch(self._path, watch_filter=None, step=STEP, debounce=PATIENCE):
                self._news.set()
        except (OSError, WatchfilesRustInternalError) as error:
            _log.debug("no notifications for %s (%s); the scan goes on", self._path, error)

    def _look(self) -> Batch | None:
        """Scan, read what changed, and say what is new; runs in a worker thread, one at a time."""
        started = time.monotonic()
        listing = scan(self._path)
        self._identity = listing.identity
        is_settled = self._take(listing)
        took = time.monotonic() - started
        self._interval = max(SCAN_INTERVAL, 200 * took) if is_settled else SETTLE_INTERVAL
        return self._batch()

    def _take(self, listing: Listing) -> bool:
        if listing.failure:
            self._directory.absent(listing.failure)
            return True
        changed: dict[str, str | Unreadable] = {}
        unsettled = set()
        now = time.time_ns()
        for name, mark in listing.files.items():
            if self._marks.get(name) == mark:
                continue
            content = read_settled(self._path / name, mark)
            if content is not None:
                changed[name] = content
            if content is None or abs(now - mark[2]) < CLOCK_TICK:
                unsettled.add(name)
        self._missed = self._missed + 1 if unsettled - changed.keys() else 0
        if self._directory.update(listing.files.keys(), changed, listing.identity, listing.closed):
            self._marks = {name: mark for name, mark in listing.files.items() if name not in unsettled}
        return not unsettled

    def _batch(self) -> Batch | None:
        directory, problems = self._directory, self._directory.problems()
        is_first = not self._has_told_all and directory.is_known and (not self._missed or self._missed > MAX_MISSED)
        if not self._has_told_all and not is_first:
            return self._only_problems(problems)
        batch = directory.inventory.full() if is_first else directory.inventory.changes()
        self._has_told_all = True
        if batch is None:
            return self._only_problems(problems)
        self._told_problems = problems
        return replace(batch, problems=problems)

    def _only_problems(self, problems: tuple[Problem, ...]) -> Batch | None:
        if problems == self._told_problems:
            return None
        self._told_problems = problems
        return Batch(problems=problems)


def scan(root: Path) -> Listing:
    """Every manifest below ``root`` with its mark; a failure when ``root`` itself cannot be listed."""
    try:
        closed: dict[str, str] = {}
        found = root.stat()
        files = dict(_below(root, "", {(found.st_dev, found.st_ino)}, closed))
    except OSError as error:
        return Listing(failure=f"cannot be read: {error.strerror}")
    if len(files) > MAX_FILES:
        return Listing(failure=f"holds more than {MAX_FILES:,} manifests")
    return Listing(files, closed, (found.st_dev, found.st_ino))


def identity_of(root: Path) -> tuple[int, int]:
    """Device and inode of a directory; zeros where there is none."""
    try:
        found = root.stat()
    except OSError:
        return (0, 0)
    return (found.st_dev, found.st_ino)


def _below(root: Path, prefix: str, above: set[tuple[int, int]], closed: dict[str, str]) -> Iterator[tuple[str, Mark]]:
    with os.scandir(root / prefix) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            with suppress(FileNotFoundError, NotADirectoryError):  # it went away meanwhile
                if entry.is_dir():
                    yield from _inside(root, f"{prefix}{entry.name}/", entry, above, closed)
                elif entry.name.endswith(SUFFIXES) and entry.is_file():
                    yield prefix + entry.name, _mark(entry.stat())


def _inside(
    root: Path, prefix: str, entry: os.DirEntry[str], above: set[tuple[int, int]], closed: dict[str, str]
) -> Iterator[tuple[str, Mark]]:
    found = entry.stat()
    identity = (found.st_dev, found.st_ino)
    if identity in above or len(above) >= MAX_DEPTH:
        return  # a link to a directory above would go round for ever
    try:
        yield from _below(root, prefix, above | {identity}, closed)
    except PermissionError as error:
        closed[prefix] = f"cannot be read: {error.strerror}"


def _mark(found: os.stat_result) -> Mark:
    return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)


def read_settled(path: Path, mark: Mark) -> str | Unreadable | None:
    """The text of a file, or why it cannot be had; None when it changed since ``mark`` and is worth another look."""
    if mark[3] > MAX_SIZE:
        return Unreadable(f"longer than {MAX_SIZE // 1024 // 1024} MiB")
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_SIZE + 1)
            if _mark(os.fstat(file.fileno())) != mark:
                return None
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Unreadable(f"no UTF-8 text (at octet {error.start})")
    except FileNotFoundError:
        return None
    except OSError as error:
        return Unreadable(f"cannot be read: {error.strerror}")
