"""A fleet of speakers without machines: the real membership and ownership over a network that loses, delays and cuts.

Time jumps from event to event. Every datagram is really encoded, signed, verified and decoded.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, ip_address
from random import Random
from typing import TYPE_CHECKING

from suite.speaker.election import rank
from suite.speaker.heartbeat import Standing, UsableLink
from suite.speaker.membership import Membership, Self, Settings
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


@dataclass
class Speaker:
    """One node: what its loop would do, without the sockets."""

    name: str
    membership: Membership
    ownership: Ownership
    plan: Plan
    state: Self
    generation: int = -1
    contests: list[Contest] = field(default_factory=list)
    announced: list[tuple[float, IPv4Address]] = field(default_factory=list)

    def turn(self, now: float) -> list[tuple[str, bytes]]:
        sent = self.membership.datagrams(now)
        timer = self.ownership.next_timer()
        if self.membership.generation != self.generation or (timer is not None and timer <= now):
            self.generation = self.membership.generation
            decision = self.ownership.decide(self.plan, self.membership.view(), now)
            self.contests += decision.contests
            self.announced += [(now, address) for address in decision.announce]
            self.change(now, claims=frozenset(address.packed for address in decision.owned))
            sent += self.membership.datagrams(now)
        return sent

    def change(self, now: float, **values: object) -> None:
        names = {"standing", "links", "claims", "is_draining"}
        before = {name: getattr(self.state, name) for name in names}
        self.state = Self(**(before | values))
        self.membership.report(self.state, now)

    def next_timer(self) -> float:
        timer = self.ownership.next_timer()
        return min(self.membership.next_timer(), timer if timer is not None else float("inf"))


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
        self._events: list[tuple[float, int, str, bytes | None]] = []
        self._serials = itertools.count()

    def start(self, name: str, standing: Standing | None = FIRST, plan: Plan | None = None) -> Speaker:
        """Switch a node on, cold; a running one of the same name is gone."""
        nonce = self.random.randbytes(8)
        membership = Membership(name, nonce, self.now, self.settings)
        membership.configure(self.names, [KEY])
        link = UsableLink("eth0", LAN, b"\x02" + nonce[:5])
        speaker = Speaker(name, membership, Ownership(name), plan or self.plan, Self())
        speaker.change(self.now, standing=standing, links=(link,))
        self.speakers[name] = speaker
        self._wake(name)
        return speaker

    def kill(self, name: str) -> None:
        del self.speakers[name]

    def adopt(self, name: str, plan: Plan, standing: Standing) -> None:
        """The node receives a newer snapshot."""
        self.speakers[name].plan = plan
        self.speakers[name].change(self.now, standing=standing)
        self._wake(name)

    def change(self, name: str, **values: object) -> None:
        self.speakers[name].change(self.now, **values)
        self._wake(name)

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self._events and self._events[0][0] <= until:
            self.now, _, name, datagram = heapq.heappop(self._events)
            speaker = self.speakers.get(name)
            if speaker is None:
                continue
            if datagram is not None:
                speaker.membership.receive(datagram, self.now)
            elif speaker.next_timer() > self.now:
                continue
            self._turn(speaker)
        self.now = until

    def owners(self, address: IPv4Address) -> list[str]:
        return sorted(name for name, speaker in self.speakers.items() if address in speaker.ownership.owned)

    def hear_each_other(self, one: str, other: str) -> bool:
        return (one, other) not in self.cut and (other, one) not in self.cut

    def _turn(self, speaker: Speaker) -> None:
        for receiver, datagram in speaker.turn(self.now):
            if (speaker.name, receiver) not in self.cut and self.random.random() >= self.loss:
                arrival = self.now + self.random.uniform(0.0001, self.delay)
                heapq.heappush(self._events, (arrival, next(self._serials), receiver, datagram))
        self._wake(speaker.name, max(speaker.next_timer(), self.now + 1e-4))

    def _wake(self, name: str, at: float | None = None) -> None:
        heapq.heappush(self._events, (at or self.now, next(self._serials), name, None))
