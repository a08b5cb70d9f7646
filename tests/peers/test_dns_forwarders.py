"""The forwarders people have in front: each serves our zones by the snippet below, and follows changes within the TTL."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.reversename
import pytest
from dns_running import running
from fix_netns import require_tools
from name_servers import DNSMASQ, NAMED_OPTIONS, UNBOUND

from suite.dns.catalogue import Zones
from suite.dns.feed import ChangeZone
from suite.dns.name import from_text
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.rrtype import type_from_text
from suite.dns.zone import Zone

pytestmark = pytest.mark.peer

ORIGIN, REVERSE = from_text("service."), from_text("10.in-addr.arpa.")
DEADLINE = 20.0

UNBOUND_LINES = """
  use-caps-for-id: yes
  module-config: "validator iterator"
  trust-anchor: ". DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
  private-address: 10.0.0.0/8
  # the lines a user adds
  private-domain: "service"
  domain-insecure: "service"
  domain-insecure: "10.in-addr.arpa"
  local-zone: "10.in-addr.arpa." nodefault
stub-zone:
  name: "service"
  stub-addr: 127.0.0.1@{primary}
stub-zone:
  name: "10.in-addr.arpa"
  stub-addr: 127.0.0.1@{primary}
"""

NAMED = """
options {{ %s recursion yes; dnssec-validation auto;
  // the lines a user adds
  validate-except {{ "service"; "10.in-addr.arpa"; }}; }};
controls {{ }};
zone "service" {{ type forward; forward only; forwarders {{ 127.0.0.1 port {primary}; }}; }};
zone "10.in-addr.arpa" {{ type forward; forward only; forwarders {{ 127.0.0.1 port {primary}; }}; }};
"""


DNSMASQ_LINES = """
stop-dns-rebind
bogus-priv
# the lines a user adds
server=/service/127.0.0.1#{primary}
rebind-domain-ok=/service/
rev-server=10.0.0.0/8,127.0.0.1#{primary}
"""


def dnsmasq(work: Path, port: int, primary: int) -> list[str]:
    (work / "dnsmasq.conf").write_text((DNSMASQ + DNSMASQ_LINES).format(work=work, port=port, primary=primary))
    return ["dnsmasq", "--keep-in-foreground", f"--conf-file={work}/dnsmasq.conf"]


def unbound(work: Path, port: int, primary: int) -> list[str]:
    (work / "unbound.conf").write_text((UNBOUND + UNBOUND_LINES).format(work=work, port=port, primary=primary))
    return ["unbound", "-d", "-c", str(work / "unbound.conf")]


def named(work: Path, port: int, primary: int) -> list[str]:
    (work / "named.conf").write_text((NAMED % NAMED_OPTIONS).format(work=work, port=port, primary=primary))
    return ["named", "-g", "-n", "1", "-c", str(work / "named.conf")]


def rrset(name: str, rtype: str, *data: str, origin: bytes = ORIGIN, ttl: int = 2) -> RRset:
    number = type_from_text(rtype)
    return RRset(from_text(name, origin), number, ttl, tuple(parse_rdata(number, text, origin) for text in data))


def zones() -> Zones:
    service = [
        rrset("@", "SOA", "ns1 host 1 3600 1800 86400 2"),
        rrset("@", "NS", "ns1"),
        rrset("ns1", "A", "127.0.0.1"),
    ]
    service += [rrset("web.ns3", "A", "10.0.0.1"), rrset("_http._tcp.web.ns3", "SRV", "0 0 80 web.ns3")]
    reverse = [rrset("@", "SOA", "ns1.service. host.service. 1 3600 1800 86400 2", origin=REVERSE)]
    reverse += [
        rrset("@", "NS", "ns1.service.", origin=REVERSE),
        rrset("1.0.0", "PTR", "web.ns3.service.", origin=REVERSE),
    ]
    return Zones.of([Zone.build(ORIGIN, service), Zone.build(REVERSE, reverse)])


class Forwarder:
    """A running forwarder, asked the way a stub asks: recursion desired, no EDNS."""

    def __init__(self, port: int, log: Path) -> None:
        self.port, self.log = port, log

    def ask(self, name: str, rtype: str = "A") -> tuple[str, list[str]]:
        query = dns.message.make_query(name, rtype)
        try:
            reply = dns.query.udp(query, "127.0.0.1", 2, self.port)
        except (dns.exception.Timeout, OSError):
            return "TIMEOUT", []
        return dns.rcode.to_text(reply.rcode()), [rdata.to_text() for rrset in reply.answer for rdata in rrset]

    def wait(self, expected: tuple[str, list[str]], name: str, rtype: str = "A") -> None:
        deadline = time.monotonic() + DEADLINE
        while (found := self.ask(name, rtype)) != expected:
            assert time.monotonic() < deadline, (found, self.log.read_text()[-3000:])
            time.sleep(0.1)


@pytest.fixture(params=[dnsmasq, unbound, named], ids=lambda make: make.__name__)
def pair(request, tmp_path):
    """Our server and a forwarder in front of it."""
    require_tools(request.param.__name__)
    tmp_path.chmod(0o777)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    with running(zones(), processes=False, listen=[("127.0.0.1", 0)]) as here:
        command = request.param(tmp_path, port, here.address()[1])
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            forwarder = Forwarder(port, tmp_path / "log")
            forwarder.wait(("NOERROR", ["10.0.0.1"]), "web.ns3.service")
            yield here, forwarder
        finally:
            process.terminate()
            process.wait(10)


def test_a_forwarder_serves_the_zone_by_its_snippet(pair):
    _, forwarder = pair

    assert forwarder.ask("web.ns3.service", "AAAA") == ("NOERROR", [])
    assert forwarder.ask("web.ns3.service", "HTTPS") == ("NOERROR", [])
    assert forwarder.ask("web.ns3.service") == ("NOERROR", ["10.0.0.1"])
    assert forwarder.ask("ns3.service") == ("NOERROR", [])
    assert forwarder.ask("_http._tcp.web.ns3.service", "SRV") == ("NOERROR", ["0 0 80 web.ns3.service."])
    assert forwarder.ask("nobody.ns3.service") == ("NXDOMAIN", [])
    assert forwarder.ask("1.0.0.10.in-addr.arpa", "PTR") == ("NOERROR", ["web.ns3.service."])


def test_a_forwarder_follows_new_changed_and_removed_names_within_the_ttl(pair):
    here, forwarder = pair
    assert forwarder.ask("new.ns3.service")[0] == "NXDOMAIN"

    here.publish(
        ChangeZone(ORIGIN, (rrset("new.ns3", "A", "10.0.0.7"), rrset("web.ns3", "A", "10.0.0.8")), 2), revision=2
    )
    forwarder.wait(("NOERROR", ["10.0.0.7"]), "new.ns3.service")
    forwarder.wait(("NOERROR", ["10.0.0.8"]), "web.ns3.service")
    here.publish(ChangeZone(ORIGIN, (rrset("new.ns3", "A"),), 3), revision=3)

    forwarder.wait(("NXDOMAIN", []), "new.ns3.service")


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
