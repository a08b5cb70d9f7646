"""The tools people ask with, as the Debian packages have them, read our answers."""

from __future__ import annotations

import subprocess

import pytest
from dns_running import running
from fix_netns import require_tools

from suite.dns.catalogue import Zones
from suite.dns.name import from_text
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.rrtype import type_from_text
from suite.dns.zone import Zone

pytestmark = pytest.mark.peer

ORIGIN = from_text("service.")


def rrset(name: str, rtype: str, data: str) -> RRset:
    number = type_from_text(rtype)
    return RRset(from_text(name, ORIGIN), number, 2, (parse_rdata(number, data, ORIGIN),))


def zones() -> Zones:
    soa = rrset("@", "SOA", "ns1 host 1 3600 1800 86400 2")
    return Zones.of([Zone.build(ORIGIN, [soa, rrset("@", "NS", "ns1"), rrset("web.ns3", "A", "10.0.0.1")])])


@pytest.fixture(scope="module")
def plain():
    with running(zones(), processes=False, listen=[("127.0.0.1", 0)]) as here:
        yield str(here.address()[1])


@pytest.mark.parametrize(
    "command",
    [
        "dig +short @127.0.0.1 -p {port} web.ns3.service",
        "dig +short +tcp @127.0.0.1 -p {port} web.ns3.service",
        "kdig +short @127.0.0.1 -p {port} web.ns3.service",
        "nslookup -port={port} web.ns3.service 127.0.0.1",
        "host -p {port} web.ns3.service 127.0.0.1",
        "drill -p {port} @127.0.0.1 web.ns3.service",
    ],
    ids=lambda command: command.partition(" @")[0].partition(" -")[0],
)
def test_plain_tools_read_our_answers(plain, command):
    words = command.format(port=plain).split()
    require_tools(words[0])
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)

    assert (done.returncode, "10.0.0.1" in done.stdout) == (0, True), (done.stdout, done.stderr)
