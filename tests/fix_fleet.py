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


@dataclass
class Speaker:
    """One node, and what it decided over time."""

    name: str
    duty: Duty
    contests: list[Contest] = field(default_factory=list)
    announced: list[tuple[float, IPv4Address]] = field(default_factory=list)

    def turn(self, now: float) -> list[tuple[str, bytes]]:
        turn = self.duty.turn(now)
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
        self._events: list[tuple[float, int, str, bytes | None]] = []
        self._serials = itertools.count()

    def start(self, name: str, standing: Standing | None = FIRST, plan: Plan | None = None) -> Speaker:
        """Switch a node on, cold; a running one of the same name is gone."""
        nonce = self.random.randbytes(8)
        membership = Membership(name, nonce, self.now, self.settings)
        membership.configure(self.names, [KEY])
        link = UsableLink("eth0", LAN, b"\x02" + nonce[:5])
        speaker = Speaker(name, Duty(membership, Ownership(name)))
        speaker.duty.link_up([link], self.now)
        if standing is not None:
            speaker.duty.adopt(plan or self.plan, standing, self.now)
        self.speakers[name] = speaker
        self._wake(name)
        return speaker

    def kill(self, name: str) -> None:
        del self.speakers[name]

    def adopt(self, name: str, plan: Plan, standing: Standing) -> None:
        """The node receives a newer snapshot."""
        self.speakers[name].duty.adopt(plan, standing, self.now)
        self._wake(name)

    def drain(self, name: str) -> None:
        self.speakers[name].duty.drain(self.now)
        self._wake(name)

    def set_links(self, name: str, *links: UsableLink) -> None:
        self.speakers[name].duty.link_up(links, self.now)
        self._wake(name)

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self._events and self._events[0][0] <= until:
            self.now, _, name, datagram = heapq.heappop(self._events)
            speaker = self.speakers.get(name)
            if speaker is None:
                continue
            if datagram is not None:
                speaker.duty.receive(datagram, self.now)
            elif speaker.duty.next_timer() > self.now:
                continue
            self._turn(speaker)
        self.now = until

    def owners(self, address: IPv4Address) -> list[str]:
        return sorted(name for name, speaker in self.speakers.items() if address in speaker.duty.ownership.owned)

    def hear_each_other(self, one: str, other: str) -> bool:
        return (one, other) not in self.cut and (other, one) not in self.cut

    def _turn(self, speaker: Speaker) -> None:
        for receiver, datagram in speaker.turn(self.now):
            if (speaker.name, receiver) not in self.cut and self.random.random() >= self.loss:
                arrival = self.now + self.random.uniform(0.0001, self.delay)
                heapq.heappush(self._events, (arrival, next(self._serials), receiver, datagram))
        self._wake(speaker.name, max(speaker.duty.next_timer(), self.now + 1e-4))

    def _wake(self, name: str, at: float | None = None) -> None:
        heapq.heappush(self._events, (at or self.now, next(self._serials), name, None))
