"""Following the configuration file: read when it changes, wherever it really is (a mounted ConfigMap swaps links)."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from suite.config.document import Document, read_file
from suite.config.loading import Outcome, load

INTERVAL = 0.1
"""Seconds between two looks at the file; a look is one stat of 2 µs."""

Take = Callable[[list[Document]], Awaitable[None]]
Mark = tuple[int, int, int] | None


def read_configuration(path: Path | None) -> Outcome:
    """What the file says; without a file, a configuration without pools."""
    return load(read_documents(path))


def read_documents(path: Path | None) -> list[Document]:
    """The documents of the file; none without a file."""
    return read_file(path) if path is not None else []


def combined(ours: Iterable[Document], found: Iterable[Document]) -> Outcome:
    """The operator's file and what a cluster holds, as one configuration.

    In the file a key that nobody knows is an error; in the cluster's objects it is a warning, because a newer version of
    their definitions must not stop us.
    """
    ours, found = list(ours), list(found)
    outcome = load(ours)
    if outcome.configuration is None or not found:
        return outcome
    return load([*ours, *found], strict=False)


def mark_of(path: Path) -> Mark:
    """Changes whenever the file does; None when it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


async def follow_configuration(path: Path, known: Mark, take: Take) -> None:
    """Hand on every new state of the file, until cancelled; ``known`` is the mark of what is in force already."""
    while True:
        await asyncio.sleep(INTERVAL)
        mark = mark_of(path)
        if mark == known:
            continue
        known = mark
        await take(await asyncio.to_thread(read_documents, path))
