"""Who follows this process's feed, and how their roles stand: in memory alone, as their questions tell it.

A follower asks again at the latest when its wait is over, so one that has not asked for several waits is gone.  Nothing is
written, no clock of another machine is read, and a process that starts anew knows everybody after one wait.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter

from suite.model.status import KEPT, Fellow, Instance
from suite.store.remote.standing import Standing

PATIENCE = 45.0
"""Seconds without a question after which a follower is gone: it waits 10 s for news, and 10 s at most between two tries."""
MOST = 3000
"""Roles that are remembered, those of a thousand machines; beyond, the one that was told of longest ago is forgotten."""


@dataclass(frozen=True, slots=True)
class _Heard:
    instance: Instance
    since: datetime
    at: datetime
    uptime: float


@dataclass(slots=True)
class Followers:
    """Those who asked; times are the clock for people, ``uptime`` is one that nobody sets, in seconds."""

    most: int = MOST
    _known: OrderedDict[tuple[str, str], _Heard] = field(default_factory=OrderedDict)
    """By node and role: a machine may run a program for each."""

    def hear(self, standing: Standing, now: datetime, uptime: float) -> None:
        """A follower asks, or says that it ends."""
        for each in standing.roles:
            before = self._known.pop((each.node, each.role), None)
            if standing.is_ending:
                continue
            is_back = before is not None and uptime - before.uptime <= PATIENCE
            since = before.since if before is not None and is_back else now
            self._known[each.node, each.role] = _Heard(each, since, now, uptime)
            if len(self._known) > self.most:
                self._known.popitem(last=False)

    def fellows(self, now: datetime, uptime: float) -> tuple[Fellow, ...]:
        """The roles of everybody, by node; those that are gone too, for a day."""
        found = []
        for _, heard in sorted(self._known.items(), key=itemgetter(0)):
            gone = heard.at + timedelta(seconds=PATIENCE) if uptime - heard.uptime > PATIENCE else None
            if gone is None or now - gone <= KEPT:
                found.append(Fellow(heard.instance, 0, 0, heard.since, gone))
        return tuple(found)
