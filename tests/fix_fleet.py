"""A fleet of speakers without machines: the real membership and ownership over a network that loses, delays and cuts.

Time jumps from event to event. Every datagram is really encoded, signed, verified and decoded. Each node has a clock of its own, which may
stand anywhere and run a little fast or slow.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, ip_address
from random import Random
from typing import TYPE_CHECKING

from suite.speaker.duty import Duty
from suite.speaker.election import rank
from suite.speaker.heartbeat import Standing, UsableLink
from suite.speaker.membership import Membership, Settings
from suite.speaker.ownership import Contest, Entry, Ownership

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LAN = IPv4Network("10.0.0.0/16")
KEY = b"the fleet's key"
FIRST = Standing(1, "e")
Plan = dict[IPv4Address, Entry]


def make_plan(nodes: Iterable[str], addresses: int, since: Standing | None = None) -> Plan:
    """Every node is a candidate for every address."""
    names = list(nodes)
    vips = [ip_address(f"10.0.{42 + number // 200}.{number % 200}") for number in range(addresses)]
    return {vip: Entry(vip, rank(vip, names), since) for vip in vips}


@dataclass(frozen=True)
class Clock:
    """A node's monotonic clock: what it shows when the fleet's time is 0, and how fast it runs."""

    start: float = 0.0
    rate: float = 1.0

    def shows(self, now: float) -> float:
        return self.start + self.rate * now

    def when(self, shown: float) -> float:
        """The fleet's time at which it shows that."""
        return (shown - self.start) / self.rate


@dataclass
class Speaker:
    """One node, and what it decided over time."""

    name: str
    duty: Duty
    clock: Clock = field(default_factory=Clock)
    standing: Standing | None = None
    wakes_at: float = float("inf")
    frozen_until: float = 0.0
    contests: list[Contest] = field(default_factory=list)
    announced: list[tuple[float, IPv4Address]] = field(default_factory=list)

    @property
    def is_able(self) -> bool:
        """Whether it could answer: it has a link, and is not leaving."""
        return bool(self.duty.state.links) and not self.duty.state.is_draining

    def next_timer(self) -> float:
        return self.clock.when(self.duty.next_timer())

    def turn(self, now: float) -> list[tuple[str, bytes]]:
        turn = self.duty.turn(self.clock.shows(now))
        if turn.decision is not None:
            self.contests += turn.decision.contests
            self.announced += [(now, address) for address in turn.decision.announce]
        return turn.datagrams


class Fleet:
    """The nodes and the network between them; `loss` and `delay` are those of every datagram."""

    def __init__(self, names: Iterable[str], plan: Mapping[IPv4Address, Entry], random: Random) -> None:
        self.now = 1000.0
        self.names = list(names)
        self.plan = dict(plan)
        self.random = random
        self.speakers: dict[str, Speaker] = {}
        self.loss = 0.0
        self.delay = 0.005
        self.cut: set[tuple[str, str]] = set()
        self.settings = Settings()
        self.clocks: dict[str, Clock] = {}
        self._events: list[tuple[float, int, str, bytes | None]] = []
        self._serials = itertools.count()

    def start(self, name: str, standing: Standing | None = FIRST, plan: Plan | None = None) -> Speaker:
        """Switch a node on, cold; a running one of the same name is gone."""
        nonce, clock = self.random.randbytes(8), self.clocks.get(name, Clock())
        now = clock.shows(self.now)
        membership = Membership(name, nonce, now, self.settings)
        membership.configure(self.names, [KEY])
        link = UsableLink("eth0", LAN, b"\x02" + nonce[:5])
        speaker = Speaker(name, Duty(membership, Ownership(name, self.settings.dead_after)), clock, standing)
        speaker.duty.link_up([link], now)
        if standing is not None:
            speaker.duty.adopt(plan or self.plan, standing, now)
        self.speakers[name] = speaker
        self._wake(name)
        return speaker

    def kill(self, name: str) -> None:
        del self.speakers[name]

    def adopt(self, name: str, plan: Plan, standing: Standing) -> None:
        """The node receives a newer snapshot."""
        speaker = self.speakers[name]
        speaker.standing = standing
        speaker.duty.adopt(plan, standing, speaker.clock.shows(self.now))
        self._wake(name)

    def drain(self, name: str, *, is_draining: bool = True) -> None:
        speaker = self.speakers[name]
        speaker.duty.drain(speaker.clock.shows(self.now), is_draining=is_draining)
        self._wake(name)

    def freeze(self, name: str, seconds: float) -> None:
        """Its process does not run for so long; what arrives meanwhile waits for it."""
        self.speakers[name].frozen_until = self.now + seconds

    def set_links(self, name: str, *links: UsableLink) -> None:
        speaker = self.speakers[name]
        speaker.duty.link_up(links, speaker.clock.shows(self.now))
        self._wake(name)

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self._events and self._events[0][0] <= until:
            self.now, _, name, datagram = heapq.heappop(self._events)
            speaker = self.speakers.get(name)
            if speaker is None:
                continue
            if speaker.frozen_until > self.now:
                heapq.heappush(self._events, (speaker.frozen_until, next(self._serials), name, datagram))
                continue
            if datagram is not None:
                speaker.duty.receive(datagram, speaker.clock.shows(self.now))
            else:
                speaker.wakes_at = float("inf")
            if (at := speaker.next_timer()) <= self.now:
                self._turn(speaker)
                at = speaker.next_timer()
            self._wake(name, max(at, self.now + 1e-4))
        self.now = until

    def owners(self, address: IPv4Address) -> list[str]:
        return sorted(
            name
            for name, speaker in self.speakers.items()
            if address in speaker.duty.ownership.owned and speaker.frozen_until <= self.now
        )

    def hear_each_other(self, one: str, other: str) -> bool:
        return (one, other) not in self.cut and (other, one) not in self.cut

    def _turn(self, speaker: Speaker) -> None:
        for receiver, datagram in speaker.turn(self.now):
            if (speaker.name, receiver) not in self.cut and self.random.random() >= self.loss:
                arrival = self.now + self.random.uniform(0.0001, self.delay)
                heapq.heappush(self._events, (arrival, next(self._serials), receiver, datagram))

    def _wake(self, name: str, at: float | None = None) -> None:
        """Have it look at its timers; once is enough where it wakes earlier anyway."""
        speaker, moment = self.speakers[name], at or self.now
        if moment < speaker.wakes_at:
            speaker.wakes_at = moment
            heapq.heappush(self._events, (moment, next(self._serials), name, None))
