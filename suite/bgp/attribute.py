"""Path attributes: the values, and their encoding (RFC 4271 sections 4.3 and 5).

Decoding with its error treatment is `attribute_decode`; a value built here encodes and decodes to itself.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address

from suite.bgp.open import AS_TRANS

OPTIONAL, TRANSITIVE, PARTIAL, EXTENDED = 0x80, 0x40, 0x20, 0x10


class Origin(IntEnum):
    """Where a route came from (RFC 4271 section 4.3 a)."""

    IGP = 0
    EGP = 1
    INCOMPLETE = 2


class SegmentKind(IntEnum):
    """Kinds of AS_PATH segments (RFC 4271 section 4.3 b, RFC 5065 for the confederation ones)."""

    SET = 1
    SEQUENCE = 2
    CONFED_SEQUENCE = 3
    CONFED_SET = 4


class AttributeType(IntEnum):
    """The attributes this package knows, by type code."""

    ORIGIN = 1
    AS_PATH = 2
    NEXT_HOP = 3
    MULTI_EXIT_DISC = 4
    LOCAL_PREF = 5
    ATOMIC_AGGREGATE = 6
    AGGREGATOR = 7
    COMMUNITIES = 8
    ORIGINATOR_ID = 9
    CLUSTER_LIST = 10
    MP_REACH_NLRI = 14
    MP_UNREACH_NLRI = 15
    EXTENDED_COMMUNITIES = 16
    AS4_PATH = 17
    AS4_AGGREGATOR = 18
    LARGE_COMMUNITIES = 32


_WELL_KNOWN, _NONTRANSITIVE, _CARRIED = TRANSITIVE, OPTIONAL, OPTIONAL | TRANSITIVE

FLAGS: dict[int, int] = {
    AttributeType.ORIGIN: _WELL_KNOWN,
    AttributeType.AS_PATH: _WELL_KNOWN,
    AttributeType.NEXT_HOP: _WELL_KNOWN,
    AttributeType.MULTI_EXIT_DISC: _NONTRANSITIVE,
    AttributeType.LOCAL_PREF: _WELL_KNOWN,
    AttributeType.ATOMIC_AGGREGATE: _WELL_KNOWN,
    AttributeType.AGGREGATOR: _CARRIED,
    AttributeType.COMMUNITIES: _CARRIED,
    AttributeType.ORIGINATOR_ID: _NONTRANSITIVE,
    AttributeType.CLUSTER_LIST: _NONTRANSITIVE,
    AttributeType.MP_REACH_NLRI: _NONTRANSITIVE,
    AttributeType.MP_UNREACH_NLRI: _NONTRANSITIVE,
    AttributeType.EXTENDED_COMMUNITIES: _CARRIED,
    AttributeType.AS4_PATH: _CARRIED,
    AttributeType.AS4_AGGREGATOR: _CARRIED,
    AttributeType.LARGE_COMMUNITIES: _CARRIED,
}
"""The Optional and Transitive bits each attribute must have."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of an AS_PATH."""

    kind: SegmentKind
    numbers: tuple[int, ...]


AsPath = tuple[Segment, ...]
LargeCommunity = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class RawAttribute:
    """An attribute carried without being understood."""

    flags: int
    kind: int
    value: bytes


@dataclass(frozen=True, slots=True)
class PathAttributes:
    """What is said about all prefixes of one UPDATE, except MP_REACH_NLRI and MP_UNREACH_NLRI.

    None, or an empty tuple, means the attribute is absent. Communities are 32-bit numbers (RFC 1997), large ones
    three of them (RFC 8092), extended ones 64-bit (RFC 4360).
    """

    origin: Origin | None = None
    as_path: AsPath | None = None
    next_hop: IPv4Address | None = None
    med: int | None = None
    local_pref: int | None = None
    atomic_aggregate: bool = False
    aggregator: tuple[int, IPv4Address] | None = None
    communities: tuple[int, ...] = ()
    originator: IPv4Address | None = None
    clusters: tuple[IPv4Address, ...] = ()
    extended_communities: tuple[int, ...] = ()
    large_communities: tuple[LargeCommunity, ...] = ()
    unknown: tuple[RawAttribute, ...] = ()


