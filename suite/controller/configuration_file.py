"""Following the configuration file: read when it changes, wherever it really is (a mounted ConfigMap swaps links)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from suite.config.document import Document, read_file
from suite.config.loading import Outcome, load
from suite.model.configuration import Configuration
from suite.model.problem import Problem

INTERVAL = 0.1
"""Seconds between two looks at the file; a look is one stat of 2 µs."""

Take = Callable[[Configuration | None, tuple[Problem, ...]], Awaitable[None]]
Mark = tuple[int, int, int] | None


def read_configuration(path: Path | None) -> Outcome:
    """What the file says; without a file, a configuration without pools."""
    documents: list[Document] = read_file(path) if path is not None else []
    return load(documents)


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
        outcome = await asyncio.to_thread(read_configuration, path)
        await take(outcome.configuration, outcome.problems)
