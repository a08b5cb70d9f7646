"""Decoding of path attributes with the error treatment of RFC 7606.

Most faults do not cost the session: the routes of the message are treated as withdrawn, or the attribute alone is
dropped. Only what makes the prefixes themselves unknowable is a `ProtocolError`.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv4Address
from typing import Any

from suite.bgp.attribute import (
    EXTENDED,
    FLAGS,
    OPTIONAL,
    TRANSITIVE,
    AsPath,
    AttributeType,
    Origin,
    PathAttributes,
    RawAttribute,
    Segment,
    SegmentKind,
)
from suite.bgp.notification import Code, UpdateError, fault


class Treatment(IntEnum):
    """What becomes of an UPDATE with a fault, mildest first (RFC 7606 section 2)."""

    NORMAL = 0
    ATTRIBUTE_DISCARD = 1
    TREAT_AS_WITHDRAW = 2


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in one attribute, and the treatment it calls for."""

    treatment: Treatment
    kind: int
    reason: str


@dataclass(slots=True)
class DecodedAttributes:
    """The attributes of one UPDATE, the multiprotocol ones still as octets, and what was wrong with them."""

    attributes: PathAttributes = field(default_factory=PathAttributes)
    reach: bytes | None = None
    unreach: bytes | None = None
    faults: list[Fault] = field(default_factory=list)


class _MalformedError(Exception):
    """An attribute's value is malformed; the text says how."""


def decode_attributes(octets: bytes, *, four_octet: bool, internal: bool) -> DecodedAttributes:
    """All attributes of one UPDATE; `internal` tells an iBGP peer.

    Raises ProtocolError for a repeated MP_REACH_NLRI or MP_UNREACH_NLRI and for an unknown well-known attribute.
    """
    result = DecodedAttributes()
    seen: set[int] = set()
    values: dict[str, Any] = {}
    unknown: list[RawAttribute] = []
    for flags, kind, value in _split(octets, result.faults):
        if kind in seen:
            _repeated(kind, result.faults)
        elif kind in {AttributeType.MP_REACH_NLRI, AttributeType.MP_UNREACH_NLRI}:
            _check_flags(flags, kind, result.faults)
            if kind == AttributeType.MP_REACH_NLRI:
                result.reach = value
            else:
                result.unreach = value
        elif kind in _DECODERS:
            _decode_known(flags, kind, value, values, result.faults, four_octet=four_octet, internal=internal)
        else:
            unknown.append(_unknown(flags, kind, value))
        seen.add(kind)
    as4_path = values.pop("as4_path", None)
    values.pop("as4_aggregator", None)
    if as4_path is not None and values.get("as_path") is not None and not four_octet:
        values["as_path"] = merge_as4_path(values["as_path"], as4_path)
    result.attributes = PathAttributes(**values, unknown=tuple(unknown))
    return result


def _split(octets: bytes, faults: list[Fault]) -> Iterator[tuple[int, int, bytes]]:
    """Flags, type and value of each attribute; an overrun ends the list and is a fault (RFC 7606 section 4)."""
    at, end = 0, len(octets)
    while at < end:
        head = 4 if octets[at] & EXTENDED else 3
        kind = octets[at + 1] if at + 1 < end else 0
        if end - at < head:
            faults.append(Fault(Treatment.TREAT_AS_WITHDRAW, kind, "the header of the last attribute is cut off"))
            return
        stop = at + head + int.from_bytes(octets[at + 2 : at + head])
        if stop > end:
            faults.append(Fault(Treatment.TREAT_AS_WITHDRAW, kind, "an attribute runs over the end of the list"))
            return
        yield octets[at], kind, octets[at + head : stop]
        at = stop


def _repeated(kind: int, faults: list[Fault]) -> None:
    """RFC 7606 section 3 g: only the first counts, except that repeated prefixes reset the session."""
    if kind in {AttributeType.MP_REACH_NLRI, AttributeType.MP_UNREACH_NLRI}:
        reason = f"attribute {kind} appears twice"
        raise fault(Code.UPDATE, UpdateError.MALFORMED_ATTRIBUTE_LIST, reason)
    faults.append(Fault(Treatment.ATTRIBUTE_DISCARD, kind, "repeated; only the first counts"))


