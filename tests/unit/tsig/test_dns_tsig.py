"""TSIG (RFC 8945), row by row of its section 5, with dnspython as the other end."""

from __future__ import annotations

import time

import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import pytest

from suite.dns import tsig
from suite.dns.catalogue import Zones
from suite.dns.name import from_text
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.settings import Context, Key, Settings
from suite.dns.wire import respond
from suite.dns.zone import Zone

SECRET = b"a secret of thirty-two octets ok"
ORIGIN = from_text("service.")
ZONES = Zones.of([Zone.build(ORIGIN, [RRset(ORIGIN, 6, 30, (parse_rdata(6, "ns.service. host.service. 1 2 3 4 5"),))])])
KEYS = tuple(Key(from_text(f"{text}."), text, SECRET) for text in tsig.ALGORITHMS)
SETTINGS = Settings(keys=KEYS)


def now() -> int:
    """Dnspython signs by the clock, so the tests go by it too; a long run must not age what was read at its start."""
    return int(time.time())


def signed(name: str = "hmac-sha256.", algorithm: str = "hmac-sha256", secret: bytes = SECRET) -> dns.message.Message:
    query = dns.message.make_query("service.", "SOA", id=0x1234)
    query.use_tsig(dns.tsig.Key(name, secret, algorithm), name)
    return query


def ask(packet: bytes, at: int | None = None) -> dns.message.Message:
    """Ask and read the reply without checking its signature."""
    reply = respond(ZONES, packet, Context(SETTINGS, b"\x7f\0\0\1", now() if at is None else at))
    assert reply is not None
    return dns.message.from_wire(reply, keyring=False)


def tsig_of(packet: bytes, at: int | None = None):
    """The TSIG record of the reply."""
    return ask(packet, at).tsig[0]


@pytest.mark.parametrize("algorithm", sorted(tsig.ALGORITHMS))
def test_a_good_signature_is_answered_with_one_that_verifies(algorithm):
    query = signed(algorithm + ".", algorithm)
    packet = query.to_wire()

    reply = respond(ZONES, packet, Context(SETTINGS, b"\x7f\0\0\1", now()))

    read = dns.message.from_wire(reply, keyring=query.keyring, request_mac=query.mac)
    assert (read.had_tsig, read.rcode(), len(read.answer)) == (True, dns.rcode.NOERROR, 1)


def test_the_name_of_a_key_has_no_case():
    packet = signed("HMAC-sha256.").to_wire()

    assert ask(packet).rcode() == dns.rcode.NOERROR


def test_an_unknown_key_is_badkey_without_a_mac():
    found = tsig_of(signed("stranger.").to_wire())

    assert (found.error, found.mac) == (17, b"")


def test_an_algorithm_the_key_is_not_for_is_badkey():
    found = tsig_of(signed("hmac-sha256.", "hmac-sha512").to_wire())

    assert (found.error, found.mac) == (17, b"")


def test_a_wrong_secret_is_badsig_without_a_mac():
    packet = signed(secret=b"another secret of thirty-two oct").to_wire()

    assert (ask(packet).rcode(), tsig_of(packet).error, tsig_of(packet).mac) == (9, 16, b"")


@pytest.mark.parametrize("late", [310, -310])
def test_a_clock_too_far_off_is_badtime_signed_and_tells_ours(late):
    at = now() + late
    found = tsig_of(signed().to_wire(), at)

    assert (found.error, len(found.mac), found.other) == (18, 32, at.to_bytes(6))


@pytest.mark.parametrize("late", [290, -290])
def test_a_clock_within_the_fudge_is_good(late):
    assert ask(signed().to_wire(), now() + late).rcode() == dns.rcode.NOERROR


def test_a_changed_packet_is_badsig():
    packet = bytearray(signed().to_wire())
    packet[13] ^= 0x20

    assert tsig_of(bytes(packet)).error == 16


def test_the_original_id_counts_when_a_forwarder_changed_it():
    packet = b"\x43\x21" + signed().to_wire()[2:]

    reply = ask(packet)

    assert (reply.id, reply.rcode()) == (0x4321, dns.rcode.NOERROR)


def truncated_mac(size: int) -> bytes:
    """A request whose MAC was cut to so many octets."""
    packet = signed().to_wire()
    at = packet.rindex(b"\x01\x2c\x00\x20") + 2
    length = int.from_bytes(packet[at - 25 - 2 - 8 : at - 25 - 6]) if size < 0 else 0
    cut = packet[:at] + size.to_bytes(2) + packet[at + 2 : at + 2 + size] + packet[at + 34 :]
    rdlength = cut.rindex(b"\x00\xfa\x00\xff\x00\x00\x00\x00") + 8
    new = int.from_bytes(cut[rdlength : rdlength + 2]) - (32 - size) + length
    return cut[:rdlength] + new.to_bytes(2) + cut[rdlength + 2 :]


def test_a_mac_shorter_than_half_is_formerr():
    assert ask(truncated_mac(15)).rcode() == dns.rcode.FORMERR


def test_a_truncated_mac_is_badtrunc():
    assert tsig_of(truncated_mac(16)).error == 22


def test_a_signed_reply_leaves_room_for_its_signature_below_the_limit():
    rrsets = [
        RRset(ORIGIN, 6, 30, (parse_rdata(6, "ns.service. host.service. 1 2 3 4 5"),)),
        RRset(from_text("many.service."), 1, 30, tuple(bytes([10, 0, 0, n]) for n in range(26))),
    ]
    query = dns.message.make_query("many.service.", "A", id=0x1234)
    query.use_tsig(dns.tsig.Key("hmac-sha256.", SECRET, "hmac-sha256"), "hmac-sha256.")

    reply = respond(Zones.of([Zone.build(ORIGIN, rrsets)]), query.to_wire(), Context(SETTINGS, b"", now()))

    assert (len(reply) <= 512, dns.message.from_wire(reply, keyring=False).flags & 0x0200) == (True, 0x0200)
