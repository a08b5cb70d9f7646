"""Data of types that zone files of BIND and NSD hold and few people write: CERT, APL, HIP, ISDN, the EUI and the ILNP types.

Pairs of functions, from words to octets and from octets to text, each for one field or a whole record. ValueError says what
is wrong; who asks reads the text again and compares, so a function here may take octets as they come.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from typing import TYPE_CHECKING

from suite.dns.name import from_text, read, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CERTIFICATES = {
    "PKIX": 1, "SPKI": 2, "PGP": 3, "IPKIX": 4, "ISPKI": 5, "IPGP": 6, "ACPKIX": 7, "IACPKIX": 8, "URI": 253, "OID": 254,
}  # fmt: skip
"""RFC 4398 section 2.1."""
ALGORITHMS = {
    "RSAMD5": 1, "DH": 2, "DSA": 3, "RSASHA1": 5, "DSA-NSEC3-SHA1": 6, "RSASHA1-NSEC3-SHA1": 7, "RSASHA256": 8, "RSASHA512": 10,
    "ECC-GOST": 12, "ECDSAP256SHA256": 13, "ECDSAP384SHA384": 14, "ED25519": 15, "ED448": 16, "INDIRECT": 252, "PRIVATEDNS": 253,
    "PRIVATEOID": 254,
}  # fmt: skip
"""IANA's numbers of DNSSEC algorithms."""
_FAMILIES: dict[int, type[ipaddress.IPv4Address | ipaddress.IPv6Address]] = {
    1: ipaddress.IPv4Address,
    2: ipaddress.IPv6Address,
}


def number(text: str, size: int, names: Mapping[str, int]) -> bytes:
    """A number of `size` octets, or its name."""
    found = names.get(text.upper(), int(text) if text.isascii() and text.isdigit() else -1)
    if not 0 <= found < 1 << 8 * size:
        raise ValueError(f"{text!r} is no number of {8 * size} bits and no name of one")
    return found.to_bytes(size)


def groups(text: str, separator: str, digits: int, count: int) -> bytes:
    """Hexadecimal groups: `00-00-5e-00-53-2a` (RFC 7043), `2001:db8:1140:1000` (RFC 6742 section 2.3.3)."""
    parts = text.split(separator)
    is_short = separator == ":"  # only there may zeros in front be left out
    if len(parts) != count or any(
        not 0 < len(part) <= digits or (len(part) < digits and not is_short) for part in parts
    ):
        raise ValueError(f"{text!r} is not {count} groups of {digits} hexadecimal digits with {separator} between")
    return bytes.fromhex("".join(part.rjust(digits, "0") for part in parts))


def shown_groups(octets: bytes, separator: str, digits: int) -> str:
    """Octets as groups."""
    text = octets.hex()
    return separator.join(text[at : at + digits] for at in range(0, len(text), digits))


def prefixes(words: list[str]) -> bytes:
    """The items of an APL record, `[!]afi:address/prefix` each (RFC 3123 section 5)."""
    return b"".join(map(_prefix, words))


def shown_prefixes(octets: bytes) -> str:
    """Items as text; ValueError where they hold another family than IP."""
    return " ".join(_prefixes(octets))


def host_identity(words: list[str], origin: bytes) -> bytes:
    """A HIP record: algorithm, tag in hexadecimal, key in base64, rendezvous servers (RFC 8005 section 6)."""
    if len(words) < 3:
        raise ValueError("algorithm, host identity tag and key are needed")
    algorithm, tag, (key, *servers) = number(words[0], 1, {}), bytes.fromhex(words[1]), words[2:]
    try:
        public = base64.b64decode(key, validate=True)
    except binascii.Error:
        raise ValueError("base64 digits are wrong") from None
    if not 0 < len(tag) <= 0xFF or not 0 < len(public) <= 0xFFFF:
        raise ValueError("tag or key is empty or too long")
    names = b"".join(from_text(server, origin) for server in servers)
    return bytes([len(tag)]) + algorithm + len(public).to_bytes(2) + tag + public + names


def shown_host_identity(octets: bytes) -> str:
    """A HIP record as text."""
    key_at = 4 + octets[0]
    at = key_at + int.from_bytes(octets[2:4])
    if at > len(octets):
        raise ValueError("record data is cut short")
    words = [str(octets[1]), octets[4:key_at].hex(), base64.b64encode(octets[key_at:at]).decode()]
    while at < len(octets):
        server, at = read(octets, at)
        words.append(to_text(server))
    return " ".join(words)


def _prefix(text: str) -> bytes:
    negated = text.startswith("!")
    family, colon, rest = text[negated:].partition(":")
    address, slash, length = rest.partition("/")
    kind = _FAMILIES.get(int(family)) if family.isascii() and family.isdigit() else None
    if kind is None or not colon or not slash:
        raise ValueError(f"{text!r} is not written as 1:192.0.2.0/24 or 2:2001:db8::/32")
    size = number(length, 1, {})
    if size[0] > kind(0).max_prefixlen:
        raise ValueError(f"{text!r} has too long a prefix")
    part = kind(address).packed.rstrip(b"\0")
    return int(family).to_bytes(2) + size + bytes([negated << 7 | len(part)]) + part


def _prefixes(octets: bytes) -> Iterator[str]:
    at = 0
    while at < len(octets):
        family, length, size = int.from_bytes(octets[at : at + 2]), octets[at + 2], octets[at + 3]
        kind, part = _FAMILIES.get(family), octets[at + 4 : at + 4 + (size & 0x7F)]
        if kind is None:
            raise ValueError(f"address family {family} is not understood")
        whole = part + bytes(kind(0).max_prefixlen // 8 - len(part))
        yield f"{'!' if size & 0x80 else ''}{family}:{kind(whole)}/{length}"
        at += 4 + (size & 0x7F)