def _check_flags(flags: int, kind: int, faults: list[Fault]) -> bool:
    """RFC 7606 section 3 c: wrong Optional or Transitive bits make the attribute malformed."""
    if flags & (OPTIONAL | TRANSITIVE) == FLAGS[kind]:
        return True
    faults.append(Fault(Treatment.TREAT_AS_WITHDRAW, kind, f"flags {flags:#04x}"))
    return False


def _unknown(flags: int, kind: int, value: bytes) -> RawAttribute:
    if not flags & OPTIONAL:
        whole = bytes((flags & ~EXTENDED, kind, min(len(value), 255))) + value[:255]
        reason = f"unknown well-known attribute {kind}"
        raise fault(Code.UPDATE, UpdateError.UNRECOGNIZED_WELL_KNOWN, reason, whole)
    return RawAttribute(flags & ~EXTENDED, kind, value)


def _decode_known(
    flags: int,
    kind: int,
    value: bytes,
    values: dict[str, Any],
    faults: list[Fault],
    *,
    four_octet: bool,
    internal: bool,
) -> None:
    """Put the decoded value under its name, or a fault into the list."""
    if kind in _INTERNAL_ONLY and not internal:  # RFC 7606 sections 7.5, 7.9, 7.10: unseen from outside
        faults.append(Fault(Treatment.ATTRIBUTE_DISCARD, kind, "from an external peer"))
        return
    if kind in _AS4 and four_octet:  # RFC 6793 section 6
        faults.append(Fault(Treatment.ATTRIBUTE_DISCARD, kind, "from a peer with four-octet AS numbers"))
        return
    if not _check_flags(flags, kind, faults):
        return
    name, decoder, treatment = _DECODERS[kind]
    try:
        values[name] = decoder(value, four_octet)
    except _MalformedError as malformed:
        faults.append(Fault(treatment, kind, str(malformed)))


def merge_as4_path(path: AsPath, as4_path: AsPath) -> AsPath:
    """The real path from a two-octet peer (RFC 6793 section 4.2.3): the head of AS_PATH, then AS4_PATH."""
    surplus = _length(path) - _length(as4_path)
    if surplus < 0:
        return path
    head: list[Segment] = []
    for segment in path:
        if surplus <= 0:
            break
        if segment.kind == SegmentKind.SEQUENCE:
            head.append(Segment(segment.kind, segment.numbers[:surplus]))
            surplus -= len(segment.numbers)
        else:
            head.append(segment)
            surplus -= segment.kind == SegmentKind.SET
    return (*head, *as4_path)


def _length(path: AsPath) -> int:
    """Length as RFC 4271 section 9.1.2.2 a counts it: a set is one, confederations are none (RFC 5065)."""
    sets = sum(segment.kind == SegmentKind.SET for segment in path)
    return sets + sum(len(segment.numbers) for segment in path if segment.kind == SegmentKind.SEQUENCE)


def _origin(value: bytes, _four: bool) -> Origin:
    if len(value) != 1 or value[0] > Origin.INCOMPLETE:
        raise _MalformedError(f"origin {value.hex()}")
    return Origin(value[0])


def _as_path(value: bytes, four: bool) -> AsPath:
    """RFC 7606 section 7.2: unknown kinds, empty segments and overruns are malformed; AS 0 by RFC 7607."""
    size, at, segments = (4 if four else 2), 0, []
    while at < len(value):
        if len(value) - at < 2 or not 1 <= value[at] <= SegmentKind.CONFED_SET or not value[at + 1]:
            raise _MalformedError(f"segment header {value[at : at + 2].hex()}")
        stop = at + 2 + size * value[at + 1]
        if stop > len(value):
            raise _MalformedError("a segment runs over the end of the path")
        numbers = struct.unpack(f"!{value[at + 1]}{'I' if four else 'H'}", value[at + 2 : stop])
        if 0 in numbers:
            raise _MalformedError("AS 0 in the path")
        segments.append(Segment(SegmentKind(value[at]), numbers))
        at = stop
    return tuple(segments)


