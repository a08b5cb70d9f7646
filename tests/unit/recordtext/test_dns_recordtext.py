"""Record data and zone files between text and octets."""

from __future__ import annotations

import dns.rdata
import dns.rdataclass
import pytest

from suite.dns.name import from_text
from suite.dns.rdata import RdataError, format_rdata, parse_rdata
from suite.dns.rrtype import type_from_text, type_to_text
from suite.dns.zonefile import parse_ttl, read, write

ORIGIN = from_text("service.")
RECORDS = [
    ("A", "10.0.0.1"), ("AAAA", "2001:db8::1"), ("NS", "ns.service."), ("CNAME", "a.service."), ("PTR", "a.service."),
    ("SOA", "ns.service. host.service. 1 2 3 4 5"), ("MX", "10 a.service."), ("SRV", "0 5 80 a.service."),
    ("TXT", '"one" "two words" "\\"quoted\\"" "\\000\\255"'), ("HINFO", '"PC" "Linux"'), ("RP", "a.service. b.service."),
    ("NAPTR", '100 10 "u" "sip+E2U" "!^.*$!sip:info@example!" .'), ("DNAME", "a.service."), ("CAA", '0 issue "example.net"'),
    ("SSHFP", "4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"), ("TLSA", "3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
    ("DS", "1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"), ("DHCID", "AAIBY2/AuCccgoJbsaxcQc9TUapptP69"),
    ("URI", '10 1 "https://example.net/"'), ("SPF", '"v=spf1 -all"'), ("DNSKEY", "257 3 13 AwEAAQ=="),
    ("HTTPS", '1 . alpn="h2,h3" port="8443" ipv4hint="10.0.0.1" ipv6hint="2001:db8::1"'), ("SVCB", "0 a.service."),
    ("HTTPS", '1 a.service. mandatory="alpn" alpn="h2" no-default-alpn ech="AAQAAAAA" key65400="x"'),
    ("CERT", "PKIX 2 RSASHA256 AAAA"), ("APL", "1:10.0.0.0/8 !1:10.1.0.0/16 2:2001:db8::/32"), ("EUI48", "00-00-5e-00-53-2a"),
    ("EUI64", "00-00-5e-ef-10-00-00-2a"), ("HIP", "2 200100107b1a74df365639cc39f1d578 AwEAAQ== rvs.service. rvs2.service."),
    ("L32", "10 10.1.2.0"), ("L64", "10 2001:0db8:1140:1000"), ("NID", "10 0014:4fff:ff20:ee64"), ("LP", "10 l64.service."),
    ("PX", "1 a.service. b.service."), ("X25", '"311061700956"'), ("ISDN", '"150862028003217" "004"'), ("ISDN", '"150862028003217"'),
    ("RT", "10 a.service."), ("KEY", "256 3 8 AwEAAQ=="), ("TYPE65280", "\\# 3 00ff10"), ("LOC", "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m"),
]  # fmt: skip


@pytest.mark.parametrize(("rtype", "text"), RECORDS, ids=[f"{r}-{i}" for i, (r, _) in enumerate(RECORDS)])
def test_data_has_the_octets_that_dnspython_gives_it(rtype, text):
    number = type_from_text(rtype)
    theirs = dns.rdata.from_text(dns.rdataclass.IN, number, text).to_wire()

    ours = parse_rdata(number, text)

    assert ours == theirs


@pytest.mark.parametrize(("rtype", "text"), RECORDS, ids=[f"{r}-{i}" for i, (r, _) in enumerate(RECORDS)])
def test_data_written_out_is_read_back(rtype, text):
    number = type_from_text(rtype)
    octets = parse_rdata(number, text)

    assert parse_rdata(number, format_rdata(number, octets)) == octets


@pytest.mark.parametrize(
    ("rtype", "text"),
    [
        ("A", "10.0.0"), ("A", "10.0.0.1 2"), ("A", ""), ("AAAA", "10.0.0.1"), ("MX", "65536 a."), ("MX", "x a."), ("SRV", "1 2 3"),
        ("TXT", '"open'), ("TXT", "x" * 256), ("TXT", ""), ("SSHFP", "1 1 0g"), ("DHCID", "!"), ("A", "\\# 4 0a0000"), ("A", "\\# x"),
        ("HTTPS", "1 . alpn=h2 alpn=h3"), ("HTTPS", "1 . port=65536"), ("HTTPS", "1 . no-default-alpn"), ("HTTPS", "1 . mandatory=port"),
        ("CERT", "PKIX 2"), ("CERT", "NONE 2 3 AAAA"), ("APL", "3:10.0.0.0/8"), ("APL", "1:10.0.0.0/33"), ("APL", "10.0.0.0/8"),
        ("EUI48", "00-00-5e-00-53"), ("EUI64", "0-0-5e-0-53-2a-0-0"), ("HIP", "2 20010010"), ("HIP", "2 2001 !"), ("NID", "10 14:4fff:ff20"),
        ("NID", "10 :4fff:ff20:ee64"), ("L32", "10 x"), ("ISDN", '"1" "2" "3"'), ("HTTPS", "1 . key65535=x"), ("NS", "a..b."), ("TYPE65280", "0a"), ("TXT", "\\"), ("TXT", "\\256"), ("LOC", "nowhere"),
    ],
)  # fmt: skip
def test_text_that_is_no_such_data_is_refused(rtype, text):
    with pytest.raises(RdataError):
        parse_rdata(type_from_text(rtype), text)


@pytest.mark.parametrize("text", ["A", "TYPE1", "https", "TYPE65535", "CAA"])
def test_a_type_is_known_by_name_or_number(text):
    assert type_from_text(type_to_text(type_from_text(text))) == type_from_text(text)


@pytest.mark.parametrize("text", ["", "TYPE", "TYPE65536", "NONSENSE", "TYPE-1"])
def test_a_type_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="no record type"):
        type_from_text(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("3600", 3600), ("1h30m", 5400), ("1W", 604800), ("2d", 172800)]
)
def test_a_ttl_may_have_units(text, seconds):
    assert parse_ttl(text) == seconds


