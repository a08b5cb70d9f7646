"""The frames this package sends, built once by scapy as templates.

Everything else splices addresses into copies of these bytes. Importing scapy takes half a second and 30 to 57 MB (measured), so
``python -m suite.l2.frames`` writes the templates as JSON and ends; neither the speaker nor the process that answers the LAN
loads scapy.
"""

import json
import sys
from dataclasses import dataclass
from functools import cache

NO_MAC = "00:00:00:00:00:00"
BROADCAST_MAC = "ff:ff:ff:ff:ff:ff"


@dataclass(frozen=True, slots=True)
class Templates:
    """Well-formed frames with every address zero; the offsets of their fields are in `arp` and `ndp`."""

    arp: bytes
    """Broadcast ARP request, 42 bytes."""

    advertisement: bytes
    """Neighbor Advertisement with a target link-layer address option, 86 bytes, checksum not filled in."""

    solicitation: bytes
    """Neighbor Solicitation without options, 78 bytes, checksum not filled in."""

    def to_text(self) -> dict[str, str]:
        """The frames as hexadecimal text, to be handed to another process."""
        return {
            "arp": self.arp.hex(),
            "advertisement": self.advertisement.hex(),
            "solicitation": self.solicitation.hex(),
        }

    @classmethod
    def from_text(cls, text: dict[str, str]) -> "Templates":
        return cls(**{name: bytes.fromhex(frame) for name, frame in text.items()})


@cache
def templates() -> Templates:
    """The templates, built by scapy at the first call."""
    from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, IPv6
    from scapy.layers.l2 import ARP, Ether

    packet = IPv6(src="::", dst="::", hlim=255)
    return Templates(
        arp=bytes(
            Ether(dst=BROADCAST_MAC, src=NO_MAC, type=0x0806)
            / ARP(op="who-has", hwsrc=NO_MAC, psrc="0.0.0.0", hwdst=NO_MAC, pdst="0.0.0.0")  # noqa: S104
        ),
        advertisement=bytes(
            Ether(dst=NO_MAC, src=NO_MAC, type=0x86DD)
            / packet
            / ICMPv6ND_NA(R=0, S=0, O=1, tgt="::", cksum=0)
            / ICMPv6NDOptDstLLAddr(lladdr=NO_MAC)
        ),
        solicitation=bytes(Ether(dst=NO_MAC, src=NO_MAC, type=0x86DD) / packet / ICMPv6ND_NS(tgt="::", cksum=0)),
    )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(templates().to_text()))
