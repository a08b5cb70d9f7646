"""A zone of Services that stand folded is the zone of the same record sets, through every change, and says the same."""

from typing import TypeAlias

from chances import chances
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.dns import nodes, rrtype
from suite.dns.feed import ReplaceZone, pack, unpack
from suite.dns.journal import between, changes
from suite.dns.listing import records
from suite.dns.name import from_text
from suite.dns.nodes import SRV_HEAD
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.zone import Zone, ZoneError

ORIGIN = from_text("service.")
SOA = RRset(ORIGIN, rrtype.SOA, 5, (parse_rdata(rrtype.SOA, "ns.service. host.service. 1 2 3 4 5"),))
SERVICES = tuple(from_text(f"{name}.service.") for name in ("x.a", "y.a"))
NAMES = tuple(
    from_text(f"{text}.service.")
    for text in ("x.a", "y.a", "a", "_h._tcp.x.a", "_d._udp.x.a", "_q._tcp.x.a", "_tcp.x.a", "_udp.y.a", "w.x.a", "_w.a", "*.x.a")
)  # fmt: skip
LABELS = ((b"_h", b"_tcp"), (b"_d", b"_udp"), (b"_d", b"_tcp"), (b"_m", b"_tcp"))
PACKED = ((b"\x0a\0\0\1",), (b"\xfd" + 15 * b"\1",), (b"\x0a\0\0\2", b"\xfd" + 15 * b"\2"))

Ports: TypeAlias = dict[tuple[bytes, bytes], int]
Asked: TypeAlias = tuple[tuple[bytes, ...], Ports]

services = st.dictionaries(
    st.sampled_from(SERVICES),
    st.tuples(st.sampled_from(PACKED), st.dictionaries(st.sampled_from(LABELS), st.integers(1, 65_535))),
)
sets = st.builds(
    lambda name, rtype, rdatas: RRset(name, rtype, 7, rdatas),
    st.sampled_from(NAMES),
    st.sampled_from([rrtype.A, rrtype.SRV, rrtype.TXT]),
    st.sampled_from([(), (b"\1b",), (b"\1a", b"\1b")]),
)


def folded(ttl: int, packed: tuple[bytes, ...], ports: Ports) -> bytes:
    addresses = b"".join(packed)
    below = b"".join(nodes.port(*labels, number) for labels, number in ports.items())
    return nodes.service_head(ttl, len(addresses)) + addresses + below


def sets_of(key: bytes, ttl: int, packed: tuple[bytes, ...], ports: Ports) -> list[RRset]:
    found = [RRset(key, rrtype.A if len(each) == 4 else rrtype.AAAA, ttl, (each,), leased=True) for each in packed]
    for (first, second), number in ports.items():
        owner = bytes([len(first)]) + first + bytes([len(second)]) + second + key
        found.append(RRset(owner, rrtype.SRV, ttl, (SRV_HEAD + number.to_bytes(2) + key,)))
    return found


def both(asked: dict[bytes, Asked], more: list[RRset]) -> list[Zone]:
    """The zone with folded Services, and the one without."""
    whole = [SOA, *(each for key, (packed, ports) in asked.items() for each in sets_of(key, 30, packed, ports))]
    here = {each.name for each in whole}
    merged = {(each.name, each.rtype): each for each in more if each.name not in here and each.rdatas}
    base = {key: folded(30, packed, ports) for key, (packed, ports) in asked.items()}
    return [
        Zone.build(ORIGIN, [SOA, *merged.values()], folded=base),
        Zone.build(ORIGIN, [*whole, *merged.values()]),
    ]


def known(zone: Zone) -> object:
    """Everything that a zone says of itself, and of names that it may not have."""
    asked = {*NAMES, *zone.nodes}
    return (
        {key: (zone.get(key), key in zone.nodes, zone.closest_encloser(key)) for key in asked},
        set(zone.rrsets()),
        list(records(zone)),
        (zone.size, len(zone.nodes), sum(1 for _ in zone.rrsets()), zone.cuts, zone.serial),
    )


@settings(max_examples=chances(150), deadline=None)
@given(services, st.lists(sets, max_size=4), st.lists(st.lists(sets, max_size=3), max_size=6))
def test_folded_services_answer_as_their_record_sets_do_through_every_change(
    asked: dict[bytes, Asked],
    more: list[RRset],
    steps: list[list[RRset]],
) -> None:
    short, long = both(asked, more)
    assert known(short) == known(long)

    for serial, step in enumerate(steps, 2):
        before = known(short)
        try:
            later = long.with_changes(step, serial)
        except ZoneError:
            continue
        after = short.with_changes(step, serial)
        assert known(after) == known(later)
        assert known(short) == before
        assert set(changes(short, after)) == set(changes(long, later))
        mine, theirs = between(short, after), between(long, later)
        assert (set(mine.removed), set(mine.added)) == (set(theirs.removed), set(theirs.added))
        short, long = after, later


@settings(max_examples=chances(40), deadline=None)
@given(services, st.lists(sets, max_size=3), sets)
def test_folded_services_reach_the_workers_as_they_are(
    asked: dict[bytes, Asked], more: list[RRset], change: RRset
) -> None:
    short, _ = both(asked, more)

    for zone in (short, short.with_changes([change], 2)):
        (update,) = unpack(pack([ReplaceZone(zone)]))
        assert isinstance(update, ReplaceZone)
        assert known(update.zone) == known(zone)
