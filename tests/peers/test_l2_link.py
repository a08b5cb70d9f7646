"""One interface against the real world: Debian's arping and ndisc6 ask, the kernel's neighbour table believes."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from fix_netns import Namespace, NetLab, eventually, require_tools

from suite.l2 import arp
from suite.l2.frames import templates
from suite.l2.link import ARP, Address, Link, open_socket
from suite.l2.netlink import Interfaces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from suite.l2.arp import Claim

pytestmark = [pytest.mark.net, pytest.mark.peer]

MAC = "02:00:00:00:10:01"
CLIENT_MAC = bytes.fromhex("0200000c0103")
VIP4, VIP6 = ip_address("10.0.42.0"), ip_address("fd00:42::1:2")


class Lan:
    """A client and a node on one switch; the VIPs stand on the node's lo, and its kernel is told to keep silent."""

    def __init__(self, lab: NetLab) -> None:
        self.client, self.node = lab.namespace("client"), lab.namespace("node")
        self.switch = lab.bridge("lan", multicast_snooping=True)
        self.switch.plug(self.client, addresses=["10.0.1.3/16", "fd00:42::3/64"], mac="02:00:00:0c:01:03")
        self.switch.plug(self.node, addresses=["10.0.10.1/16", "fd00:42::10/64"], mac=MAC)
        self.node.sysctl(ipv4__conf__all__arp_ignore=1, ipv4__conf__all__arp_announce=2)
        for address in (VIP4, VIP6):
            self.node.ip("address", "add", str(address), "dev", "lo")

    def asks(self, address: Address, *, source: str | None = None) -> str:
        """What the client's own tools say when they look for an address."""
        if address.version == 4:
            sender = ["-S", source] if source else []
            return self.client.run("arping", "-c1", "-w1", *sender, "-i", "eth0", str(address)).stdout
        return self.client.run("ndisc6", "-1", "-r1", "-w500", str(address), "eth0").stdout

    def believes(self, address: Address) -> str:
        return self.client.ip("neighbour", "show", str(address))


@pytest.fixture
def lan(netlab: NetLab) -> Lan:
    require_tools("arping", "ndisc6")
    return Lan(netlab)


@contextmanager
def link_on(host: Namespace, *owned: Address, answers_ping: bool = False) -> Iterator[Link]:
    """A link that answers from a thread of its own, as the speaker's process would."""
    with host.entered():
        interfaces = Interfaces()
        link = Link(interfaces.by_name()["eth0"], templates(), answers_ping=answers_ping)
        link.own(owned)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            for answerer in link.answerers:
                answerer.serve()
            stop.wait(0.001)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield link
    finally:
        stop.set()
        thread.join()
        link.close()
        interfaces.close()


@pytest.mark.parametrize("address", [VIP4, VIP6], ids=["IPv4", "IPv6"])
def test_without_a_speaker_nobody_answers_although_the_kernel_has_the_address(lan: Lan, address: Address) -> None:
    assert MAC not in lan.asks(address).lower()


@pytest.mark.parametrize("address", [VIP4, VIP6], ids=["IPv4", "IPv6"])
def test_the_owner_answers_arping_and_ndisc6(lan: Lan, address: Address) -> None:
    with link_on(lan.node, VIP4, VIP6):
        assert MAC in lan.asks(address).lower()


def test_a_probe_from_nobody_is_answered(lan: Lan) -> None:
    with link_on(lan.node, VIP4):
        assert MAC in lan.asks(VIP4, source="0.0.0.0")


@pytest.mark.parametrize("address", [VIP4, VIP6], ids=["IPv4", "IPv6"])
def test_the_clients_kernel_reaches_the_address_through_our_answer(lan: Lan, address: Address) -> None:
    with link_on(lan.node, VIP4, VIP6):
        assert lan.client.run("ping", "-c1", "-W2", str(address)).returncode == 0


