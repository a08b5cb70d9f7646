"""Which addresses a DHCP server of the LAN gives out, as far as broadcasts tell (RFC 2131). Pure.

Offers and acknowledgements that are broadcast name the address in `yiaddr`; most go to the client alone, but a client that
takes an offer broadcasts its REQUEST, with the address in option 50 and the server in option 54. Nothing is ever asked.

    14 IP header without options (45)   23 protocol 11   26 source   36 destination port 67 or 68
    42 op   58 yiaddr   278 magic cookie   282 options: code, length, value
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

SERVER_PORT, CLIENT_PORT = 67, 68
OFFER, REQUEST, ACK = 2, 3, 5
REQUESTED, KIND, SERVER, PAD, END = 50, 53, 54, 0, 255
COOKIE = bytes.fromhex("63825363")
OPTIONS = 282


@dataclass(frozen=True, slots=True)
class Given:
    """An address that a DHCP server gives to somebody; the server where the frame names it."""

    address: IPv4Address
    server: IPv4Address | None = None


def given(frame: bytes) -> Given | None:
    """What a frame says of an address; None for nothing, also where it is cut short or no DHCP at all."""
    if len(frame) < OPTIONS or frame[12:15] != b"\x08\x00\x45" or frame[23] != 17 or frame[278:OPTIONS] != COOKIE:
        return None
    port, options = int.from_bytes(frame[36:38], "big"), _options(frame)
    kind = options.get(KIND, b"")
    if port == CLIENT_PORT and kind in {bytes([OFFER]), bytes([ACK])}:
        return _given(frame[58:62], options)
    if port == SERVER_PORT and kind == bytes([REQUEST]) and SERVER in options:
        return _given(options.get(REQUESTED, b""), options)
    return None


def _given(address: bytes, options: Mapping[int, bytes]) -> Given | None:
    server = options.get(SERVER, b"")
    if len(address) != 4 or not any(address):
        return None
    return Given(IPv4Address(address), IPv4Address(server) if len(server) == 4 else None)


def _options(frame: bytes) -> dict[int, bytes]:
    """The options up to the first that is cut short; of one that stands twice the first counts."""
    found: dict[int, bytes] = {}
    at = OPTIONS
    while at + 1 < len(frame) and frame[at] != END:
        if frame[at] == PAD:
            at += 1
            continue
        end = at + 2 + frame[at + 1]
        if end > len(frame):
            break
        found.setdefault(frame[at], frame[at + 2 : end])
        at = end
    return found
