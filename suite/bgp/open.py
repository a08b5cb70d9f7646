"""OPEN: who speaks, and what it can do (RFC 4271 section 4.2).

Decoding checks what needs no knowledge of the session (section 6.2); whether AS number and identifier are the
expected ones is decided in `negotiation`.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from suite.bgp.capability import Capability, FourOctetAs, decode_capabilities, encode_capability
from suite.bgp.notification import Code, OpenError, fault

VERSION = 4
AS_TRANS = 23456  # RFC 6793 section 9: stands in the two-octet field for a number that needs four
CAPABILITIES_PARAMETER = 2
EXTENDED_PARAMETERS = 255  # RFC 9072: in length and first type, announces two-octet lengths

_FIXED = struct.Struct("!BHHIB")


@dataclass(frozen=True, slots=True)
class Open:
    """One OPEN message; `asn` is the real number, whether or not it fits two octets."""

    asn: int
    hold_time: int
    identifier: IPv4Address
    capabilities: tuple[Capability, ...] = ()


def encode_open(message: Open) -> bytes:
    """The body; all capabilities go into one parameter (RFC 5492 section 4), with RFC 9072 lengths if they must."""
    capabilities = b"".join(map(encode_capability, message.capabilities))
    asn = message.asn if message.asn <= 0xFFFF else AS_TRANS
    head = struct.pack("!BHHI", VERSION, asn, message.hold_time, int(message.identifier))
    if not capabilities:
        return head + b"\0"
    if len(capabilities) <= 253:
        return head + bytes((len(capabilities) + 2, CAPABILITIES_PARAMETER, len(capabilities))) + capabilities
    parameter = struct.pack("!BH", CAPABILITIES_PARAMETER, len(capabilities)) + capabilities
    return head + struct.pack("!BBH", EXTENDED_PARAMETERS, EXTENDED_PARAMETERS, len(parameter)) + parameter


def decode_open(body: bytes) -> Open:
    """The message of a body of at least ten octets, which the framing guarantees.

    Raises ProtocolError with the code of section 6.2: version, AS number, hold time, identifier or parameters.
    """
    version, asn, hold_time, identifier, _ = _FIXED.unpack_from(body)
    if version != VERSION:
        supported = struct.pack("!H", VERSION)
        raise fault(Code.OPEN, OpenError.UNSUPPORTED_VERSION, f"version {version} instead of 4", supported)
    capabilities = tuple(_capabilities(body))
    real = next((c.asn for c in capabilities if isinstance(c, FourOctetAs)), asn)
    if real == 0:  # RFC 7607 section 2
        raise fault(Code.OPEN, OpenError.BAD_PEER_AS, "AS number 0")
    if hold_time in {1, 2}:
        raise fault(Code.OPEN, OpenError.UNACCEPTABLE_HOLD_TIME, f"hold time {hold_time} s is neither 0 nor >= 3 s")
    if identifier == 0:  # RFC 6286 section 2.1: any non-zero number
        raise fault(Code.OPEN, OpenError.BAD_IDENTIFIER, "identifier 0.0.0.0")
    return Open(real, hold_time, IPv4Address(identifier), capabilities)


def _capabilities(body: bytes) -> Iterator[Capability]:
    for kind, value in _parameters(body):
        if kind != CAPABILITIES_PARAMETER:
            raise fault(Code.OPEN, OpenError.UNSUPPORTED_PARAMETER, f"optional parameter {kind}")
        yield from decode_capabilities(value)


def _parameters(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each optional parameter, in either length format."""
    extended = len(body) >= 13 and body[9] != 0 and body[10] == EXTENDED_PARAMETERS
    length, at = (int.from_bytes(body[11:13]), 13) if extended else (body[9], 10)
    if len(body) != at + length:
        raise fault(Code.OPEN, OpenError.UNSPECIFIC, f"parameters of {length} octets in {len(body) - at}")
    width = 2 if extended else 1
    while at < len(body):
        size = int.from_bytes(body[at + 1 : at + 1 + width])
        value = body[at + 1 + width : at + 1 + width + size]
        if len(body) < at + 1 + width + size:
            raise fault(Code.OPEN, OpenError.UNSPECIFIC, "an optional parameter runs over the end of the message")
        yield body[at], value
        at += 1 + width + size