@pytest.mark.parametrize("address", [VIP4, VIP6], ids=["IPv4", "IPv6"])
def test_an_announcement_moves_a_clients_neighbour_entry_at_once(lan: Lan, address: Address) -> None:
    lan.client.ip("neighbour", "replace", str(address), "lladdr", "02:00:00:00:00:99", "dev", "eth0", "nud", "stale")

    with link_on(lan.node, VIP4, VIP6) as link:
        link.announce(address)

        assert eventually(lambda: MAC in lan.believes(address), within=2)


def test_an_address_given_up_is_not_answered_any_more(lan: Lan) -> None:
    with link_on(lan.node, VIP4) as link:
        link.own([])

        assert MAC not in lan.asks(VIP4)


def test_a_new_mac_is_in_the_next_answer(lan: Lan) -> None:
    with link_on(lan.node, VIP4) as link, lan.node.entered():
        interfaces = Interfaces()
        lan.node.ip("link", "set", "eth0", "address", "02:00:00:00:10:ff")

        assert eventually(interfaces.changes)
        link.update(interfaces.by_name()["eth0"])
        interfaces.close()

        assert "02:00:00:00:10:ff" in lan.asks(VIP4)


def test_questions_from_another_vlan_foreign_questions_and_our_own_frames_never_leave_the_kernel(lan: Lan) -> None:
    ask = arp.probe(templates().arp, VIP4.packed, CLIENT_MAC)
    foreign = arp.probe(templates().arp, ip_address("10.0.42.1").packed, CLIENT_MAC)
    tagged = ask[:12] + bytes.fromhex("8100 0007") + ask[12:]
    with lan.node.entered(), closing(Interfaces()) as interfaces:
        link = Link(interfaces.by_name()["eth0"], templates())
        link.own([VIP4])
        link.announce(VIP4)
    with lan.client.entered():
        client = open_socket("eth0", ARP)
    with client, closing(link):
        for frame in (tagged, foreign, ask):
            client.send(frame)

        assert eventually(lambda: link.answerers[0].serve() or link.answerers[0].answered)
        assert (dict(link.answerers[0].answered), dict(link.answerers[0].dropped)) == ({VIP4.packed: 1}, {})


@pytest.mark.parametrize("address", [VIP4, VIP6], ids=["IPv4", "IPv6"])
def test_the_stranger_that_has_an_address_answers_our_probe(lan: Lan, address: Address, netlab: NetLab) -> None:
    stranger = netlab.namespace("stranger")
    lan.switch.plug(stranger, addresses=["10.0.42.0/16", "fd00:42::1:2/64"], mac="02:00:00:00:00:ff")
    with lan.node.entered(), closing(Interfaces()) as interfaces:
        link = Link(interfaces.by_name()["eth0"], templates())
        link.own([], watched=frozenset({address.packed}))
    claims: list[Claim] = []

    def is_found() -> bool:
        """Asks each time, as probes do: the stranger may have joined its group only just now."""
        link.probe(address.packed)
        claims.extend(link.answerers[address.version == 6].serve())
        return bool(claims)

    with closing(link):
        assert eventually(is_found, within=5, every=0.1)
        assert (claims[0].address, claims[0].mac) == (address.packed, bytes.fromhex("0200000000ff"))


def test_a_thousand_addresses_fit_one_interface(lan: Lan) -> None:
    many = [ip_address(f"10.0.{64 + number // 250}.{number % 250 + 1}") for number in range(0, 2000, 2)]
    many_six = [ip_address(f"fd00:42::{number:x}:{number:x}") for number in range(0x100, 0x4E8)]

    with link_on(lan.node, *many, *many_six):
        found = [MAC in lan.asks(address).lower() for address in (many[0], many[-1], many_six[0], many_six[-1])]

    assert found == [True, True, True, True]


@pytest.mark.parametrize("address", [VIP4, VIP6], ids=["IPv4", "IPv6"])
def test_ping_is_answered_for_an_address_that_no_device_carries(lan: Lan, address: Address) -> None:
    for each in (VIP4, VIP6):
        lan.node.ip("address", "delete", str(each), "dev", "lo")

    with link_on(lan.node, VIP4, VIP6, answers_ping=True):
        assert lan.client.run("ping", "-c1", "-W2", str(address)).returncode == 0
