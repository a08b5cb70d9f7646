"""Zones: rules, empty non-terminals, changes that share what they do not touch."""

from __future__ import annotations

import pytest

from suite.dns import rrtype
from suite.dns.name import from_text
from suite.dns.nodes import head
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.zone import Zone, ZoneError

ORIGIN = from_text("service.")


def rrset(name: str, rtype: str, *data: str, ttl: int = 30) -> RRset:
    number = rrtype.type_from_text(rtype)
    return RRset(from_text(name, ORIGIN), number, ttl, tuple(parse_rdata(number, text, ORIGIN) for text in data))


SOA = rrset("@", "SOA", "ns host 1 2 3 4 5")


def zone(*more: RRset) -> Zone:
    return Zone.build(ORIGIN, [SOA, *more])


def exists(found: Zone, name: str) -> bool:
    return found.get(from_text(name, ORIGIN)) is not None


def test_what_lies_between_exists():
    built = zone(rrset("a.b.c", "A", "10.0.0.1"))

    assert [exists(built, name) for name in ("a.b.c", "b.c", "c", "x.c")] == [True, True, True, False]


def test_what_lies_between_ceases_with_the_last_name_below():
    built = zone(rrset("a.b.c", "A", "10.0.0.1"), rrset("z.c", "A", "10.0.0.2"))

    changed = built.with_changes([rrset("a.b.c", "A")])

    assert [exists(changed, name) for name in ("a.b.c", "b.c", "c")] == [False, False, True]


def test_a_name_that_loses_its_data_stays_while_something_is_below():
    built = zone(rrset("c", "A", "10.0.0.1"), rrset("a.c", "A", "10.0.0.2"))

    changed = built.with_changes([rrset("c", "A")])

    assert (exists(changed, "c"), changed.get(from_text("c", ORIGIN)).rrsets) == (True, ())


def test_a_change_leaves_the_old_version_as_it_was():
    built = zone(rrset("a", "A", "10.0.0.1"))

    built.with_changes([rrset("a", "A", "10.0.0.2")], 9)

    assert (built.serial, built.get(from_text("a", ORIGIN)).get(1).rdatas) == (1, (b"\x0a\0\0\1",))


def test_a_change_gives_the_serial_to_the_soa():
    assert zone().with_changes([], 2**32 + 7).serial == 7


def test_a_soa_in_the_changes_takes_the_serial_too():
    changed = zone().with_changes([rrset("@", "SOA", "ns2 host 1 9 9 9 9")], 12)

    assert (changed.serial, changed.soa.rdatas[0][:5]) == (12, b"\3ns2\7")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (rrset("a", "CNAME", "b"), "CNAME and other data"),
        (rrset("x", "CNAME", "b", "c"), "more than one CNAME"),
        (rrset("x", "DNAME", "b", "c"), "more than one DNAME"),
        (rrset("x", "SOA", "ns host 1 2 3 4 5"), "SOA stands at the apex"),
        (rrset("@", "SOA"), "SOA stands at the apex"),
        (rrset("x.example.", "A", "10.0.0.1"), "not in zone"),
    ],
)
def test_a_change_that_breaks_a_rule_is_refused(change, why):
    with pytest.raises(ZoneError, match=why):
        zone(rrset("a", "A", "10.0.0.1")).with_changes([change])


def test_a_zone_needs_a_soa():
    with pytest.raises(ZoneError, match="no SOA"):
        Zone.build(ORIGIN, [rrset("a", "A", "10.0.0.1")])


def test_a_name_outside_is_refused_when_a_zone_is_built():
    with pytest.raises(ZoneError, match="not in zone"):
        zone(rrset("x.example.", "A", "10.0.0.1"))


def test_a_ttl_beyond_31_bits_is_refused():
    with pytest.raises(ValueError, match="RFC 2181"):
        rrset("a", "A", "10.0.0.1", ttl=2**31)


def test_a_question_type_is_never_stored():
    with pytest.raises(ValueError, match="cannot be stored"):
        RRset(ORIGIN, rrtype.ANY, 1, (b"",))


def test_cuts_are_counted_through_changes():
    built = zone(rrset("sub", "NS", "ns.sub"), rrset("d", "DNAME", "e"))

    assert (built.cuts, built.with_changes([rrset("sub", "NS")]).cuts) == (2, 1)


def test_a_name_with_one_record_stays_folded_and_is_what_it_was():
    given = rrset("a", "A", "10.0.0.1", ttl=7)
    leased = RRset(from_text("b", ORIGIN), 28, 0x7FFFFFFF, (bytes(16),), leased=True)

    built = zone(given, leased)

    standing = dict(built.nodes.standing())
    assert [type(standing[each.name]) for each in (given, leased)] == [bytes, bytes]
    assert [built.nodes[each.name].rrsets for each in (given, leased)] == [(given,), (leased,)]


@pytest.mark.parametrize("name", ["a", "A"])
def test_capital_letters_and_names_below_keep_a_node_whole(name):
    built = zone(rrset(name, "A", "10.0.0.1"), rrset("b.a", "A", "10.0.0.2"))

    assert (built.nodes[from_text("a", ORIGIN)].children, built.nodes[from_text("a", ORIGIN)].rrsets[0].name) == (
        1,
        from_text(name, ORIGIN),
    )


def test_folded_names_are_names_of_the_zone_like_others():
    folded = {from_text("c.b.a", ORIGIN): head(1, 30, leased=True) + bytes(4)}

    built = Zone.build(ORIGIN, [SOA, rrset("b.a", "TXT", "x")], folded=folded)

    assert [exists(built, name) for name in ("c.b.a", "b.a", "a", "b")] == [True, True, True, False]
    assert built.nodes[from_text("c.b.a", ORIGIN)].is_leased


def test_a_folded_name_outside_the_zone_is_refused():
    folded = {from_text("a.elsewhere."): head(1, 30, leased=True) + bytes(4)}

    with pytest.raises(ZoneError, match=r"a\.elsewhere\. is not in zone"):
        Zone.build(ORIGIN, [SOA], folded=folded)


def test_a_removed_name_is_gone_from_every_view():
    nodes = zone(rrset("a", "A", "10.0.0.1")).nodes
    key = from_text("a", ORIGIN)

    fewer = nodes.remove(key)

    assert (key in fewer, fewer.get(key), len(fewer), key in nodes) == (False, None, len(nodes) - 1, True)
    assert key not in list(fewer)


def test_the_size_of_a_zone_is_its_records():
    assert zone(rrset("a", "A", "10.0.0.1"), rrset("b.c", "A", "10.0.0.1", "10.0.0.2")).size == 4
