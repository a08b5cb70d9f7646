"""What a route looks like to one peer: the rules for iBGP and eBGP, next hops, and the octets (RFC 4271 section 5.1).

Pure: `Exporter` holds what a session agreed on and turns the attributes of a route into octets for one family.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar

from suite.bgp.attribute import (
    AttributeType,
    LargeCommunity,
    Origin,
    PathAttributes,
    Segment,
    SegmentKind,
    encode_attribute,
    encode_attributes,
)
from suite.bgp.negotiation import Negotiated, SessionConfig
from suite.bgp.prefix import IPV4, Address, Family
from suite.bgp.update import Reach, encode_reach

_A = TypeVar("_A", IPv4Address, IPv6Address)

DEFAULT_LOCAL_PREF = 100
COMMUNITY_SPACE = 3072  # octets of an UPDATE that communities may fill, so that prefixes always fit beside them


@dataclass(frozen=True, slots=True)
class RouteAttributes:
    """What the caller says about a route; equal values share UPDATEs.

    `local_pref` is told to internal peers only (100 if unset). `communities` and `large_communities` are put in
    order without duplicates. `next_hop` None means the session's own address. ValueError if they cannot be sent.
    """

    local_pref: int | None = None
    communities: tuple[int, ...] = ()
    large_communities: tuple[LargeCommunity, ...] = ()
    med: int | None = None
    next_hop: Address | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "communities", tuple(sorted(set(self.communities))))
        object.__setattr__(self, "large_communities", tuple(sorted(set(self.large_communities))))
        parts = [part for community in self.large_communities for part in community]
        numbers = [*self.communities, *parts, self.local_pref or 0, self.med or 0]
        if not all(0 <= number <= 0xFFFFFFFF for number in numbers):
            raise ValueError("communities, local preference and MED are 32-bit numbers")
        if 4 * len(self.communities) + 4 * len(parts) > COMMUNITY_SPACE:
            raise ValueError(f"communities of more than {COMMUNITY_SPACE} octets do not fit an UPDATE")


@dataclass(frozen=True, slots=True)
class Exporter:
    """The octets of UPDATEs to one peer. `local` and `remote` are the addresses of the connection."""

    config: SessionConfig
    negotiated: Negotiated
    local: Address
    remote: Address

    def families(self) -> frozenset[Family]:
        """The agreed families for which there is a next hop to give; the others cannot be announced."""
        return frozenset(f for f in self.negotiated.families if self.next_hops(f, RouteAttributes()))

    def encode(self, family: Family, attributes: RouteAttributes) -> tuple[bytes, bytes]:
        """The path attributes without prefixes, and what MP_REACH_NLRI starts with; empty for classic IPv4."""
        next_hops = self.next_hops(family, attributes)
        classic = family == IPV4 and isinstance(next_hops[0], IPv4Address)
        paths = self._path_attributes(attributes, next_hops[0] if classic else None)
        octets = encode_attributes(paths, four_octet=self.negotiated.dialect.four_octet)
        return octets, b"" if classic else encode_reach(Reach(family, next_hops, ()))

    def _path_attributes(self, attributes: RouteAttributes, next_hop: Address | None) -> PathAttributes:
        """Sections 5.1.2 and 5.1.5: the own AS number to the outside, LOCAL_PREF to the inside."""
        internal = self.negotiated.dialect.internal
        preference = DEFAULT_LOCAL_PREF if attributes.local_pref is None else attributes.local_pref
        return PathAttributes(
            origin=Origin.IGP,
            as_path=() if internal else (Segment(SegmentKind.SEQUENCE, (self.config.local_as,)),),
            next_hop=next_hop if isinstance(next_hop, IPv4Address) else None,
            med=attributes.med,
            local_pref=preference if internal else None,
            communities=attributes.communities,
            large_communities=attributes.large_communities,
        )

    def next_hops(self, family: Family, attributes: RouteAttributes) -> tuple[Address, ...]:
        """The route's next hop, else the configured one, else the connection's own address; empty if none fits.

        IPv4 prefixes take an IPv6 next hop only where RFC 8950 was agreed on and there is no IPv4 one.
        """
        v4 = _first(IPv4Address, attributes.next_hop, self.config.next_hop_v4, self.local)
        v6 = _first(IPv6Address, attributes.next_hop, self.config.next_hop_v6, self._local_v6())
        if family == IPV4 and v4 is not None:
            return (v4,)
        if v6 is None or (family == IPV4 and not self.negotiated.dialect.extended_next_hop):
            return ()
        return _with_link_local(v6)

    def _local_v6(self) -> Address | None:
        """The connection's own address without its zone, which means nothing to others."""
        return IPv6Address(int(self.local)) if isinstance(self.local, IPv6Address) else None


def _first(kind: type[_A], *candidates: Address | None) -> _A | None:
    return next((candidate for candidate in candidates if isinstance(candidate, kind)), None)


def _with_link_local(address: IPv6Address) -> tuple[Address, ...]:
    """RFC 2545 section 3 has no form for a lone link-local address; the routers in use read it given twice."""
    return (address, address) if address.is_link_local else (address,)


def mp_reach(head: bytes, nlri: bytes) -> bytes:
    """MP_REACH_NLRI from its start, as `Exporter.encode` gives it, and prefixes."""
    return encode_attribute(AttributeType.MP_REACH_NLRI, head + nlri)


def mp_unreach(family: Family, nlri: bytes) -> bytes:
    """MP_UNREACH_NLRI of a family."""
    return encode_attribute(AttributeType.MP_UNREACH_NLRI, family.afi.to_bytes(2) + bytes((family.safi,)) + nlri)
