"""Watches a simulated fleet all the time: how long an address had two owners that hear each other, or none though a node could.

Looks ten times a second of the fleet's time; what lasts no longer than its bound is a change of owner, what lasts longer is a fault.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipaddress import IPv4Address

    from fix_fleet import Fleet, Plan

EVERY = 0.1
HEAVY_LOSS = 0.2
"""From so much loss on nobody surely hears anybody; clocks of faults stand still meanwhile."""


@dataclass
class Referee:
    """`plan` is the newest one; nodes that have it are those that could own its addresses."""

    fleet: Fleet
    plan: Plan
    double: dict[tuple[IPv4Address, str, str], float] = field(default_factory=dict)
    """Pairs that own an address and hear each other, and since when."""
    orphaned: dict[IPv4Address, float] = field(default_factory=dict)
    """Addresses that nobody owns, and since when."""
    able: dict[str, float] = field(default_factory=dict)
    """Nodes that could own addresses, and since when without a pause."""
    longest_double: float = 0.0
    longest_gap: float = 0.0

    def run(self, seconds: float) -> None:
        """Let time pass, and watch."""
        until = self.fleet.now + seconds
        while self.fleet.now < until:
            self.fleet.run(min(EVERY, until - self.fleet.now))
            self.look()

    def look(self) -> None:
        now = self.fleet.now
        able = {name for name in self.fleet.speakers if self._is_able(name)}
        self.able = {name: self.able.get(name, now) for name in able}
        owners = {address: self.fleet.owners(address) for address in self.plan}
        self._look_for_doubles(owners, now)
        self._look_for_gaps(owners, now)

    def _look_for_doubles(self, owners: dict[IPv4Address, list[str]], now: float) -> None:
        pairs = {
            (address, *pair)
            for address, names in owners.items()
            for pair in itertools.combinations(names, 2)
            if self.fleet.loss < HEAVY_LOSS and self.fleet.hear_each_other(*pair)
        }
        self.double = {key: self.double.get(key, now) for key in pairs}
        self.longest_double = max([self.longest_double, *(now - since for since in self.double.values())])

    def _look_for_gaps(self, owners: dict[IPv4Address, list[str]], now: float) -> None:
        self.orphaned = {address: self.orphaned.get(address, now) for address, names in owners.items() if not names}
        for address, since in self.orphaned.items():
            longest = min(
                now - since, max((now - self.able.get(name, now) for name in self.plan[address].order), default=0.0)
            )
            self.longest_gap = max(self.longest_gap, longest)

    def _is_able(self, name: str) -> bool:
        speaker, newest = self.fleet.speakers[name], next(iter(self.plan.values())).since
        return (
            speaker.is_able
            and speaker.frozen_until <= self.fleet.now
            and (newest is None or speaker.standing == newest)
        )
