"""Octets in the generic form of RFC 3597: of a type that is known they are read whole, and refused where they are none."""

import pytest

from suite.dns.name import from_text
from suite.dns.rdata import RdataError, parse_rdata
from suite.dns.rrtype import type_from_text
from suite.dns.zonefile import read

SERVICE = from_text("service.")


@pytest.mark.parametrize(
    ("rtype", "text", "fault"),
    [
        ("A", "\\# 3 0a0000", "cut short"),
        ("A", "\\# 5 0a00000101", "1 octets are too much"),
        ("MX", "\\# 2 000a", "a name is missing"),
        ("CNAME", "\\# 1 05", "a name runs over the end"),
        ("NS", "\\# 2 c00c", "does not point back"),
        ("RP", "\\# 5 016100c000", "compressed"),
        ("NS", "\\# 0", "a name is missing"),
        ("CNAME", f"\\# 257 {'0161' * 128}00", "longer than 255 octets"),
        ("PTR", "\\# 2 4000", "label type 01 or 10"),
        ("SOA", "\\# 4 0000ffff", "cut short"),
        ("TXT", "\\# 1 05", "cut short"),
        ("TXT", "\\# 0", "cut short"),
        ("HTTPS", "\\# 5 0001000003", "cut short or out of order"),
        ("SVCB", "\\# 10 00010000030003000000", "port"),
        ("CAA", "\\# 3 000120", "no CAA record"),
        ("TYPE1", "\\# 3 0a0000", "no A record"),
    ],
)
def test_octets_that_are_no_such_record_are_refused(rtype: str, text: str, fault: str) -> None:
    with pytest.raises(RdataError, match=fault):
        parse_rdata(type_from_text(rtype), text)


@pytest.mark.parametrize(
    ("rtype", "text"), [("A", "\\# 4 0a000001"), ("MX", "\\# 5 000a016100"), ("TXT", "\\# 2 0161")]
)
def test_octets_that_are_one_are_taken(rtype: str, text: str) -> None:
    assert parse_rdata(type_from_text(rtype), text).hex() == text.rsplit(maxsplit=1)[-1]


def test_the_line_of_a_malformed_record_is_named() -> None:
    (refused,) = read("ok A 192.0.2.1\nbad MX \\# 2 000a\n", SERVICE).refused

    assert (refused.line, refused.reason) == (2, "MX \\# 2 000a: these octets are no MX record: a name is missing")
