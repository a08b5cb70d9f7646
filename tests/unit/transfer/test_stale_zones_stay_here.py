"""Nobody copies a zone whose leases may be out of date."""

import dns.message
import pytest

from suite.dns.catalogue import Zones
from suite.dns.fastpath import Compiled
from suite.dns.name import from_text
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.settings import Settings, Transfers
from suite.dns.zone import Zone

ORIGIN = from_text("service.")
SETTINGS = Settings(transfers=Transfers(networks=((b"\x7f\0\0\0", 8),)))


def answers(kind: str, transport: str, *, stale: bool) -> int:
    soa = RRset(ORIGIN, 6, 30, (parse_rdata(6, "ns.service. host.service. 5 2 3 4 5"),))
    compiled = Compiled(Zones.of([Zone.build(ORIGIN, [soa])], stale=stale), SETTINGS, lambda: 0, transport)
    packet = dns.message.make_query("service.", kind).to_wire()
    client = b"\x7f\0\0\1"
    reply = next(iter(compiled.converse(packet, client))) if transport == "tcp" else compiled.full(packet, client)
    return int(dns.message.from_wire(reply).rcode())


@pytest.mark.parametrize(("kind", "transport"), [("AXFR", "tcp"), ("IXFR", "tcp"), ("IXFR", "udp")])
def test_a_stale_zone_is_not_transferred(kind: str, transport: str) -> None:
    assert (answers(kind, transport, stale=False), answers(kind, transport, stale=True)) == (0, 2)
