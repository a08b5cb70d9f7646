"""The coffee story's LAN with real responder processes on its nodes: what a speaker role would start, minus its plans.

10.0.0.0/16 and fd00:42::/64 on one switch: three nodes, a client at 10.0.1.3, and room for strangers. Each node carries the
VIPs on lo, with a kernel that is told to keep silent about them, so whoever answers is the process under test.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from fix_netns import Bridge, Namespace, NetLab, eventually, require_tools

from suite.l2.frames import templates
from suite.speaker.control import DRAIN, Adopt, Channel, Configure, Message, probe
from suite.speaker.election import rank
from suite.speaker.heartbeat import Standing
from suite.speaker.ownership import Entry

Address = IPv4Address | IPv6Address

NODES = {"compute1": "10.0.10.1", "compute2": "10.0.10.2", "compute3": "10.0.10.3"}
CLIENT, CLIENT_MAC = "10.0.1.3", "02:00:00:0c:01:03"
KEY = b"thirty-two bytes that nobody knows"


def mac_of(node: str) -> str:
    return f"02:00:00:00:10:0{node[-1]}"


@dataclass(eq=False)
class Speaker:
    """One node's responder process, and everything it has reported."""

    name: str
    host: Namespace
    fleet: dict[str, str]
    process: Any = None
    channel: Channel | None = None
    reports: list[Message] = field(default_factory=list)

    def start(self, **settings: float) -> None:
        self.close()
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = self.host.spawn(
                *(sys.executable, "-m", "suite.speaker.responder", str(theirs.fileno())),
                pass_fds=(theirs.fileno(),),
            )
        self.channel = Channel(ours)
        addresses = {name: (ip_address(address),) for name, address in self.fleet.items()}
        wanted = Configure(self.name, addresses, (KEY,), templates().to_text(), port=7947, **settings)
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


class CoffeeLan:
    """The network of the coffee story, with the fleet on it."""

    def __init__(self, lab: NetLab, vips: Iterable[Address]) -> None:
        self.lab = lab
        self.vips = list(vips)
        self.switch: Bridge = lab.bridge("lan")
        self.client = self._machine("client", CLIENT, CLIENT_MAC)
        self.speakers: dict[str, Speaker] = {}
        for name, address in NODES.items():
            host = self._machine(name, address, mac_of(name))
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

    def settle(self, within: float = 10.0) -> None:
        """Wait until every address has exactly one owner."""
        assert eventually(lambda: all(len(self.owners(vip)) == 1 for vip in self.vips), within=within, every=0.02)

    def ranked(self, vip: Address) -> list[Speaker]:
        """The nodes in the order in which they own an address."""
        return [self.speakers[name] for name in rank(vip, self.speakers)]

    def who_has(self, vip: Address) -> str:
        """The client's question to the LAN; the answers of its own tools, in lower case."""
        if vip.version == 4:
            return self.client.run("arping", "-c1", "-w1", "-i", "eth0", str(vip)).stdout.lower()
        return self.client.run("ndisc6", "-r1", "-w500", str(vip), "eth0").stdout.lower()

    def cached(self, vip: Address) -> str:
        """What the client's kernel believes."""
        return self.client.ip("neighbour", "show", str(vip))

    def stranger(self, *addresses: str) -> Namespace:
        """A machine that is none of ours."""
        host = self.lab.namespace("stranger")
        self.switch.plug(host, addresses=addresses, mac="02:00:00:00:00:ff")
        return host

    def close(self) -> None:
        for speaker in self.speakers.values():
            speaker.close()

    def _machine(self, name: str, address: str, mac: str) -> Namespace:
        host = self.lab.namespace(name)
        last = address.rsplit(".", 1)[1]
        self.switch.plug(
            host, addresses=[f"{address}/16", f"fd00:42::{name[0]}{last}/64".replace("::c", "::c0")], mac=mac
        )
        return host


def first_answer(client: Namespace, vip: Address, within: float) -> float:
    """Seconds until the client's ping of the address is answered, asking every 10 ms."""
    began = time.monotonic()
    while time.monotonic() - began < within:
        if client.run("ping", "-c1", "-W1", "-i0.01", str(vip)).returncode == 0:
            return time.monotonic() - began
    return float("inf")


VIP4, VIP6 = ip_address("10.0.42.0"), ip_address("fd00:42::42:0:1")


@pytest.fixture
def coffee(netlab: NetLab) -> Iterator[CoffeeLan]:
    """The LAN with one IPv4 and one IPv6 address to announce; nothing runs yet."""
    require_tools("arping", "ndisc6", "ping")
    lan = CoffeeLan(netlab, [VIP4, VIP6])
    try:
        yield lan
    finally:
        lan.close()


def dumps(reports: list[Message]) -> str:
    """For messages of failed assertions."""
    return "\n".join(map(json.dumps, reports))
