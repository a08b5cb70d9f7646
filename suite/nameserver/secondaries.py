"""Telling secondaries of new versions; it lags behind the answers on purpose: a burst of changes is one NOTIFY for each zone."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from suite.dns import name
from suite.dns.notify import Notifier, Target
from suite.dns.zone import Zone

NOTIFY_DELAY = 0.1
"""Seconds in which changes are gathered before secondaries are told."""

_log = logging.getLogger(__name__)


class Secondaries:
    """``served`` gives the zones that secondaries may have."""

    def __init__(self, served: Callable[[], Mapping[bytes, Zone]]) -> None:
        self._served = served
        self._notifier = Notifier(_say_unheard)
        self._untold: set[bytes] = set()
        self._has_untold = asyncio.Event()
        self.targets: tuple[Target, ...] = ()
        """Who is told."""

    def changed(self, origins: set[bytes]) -> None:
        """These zones have new versions."""
        self._untold |= origins
        self._has_untold.set()

    async def run(self) -> None:
        """Tell, until cancelled."""
        while True:
            await self._has_untold.wait()
            await asyncio.sleep(NOTIFY_DELAY)
            self._has_untold.clear()
            untold, self._untold = self._untold, set()
            zones = self._served()
            for origin in untold & zones.keys():
                self._notifier.tell(zones[origin], self.targets)

    async def stop(self) -> None:
        """Tell nobody any more."""
        await self._notifier.stop()


def _say_unheard(origin: bytes, target: Target) -> None:
    _log.warning("%s port %d never answered our NOTIFY for %s", target.address, target.port, name.to_text(origin))