FILE = """\
$TTL 1h
; a comment
@ IN SOA ns host ( 1 2 ; serial, refresh
    3 4 5 )
        NS  ns
ns  60  IN  A   10.0.0.1
    IN  60  AAAA 2001:db8::1
$ORIGIN sub
a       TXT  "semi;colon" "paren("
b       A    10.0.0.2
b       A    10.0.0.3
b       A    10.0.0.2
"""


def test_a_zone_file_is_read_with_all_its_habits():
    reading = read(FILE, ORIGIN)

    assert reading.refused == ()
    assert list(write(reading.rrsets, ORIGIN)) == [
        "$ORIGIN service.",
        "@\t3600\tIN\tSOA\tns.service. host.service. 1 2 3 4 5",
        "@\t3600\tIN\tNS\tns.service.",
        "ns\t60\tIN\tA\t10.0.0.1",
        "ns\t60\tIN\tAAAA\t2001:db8::1",
        'a.sub\t3600\tIN\tTXT\t"semi;colon" "paren("',
        "b.sub\t3600\tIN\tA\t10.0.0.2",
        "b.sub\t3600\tIN\tA\t10.0.0.3",
    ]


def test_every_refused_line_is_named_and_the_others_are_read():
    text = "a A 10.0.0.1\nb A 10.0.0\n$INCLUDE other\nc CH A 10.0.0.1\nd.example. A 10.0.0.1\n  A 10.0.0.2\ne NONSENSE x\nf ANY x\ng A 10.0.0.3\n"

    reading = read(text, ORIGIN)

    assert [refused.line for refused in reading.refused] == [2, 3, 4, 5, 6, 7, 8]
    assert [rrset.name for rrset in reading.rrsets] == [from_text("a", ORIGIN), from_text("g", ORIGIN)]


def test_a_record_after_a_refused_owner_is_not_given_to_the_owner_before():
    reading = read("a A 10.0.0.1\nb..c A 10.0.0.2\n  A 10.0.0.3\n", ORIGIN)

    assert [(refused.line, len(reading.rrsets[0].rdatas)) for refused in reading.refused] == [(2, 1), (3, 1)]


def test_an_open_parenthesis_at_the_end_is_refused():
    reading = read("a A 10.0.0.1\nb TXT ( x\ny", ORIGIN)

    assert ([refused.line for refused in reading.refused], len(reading.rrsets)) == ([2], 1)


@pytest.mark.parametrize("odd", ["\u2028", "\u0085", "\f", "\v", "\u00a0"])
def test_only_a_line_feed_ends_a_line_and_only_blanks_part_words(odd):
    reading = read(f'a TXT "one{odd}two"\r\nb TXT one{odd}two\nc A 10.0.0\n', ORIGIN)

    assert [parse[1:] for rrset in reading.rrsets for parse in rrset.rdatas] == [f"one{odd}two".encode()] * 2
    assert [refused.line for refused in reading.refused] == [3]


@pytest.mark.parametrize("text", ["utfnam\u00e9 A 10.0.0.1", "x CNAME utfnam\u00e9", "$ORIGIN utfnam\u00e9"])
def test_a_name_in_other_letters_is_refused_with_what_to_write(text):
    (refused,) = read(text, ORIGIN).refused

    assert "write xn--utfnam-gva (RFC 5891), or utfnam\\195\\169 where these octets are meant" in refused.reason


def test_a_record_that_fits_into_no_answer_is_refused():
    strings = " ".join(["x" * 255] * 249)
    reading = read(f"a TXT {strings}\nb TXT {strings} {'x' * 250}\n", ORIGIN)

    assert [rrset.name for rrset in reading.rrsets] == [from_text("a", ORIGIN)]
    assert reading.refused[0].reason == "64007 octets of TXT records at one name; an answer has room for 64000"
