"""Addresses and ranges of addresses.

An address is the standard library's ``IPv4Address`` or ``IPv6Address``.  Where IPv4 and IPv6 meet in one order
(SQL, sorted output) the *key* decides: one octet for the family, then the address in network order, so that
comparing octets sorts IPv4 before IPv6 and each family numerically, and a subnet is one BETWEEN.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
    summarize_address_range,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

WIDTH = {4: 32, 6: 128}
"""Bits of an address, by family."""


def parse_address(text: str) -> Address:
    """The address that ``text`` writes; an IPv4-mapped IPv6 address becomes the IPv4 address it stands for.

    Raises:
        ValueError: ``text`` is no address, or carries a zone (``fe80::1%eth0``), which means nothing elsewhere.
    """
    address = ip_address(text.strip())
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            raise ValueError(f"{text!r} carries a zone; an address of a Service must mean the same on every machine")
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
    return address


def address_of(family: int, number: int) -> Address:
    """The address with this number (0 to 2^32-1 or 2^128-1) in family 4 or 6."""
    return IPv4Address(number) if family == 4 else IPv6Address(number)


def address_key(address: Address) -> bytes:
    """Five or seventeen octets whose order is the order of addresses: family, then network order."""
    return (b"\x04" if address.version == 4 else b"\x06") + address.packed


def address_from_key(key: bytes) -> Address:
    """The inverse of :func:`address_key`."""
    return IPv4Address(key[1:]) if key[0] == 4 else IPv6Address(key[1:])


def is_buggy(address: Address) -> bool:
    """Whether old equipment may drop the address: IPv4 ending in .0 or .255 (MetalLB's ``avoidBuggyIPs``)."""
    return address.version == 4 and int(address) & 0xFF in {0, 255}


@dataclass(frozen=True, slots=True)
class Range:
    """Consecutive addresses of one family, both ends included; ``text`` is what the operator wrote."""

    first: Address
    last: Address
    text: str = ""

    def __post_init__(self) -> None:
        if self.first.version != self.last.version:
            raise ValueError(f"{self}: the ends belong to different families")
        if int(self.first) > int(self.last):
            raise ValueError(f"{self}: the first address lies behind the last")

    def __str__(self) -> str:
        return self.text or f"{self.first}-{self.last}"

    def __contains__(self, address: Address) -> bool:
        return address.version == self.family and int(self.first) <= int(address) <= int(self.last)

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.first.version

    @property
    def size(self) -> int:
        """How many addresses it holds."""
        return int(self.last) - int(self.first) + 1

    def overlaps(self, other: "Range") -> bool:
        """Whether any address belongs to both."""
        return self.family == other.family and int(self.first) <= int(other.last) and int(other.first) <= int(self.last)

    def networks(self) -> Iterator[Network]:
        """The fewest networks that together are this range, in order."""
        return iter(summarize_address_range(self.first, self.last))


def parse_range(text: str) -> Range:
    """``10.0.42.0/24`` (host bits are masked), ``10.10.10.10-10.10.10.250`` (blanks around ``-`` allowed), or one address.

    Raises:
        ValueError: no address or network, ends of two families, or the first behind the last.
    """
    written = text.strip()
    if "-" in written:
        first, last = written.split("-", 1)
        return Range(parse_address(first), parse_address(last), written)
    if "/" in written:
        network = ip_network(written, strict=False)
        return Range(network[0], network[-1], written)
    address = parse_address(written)
    return Range(address, address, written)
