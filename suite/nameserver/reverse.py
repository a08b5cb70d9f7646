"""Reverse zones of the pools: where the PTR records of their addresses stand.

``suite.model.reverse`` tells where a range is cut and what the zones are called; here they are octets, as zones need them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from suite.dns import name
from suite.model.address import Address, Network
from suite.model.pool import Pool
from suite.model.reverse import is_classless, reverse_networks, reverse_origin

_OCTETS = tuple(name.from_labels([str(octet).encode()])[:-1] for octet in range(256))
_BITS = {4: 32, 6: 128}
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
        return is_classless(self.network)

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
        networks = (each for pool in pools for span in pool.ranges for each in reverse_networks(span))
        zones = {each: ReverseZone(each, name.from_text(reverse_origin(each))) for each in networks}
        self.zones = tuple(zones.values())
        self.origins = frozenset(zone.origin for zone in self.zones)
        self._lengths = {
            family: sorted({each.prefixlen for each in zones if each.version == family}, reverse=True)
            for family in (4, 6)
        }
        self._by_prefix = {
            (each.version, each.prefixlen, int(each.network_address)): zone for each, zone in zones.items()
        }

    def find(self, address: Address) -> ReverseZone | None:
        """The zone of ``address``; None when no pool holds it."""
        number, family = int(address), address.version
        for length in self._lengths[family]:
            drop = _BITS[family] - length
            zone = self._by_prefix.get((family, length, number >> drop << drop))
            if zone is not None:
                return zone
        return None

    def aliases(self) -> Iterator[tuple[bytes, bytes, bytes]]:
        """(zone, name, where it leads): the usual names, in zones of ours, of addresses whose pointers stand in classless ones.

        RFC 2317 section 4 wants these CNAMEs of whoever has the parent zone; where another pool makes that ours, it is us.
        """
        for zone in self.zones:
            outer = self._whole(zone.network) if zone.is_classless else None
            for address in zone.network if outer is not None else ():
                if outer is not None and self.find(address) is zone:
                    yield outer.origin, outer.owner(address), zone.owner(address)

    def _whole(self, network: Network) -> ReverseZone | None:
        """The zone of ours, cut at an octet, that a classless one lies in; None where it is somebody else's."""
        wider = (each for each in self.zones if each.network.version == 4 and not each.is_classless)
        around = (each for each in wider if network.network_address in each.network)
        return max(around, key=lambda each: each.network.prefixlen, default=None)
