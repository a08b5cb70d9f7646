"""Record data as text, for people: the inverse of ``rdata`` for the types they meet, RFC 3597 section 5 for the rest."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from struct import error as StructError  # noqa: N812 - an exception's name

from suite.dns import rrtype
from suite.dns.name import DomainNameError, read, to_text

_SOA = Struct("!IIIII")
_SRV = Struct("!HHH")
_MX = Struct("!H")


def rdata_text(rtype: int, packet: bytes, at: int = 0, size: int | None = None) -> str:
    """The data of ``size`` octets at ``at``, whose names may be compressed against ``packet``.

    Data that does not have the form of its type is shown in the form of an unknown type, so nothing is hidden or raised.
    """
    end = len(packet) if size is None else at + size
    try:
        known = _known(rtype, packet, at, end)
    except (DomainNameError, StructError, IndexError):
        known = None
    return known if known is not None else f"\\# {end - at} {packet[at:end].hex()}".rstrip()


def _known(rtype: int, packet: bytes, at: int, end: int) -> str | None:
    """The text of a type known here; None for others and for data of a wrong length."""
    match rtype:
        case rrtype.A if end - at == 4:
            return str(IPv4Address(packet[at:end]))
        case rrtype.AAAA if end - at == 16:
            return str(IPv6Address(packet[at:end]))
        case rrtype.NS | rrtype.CNAME | rrtype.PTR | rrtype.DNAME:
            return _name(packet, at, end)
        case rrtype.MX:
            target = _name(packet, at + 2, end)
            return target and f"{_MX.unpack_from(packet, at)[0]} {target}"
        case rrtype.SRV:
            target = _name(packet, at + 6, end)
            return target and f"{' '.join(map(str, _SRV.unpack_from(packet, at)))} {target}"
        case rrtype.SOA:
            primary, at = read(packet, at)
            contact, at = read(packet, at)
            numbers = " ".join(map(str, _SOA.unpack_from(packet, at)))
            return f"{to_text(primary)} {to_text(contact)} {numbers}" if at + _SOA.size == end else None
        case rrtype.TXT:
            return _strings(packet, at, end)
        case _:
            return None


def _name(packet: bytes, at: int, end: int) -> str | None:
    target, behind = read(packet, at)
    return to_text(target) if behind == end else None


def _strings(packet: bytes, at: int, end: int) -> str | None:
    """Character strings in quotes (RFC 1035 section 5.1)."""
    parts = []
    while at < end:
        behind = at + 1 + packet[at]
        parts.append(f'"{"".join(map(_character, packet[at + 1 : behind]))}"')
        at = behind
    return " ".join(parts) if at == end and parts else None


def _character(octet: int) -> str:
    if not 0x20 <= octet <= 0x7E:
        return f"\\{octet:03}"
    return "\\" + chr(octet) if chr(octet) in '"\\' else chr(octet)
