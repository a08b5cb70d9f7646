"""Neighbor Discovery for IPv6: frame in, advertisement or Drop out (RFC 4861, RFC 4862). Pure.

One solicitation, with its offsets:

     0 destination   6 source   12 type 86DD
    14 version   18 payload length   20 next header 58   21 hop limit 255   22 source IP   38 destination IP
    54 type 135   55 code 0   56 checksum   58 reserved   62 target IP   78 options: type, length in 8 bytes, value

An advertisement (type 136) has its flags R, S and O in byte 58 and, here always, the target's MAC as its one option.
Checksums are ones' complement sums, and a sum of 16-bit words is the big-endian number modulo 65535: Python adds
up a packet in one operation.
"""

from collections.abc import Mapping
from ipaddress import IPv6Address

from suite.l2.arp import VLAN_TYPES, Claim
from suite.l2.drop import Drop
from suite.l2.hardware import Mac, is_unicast

LENGTH = 78
LONGEST = 1518
TYPE = b"\x86\xdd"
ICMPV6 = 58
SOLICITATION = 135
ADVERTISEMENT = 136
SOURCE_MAC_OPTION = 1
TARGET_MAC_OPTION = 2

UNSPECIFIED = bytes(16)
ALL_NODES = IPv6Address("ff02::1").packed
ALL_NODES_MAC = bytes.fromhex("333300000001")
GROUP_PREFIX = IPv6Address("ff02::1:ff00:0").packed[:13]

SOLICITED_OVERRIDE = 0x60
"""S and O: an answer by the owner (RFC 4861 section 7.2.4). R stays 0: the address routes nothing."""
OVERRIDE = 0x20
"""O without S: nobody asked (RFC 4861 section 7.2.6)."""

_MODULUS = 0xFFFF


def group(address: bytes) -> bytes:
    """The solicited-node multicast group of an address (RFC 4291 section 2.7.1)."""
    return GROUP_PREFIX + address[13:]


def group_mac(address: bytes) -> Mac:
    """The Ethernet group of `group(address)` (RFC 2464 section 7)."""
    return b"\x33\x33\xff" + address[13:]


def prepare(template: bytes, address: bytes, mac: Mac) -> bytes:
    """The advertisement for an address, complete but for destination, flags and checksum."""
    return template[:6] + mac + template[12:22] + address + template[38:62] + address + template[78:80] + mac


def answer(frame: bytes, replies: Mapping[bytes, bytes], mac: Mac) -> bytes | Drop:
    """The advertisement to send, or why there is none.

    `replies` maps each owned address (16 bytes) to what `prepare` returned. A solicitation from `::` is a machine that
    is about to use the address (RFC 4862 section 5.4); it hears of the owner through the all-nodes group.
    """
    fault = invalid(frame)
    if fault is not None:
        return fault
    if frame[6:12] == mac:
        return Drop.OWN_FRAME
    if frame[54] == ADVERTISEMENT:
        return Drop.CONFLICT if frame[62:78] in replies else Drop.NOT_A_QUESTION
    prepared = replies.get(frame[62:78])
    if prepared is None:
        return Drop.FOREIGN_ADDRESS
    if frame[22:38] in replies:
        return Drop.CONFLICT
    if frame[:6] not in {mac, group_mac(frame[62:78])}:
        return Drop.WRONG_DESTINATION
    return _advertise_to(frame, prepared)


def invalid(frame: bytes) -> Drop | None:
    """What RFC 4861 sections 7.1.1 and 7.1.2 find wrong with a frame, or None for a valid message."""
    return _no_discovery(frame) or _bad_addresses(frame) or _bad_options(frame) or _bad_sum(frame)


def claim(frame: bytes, mac: Mac) -> Claim | None:
    """The address that the sender of a valid message says it uses, or tries to obtain; None for our own frames.

    An advertisement claims its target, a solicitation its source or, from `::`, probes for its target.
    """
    if invalid(frame) is not None or frame[6:12] == mac:
        return None
    if frame[54] == ADVERTISEMENT:
        return Claim(frame[62:78], _option(frame, TARGET_MAC_OPTION) or frame[6:12])
    if frame[22:38] == UNSPECIFIED:
        return Claim(frame[62:78], frame[6:12], is_probe=True)
    return Claim(frame[22:38], _option(frame, SOURCE_MAC_OPTION) or frame[6:12])


def announcement(prepared: bytes) -> bytes:
    """The unsolicited advertisement to all nodes of the link, from what `prepare` returned (RFC 4861 section 7.2.6)."""
    return _filled(prepared, ALL_NODES_MAC, ALL_NODES, OVERRIDE)


