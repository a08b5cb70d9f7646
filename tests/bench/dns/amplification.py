"""How much larger each kind of UDP answer is than its question: the table of docs/dns.md, which a test compares.

    python tests/bench/dns/amplification.py

A forged sender gets what the question's author wants others to get; the factor is what the author gains. Octets are
those of the DNS messages; 28 (IPv4) or 48 (IPv6) more stand before both on the wire and make every factor smaller. The
answers come from the reference that the ready-made ones are proved equal to.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

sys.path[:0] = [str(Path(__file__).resolve().parents[3])]

from suite.dns import edns, rrtype
from suite.dns.catalogue import Zones
from suite.dns.message import HEADER
from suite.dns.name import from_text
from suite.dns.ratelimit import slipped
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.settings import Context, Settings
from suite.dns.wire import respond
from suite.dns.zone import Zone

ORIGIN = from_text("service.")
CLIENT, NOW = bytes([192, 0, 2, 1]), 1_700_000_000
SETTINGS = Settings(cookie_secrets=(bytes(16),), identity=b"rack1", version=b"")
REASON = "no address: pool default has no free address; it has 254 addresses and all of them are leased"


def rrset(owner: str, rtype: str, *data: str) -> RRset:
    number = rrtype.type_from_text(rtype)
    return RRset(from_text(owner, ORIGIN), number, 30, tuple(parse_rdata(number, each, ORIGIN) for each in data))


ZONE = Zone.build(
    ORIGIN,
    [
        rrset("@", "SOA", "ns hostmaster 1795356800 60 10 80 5"),
        rrset("@", "NS", "ns"),
        rrset("ns", "A", "192.168.1.53"),
        rrset("ns", "AAAA", "fd00::53"),
        rrset("coffee.default", "A", "10.0.42.1"),
        rrset("_http._tcp.coffee.default", "SRV", "0 100 80 coffee.default"),
        rrset("tea.default", "TXT", f'"{REASON}"'),
        rrset("shop", "CNAME", "coffee.default"),
        rrset("*.coffee.default", "A", "10.0.42.1"),
        rrset("@", "MX", "10 coffee.default"),
        rrset("h3", "HTTPS", "1 coffee.default alpn=h2,h3"),
        rrset("sub", "NS", "ns1.sub", "ns2.sub"),
        rrset("ns1.sub", "A", "192.0.2.1"),
        rrset("ns2.sub", "A", "192.0.2.2"),
        rrset("twenty.default", "A", *(f"10.0.42.{number}" for number in range(1, 21))),
        rrset("moved", "DNAME", "default"),
        rrset("away", "DNAME", ".".join("x" * 60 for _ in range(4))),
        rrset("issuer", "CAA", '0 issue "ca.example"'),
        rrset("words", "TXT", " ".join(f'"{"x" * 255}"' for _ in range(4))),
        replace(rrset("rented", "A", "10.0.42.2"), leased=True),
        rrset("hundred.default", "A", *(f"10.0.42.{number}" for number in range(1, 101))),
    ],
    {from_text("tea.default.service."): REASON},
)
REVERSE_ORIGIN = from_text("42.0.10.in-addr.arpa.")
REVERSE = Zone.build(
    REVERSE_ORIGIN,
    [
        rrset("42.0.10.in-addr.arpa.", "SOA", "ns hostmaster 1795356800 60 10 80 5"),
        rrset("1.42.0.10.in-addr.arpa.", "PTR", "coffee.default"),
    ],
)
READY, WAITING = Zones.of([ZONE, REVERSE]), Zones()
STALE = Zones.of([ZONE], stale=True)


class Row(NamedTuple):
    """One kind of question."""

    what: str
    name: str
    rtype: str
    zones: Zones = READY
    rclass: int = rrtype.IN
    options: bytes = b""
    version: int = 0
    opcode: int = rrtype.QUERY
    questions: int = 1


ROWS = (
    Row("A, one address", "coffee.default.service", "A"),
    Row("A, twenty addresses", "twenty.default.service", "A"),
    Row("A, a hundred addresses (truncated)", "hundred.default.service", "A"),
    Row("AAAA that is not there (NODATA)", "coffee.default.service", "AAAA"),
    Row("no such name (NXDOMAIN)", "nobody.default.service", "A"),
    Row("no address, with the reason", "tea.default.service", "A"),
    Row("TXT with the reason", "tea.default.service", "TXT"),
    Row("SRV with its address", "_http._tcp.coffee.default.service", "SRV"),
    Row("CNAME and what it leads to", "shop.service", "A"),
    Row("below a wildcard", "x.coffee.default.service", "A"),
    Row("PTR", "1.42.0.10.in-addr.arpa", "PTR"),
    Row("PTR of a free address (NXDOMAIN)", "9.42.0.10.in-addr.arpa", "PTR"),
    Row("DNAME, the CNAME it makes and what that leads to", "coffee.moved.service", "A"),
    Row("DNAME that makes a name too long (YXDOMAIN)", "a-label.away.service", "A"),
    Row("only names below it (NODATA)", "default.service", "A"),
    Row("MX with its address", "service", "MX"),
    Row("HTTPS with its address", "h3.service", "HTTPS"),
    Row("NS with its addresses", "service", "NS"),
    Row("CAA", "issuer.service", "CAA"),
    Row("static TXT of 1,020 octets (truncated without EDNS)", "words.service", "TXT"),
    Row("SOA", "service", "SOA"),
    Row("ANY (RFC 8482)", "service", "ANY"),
    Row("referral with glue", "x.sub.service", "A"),
    Row("not ours (REFUSED)", "example.com", "A"),
    Row("before the first snapshot (SERVFAIL)", "coffee.default.service", "A", WAITING),
    Row("source out of reach too long (SERVFAIL)", "rented.service", "A", STALE),
    Row("EDNS version 1 (BADVERS)", "coffee.default.service", "A", version=1),
    Row("two questions announced (FORMERR)", "coffee.default.service", "A", questions=2),
    Row("UPDATE (NOTIMP)", "service", "SOA", opcode=5),
    Row("NOTIFY (REFUSED)", "service", "SOA", opcode=rrtype.NOTIFY),
    Row("AXFR over UDP (REFUSED)", "service", "AXFR"),
    Row("IXFR over UDP: the SOA", "service", "IXFR"),
    Row("A with NSID and a new cookie", "coffee.default.service", "A", options=edns.option(3, b"") + edns.option(10, bytes(8))),
    Row("who are you (CH TXT id.server)", "id.server", "TXT", rclass=rrtype.CH),
)  # fmt: skip


def question(row: Row, *, has_edns: bool) -> bytes:
    opt = edns.record(4096, 0, dnssec_ok=True, options=row.options) if has_edns else b""
    opt = opt[:6] + bytes([row.version]) + opt[7:] if opt else b""
    head = HEADER.pack(1, 0x0100 | row.opcode << 11, row.questions, 0, 0, int(has_edns))
    return (
        head + from_text(f"{row.name}.") + rrtype.type_from_text(row.rtype).to_bytes(2) + row.rclass.to_bytes(2) + opt
    )


def sizes(row: Row, *, has_edns: bool) -> tuple[int, int]:
    """Octets of the question and of its answer."""
    asked = question(row, has_edns=has_edns)
    return len(asked), len(respond(row.zones, asked, Context(SETTINGS, CLIENT, NOW)) or b"")


def needs_edns(row: Row) -> bool:
    """Whether the question is none without an OPT record."""
    return bool(row.options or row.version)


def above_the_rate(*, has_edns: bool) -> tuple[int, int]:
    """What a network above its rate gets: every second answer, truncated."""
    asked = question(ROWS[0], has_edns=has_edns)
    return len(asked), len(slipped(asked, respond(READY, asked, Context(SETTINGS, CLIENT, NOW)) or b""))


def table() -> str:
    """The table in Markdown."""
    lines = ["| answer | without EDNS | factor | with EDNS and DO | factor |", "|---|---|---|---|---|"]
    rows = [(row.what, sizes(row, has_edns=False), sizes(row, has_edns=True)) for row in ROWS if not needs_edns(row)]
    rows += [(row.what, (0, 0), sizes(row, has_edns=True)) for row in ROWS if needs_edns(row)]
    rows.append(
        ("above the rate: one in two, truncated", above_the_rate(has_edns=False), above_the_rate(has_edns=True))
    )
    return (
        "\n".join([*lines, *(f"| {what} | {_cells(*plain)} | {_cells(*full)} |" for what, plain, full in rows)]) + "\n"
    )


def _cells(asked: int, answered: int) -> str:
    return f"{asked} -> {answered} | {answered / asked:.1f}" if asked else "- | -"


if __name__ == "__main__":
    print(table(), end="")