def encode_attribute(kind: int, value: bytes, flags: int | None = None) -> bytes:
    """One attribute with flags, type and length; the length takes two octets only if it must."""
    bits = FLAGS[kind] if flags is None else flags & ~EXTENDED
    if len(value) > 255:
        return struct.pack("!BBH", bits | EXTENDED, kind, len(value)) + value
    return bytes((bits, kind, len(value))) + value


def encode_attributes(attributes: PathAttributes, *, four_octet: bool) -> bytes:
    """All attributes in ascending order of type (RFC 4271 section 5).

    To a peer with two-octet AS numbers, AS_PATH carries AS_TRANS for those that do not fit, and the real path
    follows in AS4_PATH (RFC 6793 section 4.2.2).
    """
    known = ((kind, value) for kind, value in _values(attributes, four_octet=four_octet) if value is not None)
    encoded = [(kind, encode_attribute(kind, value)) for kind, value in known]
    encoded += [(raw.kind, encode_attribute(raw.kind, raw.value, raw.flags)) for raw in attributes.unknown]
    return b"".join(octets for _, octets in sorted(encoded, key=lambda item: item[0]))


def _values(attributes: PathAttributes, *, four_octet: bool) -> list[tuple[int, bytes | None]]:
    """The value of each known attribute, None where it is absent."""
    a = attributes
    kinds = AttributeType
    return [
        (kinds.ORIGIN, None if a.origin is None else bytes((a.origin,))),
        (kinds.AS_PATH, None if a.as_path is None else encode_as_path(a.as_path, four_octet=four_octet)),
        (kinds.NEXT_HOP, None if a.next_hop is None else a.next_hop.packed),
        (kinds.MULTI_EXIT_DISC, _number(a.med)),
        (kinds.LOCAL_PREF, _number(a.local_pref)),
        (kinds.ATOMIC_AGGREGATE, b"" if a.atomic_aggregate else None),
        (kinds.AGGREGATOR, _aggregator(a.aggregator, four_octet=four_octet)),
        (kinds.COMMUNITIES, b"".join(c.to_bytes(4) for c in a.communities) or None),
        (kinds.ORIGINATOR_ID, None if a.originator is None else a.originator.packed),
        (kinds.CLUSTER_LIST, b"".join(cluster.packed for cluster in a.clusters) or None),
        (kinds.EXTENDED_COMMUNITIES, b"".join(c.to_bytes(8) for c in a.extended_communities) or None),
        (kinds.AS4_PATH, None if four_octet else _as4_path(a.as_path)),
        (kinds.AS4_AGGREGATOR, None if four_octet else _as4_aggregator(a.aggregator)),
        (kinds.LARGE_COMMUNITIES, b"".join(struct.pack("!III", *c) for c in a.large_communities) or None),
    ]


def encode_as_path(path: AsPath, *, four_octet: bool) -> bytes:
    """The segments, each number in four octets or in two (AS_TRANS where it does not fit)."""
    parts = []
    for segment in path:
        parts.append(bytes((segment.kind, len(segment.numbers))))
        if four_octet:
            parts += [number.to_bytes(4) for number in segment.numbers]
        else:
            parts += [_two_octets(number) for number in segment.numbers]
    return b"".join(parts)


def _two_octets(asn: int) -> bytes:
    return (asn if asn <= 0xFFFF else AS_TRANS).to_bytes(2)


def _number(value: int | None) -> bytes | None:
    return None if value is None else value.to_bytes(4)


def _aggregator(aggregator: tuple[int, IPv4Address] | None, *, four_octet: bool) -> bytes | None:
    if aggregator is None:
        return None
    asn, address = aggregator
    return (asn.to_bytes(4) if four_octet else _two_octets(asn)) + address.packed


def _as4_path(path: AsPath | None) -> bytes | None:
    """AS4_PATH, only if a number does not fit two octets; confederation segments stay out (RFC 6793 section 3)."""
    if path is None or all(number <= 0xFFFF for segment in path for number in segment.numbers):
        return None
    public = tuple(s for s in path if s.kind in {SegmentKind.SET, SegmentKind.SEQUENCE})
    return encode_as_path(public, four_octet=True) or None


def _as4_aggregator(aggregator: tuple[int, IPv4Address] | None) -> bytes | None:
    if aggregator is None or aggregator[0] <= 0xFFFF:
        return None
    return aggregator[0].to_bytes(4) + aggregator[1].packed
