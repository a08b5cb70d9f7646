"""Router advertisements, by which the two ends of an unnumbered session find each other (RFC 4861).  Pure.

A peer that is named by its interface has no address to be written down: FRR takes the link-local address of whoever advertises
itself on the link, and so do we. Ours have a lifetime of 0 and no options (section 6.2.5): hosts take neither a default
route nor a prefix from them, while a router learns that we are here.
"""

from dataclasses import dataclass
from ipaddress import IPv6Address

TYPE = 134
HOP_LIMIT = 255
LEAST = 16  # octets before the options, section 4.2
INTERVAL = 10.0
"""Seconds between two of ours; FRR's figure on links with unnumbered neighbors."""
FIRST_INTERVAL, FIRST_COUNT = 1.0, 3
"""The first ones come faster, so that a session does not wait for the beat."""
SILENCE = 3.5 * INTERVAL
"""Seconds after which a router that is not heard any more gives way to another one."""


def advertisement() -> bytes:
    """Ours; the checksum is the kernel's to fill in, the hop limit 0 leaves that of hosts alone."""
    return bytes((TYPE, 0)) + bytes(LEAST - 2)


def is_advertisement(octets: bytes, source: IPv6Address, hop_limit: int) -> bool:
    """Whether this is a valid advertisement of a neighbor (section 6.1.2); the kernel has verified the checksum."""
    is_near = hop_limit == HOP_LIMIT and source.is_link_local
    return is_near and len(octets) >= LEAST and octets[0] == TYPE and octets[1] == 0


@dataclass(slots=True)
class RouterOnLink:
    """Which router is the peer on a link: the first one heard, until it falls silent and another one speaks."""

    address: IPv6Address | None = None
    _heard: float = 0.0

    def hear(self, address: IPv6Address, now: float) -> bool:
        """Take an advertisement; whether the peer is another one now."""
        if address != self.address and self.address is not None and now - self._heard < SILENCE:
            return False
        is_new, self.address, self._heard = address != self.address, address, now
        return is_new
