"""Address families and prefixes, kept in the form they have on the wire.

A prefix is its NLRI encoding (RFC 4271 section 4.3: one octet of length in bits, then as few octets as hold
them), so packing an UPDATE is a join and comparing two prefixes compares two short byte strings. Both types are
named tuples, not dataclasses: they are keys of large dictionaries, and a tuple's hash is computed in C.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import NamedTuple

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Family(NamedTuple):
    """An address family and its sub-family, as RFC 4760 numbers them."""

    afi: int
    safi: int

    @property
    def version(self) -> int:
        """4 or 6, as `ipaddress` numbers them."""
        return 4 if self.afi == 1 else 6

    def __str__(self) -> str:
        return _FAMILY_NAMES.get(self, f"afi {self.afi} safi {self.safi}")


IPV4 = Family(1, 1)
IPV6 = Family(2, 1)
_FAMILY_NAMES = {IPV4: "ipv4", IPV6: "ipv6"}
_BITS = {IPV4: 32, IPV6: 128}


class NlriError(ValueError):
    """A run of prefixes that does not parse; the caller knows which NOTIFICATION that is."""


class Prefix(NamedTuple):
    """A network as its family and NLRI octets; host bits are always zero, so equal networks are equal tuples."""

    family: Family
    nlri: bytes

    @classmethod
    def of(cls, network: Network) -> "Prefix":
        """The prefix of an `ipaddress` network."""
        octets = (network.prefixlen + 7) // 8
        nlri = bytes((network.prefixlen,)) + network.network_address.packed[:octets]
        return cls(IPV4 if network.version == 4 else IPV6, nlri)

    @classmethod
    def parse(cls, text: str) -> "Prefix":
        """The prefix written as `10.0.0.0/24` or `2001:db8::/64`; ValueError if it is none or has host bits."""
        return cls.of(ip_network(text))

    @property
    def network(self) -> Network:
        """The same prefix as an `ipaddress` network; only for IPv4 and IPv6."""
        size = _BITS[self.family] // 8
        packed = self.nlri[1:].ljust(size, b"\0")
        address: Address = IPv4Address(packed) if size == 4 else IPv6Address(packed)
        return ip_network((address, self.nlri[0]))

    def __str__(self) -> str:
        return str(self.network)


def split_nlri(field: bytes, family: Family) -> tuple[Prefix, ...]:
    """The prefixes of one NLRI field; NlriError if a length is too long for the family or runs over the end.

    Bits after the length are irrelevant (RFC 4271 section 4.3) and are cleared here.
    """
    longest = _BITS[family]
    prefixes = []
    at, end = 0, len(field)
    while at < end:
        bits = field[at]
        stop = at + 1 + ((bits + 7) >> 3)
        if bits > longest or stop > end:
            raise NlriError(f"{family} prefix of {bits} bits at octet {at} of {end}")
        prefixes.append(Prefix(family, _clear_tail(field[at:stop], bits & 7)))
        at = stop
    return tuple(prefixes)


def _clear_tail(nlri: bytes, used: int) -> bytes:
    """The NLRI with the unused low bits of its last octet cleared, where `used` counts the used ones (0 = all)."""
    if not used:
        return nlri
    mask = 0xFF << (8 - used) & 0xFF
    return nlri if nlri[-1] & mask == nlri[-1] else nlri[:-1] + bytes((nlri[-1] & mask,))
