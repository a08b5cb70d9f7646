"""Reverse zones of the pools: where the PTR records of their addresses stand.

A range is cut at the next octet (IPv4) or nibble (IPv6) boundary: a /24 is one zone of three labels, a /20 sixteen of
them.  A network longer than /24 is a classless zone (RFC 2317) such as ``0/26.2.0.192.in-addr.arpa``, which the parent
zone must point to with CNAMEs.  A range written first-last that lies within one /24 is served as that /24.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, ip_network

from suite.dns import name
from suite.model.address import Address, Network, Range
from suite.model.pool import Pool

_OCTETS = tuple(name.from_labels([str(octet).encode()])[:-1] for octet in range(256))
_NIBBLES = tuple(b"\x01%x\x01%x" % (octet & 0xF, octet >> 4) for octet in range(256))


@lru_cache(1024)
def _above(first: bytes) -> bytes:
    """The name of a /16, which many addresses have in common."""
    return _OCTETS[first[1]] + _OCTETS[first[0]] + b"\x07in-addr\x04arpa\x00"


@dataclass(frozen=True, slots=True)
class ReverseZone:
    """One reverse zone and the addresses whose PTR records stand in it."""

    network: Network
    origin: bytes

    @property
    def is_classless(self) -> bool:
        """Whether it is named as RFC 2317 says."""
        return self.network.version == 4 and self.network.prefixlen > 24

    def owner(self, address: Address) -> bytes:
        """Where the PTR of ``address`` stands."""
        octets = address.packed
        if len(octets) == 4:
            if self.network.prefixlen > 24:  # classless
                return _OCTETS[octets[3]] + self.origin
            return _OCTETS[octets[3]] + _OCTETS[octets[2]] + _above(octets[:2])
        return b"".join(_NIBBLES[octet] for octet in reversed(octets)) + b"\x03ip6\x04arpa\x00"


class ReverseZones:
    """All of them, with the way from an address to its zone."""

    def __init__(self, pools: Iterable[Pool] = ()) -> None:
        zones = {zone.network: zone for pool in pools for span in pool.ranges for zone in _zones(span)}
        self.zones = tuple(zones.values())
        self._lengths = {
            family: sorted({each.prefixlen for each in zones if each.version == family}, reverse=True)
            for family in (4, 6)
        }
        self._by_prefix = {
            (each.version, each.prefixlen, int(each.network_address)): zone for each, zone in zones.items()
        }

    def find(self, address: Address) -> ReverseZone | None:
        """The zone of ``address``; None when no pool holds it."""
        number = int(address)
        for length in self._lengths[address.version]:
            drop = address.max_prefixlen - length
            zone = self._by_prefix.get((address.version, length, number >> drop << drop))
            if zone is not None:
                return zone
        return None


def _zones(span: Range) -> Iterable[ReverseZone]:
    if span.family == 4 and int(span.first) >> 8 == int(span.last) >> 8:
        networks = list(span.networks())
        network: Network = networks[0] if len(networks) == 1 else IPv4Network((int(span.first) & ~0xFF, 24))
        return [_zone(network)]
    return [_zone(part) for network in span.networks() for part in _cut(network)]


def _cut(network: Network) -> Iterable[Network]:
    """``network`` in pieces whose length is a multiple of 8 (IPv4, at most 24) or 4 bits (IPv6)."""
    step, longest = (8, 24) if network.version == 4 else (4, 128)
    if network.prefixlen > longest:
        return [network.supernet(new_prefix=longest)]
    length = -(-network.prefixlen // step) * step
    return network.subnets(new_prefix=length)


def _zone(network: Network) -> ReverseZone:
    if network.version == 4 and network.prefixlen > 24:
        parent = ip_network((int(network.network_address) & ~0xFF, 24)).network_address.reverse_pointer
        first = int(network.network_address) & 0xFF
        return ReverseZone(network, name.from_text(f"{first}/{network.prefixlen}.{parent.split('.', 1)[1]}."))
    labels = network.network_address.reverse_pointer.split(".")
    drop = (32 - network.prefixlen) // 8 if network.version == 4 else (128 - network.prefixlen) // 4
    return ReverseZone(network, name.from_text(".".join(labels[drop:]) + "."))