def probe(template: bytes, address: bytes, mac: Mac) -> bytes:
    """Ask whether anybody uses the address, without claiming it (RFC 4862 section 5.4.2)."""
    packet = template[14:38] + group(address) + template[54:62] + address
    total = checksum(packet)
    return group_mac(address) + mac + TYPE + packet[:42] + total + packet[44:]


def checksum(packet: bytes) -> bytes:
    """The ICMPv6 checksum of an IPv6 packet whose checksum field is zero (RFC 4443 section 2.3)."""
    return (_MODULUS - _sum(packet)).to_bytes(2, "big")


def _sum(packet: bytes) -> int:
    """Ones' complement sum over the pseudo header and the message; 0 for a message with a right checksum."""
    body = packet[40:]
    if len(body) & 1:
        body += b"\0"
    return (int.from_bytes(packet[8:40] + body, "big") + len(packet) - 40 + ICMPV6) % _MODULUS


def _advertise_to(frame: bytes, prepared: bytes) -> bytes | Drop:
    if frame[22:38] == UNSPECIFIED:
        return announcement(prepared)
    asker = _option(frame, SOURCE_MAC_OPTION) or frame[6:12]
    if not is_unicast(asker):
        return Drop.BAD_SENDER
    return _filled(prepared, asker, frame[22:38], SOLICITED_OVERRIDE)


def _filled(prepared: bytes, mac: Mac, destination: bytes, flags: int) -> bytes:
    packet = prepared[14:38] + destination + prepared[54:58] + bytes((flags,)) + prepared[59:]
    return mac + prepared[6:14] + packet[:42] + checksum(packet) + packet[44:]


def _no_discovery(frame: bytes) -> Drop | None:
    if len(frame) < 14:
        return Drop.TRUNCATED
    if frame[12:14] != TYPE:
        return Drop.VLAN_TAGGED if frame[12:14] in VLAN_TYPES else Drop.OTHER_PROTOCOL
    if len(frame) < 54:
        return Drop.TRUNCATED
    if frame[14] >> 4 != 6:
        return Drop.WRONG_FORMAT
    if frame[20] != ICMPV6:
        return Drop.OTHER_PROTOCOL
    return _no_neighbor_message(frame)


def _no_neighbor_message(frame: bytes) -> Drop | None:
    size = int.from_bytes(frame[18:20], "big")
    if len(frame) < max(LENGTH, 54 + size):
        return Drop.TRUNCATED
    if len(frame) > LONGEST:
        return Drop.OVERSIZED
    if frame[54] not in {SOLICITATION, ADVERTISEMENT}:
        return Drop.OTHER_PROTOCOL
    if frame[21] != 255:
        return Drop.WRONG_HOP_LIMIT
    return Drop.WRONG_FORMAT if size < 24 or frame[55] != 0 else None


def _bad_addresses(frame: bytes) -> Drop | None:
    if frame[22] == 0xFF or frame[22:38] == _LOOPBACK or not is_unicast(frame[6:12]):
        return Drop.BAD_SENDER
    if frame[62] == 0xFF:
        return Drop.WRONG_FORMAT
    if frame[54] == ADVERTISEMENT:
        # "If the IP Destination Address is a multicast address the Solicited flag is zero."
        return Drop.WRONG_FORMAT if frame[38] == 0xFF and frame[58] & 0x40 else None
    to_group = frame[38:54] == group(frame[62:78])
    if frame[22:38] == UNSPECIFIED:
        return None if to_group else Drop.WRONG_DESTINATION
    return None if to_group or frame[38] != 0xFF else Drop.WRONG_DESTINATION


def _bad_options(frame: bytes) -> Drop | None:
    end = 54 + int.from_bytes(frame[18:20], "big")
    at = LENGTH
    while at < end:
        length = frame[at + 1] * 8 if at + 1 < end else 0
        if length == 0 or at + length > end:
            return Drop.BAD_OPTION
        if frame[at] == SOURCE_MAC_OPTION and frame[22:38] == UNSPECIFIED:
            return Drop.BAD_OPTION
        at += length
    return None


def _bad_sum(frame: bytes) -> Drop | None:
    end = 54 + int.from_bytes(frame[18:20], "big")
    return None if _sum(frame[14:end]) == 0 else Drop.BAD_CHECKSUM


def _option(frame: bytes, kind: int) -> Mac | None:
    """The MAC in the first option of this kind, of a frame whose options were found well-formed."""
    end = 54 + int.from_bytes(frame[18:20], "big")
    at = LENGTH
    while at < end:
        if frame[at] == kind:
            return frame[at + 2 : at + 8]
        at += frame[at + 1] * 8
    return None


_LOOPBACK = IPv6Address("::1").packed
