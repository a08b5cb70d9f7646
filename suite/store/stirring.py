"""Being told that files of a folder are written: Linux's inotify(7), through libc.

A look at a file fifty times a second costs more, and sees a change later, than the kernel's word.  Where there is none
(another system, or too many watches), the caller looks as it did.
"""

import ctypes
import os
import select
import time
from contextlib import suppress
from pathlib import Path

IN_MODIFY = 0x2
_EVENTS = 4096
_libc = ctypes.CDLL(None, use_errno=True)


class Stirring:
    """Wakes for writes below ``folder``, those since the last wait included, and when it is rung."""

    def __init__(self, folder: Path) -> None:
        watch, alarm = _watch(folder), os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.is_told = watch is not None
        """Whether the kernel tells of writes."""
        self._alarm = alarm
        self._stirred = [alarm] if watch is None else [alarm, watch]
        self._poll = select.poll()
        for each in self._stirred:
            self._poll.register(each, select.POLLIN)

    def ring(self) -> None:
        """Wake whoever waits, or waits next; from any thread."""
        os.eventfd_write(self._alarm, 1)

    def wait(self, deadline: float) -> bool:
        """Until something stirs (True), or until the deadline on the monotonic clock."""
        found = self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        for each in self._stirred:
            with suppress(BlockingIOError):
                os.read(each, _EVENTS)
        return bool(found)

    def close(self) -> None:
        """Watch no longer."""
        for each in self._stirred:
            os.close(each)


def _watch(folder: Path) -> int | None:
    try:
        watch = int(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    except AttributeError:
        return None
    if watch < 0:
        return None
    if _libc.inotify_add_watch(watch, os.fsencode(folder), IN_MODIFY) < 0:
        os.close(watch)
        return None
    return watch
