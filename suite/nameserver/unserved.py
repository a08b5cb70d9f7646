"""The names of a snapshot where no nameserver runs: planned when somebody asks, and kept for that snapshot.

Not the plan that is served: serials are those of the revision, as nobody transfers these zones.
"""

import threading
from collections.abc import Callable

from suite.dns.zone import Zone
from suite.model.snapshot import Snapshot
from suite.nameserver.plan import ZonePlanner


class UnservedZones:
    """The zones of the newest snapshot; for any thread."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot
        self._planned = ZonePlanner()
        self._busy = threading.Lock()

    def zones(self) -> tuple[Zone, ...]:
        """All zones, by origin."""
        with self._busy:
            snapshot = self._snapshot()
            if snapshot is not self._planned.snapshot:
                self._planned = ZonePlanner()
                self._planned.plan(snapshot)
            zones = self._planned.zones
        return tuple(zones[origin] for origin in sorted(zones))