def _as4_path(value: bytes, _four: bool) -> AsPath:
    return tuple(s for s in _as_path(value, True) if s.kind in {SegmentKind.SET, SegmentKind.SEQUENCE})


def _address(value: bytes, _four: bool) -> IPv4Address:
    _exactly(value, 4)
    return IPv4Address(value)


def _number(value: bytes, _four: bool) -> int:
    _exactly(value, 4)
    return int.from_bytes(value)


def _nothing(value: bytes, _four: bool) -> bool:
    _exactly(value, 0)
    return True


def _aggregator(value: bytes, four: bool) -> tuple[int, IPv4Address]:
    _exactly(value, 8 if four else 6)
    return int.from_bytes(value[:-4]), IPv4Address(value[-4:])


def _as4_aggregator(value: bytes, _four: bool) -> tuple[int, IPv4Address]:
    return _aggregator(value, True)


def _communities(value: bytes, _four: bool) -> tuple[int, ...]:
    _some(value, 4)
    return struct.unpack(f"!{len(value) // 4}I", value)


def _extended_communities(value: bytes, _four: bool) -> tuple[int, ...]:
    _some(value, 8)
    return struct.unpack(f"!{len(value) // 8}Q", value)


def _large_communities(value: bytes, _four: bool) -> tuple[tuple[int, int, int], ...]:
    _some(value, 12)
    return tuple(struct.iter_unpack("!III", value))


def _clusters(value: bytes, _four: bool) -> tuple[IPv4Address, ...]:
    _some(value, 4)
    return tuple(IPv4Address(value[at : at + 4]) for at in range(0, len(value), 4))


def _exactly(value: bytes, size: int) -> None:
    if len(value) != size:
        raise _MalformedError(f"{len(value)} octets instead of {size}")


def _some(value: bytes, unit: int) -> None:
    if not value or len(value) % unit:
        raise _MalformedError(f"{len(value)} octets, no multiple of {unit}")


_INTERNAL_ONLY = {AttributeType.LOCAL_PREF, AttributeType.ORIGINATOR_ID, AttributeType.CLUSTER_LIST}
_AS4 = {AttributeType.AS4_PATH, AttributeType.AS4_AGGREGATOR}

_WITHDRAW, _DISCARD = Treatment.TREAT_AS_WITHDRAW, Treatment.ATTRIBUTE_DISCARD
_DECODERS: dict[int, tuple[str, Callable[[bytes, bool], object], Treatment]] = {
    # RFC 7606 section 7 and, for the attributes newer than it, their own RFC: name, decoder, treatment if malformed
    AttributeType.ORIGIN: ("origin", _origin, _WITHDRAW),
    AttributeType.AS_PATH: ("as_path", _as_path, _WITHDRAW),
    AttributeType.NEXT_HOP: ("next_hop", _address, _WITHDRAW),
    AttributeType.MULTI_EXIT_DISC: ("med", _number, _WITHDRAW),
    AttributeType.LOCAL_PREF: ("local_pref", _number, _WITHDRAW),
    AttributeType.ATOMIC_AGGREGATE: ("atomic_aggregate", _nothing, _DISCARD),
    AttributeType.AGGREGATOR: ("aggregator", _aggregator, _DISCARD),
    AttributeType.COMMUNITIES: ("communities", _communities, _WITHDRAW),
    AttributeType.ORIGINATOR_ID: ("originator", _address, _WITHDRAW),
    AttributeType.CLUSTER_LIST: ("clusters", _clusters, _WITHDRAW),
    AttributeType.EXTENDED_COMMUNITIES: ("extended_communities", _extended_communities, _WITHDRAW),
    AttributeType.AS4_PATH: ("as4_path", _as4_path, _DISCARD),
    AttributeType.AS4_AGGREGATOR: ("as4_aggregator", _as4_aggregator, _DISCARD),
    AttributeType.LARGE_COMMUNITIES: ("large_communities", _large_communities, _WITHDRAW),  # RFC 8092 section 6
}
