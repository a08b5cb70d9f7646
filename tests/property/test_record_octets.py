"""Any octets for any type: refused, or what dnspython reads is the same, and an answer with them can be written and read."""

from __future__ import annotations

import dns.message
import dns.rdata
import dns.rdataclass
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.dns import rrtype
from suite.dns.message import Writer
from suite.dns.name import from_text
from suite.dns.rdata import RdataError, check_rdata, format_rdata, parse_rdata

OWNER = from_text("a.service.")
WRITTEN = [
    rrtype.type_from_text(text)
    for text in [
        "A",
        "NS",
        "CNAME",
        "SOA",
        "PTR",
        "HINFO",
        "MX",
        "TXT",
        "RP",
        "AFSDB",
        "X25",
        "ISDN",
        "RT",
        "KEY",
        "PX",
        "AAAA",
        "SRV",
        "NAPTR",
        "KX",
        "CERT",
        "DNAME",
        "APL",
        "DS",
        "SSHFP",
        "DNSKEY",
        "DHCID",
        "TLSA",
        "SMIMEA",
        "HIP",
        "CDS",
        "CDNSKEY",
        "OPENPGPKEY",
        "ZONEMD",
        "SVCB",
        "HTTPS",
        "SPF",
        "NID",
        "L32",
        "L64",
        "LP",
        "EUI48",
        "EUI64",
        "URI",
        "CAA",
    ]
]
names = st.lists(st.binary(min_size=1, max_size=3), max_size=3).map(
    lambda each: b"".join(bytes([len(x)]) + x for x in each) + b"\0"
)
pieces = st.one_of(
    names, st.binary(max_size=6), st.integers(0, 20).map(lambda size: bytes([size]) + b"x" * size), st.just(b"\xc0\x0c")
)
octets = st.lists(pieces, max_size=5).map(b"".join)


@given(rtype=st.sampled_from(WRITTEN), data=octets)
def test_octets_are_refused_or_read_by_dnspython_and_answered_unchanged(rtype, data):
    try:
        check_rdata(rtype, data)
    except RdataError:
        return
    writer = Writer(OWNER, OWNER + rtype.to_bytes(2) + b"\0\1")
    writer.record(OWNER, rtype, rrtype.IN, 30, data)
    reply = dns.message.from_wire(writer.finish(1, 0x8400, (1, 1, 0, 0)))

    assert [rdata.to_wire() for rdata in reply.answer[0]] == [
        dns.rdata.from_wire("IN", rtype, data, 0, len(data)).to_wire()
    ]
    assert parse_rdata(rtype, format_rdata(rtype, data)) == data


@pytest.mark.parametrize("rtype", WRITTEN, ids=rrtype.type_to_text)
def test_no_octets_at_all_are_refused_or_read_by_dnspython(rtype):
    try:
        check_rdata(rtype, b"")
    except RdataError:
        return
    assert dns.rdata.from_wire(dns.rdataclass.IN, rtype, b"", 0, 0).to_wire() == b""
