"""Compiled answers equal the reference, whatever is asked and whatever changes in between."""

from __future__ import annotations

import dns.message
from chances import chances
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.dns import rrtype
from suite.dns.catalogue import Zones
from suite.dns.fastpath import Compiled
from suite.dns.feed import ChangeZone, Pieces, RemoveZone, ReplaceZone, SetState, apply, decode, frames, lean
from suite.dns.name import from_text
from suite.dns.rdata import parse_rdata
from suite.dns.ready import COUNTER_AT
from suite.dns.rrset import RRset
from suite.dns.settings import Context, Settings
from suite.dns.wire import respond
from suite.dns.zone import Zone

ORIGIN = from_text("service.")
NAMES = ["a", "b.a", "c.b.a", "*.a", "x", "*.x", "y.x", "ns1", "SRV.b", "e.f.g"]
ASKED = [*NAMES, "d.a", "z.y.x", "q.x", "f.g", "g", "missing", "deep.missing", "", "w.ns1"]
DATA = {
    rrtype.A: ["10.0.0.1", "10.0.0.2"],
    rrtype.TXT: ["one", "two"],
    rrtype.CNAME: ["a.service.", "q.x.service.", "elsewhere.example."],
    rrtype.SRV: ["0 0 80 a.service."],
    rrtype.NS: ["ns1.service."],
    rrtype.DNAME: ["a.service."],
}
CONFIGURED = Settings(cookie_secrets=(bytes(16),))
NOW = 1_700_000_000
CLIENT = b"\x7f\0\0\1"
SOA = RRset(ORIGIN, rrtype.SOA, 30, (parse_rdata(rrtype.SOA, "ns1.service. host.service. 1 2 3 4 5"),))

changes = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(sorted(DATA)), st.integers(0, 2), st.booleans()), max_size=3
)
opts = st.sampled_from(
    [
        b"",
        bytes.fromhex("00002904d0000000000000"),
        bytes.fromhex("000029100000008000000000")[:11],
        bytes.fromhex("00002904d0000080000000"),
        bytes.fromhex("0000290200000000000000"),
        bytes.fromhex("00002904d000000000000c000a00080102030405060708"),
        bytes.fromhex("00002904d0000100000000"),
        bytes.fromhex("00002904d000000000000400030000"),
    ]
)
questions = st.tuples(
    st.sampled_from(ASKED),
    st.sampled_from([1, 2, 5, 6, 16, 28, 33, 65, 97, 255, 252]),
    st.booleans(),
    st.booleans(),
    opts,
)


def _set(name: str, rtype: int, which: int, is_leased: bool) -> RRset:
    texts = DATA[rtype][which : which + 1]
    return RRset(from_text(name, ORIGIN), rtype, 30, tuple(parse_rdata(rtype, text) for text in texts), is_leased)


def _packet(name: str, qtype: int, is_upper: bool, has_rd: bool, opt: bytes) -> bytes:
    qname = from_text(name.upper() if is_upper else name, ORIGIN) if name else ORIGIN
    head = b"\x12\x34" + (b"\1\0" if has_rd else b"\0\0") + b"\0\1\0\0\0\0\0" + bytes([bool(opt)])
    return head + qname + qtype.to_bytes(2) + b"\0\1" + opt


def _read(reply: bytes | None) -> object:
    """A reply without regard to how its names were compressed."""
    assert reply is not None
    message = dns.message.from_wire(reply)
    sections = [
        sorted(line.lower() for rrset in part for line in rrset.to_text().splitlines()) for part in message.sections[1:]
    ]
    return reply[:4], reply[12 : reply.index(0, 12)], sections, message.opt and (message.opt.ttl, message.opt.to_text())


def _ask(compiled: Compiled, packet: bytes) -> bytes | None:
    return compiled.full(packet, CLIENT)


@settings(max_examples=chances(50), deadline=None)
@given(st.lists(st.tuples(changes, st.booleans(), st.lists(questions, min_size=1, max_size=8)), min_size=1, max_size=6))
def test_a_compiled_answer_is_the_reference_answer_through_all_changes(turns):
    zones = Zones.of([Zone.build(ORIGIN, [SOA])])
    compiled = Compiled(zones, CONFIGURED, lambda: NOW)
    for serial, (news, is_stale, asked) in enumerate(turns, 2):
        updates = [ChangeZone(ORIGIN, tuple(_set(*new) for new in news), serial), SetState(ready=True, stale=is_stale)]
        updates = updates if serial % 3 == 0 else updates[:1]
        try:
            zones = apply(zones, updates)
        except ValueError:
            continue
        compiled.apply(updates)
        for question in asked * 2:
            packet = _packet(*question)

            expected = respond(zones, packet, Context(CONFIGURED, CLIENT, NOW))

            card = compiled.varied(packet[2:], CLIENT)
            found = _ask(compiled, packet)
            assert found == expected or _read(found) == _read(expected)
            assert card is None or packet[:2] + card[2 : card[COUNTER_AT + 1]] == found


@given(st.lists(st.tuples(changes), min_size=1, max_size=8))
@settings(deadline=None)
def test_a_zone_changed_step_by_step_is_the_zone_built_at_once(turns):
    zone = Zone.build(ORIGIN, [SOA])
    for (news,) in turns:
        try:
            zone = zone.with_changes([_set(*new) for new in news], 7)
        except ValueError:
            continue

    built = Zone.build(ORIGIN, zone.rrsets())

    assert (dict(built.nodes.items()), built.cuts) == (dict(zone.nodes.items()), zone.cuts)


@given(changes, changes)
@settings(deadline=None)
def test_a_replaced_zone_said_in_changes_is_the_same_zone(first, second):
    try:
        old, new = (
            Zone.build(ORIGIN, [SOA]).with_changes([_set(*each) for each in news], 7) for news in (first, second)
        )
    except ValueError:
        return
    new = new.with_changes([], 9, {b"\1x\7service\0": "a note"})
    zones, updates = Zones.of([old]), [ReplaceZone(new), SetState(ready=True, stale=False)]

    found = apply(zones, lean(zones, updates)).by_origin[ORIGIN]

    assert dict(found.notes.items()) == dict(new.notes.items())
    assert sorted(map(repr, found.rrsets())) == sorted(map(repr, new.rrsets()))


@given(changes, st.integers(1, 9))
@settings(deadline=None)
def test_a_zone_arrives_whole_in_pieces_of_any_size(news, piece):
    try:
        zone = Zone.build(ORIGIN, [SOA]).with_changes([_set(*each) for each in news], 7, {b"\1x\7service\0": "a note"})
    except ValueError:
        return
    *before, last = [decode(frame[4:]) for frame in frames(3, [ReplaceZone(zone), RemoveZone(b"\1x\0")], piece)]
    pieces = Pieces()

    for _, *fields in before:
        pieces.add(*fields)
    arrived, removed = pieces.unpack(last[2])

    assert (arrived.zone.origin, arrived.zone.cuts, removed) == (ORIGIN, zone.cuts, RemoveZone(b"\1x\0"))
    assert dict(arrived.zone.nodes.items()) == dict(zone.nodes.items())
    assert dict(arrived.zone.notes.items()) == dict(zone.notes.items())
