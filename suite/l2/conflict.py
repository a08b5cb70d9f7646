"""Somebody else uses an address that is ours: noticing, reporting, defending (RFC 5227 section 2.4). Pure.

An address of a Service must stay reachable, so we behave like the routers and servers of section 2.4 (c): never give
up, but announce our claim at most once per interval, lest two stubborn machines shout at each other for ever.
A double inside the fleet is none of this: the nodes settle it among themselves.
"""

from dataclasses import dataclass, field, replace

from suite.l2.arp import Claim
from suite.l2.hardware import Mac

DEFEND_INTERVAL = 10.0
"""Seconds (RFC 5227 section 1.1)."""

OVER = 600.0
"""Seconds without a claim after which a conflict is over; another claim of the same machine begins a new one."""

MOST_KEPT = 1024
"""Conflicts remembered; beyond, the one seen longest ago is forgotten, so that no flood of forged claims grows us."""


MOST_REPORTED = 4
"""Machines reported for one address within DEFEND_INTERVAL: a flood of forged claims must not fill a log either. Any further one is
reported when it claims the address again later."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """One other machine that uses one of our addresses."""

    address: bytes
    mac: Mac
    in_fleet: bool
    first: float
    last: float
    times: int = 1


@dataclass(frozen=True, slots=True)
class Notice:
    """What a claim leads to: `report` is set for a machine not reported before, `defend` when we should announce again."""

    report: Conflict | None
    defend: bool


NOTHING = Notice(None, defend=False)


@dataclass(slots=True)
class Watch:
    """The conflicts about the addresses of one link."""

    _seen: dict[tuple[bytes, Mac], Conflict] = field(default_factory=dict)
    _defended: dict[bytes, float] = field(default_factory=dict)
    _told: set[tuple[bytes, Mac]] = field(default_factory=set)
    """Those of `_seen` that were reported."""
    _reported: dict[bytes, tuple[float, ...]] = field(default_factory=dict)
    """When machines were reported for an address; the moments of the last interval."""

    def observe(self, claim: Claim, now: float, fleet: frozenset[Mac] = frozenset()) -> Notice:
        """Somebody claims an owned address. A machine that only probes for it has been answered: no conflict yet."""
        if claim.is_probe:
            return NOTHING
        key = (claim.address, claim.mac)
        known = self._seen.pop(key, None)
        if known is not None and now - known.last >= OVER:
            known = None
            self._told.discard(key)
        conflict = self._seen[key] = (
            replace(known, last=now, times=known.times + 1)
            if known
            else Conflict(claim.address, claim.mac, claim.mac in fleet, now, now)
        )
        self._forget_oldest()
        return Notice(
            conflict if self._may_report(key, now) else None,
            defend=not conflict.in_fleet and self._may_defend(claim.address, now),
        )

    def forget(self, address: bytes) -> None:
        """The address is not ours any more; a later conflict about it is a new one."""
        self._defended.pop(address, None)
        self._reported.pop(address, None)
        for key in [key for key in self._seen if key[0] == address]:
            del self._seen[key]
            self._told.discard(key)

    def conflicts(self, now: float) -> tuple[Conflict, ...]:
        """Those that are not over, the most recent last."""
        return tuple(conflict for conflict in self._seen.values() if now - conflict.last < OVER)

    def _may_report(self, key: tuple[bytes, Mac], now: float) -> bool:
        recent = tuple(each for each in self._reported.get(key[0], ()) if now - each < DEFEND_INTERVAL)
        if key in self._told or len(recent) >= MOST_REPORTED:
            return False
        self._reported[key[0]] = (*recent, now)
        self._told.add(key)
        return True

    def _may_defend(self, address: bytes, now: float) -> bool:
        if now - self._defended.get(address, float("-inf")) < DEFEND_INTERVAL:
            return False
        self._defended[address] = now
        return True

    def _forget_oldest(self) -> None:
        while len(self._seen) > MOST_KEPT:
            oldest = next(iter(self._seen))
            del self._seen[oldest]
            self._told.discard(oldest)
