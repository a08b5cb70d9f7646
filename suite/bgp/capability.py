"""Capabilities: what each side can do, told in OPEN (RFC 5492).

Known capabilities become values of their own; unknown ones are kept as they are, so that they can be shown. A known
capability with a length that cannot be right is kept as unknown too: RFC 5492 wants capabilities one does not
understand ignored, and refusing the session over an optional announcement would help nobody.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from suite.bgp.notification import Code, OpenError, fault
from suite.bgp.prefix import Family


class CapabilityCode(IntEnum):
    """The codes this package understands."""

    MULTIPROTOCOL = 1
    ROUTE_REFRESH = 2
    EXTENDED_NEXT_HOP = 5
    GRACEFUL_RESTART = 64
    FOUR_OCTET_AS = 65
    ENHANCED_ROUTE_REFRESH = 70


@dataclass(frozen=True, slots=True)
class Multiprotocol:
    """Routes of one family may be exchanged (RFC 4760 section 8)."""

    family: Family


@dataclass(frozen=True, slots=True)
class RouteRefresh:
    """ROUTE-REFRESH is understood (RFC 2918)."""


@dataclass(frozen=True, slots=True)
class EnhancedRouteRefresh:
    """The marks for begin and end of a refresh are understood (RFC 7313)."""


@dataclass(frozen=True, slots=True)
class ExtendedNextHop:
    """Each family may have next hops of another address family (RFC 8950): pairs of (family, next hop AFI)."""

    pairs: tuple[tuple[Family, int], ...]


@dataclass(frozen=True, slots=True)
class GracefulRestart:
    """Routes may stay while this side restarts (RFC 4724 section 3).

    `restarting` is the R bit, `time` the seconds the session needs to come back (at most 4095), and `families`
    maps each family to its F bit: forwarding state was kept. `notification` is the N bit of RFC 8538.
    """

    time: int
    families: tuple[tuple[Family, bool], ...] = ()
    restarting: bool = False
    notification: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.time <= 0xFFF:
            raise ValueError(f"restart time {self.time} s does not fit 12 bits")


@dataclass(frozen=True, slots=True)
class FourOctetAs:
    """The speaker's AS number in four octets (RFC 6793)."""

    asn: int


@dataclass(frozen=True, slots=True)
class UnknownCapability:
    """A capability of a code, or of a shape, that this package does not know."""

    code: int
    value: bytes


Capability = (
    Multiprotocol
    | RouteRefresh
    | EnhancedRouteRefresh
    | ExtendedNextHop
    | GracefulRestart
    | FourOctetAs
    | UnknownCapability
)


def encode_capability(capability: Capability) -> bytes:
    """One capability with its code and length."""
    code, value = _parts(capability)
    return bytes((code, len(value))) + value


def _parts(capability: Capability) -> tuple[int, bytes]:
    match capability:
        case Multiprotocol(family):
            return CapabilityCode.MULTIPROTOCOL, struct.pack("!HBB", family.afi, 0, family.safi)
        case RouteRefresh():
            return CapabilityCode.ROUTE_REFRESH, b""
        case EnhancedRouteRefresh():
            return CapabilityCode.ENHANCED_ROUTE_REFRESH, b""
        case ExtendedNextHop(pairs):
            packed = (struct.pack("!HHH", family.afi, family.safi, afi) for family, afi in pairs)
            return CapabilityCode.EXTENDED_NEXT_HOP, b"".join(packed)
        case GracefulRestart():
            return CapabilityCode.GRACEFUL_RESTART, _graceful_restart(capability)
        case FourOctetAs(asn):
            return CapabilityCode.FOUR_OCTET_AS, struct.pack("!I", asn)
        case UnknownCapability(code, value):
            return code, value


def _graceful_restart(capability: GracefulRestart) -> bytes:
    head = capability.restarting << 15 | capability.notification << 14 | capability.time
    families = (struct.pack("!HBB", family.afi, family.safi, kept << 7) for family, kept in capability.families)
    return struct.pack("!H", head) + b"".join(families)


def decode_capabilities(field: bytes) -> Iterator[Capability]:
    """The capabilities of one optional parameter; ProtocolError (OPEN, unspecific) if a length runs over the end."""
    at = 0
    while at < len(field):
        value = field[at + 2 : at + 2 + field[at + 1]] if at + 1 < len(field) else b""
        if at + 1 >= len(field) or len(value) != field[at + 1]:
            raise fault(Code.OPEN, OpenError.UNSPECIFIC, "a capability runs over the end of its parameter")
        yield _capability(field[at], value)
        at += 2 + len(value)


def _capability(code: int, value: bytes) -> Capability:
    size = len(value)
    if code == CapabilityCode.MULTIPROTOCOL and size == 4:
        return Multiprotocol(Family(int.from_bytes(value[:2]), value[3]))
    if code == CapabilityCode.ROUTE_REFRESH and size == 0:
        return RouteRefresh()
    if code == CapabilityCode.ENHANCED_ROUTE_REFRESH and size == 0:
        return EnhancedRouteRefresh()
    if code == CapabilityCode.EXTENDED_NEXT_HOP and size % 6 == 0:
        return ExtendedNextHop(tuple((Family(a, s), n) for a, s, n in struct.iter_unpack("!HHH", value)))
    if code == CapabilityCode.GRACEFUL_RESTART and size >= 2 and size % 4 == 2:
        head = int.from_bytes(value[:2])
        families = tuple((Family(a, s), bool(f & 0x80)) for a, s, f in struct.iter_unpack("!HBB", value[2:]))
        return GracefulRestart(head & 0xFFF, families, bool(head & 0x8000), bool(head & 0x4000))
    if code == CapabilityCode.FOUR_OCTET_AS and size == 4:
        return FourOctetAs(int.from_bytes(value))
    return UnknownCapability(code, value)
