"""Packets made to cost much: replies stay within their limit, and reading a packet within its size."""

from __future__ import annotations

import struct
import sys

import pytest

from suite.dns import message, name
from suite.dns.catalogue import Zones
from suite.dns.settings import Context, Settings
from suite.dns.wire import respond

LONGEST = (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"a" * 61 + b"\0"
FORMERR, NOTAUTH = 1, 9


def ask(packet: bytes, *, tcp: bool = False, settings: Settings | None = None) -> bytes:
    context = Context(settings or Settings(), b"\x7f\0\0\1", 1_700_000_000, tcp=tcp)
    reply = respond(Zones.of([]), packet, context)
    assert reply is not None
    return reply


def signed(algorithm: bytes) -> bytes:
    """A question of 255 octets, signed by a key of the same name that nobody knows."""
    data = algorithm + struct.pack("!HIHHHHH", 0, 0, 300, 0, 0x1234, 0, 0)
    question = LONGEST + b"\0\1\0\1"
    record = b"\xc0\x0c" + struct.pack("!HHIH", 250, 255, 0, len(data)) + data
    return struct.pack("!HHHHHH", 0x1234, 0, 1, 0, 0, 1) + question + record


def test_a_query_with_more_records_than_any_needs_is_malformed():
    record = b"\0" + struct.pack("!HHIH", 1, 1, 0, 0)
    packets = [
        struct.pack("!HHHHHH", 1, 0, 1, count // 2, 0, count - count // 2) + b"\0\0\1\0\1" + record * count
        for count in (64, 65)
    ]

    assert [ask(packet, tcp=True)[3] & 0xF == FORMERR for packet in packets] == [False, True]


def pointers(hops: int, records: int) -> bytes:
    """A chain of compression pointers inside one record's data, and many records whose owners point at its end."""
    chain, last = b"", 4  # the first points at a zero in the header
    for hop in range(hops):
        chain += struct.pack("!H", 0xC000 | last)
        last = 28 + 2 * hop
    first = b"\0" + struct.pack("!HHIH", 1, 1, 0, len(chain)) + chain
    others = struct.pack("!HHHIH", 0xC000 | last, 1, 1, 0, 0) * records
    return struct.pack("!HHHHHH", 0x1234, 0, 1, 0, 0, 1 + records) + b"\0\0\1\0\1" + first + others


def test_an_algorithm_that_is_no_name_is_a_malformed_packet():
    assert ask(signed((b"\xff" + b"x" * 255) * 3 + b"\0"))[3] & 0xF == FORMERR


def test_a_reply_that_cannot_be_made_small_enough_is_a_header_that_sends_to_tcp():
    reply = ask(signed(LONGEST))

    assert (len(reply), reply[3] & 0xF, bool(reply[2] & 2)) == (12, NOTAUTH, True)


def test_the_same_over_tcp_is_told_whole():
    assert len(ask(signed(LONGEST), tcp=True)) > 512


@pytest.mark.parametrize("size", [512, 1232])
def test_options_never_push_a_reply_over_the_size_of_the_asker(size):
    options = struct.pack("!HH", 3, 0) + struct.pack("!HH", 10, 8) + b"c" * 8
    opt = struct.pack("!BHHIH", 0, 41, size, 0, len(options)) + options
    packet = struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 1) + LONGEST + b"\0\1\0\1" + opt
    settings = Settings(identity=b"n" * 255, cookie_secrets=(b"s" * 16,))

    assert len(ask(packet, settings=settings)) <= size


def test_names_of_one_packet_are_read_in_as_many_steps_as_it_has_octets():
    packet, steps = pointers(hops=800, records=60), 0

    def count(frame, event, _):
        nonlocal steps
        steps += event == "line"
        return count if frame.f_code is name.read.__code__ else None

    sys.settrace(count)
    try:
        query = message.parse(packet)
    finally:
        sys.settrace(None)

    assert {record.owner for record in query.additional} == {b"\0"}
    assert steps < 20 * len(packet)


def test_a_name_that_was_read_before_is_the_same_from_the_dict():
    packet = b"\3www\7example\0" + b"\1a\xc0\4" + b"\1b\xc0\x0d" + b"\xc0\x11"
    known: dict[int, bytes] = {}

    found = [name.read(packet, at, known) for at in (13, 17, 21)]

    assert found == [name.read(packet, at) for at in (13, 17, 21)]
    assert found[2] == (b"\1b\1a\7example\0", 23)
