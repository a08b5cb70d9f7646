"""A question comes in by one interface, and the way back to its sender leads out by another, as with two routers on one network."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from fix_netns import eventually, require_tools

from suite.dns.catalogue import Zones
from suite.dns.fastpath import Compiled
from suite.dns.name import from_text
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.settings import Settings
from suite.dns.udp import Endpoint, open_socket
from suite.dns.zone import Zone

if TYPE_CHECKING:
    from fix_netns import Namespace, NetLab

pytestmark = [pytest.mark.peer, pytest.mark.net]

SERVER = {4: "10.77.0.53", 6: "2001:db8:77::53"}
CLIENT = {4: "10.99.0.2", 6: "2001:db8:99::2"}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
ANY = {4: "0.0.0.0", 6: "::"}
LINKS = {4: ("10.1.0.{}", "10.2.0.{}", "/24"), 6: ("2001:db8:1::{}", "2001:db8:2::{}", "/64")}
QUICK = b"\0\0\0\1\0\0\0\0\0\0\3web\7service\0\0\1\0\1"
SLOW = b"\0\0\0\1\0\0\0\0\0\0\3web\7service\0\xff\0\0\1"


@pytest.fixture(scope="module")
def hosts(module_netlab: NetLab) -> tuple[Namespace, Namespace]:
    """Questions travel by the first cable, answers can only travel by the second."""
    require_tools("ip")
    server, client = module_netlab.namespace("server"), module_netlab.namespace("client")
    for number, device in enumerate(("eth0", "eth1")):
        ends = [[LINKS[version][number].format(end) + LINKS[version][2] for version in (4, 6)] for end in (1, 2)]
        module_netlab.veth(server, client, devices=(device, device), left=ends[0], right=ends[1])
    for host in (server, client):
        host.sysctl(ipv4__conf__all__rp_filter=0, ipv4__conf__eth0__rp_filter=0, ipv4__conf__eth1__rp_filter=0)
    client.sysctl(
        ipv4__conf__all__arp_ignore=1, ipv4__conf__all__arp_announce=2
    )  # no address shows on the wrong network
    for version in (4, 6):
        asking, answering, _ = LINKS[version]
        server.ip("address", "add", SERVER[version], "dev", "lo")
        client.ip("address", "add", CLIENT[version], "dev", "lo")
        client.ip(f"-{version}", "route", "add", SERVER[version], "via", asking.format(1), "dev", "eth0")
        server.ip(f"-{version}", "route", "add", CLIENT[version], "via", answering.format(2), "dev", "eth1")
    return server, client


def answers() -> Compiled:
    origin = from_text("service.")
    soa = RRset(origin, 6, 30, (parse_rdata(6, "ns.service. host.service. 1 2 3 4 5"),))
    web = RRset(from_text("web.service."), 1, 30, (b"\x0a\0\0\1",))
    return Compiled(Zones.of([Zone.build(origin, [soa, web])]), Settings(), lambda: 1_700_000_000)


@pytest.mark.parametrize("version", [4, 6])
def test_an_answer_takes_its_own_way_from_the_address_that_was_asked(hosts, version):
    server, client = hosts
    compiled, froms = answers(), []
    with server.entered():
        listening = open_socket(ANY[version], 53)
    with client.entered():
        asking = socket.socket(FAMILY[version], socket.SOCK_DGRAM)
    with listening, asking:
        endpoint = Endpoint(listening)
        asking.settimeout(2)
        asking.bind((CLIENT[version], 0))
        for number, question in enumerate((QUICK, QUICK, QUICK, SLOW)):  # one by one, made, from a card, and in full
            asking.sendto(number.to_bytes(2) + question, (SERVER[version], 53))
            assert eventually(lambda: endpoint.serve(compiled))
            froms.append(asking.recvfrom(512)[1][:2])

    assert froms == [(SERVER[version], 53)] * 4
