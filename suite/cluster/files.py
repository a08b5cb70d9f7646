"""A directory of Kubernetes manifests as a source: no cluster needed.

Read are ``*.yaml``, ``*.yml`` and ``*.json``, recursively, through symbolic links; names that begin with a dot are not,
so the ``..data`` of a mounted ConfigMap is followed by its links and counted once.  The kernel says when something
changed (inotify, through ``watchfiles``); a slow scan beside it sees what inotify cannot: changes behind links, on
network file systems, and a directory that was replaced.  What is believed of it all stands in ``directory``.
"""

import asyncio
import logging
import os
import stat
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from suite.cluster.directory import Directory, Remembered, Unreadable
from suite.cluster.manifest import MAX_SIZE
from suite.cluster.source import Batch, Deliver
from suite.model.problem import Problem

SUFFIXES = (".yaml", ".yml", ".json")
MAX_FILES = 100_000
MAX_DEPTH = 32

STEP = 25
"""Milliseconds without a further change after which a change is looked at; a file being written is left alone."""
PATIENCE = 50
"""Milliseconds after which it is looked at even so."""
CLOCK_TICK = 20_000_000
"""Nanoseconds: two changes this close together may carry the same time, so a file this young is read once more."""
LAST_LINE_PATIENCE = 1_000_000_000
"""Nanoseconds for which a YAML file whose last line does not end must stand still before it is believed."""
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
        remembered: what the database knows from it (:func:`suite.cluster.directory.remembered`).
    """

    def __init__(self, path: Path | str, *, remembered: Iterable[Remembered] = ()) -> None:
        self._path = Path(path)
        self._directory = Directory(str(path), remembered=remembered)
        self._marks: dict[str, Mark] = {}
        self._news = asyncio.Event()
        self._told_problems: tuple[Problem, ...] = ()
        self._has_told_all = False
        self._missed = 0
        self._interval = SETTLE_INTERVAL
        self._hints: set[str] = set()
        self._unsettled: set[str] = set()
        self._listing = Listing(failure="not looked at yet")
        self._next_scan = 0.0
        self._is_fresh = True

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
                    hints, self._hints = self._hints | self._unsettled, set()
                    batch = await asyncio.to_thread(self._look, hints)
                    if batch is not None:
                        await deliver(batch)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(
                            self._interval
                        ):  # wait_for may swallow a cancellation on Python 3.11
                            await self._news.wait()
                    if self._listing.identity != watched:
                        break  # another directory stands there now; the kernel still watches the old one

    @asynccontextmanager
    async def _watching(self) -> AsyncIterator[None]:
        self._next_scan, self._is_fresh = 0.0, True  # again, once the kernel is sure to watch
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch(self) -> None:
        import watchfiles  # 60 ms that a source in a cluster need not pay
        from watchfiles._rust_notify import WatchfilesRustInternalError

        try:
            async for changes in watchfiles.awatch(
                self._path, watch_filter=None, step=STEP, debounce=PATIENCE, ignore_permission_denied=True
            ):
                self._hints |= {path for _, path in changes}
                self._news.set()
        except (OSError, WatchfilesRustInternalError) as error:
            _log.debug("no notifications for %s (%s); the scan goes on", self._path, error)

    def _look(self, hints: set[str]) -> Batch | None:
        """Scan, read what changed, and say what is new; runs in a worker thread, one at a time."""
        started = time.monotonic()
        narrow = None if started >= self._next_scan else glance(self._path, self._listing, hints)
        self._listing = narrow or scan(self._path)
        unsettled = self._take(self._listing)
        now = time.monotonic()
        if narrow is None:
            self._next_scan = now + (SETTLE_INTERVAL if self._is_fresh else max(SCAN_INTERVAL, 200 * (now - started)))
            self._is_fresh = False
        self._unsettled = {f"{self._path}/{name}" for name in unsettled}
        self._interval = SETTLE_INTERVAL if unsettled else max(0.0, self._next_scan - now)
        return self._batch()

    def _take(self, listing: Listing) -> set[str]:
        """Tell the directory what changed; the files that need a second look."""
        if listing.failure:
            self._directory.absent(listing.failure)
            return set()
        changed: dict[str, str | Unreadable] = {}
        unsettled: set[str] = set()
        now = time.time_ns()
        for name, mark in listing.files.items():
            if self._marks.get(name) == mark:
                continue
            content = read_settled(self._path / name, mark)
            if isinstance(content, str) and ends_early(name, content) and 0 <= now - mark[2] < LAST_LINE_PATIENCE:
                unsettled.add(name)  # perhaps still being written: YAML cut in two may be valid, and say less
                continue
            if content is not None:
                changed[name] = content
            if content is None or abs(now - mark[2]) < CLOCK_TICK:
                unsettled.add(name)
        self._missed = self._missed + 1 if unsettled - changed.keys() else 0
        if self._directory.update(listing.files.keys(), changed, listing.identity, listing.closed):
            self._marks = {name: mark for name, mark in listing.files.items() if name not in unsettled}
        return unsettled

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


def glance(root: Path, before: Listing, hints: AbstractSet[str]) -> Listing | None:
    """``before`` with only the paths in ``hints`` looked at; None where that is not enough and a scan is due.

    Enough it is for plain files.  Directories, links, and the ``..data`` of a mounted ConfigMap move more than one path.
    """
    if not hints or before.failure or identity_of(root) != before.identity:
        return None
    files = dict(before.files)
    for hint in hints:
        name = hint.removeprefix(f"{root}/")
        parts = name.split("/")
        if name == hint or any(part.startswith("..") for part in parts):
            return None
        if any(part.startswith(".") for part in parts):
            continue
        try:
            found = (root / name).lstat()
        except FileNotFoundError:
            if files.pop(name, None) is None and not name.endswith(SUFFIXES):
                return None  # perhaps a directory with files in it
            continue
        except OSError:
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        if name.endswith(SUFFIXES):
            files[name] = _mark(found)
    return replace(before, files=files)


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


def ends_early(name: str, content: str) -> bool:
    """Whether the file may be half of what is coming: YAML whose last line has no end (cut JSON never parses)."""
    return not name.endswith(".json") and bool(content) and not content.endswith("\n")


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
