"""The coffee story's LAN with real responder processes on its nodes: what a speaker role would start, minus its plans.

Each node carries the VIPs on lo, with a kernel that is told to keep silent about them, so whoever answers is the process under test.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from coffee_network import NODES, CoffeeNetwork, Ear
from fix_netns import Namespace, NetLab, eventually, missing_for_networks, network, require_tools

from suite.l2.frames import templates
from suite.speaker.control import DRAIN, Adopt, Channel, Configure, Message, probe
from suite.speaker.election import rank
from suite.speaker.heartbeat import Standing
from suite.speaker.ownership import Entry

Address = IPv4Address | IPv6Address

KEY = b"thirty-two bytes that nobody knows"
ANOTHER_VERSION = """
from suite.speaker import heartbeat
heartbeat.MINOR = {minor}
from suite.speaker.responder import main
main({descriptor})
"""


@dataclass(eq=False)
class Speaker:
    """One node's responder process, and everything it has reported."""

    name: str
    host: Namespace
    fleet: dict[str, str]
    minor: int | None = None
    """The minor version that it speaks, and that it takes for its own; None for ours."""
    key: bytes = KEY
    process: Any = None
    channel: Channel | None = None
    reports: list[Message] = field(default_factory=list)

    def start(self, **settings: float) -> None:
        self.close()
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = self.host.spawn(
                *(sys.executable, *self._program(theirs.fileno())),
                pass_fds=(theirs.fileno(),),
            )
        self.channel = Channel(ours)
        addresses = {name: (ip_address(address),) for name, address in self.fleet.items()}
        wanted = Configure(self.name, addresses, (self.key,), templates().to_text(), port=7947, **settings)
        self.channel.send(wanted.to_message())

    def adopt(self, vips: Iterable[Address], revision: int = 1, nodes: Iterable[str] | None = None) -> None:
        standing = Standing(revision, "lab")
        entries = [Entry(vip, rank(vip, nodes or self.fleet)) for vip in vips]
        self.channel.send(Adopt(standing, tuple(entries)).to_message())

    def send(self, message: Message) -> None:
        self.channel.send(message)

    def drain(self) -> None:
        self.send(DRAIN)

    def probe(self, *addresses: Address) -> None:
        self.send(probe(addresses))

    def read(self) -> list[Message]:
        """All reports so far."""
        if self.channel is not None:
            self.channel.flush()
            try:
                self.reports += self.channel.receive()
            except EOFError:
                self.channel.close()
                self.channel = None
        return self.reports

    def said(self, kind: str, **values: object) -> bool:
        """Whether a report of this kind with these values has come."""
        return any(
            report["kind"] == kind and all(report.get(key) == value for key, value in values.items())
            for report in self.read()
        )

    def owned(self) -> set[str]:
        """What it says it answers for now."""
        owned: set[str] = set()
        for report in self.read():
            if report["kind"] == "owned":
                owned.add(report["address"])
            elif report["kind"] == "released":
                owned.discard(report["address"])
        return owned

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=5)

    def close(self) -> None:
        if self.channel is not None:
            self.channel.close()
            self.channel = None

    def _program(self, descriptor: int) -> tuple[str, ...]:
        if self.minor is None:
            return "-m", "suite.speaker.responder", str(descriptor)
        return "-c", ANOTHER_VERSION.format(minor=self.minor, descriptor=descriptor)


class CoffeeLan(CoffeeNetwork):
    """The network of the coffee story, with the fleet on it."""

    def __init__(self, lab: NetLab, vips: Iterable[Address]) -> None:
        super().__init__(lab)
        self.ear = Ear(self.client)
        self.vips = list(vips)
        self.speakers: dict[str, Speaker] = {}
        for name, host in self.nodes.items():
            host.sysctl(ipv4__conf__all__arp_ignore=1, ipv4__conf__all__arp_announce=2)
            for vip in self.vips:
                host.ip("address", "add", str(vip), "dev", "lo")
            self.speakers[name] = Speaker(name, host, NODES)

    def start(self, *names: str, **settings: float) -> None:
        """Switch nodes on; all of them by default."""
        for name in names or self.speakers:
            self.speakers[name].start(**settings)
            self.speakers[name].adopt(self.vips)

    def owners(self, vip: Address) -> list[str]:
        """Who says that it answers for an address."""
        return [name for name, speaker in self.speakers.items() if str(vip) in speaker.owned()]

    def are_owned_by(self, *names: str) -> bool:
        """Whether exactly these nodes say that they answer, for each address."""
        return all(self.owners(vip) == list(names) for vip in self.vips)

    def settle(self, within: float = 10.0) -> None:
        """Wait until every address has exactly one owner."""
        assert eventually(lambda: all(len(self.owners(vip)) == 1 for vip in self.vips), within=within, every=0.02)

    def ranked(self, vip: Address) -> list[Speaker]:
        """The nodes in the order in which they own an address."""
        return [self.speakers[name] for name in rank(vip, self.speakers)]

    def close(self) -> None:
        self.ear.close()
        for speaker in self.speakers.values():
            speaker.close()


VIP4, VIP6 = VIPS = ip_address("10.0.42.0"), ip_address("fd00:42::42:0:0")
"""Both have the same order of owners, so one fault shows what it does to either family."""


@pytest.fixture
def coffee(netlab: NetLab) -> Iterator[CoffeeLan]:
    """The LAN with one IPv4 and one IPv6 address to announce; nothing runs yet."""
    require_tools("arping", "ndisc6", "ping")
    with closing(CoffeeLan(netlab, VIPS)) as lan:
        yield lan


@pytest.fixture(scope="module")
def calm() -> Iterator[CoffeeLan]:
    """The same with the fleet at work, for tests that move no address."""
    if reason := missing_for_networks():
        pytest.skip(reason)
    require_tools("arping", "ndisc6", "ping")
    with network() as lab, closing(CoffeeLan(lab, VIPS)) as lan:
        lan.start()
        lan.settle()
        yield lan
