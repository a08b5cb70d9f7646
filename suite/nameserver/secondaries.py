"""What a server does for its secondaries: tells them of new versions, and remembers what each serial stood for.

Both lag behind the answers on purpose: a burst of changes is one NOTIFY for each zone and one write of the file.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from suite.dns import name
from suite.dns.journal import Difference
from suite.dns.notify import Notifier, Target
from suite.dns.zone import Zone
from suite.nameserver.keeping import keep, recall
from suite.nameserver.kept import Kept, KeptError

NOTIFY_DELAY = 0.1
"""Seconds in which changes are gathered before secondaries are told."""
KEEP_DELAY = 2.0
"""Seconds between two writes of the file at the least."""
SHARE = 20
"""Writing takes at most one part of so many of the time."""

Served = Callable[[], tuple[Mapping[bytes, Zone], Mapping[bytes, tuple[Difference, ...]]]]
"""The zones that secondaries may have, and the differences that led to them."""

_log = logging.getLogger(__name__)


class Secondaries:
    """``kept`` is the file; None remembers nothing.  ``clock`` gives seconds that never jump."""

    def __init__(self, kept: Path | None, clock: Callable[[], float], served: Served) -> None:
        self._kept = kept
        self._clock = clock
        self._served = served
        self._notifier = Notifier(_say_unheard)
        self._untold: set[bytes] = set()
        self._has_untold, self._has_unkept = asyncio.Event(), asyncio.Event()
        self.targets: tuple[Target, ...] = ()
        """Who is told."""

    def recall(self) -> dict[bytes, Kept]:
        """What was served before this start; reads a file."""
        if self._kept is None:
            return {}
        try:
            return recall(self._kept)
        except (KeptError, OSError) as error:
            _log.warning("%s is not used, secondaries may have to transfer anew: %s", self._kept, error)
            return {}

    def changed(self, origins: set[bytes]) -> None:
        """These zones have new versions."""
        self._untold |= origins
        self._has_untold.set()
        self._has_unkept.set()

    async def run(self) -> None:
        """Tell and remember, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tell())
            tasks.create_task(self._remember())

    async def stop(self) -> None:
        """Tell nobody any more, and write down what is not written yet."""
        await self._notifier.stop()
        if self._has_unkept.is_set():
            await self._write()

    async def _tell(self) -> None:
        while True:
            await self._has_untold.wait()
            await asyncio.sleep(NOTIFY_DELAY)
            self._has_untold.clear()
            untold, self._untold = self._untold, set()
            zones, _ = self._served()
            for origin in untold & zones.keys():
                self._notifier.tell(zones[origin], self.targets)

    async def _remember(self) -> None:
        while True:
            await self._has_unkept.wait()
            started = self._clock()
            await self._write()
            await asyncio.sleep(max(KEEP_DELAY, SHARE * (self._clock() - started)))

    async def _write(self) -> None:
        self._has_unkept.clear()
        if self._kept is None:
            return
        try:
            await asyncio.to_thread(keep, self._kept, *self._served())
        except OSError as error:
            _log.warning("zones could not be kept in %s: %s", self._kept, error.strerror)


def _say_unheard(origin: bytes, target: Target) -> None:
    _log.warning("%s port %d never answered our NOTIFY for %s", target.address, target.port, name.to_text(origin))
