"""Data that are none of their type, should a zone hold any: their question fails, and nothing else does."""

from __future__ import annotations

import dns.message
import dns.rcode
import pytest

from suite.dns import rrtype
from suite.dns.catalogue import Zones
from suite.dns.fastpath import Compiled
from suite.dns.feed import ReplaceZone, SetState
from suite.dns.name import from_text
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.settings import Settings, Transfers
from suite.dns.zone import Zone

ORIGIN = from_text("service.")
CLIENT = b"\x0a\1\2\3"


def stored(name: str, rtype: int, data: bytes) -> RRset:
    return RRset(from_text(name, ORIGIN), rtype, 30, (data,))


def serving(transport: str, log: list[str]) -> Compiled:
    soa = parse_rdata(rrtype.SOA, "ns host 1 2 3 4 5", ORIGIN)
    held = [
        stored("@", rrtype.SOA, soa), stored("@", rrtype.NS, b"\2ns" + ORIGIN), stored("fine", rrtype.A, b"\x0a\0\0\1"),
        stored("mail", rrtype.MX, b"\0\x0a"), stored("alias", rrtype.CNAME, b"\5"), stored("full", 65280, bytes(65_500)),
    ]  # fmt: skip
    transfers = Transfers(networks=((b"\x0a\0\0\0", 8),))
    compiled = Compiled(Zones(), Settings(transfers=transfers), lambda: 1, transport, log=log.append)
    compiled.apply([ReplaceZone(Zone.build(ORIGIN, held)), SetState(ready=True, stale=False)])
    return compiled


def question(name: str, rtype: str) -> bytes:
    return dns.message.make_query(name + ".service.", rtype, id=1).to_wire()


@pytest.mark.parametrize(("name", "rtype"), [("mail", "MX"), ("alias", "CNAME"), ("alias", "A"), ("mail", "ANY")])
def test_the_question_gets_servfail_over_udp(name, rtype):
    reply = dns.message.from_wire(serving("udp", []).full(question(name, rtype), CLIENT))

    assert (reply.rcode(), len(reply.question)) == (dns.rcode.SERVFAIL, 1)


@pytest.mark.parametrize(("name", "rtype"), [("mail", "MX"), ("alias", "A"), ("mail", "ANY")])
def test_the_question_gets_servfail_over_tcp(name, rtype):
    (octets,) = serving("tcp", []).converse(question(name, rtype), CLIENT)

    assert dns.message.from_wire(octets).rcode() == dns.rcode.SERVFAIL


def test_it_is_counted_each_time_and_logged_once():
    log: list[str] = []
    server = serving("udp", log)
    for _ in range(3):
        server.full(question("mail", "MX"), CLIENT)

    assert server.report()["udp MX SERVFAIL"] == 3
    assert log == ["cannot answer mail.service. MX: its data are malformed (index out of range)\n"]


def test_a_transfer_has_everything_else():
    query = dns.message.make_query("service.", "AXFR", id=1).to_wire()
    messages = [dns.message.from_wire(octets, xfr=True) for octets in serving("tcp", []).converse(query, CLIENT)]

    names = [str(rrset.name) for message in messages for rrset in message.answer]
    assert names == ["service.", "service.", "fine.service.", "service."]
