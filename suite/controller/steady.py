"""By which time holds end, when the clock of this machine is set while they wait.

Leases say until when they wait in the time of the wall clock, because that is what people read and what outlives this
process.  Whether they have waited long enough is judged by a time that starts at the wall clock and then goes on with
the uptime, which nobody sets:

* the clock is set back: waiting ends when it would have ended;
* the clock is set forward: it is believed only after ``patience``, the cooling time.  Whatever cooled when it was set has
  cooled for long enough by then, so no answer and no ARP entry leads to somebody else; what is held may end early;
* the clock is behind the newest commit at the start (a machine without a battery): waiting goes on from that commit.

Pure: both clocks are arguments.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

SLACK = 2.0
"""Seconds by which the two clocks may come to differ without anybody having set one."""


@dataclass(slots=True)
class SteadyTime:
    """The time of one process; ``start`` is the later of the wall clock and the newest commit, at the uptime ``since``."""

    start: datetime
    since: float
    _set_forward_at: float | None = field(default=None, init=False)

    def judged(self, wall: datetime, uptime: float, patience: float) -> datetime:
        """The time that what waits is compared with; it never goes back, and jumps forward only after ``patience`` seconds."""
        steady = self.start + timedelta(seconds=max(0.0, uptime - self.since))
        ahead = (wall - steady).total_seconds()
        if ahead <= SLACK:
            self._set_forward_at = None
            return max(steady, wall)
        if self._set_forward_at is None:
            self._set_forward_at = uptime
        if uptime - self._set_forward_at < patience:
            return steady
        self.start, self.since, self._set_forward_at = wall, uptime, None
        return wall
