"""Which interfaces announce, and how long a link that flaps has to prove itself."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_interface, ip_network

from suite.l2.rtnetlink import BROADCASTS, LOWER_UP, UP, Interface
from suite.speaker.heartbeat import UsableLink
from suite.speaker.usable_links import UsableLinks

MAC = bytes.fromhex("020000001001")
ETH0 = Interface(
    2,
    "eth0",
    MAC,
    UP | LOWER_UP | BROADCASTS,
    addresses=frozenset(map(ip_interface, ("10.0.10.1/16", "fd00:42::1/64", "fe80::1/64", "10.0.42.0/32"))),
)
CUT = replace(ETH0, flags=UP | BROADCASTS)


def settled(links: UsableLinks, interface: Interface, now: float) -> list[bool]:
    return [link.is_settled for link in links.update({interface.name: interface}, now)]


def test_each_network_of_an_interface_is_a_link_but_link_local_and_host_routes_are_none() -> None:
    assert UsableLinks().update({"eth0": ETH0}, 0.0) == (
        UsableLink("eth0", ip_network("10.0.0.0/16"), MAC),
        UsableLink("eth0", ip_network("fd00:42::/64"), MAC),
    )


def test_interfaces_of_containers_are_left_out() -> None:
    assert UsableLinks().update({"docker0": replace(ETH0, name="docker0")}, 0.0) == ()


def test_a_link_without_carrier_is_no_link() -> None:
    assert UsableLinks().update({"eth0": CUT}, 0.0) == ()


def test_a_link_that_comes_late_is_settled_at_once() -> None:
    links = UsableLinks()
    links.update({}, 0.0)

    assert settled(links, ETH0, 100.0) == [True, True]


def test_a_link_that_lost_its_carrier_has_to_settle_longer_each_time() -> None:
    links = UsableLinks()
    links.update({"eth0": ETH0}, 0.0)
    waits = []
    for now in (10.0, 20.0, 30.0):
        links.update({"eth0": CUT}, now)
        links.update({"eth0": ETH0}, now + 1)
        waits.append((links.next_timer(now + 1) or 0.0) - now - 1)

    assert waits == [5.0, 10.0, 20.0]


def test_a_link_settles_when_its_time_has_come() -> None:
    links = UsableLinks()
    for now, interface in ((0.0, ETH0), (1.0, CUT), (2.0, ETH0)):
        links.update({"eth0": interface}, now)

    assert (settled(links, ETH0, 6.9), settled(links, ETH0, 7.0), links.next_timer(7.0)) == (
        [False] * 2,
        [True] * 2,
        None,
    )


def test_old_losses_are_forgiven() -> None:
    links = UsableLinks()
    for now, interface in ((0.0, ETH0), (1.0, CUT), (2.0, ETH0), (2000.0, CUT), (2001.0, ETH0)):
        links.update({"eth0": interface}, now)

    assert links.next_timer(2001.0) == 2006.0
