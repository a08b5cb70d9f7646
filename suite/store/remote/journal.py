"""What a speaker has to report, kept on the disk until the controller has taken it down.

What a node announces is told as states, each with its time, so that rows say when something was and not when it could be
told.  Strangers found at addresses are told with their time too.  The file is one line per report; a line that was cut off
by a power failure is skipped.  While the controller is away for long, the oldest states between the first and the last
are given up: who announces now always arrives.
"""

import json
import os
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

NAME = "reports.journal"
MOST = 10_000
"""Reports that wait at most."""

Report = dict[str, Any]


@dataclass(slots=True)
class Journal:
    """Reports in the order they were made, from any thread; each gets a serial that tells it from all others."""

    path: Path
    waiting: deque[Report] = field(default_factory=deque)
    _lines: int = 0
    """Lines in the file, delivered ones among them."""
    _nonce: str = field(default_factory=lambda: os.urandom(8).hex())
    _number: int = 0
    _busy: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return
        self.waiting.extend(filter(None, map(_read, text.splitlines())))
        self._lines = len(self.waiting)

    def add(self, report: Report) -> None:
        """Put a report on the disk.

        Raises:
            OSError: the disk did not take it.
        """
        with self._busy:
            self._number += 1
            self._add(report | {"serial": f"{self._nonce}-{self._number}"})

    def _add(self, report: Report) -> None:
        self.waiting.append(report)
        if len(self.waiting) > MOST:
            del self.waiting[1]
        if self._lines >= 2 * MOST:
            self._rewrite()
            return
        line = json.dumps(report, separators=(",", ":")).encode() + b"\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._lines += 1

    def delivered(self, reports: Iterable[Report]) -> None:
        """These are taken down for good; with none left the file is emptied."""
        serials = {report["serial"] for report in reports}
        with self._busy:
            while self.waiting and self.waiting[0].get("serial") in serials:
                self.waiting.popleft()
            if not self.waiting:
                self.path.unlink(missing_ok=True)
                self._lines = 0

    def first(self, count: int) -> list[Report]:
        """The reports that are to be delivered next."""
        with self._busy:
            return list(islice(self.waiting, count))

    def _rewrite(self) -> None:
        fresh = self.path.with_name(f"{self.path.name}.new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(report, separators=(",", ":")) + "\n" for report in self.waiting)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        self._lines = len(self.waiting)


def _read(line: str) -> Report | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "serial" in found else None
