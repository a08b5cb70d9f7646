"""Answering ping for owned addresses: frame in, echo reply or Drop out (RFC 792, RFC 4443 section 4.2). Pure.

Off by default. Where nothing on the node accepts an address but kube-proxy's ports, the kernel forwards an echo request and
tells the sender "Redirect Host": healthy, but it looks broken. These replies come from us instead, like those of ARP.
Only whole, unadorned requests are answered: no fragments, no IPv4 options, no IPv6 extension headers.
"""

from collections.abc import Mapping

from suite.l2.drop import Drop
from suite.l2.hardware import Mac, is_unicast

TYPE4, TYPE6 = b"\x08\x00", b"\x86\xdd"
ICMP, ICMPV6 = 1, 58
REQUEST4, REQUEST6, REPLY6 = 8, 128, 129
TIME_TO_LIVE = b"\x40"

_MODULUS = 0xFFFF


def answer4(frame: bytes, replies: Mapping[bytes, bytes], mac: Mac) -> bytes | Drop:
    """The echo reply for an IPv4 frame: 14 version, 16 length, 20 fragment, 23 protocol, 26 source, 30 target, 34 ICMP."""
    if len(frame) < 42:
        return Drop.TRUNCATED
    if frame[12:15] != TYPE4 + b"\x45" or frame[23] != ICMP or frame[34:36] != bytes((REQUEST4, 0)):
        return Drop.OTHER_PROTOCOL
    end = 14 + int.from_bytes(frame[16:18], "big")
    if not 42 <= end <= len(frame):
        return Drop.TRUNCATED
    if int.from_bytes(frame[20:22], "big") & 0x3FFF:
        return Drop.WRONG_FORMAT
    if fault := _not_for_us(frame, frame[30:34], replies, mac):
        return fault
    if frame[26] in {0, 127} or frame[26] >= 224 or frame[26:30] in replies:
        return Drop.BAD_SENDER
    if _sum(frame[14:34]) or _sum(frame[34:end]):
        return Drop.BAD_CHECKSUM
    header = frame[14:22] + TIME_TO_LIVE + frame[23:24] + bytes(2) + frame[30:34] + frame[26:30]
    header = header[:10] + _complement(_sum(header)) + header[12:]
    message = b"\0\0\0\0" + frame[38:end]
    return frame[6:12] + mac + TYPE4 + header + message[:2] + _complement(_sum(message)) + message[4:]


def answer6(frame: bytes, replies: Mapping[bytes, bytes], mac: Mac) -> bytes | Drop:
    """The echo reply for an IPv6 frame: 18 length, 20 next header, 22 source, 38 target, 54 ICMPv6."""
    if len(frame) < 62:
        return Drop.TRUNCATED
    if frame[12:14] != TYPE6 or frame[20] != ICMPV6 or frame[54:56] != bytes((REQUEST6, 0)):
        return Drop.OTHER_PROTOCOL
    end = 54 + int.from_bytes(frame[18:20], "big")
    if not 62 <= end <= len(frame):
        return Drop.TRUNCATED
    if fault := _not_for_us(frame, frame[38:54], replies, mac):
        return fault
    if frame[22] == 0xFF or not any(frame[22:37]) or frame[22:38] in replies:
        return Drop.BAD_SENDER
    pseudo = frame[22:54] + frame[18:20] + bytes((0, ICMPV6))
    if _sum(pseudo + frame[54:end]):
        return Drop.BAD_CHECKSUM
    message = bytes((REPLY6, 0, 0, 0)) + frame[58:end]
    addresses = frame[38:54] + frame[22:38]
    answer = message[:2] + _complement(_sum(pseudo + message)) + message[4:]
    return frame[6:12] + mac + frame[12:21] + TIME_TO_LIVE + addresses + answer


def _not_for_us(frame: bytes, target: bytes, replies: Mapping[bytes, bytes], mac: Mac) -> Drop | None:
    if frame[:6] != mac:
        return Drop.WRONG_DESTINATION
    if target not in replies:
        return Drop.FOREIGN_ADDRESS
    return None if is_unicast(frame[6:12]) and frame[6:12] != mac else Drop.BAD_SENDER


def _sum(octets: bytes) -> int:
    """Ones' complement sum of 16-bit words (RFC 1071); 0 over a whole with a right checksum."""
    return int.from_bytes(octets + bytes(len(octets) & 1), "big") % _MODULUS


def _complement(total: int) -> bytes:
    return (_MODULUS - total).to_bytes(2, "big")
