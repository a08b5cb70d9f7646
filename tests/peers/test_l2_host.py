"""The kernel's side: interfaces that come and go, addresses put on devices, and what the doctor reads, on a real kernel."""

from __future__ import annotations

import os
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path

import pytest
from fix_netns import NetLab, eventually

from suite.l2.bind_address import BindError, BoundAddresses
from suite.l2.host_facts import collect
from suite.l2.netlink import Interfaces

pytestmark = pytest.mark.net

VIPS = (ip_address("10.0.42.0"), ip_address("fd00:42::42"))


def test_interfaces_are_heard_to_appear_change_and_vanish(netlab: NetLab) -> None:
    host = netlab.namespace("host")
    with host.entered():
        interfaces = Interfaces()
    with closing(interfaces):
        host.ip("link", "add", "x0", "type", "veth", "peer", "name", "x1")
        host.ip("link", "set", "x0", "address", "02:00:00:00:00:07", "up")
        host.ip("address", "add", "10.9.0.1/24", "dev", "x0")
        host.ip("link", "set", "x1", "up")
        host.ip("link", "add", "br7", "type", "bridge")
        host.ip("link", "set", "x0", "master", "br7")
        interfaces.changes()
        seen = interfaces.by_name()["x0"]

        assert (seen.mac.hex(":"), seen.is_up, seen.master) == (
            "02:00:00:00:00:07",
            True,
            interfaces.by_name()["br7"].index,
        )
        assert "10.9.0.1/24" in map(str, seen.addresses)

        host.ip("link", "delete", "x0")
        assert [change.after for change in interfaces.changes()][-1] is None


def test_news_that_the_kernel_dropped_are_read_anew(netlab: NetLab) -> None:
    """Thousands of changes, nobody reading: the notifications overflow, the table is right nevertheless."""
    host = netlab.namespace("host")
    with host.entered():
        interfaces = Interfaces()
    with closing(interfaces):
        changes = "link set lo mtu 1400\nlink set lo mtu 1300\n" * 2500 + "address add 10.9.9.9/32 dev lo\n"
        host.run("ip", "-batch", "-", stdin=changes, timeout=60)
        with host.entered():
            overflowed = news_dropped(interfaces.fileno())
            interfaces.changes()

        lo = interfaces.by_name()["lo"]
        assert overflowed > 0
        assert (lo.mtu, "10.9.9.9/32" in map(str, lo.addresses)) == (1300, True)


def news_dropped(descriptor: int) -> int:
    """How many notifications this socket had no room for, says the kernel of the namespace that is entered."""
    inode = str(os.fstat(descriptor).st_ino)
    rows = [line.split() for line in Path("/proc/thread-self/net/netlink").read_text(encoding="ascii").splitlines()]
    return next(int(row[-2]) for row in rows if row[-1] == inode)


def test_bound_addresses_appear_and_go_and_never_become_a_source(netlab: NetLab) -> None:
    host = netlab.namespace("host")
    with host.entered():
        bound = BoundAddresses()
    bound.hold(VIPS)
    shown = host.ip("address", "show", "dev", "lo")
    bound.hold(VIPS[:1])
    fewer = host.ip("address", "show", "dev", "lo")
    bound.close()

    assert "10.0.42.0/32" in shown
    assert "fd00:42::42/128 scope global nodad deprecated" in " ".join(shown.split())
    assert ("10.0.42.0/32" in fewer, "fd00:42::42" in fewer) == (True, False)
    assert "10.0.42.0" not in host.ip("address", "show", "dev", "lo")


def test_an_address_that_others_put_there_is_not_ours_to_remove(netlab: NetLab) -> None:
    host = netlab.namespace("host")
    host.ip("address", "add", "10.0.99.9/32", "dev", "lo")
    with host.entered():
        bound = BoundAddresses()
    bound.hold(VIPS)

    bound.close()

    assert "10.0.99.9/32" in host.ip("address", "show", "dev", "lo")


def test_a_refusal_of_the_kernel_names_the_address(netlab: NetLab) -> None:
    host = netlab.namespace("host")
    with host.entered():
        bound = BoundAddresses(index=9999)
    with (
        closing(bound),
        pytest.raises(BindError, match=r"10\.0\.42\.0 could not be put on device 9999: No such device"),
    ):
        bound.hold(VIPS)


def test_facts_are_those_of_the_kernel(netlab: NetLab) -> None:
    host = netlab.namespace("host")
    host.ip("link", "add", "x0", "type", "veth", "peer", "name", "x1")
    host.ip("link", "set", "x1", "up")
    host.ip("link", "set", "x0", "up")
    host.ip("address", "add", "10.9.0.1/24", "dev", "x0")
    host.ip("route", "add", "default", "via", "10.9.0.254")
    host.sysctl(ipv4__conf__all__arp_ignore=1)
    with host.entered():
        facts = collect()

    assert (facts.arp_ignore["all"], facts.arp_announce["all"], facts.has_net_raw) == (1, 0, True)
    assert facts.gateways == {ip_address("10.9.0.254")}
    assert eventually(lambda: {interface.name for interface in facts.interfaces} >= {"lo", "x0"})
