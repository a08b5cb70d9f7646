"""ARP for IPv4 over Ethernet: frame in, reply or Drop out (RFC 826, RFC 5227). Pure.

One frame, with its offsets:

     0 destination   6 source   12 type 0806
    14 hardware 0001   16 protocol 0800   18 lengths 06 04   20 operation 1 request, 2 reply
    22 sender MAC   28 sender IP   32 target MAC   38 target IP   42 end; padding may follow

An answer is three slices and one lookup: the reply's fixed middle is prepared when an address becomes ours, and the
asker's own MAC and IP, copied from its request, are the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from suite.l2.drop import Drop
from suite.l2.hardware import BROADCAST, NOBODY, Mac, is_unicast

LENGTH = 42
LONGEST = 1518
"""An Ethernet frame with its checksum; ARP is far shorter, but padding is legal."""

REQUEST = bytes.fromhex("0806 0001 0800 06 04 0001")
REPLY = bytes.fromhex("0806 0001 0800 06 04 0002")
TYPE = b"\x08\x06"
VLAN_TYPES = (b"\x81\x00", b"\x88\xa8")
NO_ADDRESS = bytes(4)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a frame says about an address: `mac` uses it, or, if `is_probe`, would like to (RFC 5227 section 1.1)."""

    address: bytes
    mac: Mac
    is_probe: bool = False


def prepare(template: bytes, address: bytes, mac: Mac) -> bytes:
    """The middle of each reply for an address: bytes 6 to 32 of the frame, from our MAC to the address."""
    return mac + template[12:20] + REPLY[8:] + mac + address


def answer(frame: bytes, replies: Mapping[bytes, bytes], mac: Mac) -> bytes | Drop:
    """The reply to send, or why there is none.

    `replies` maps each owned address (4 bytes) to what `prepare` returned; `mac` is the interface's own. Probes (sender
    0.0.0.0) are answered like any request: that is how the prober learns of the conflict (RFC 5227 section 2.1.1).
    """
    middle = replies.get(frame[38:42])
    if middle is not None and frame[12:22] == REQUEST and len(frame) <= LONGEST:
        asker, source = frame[22:32], frame[22:28]
        if (
            (frame[:6] == BROADCAST or frame[:6] == mac)
            # The sender is one machine other than us: never answer to groups, loopback or class D and E.
            and not asker[0] & 1
            and source not in (mac, NOBODY)
            and asker[6] < 224
            and asker[6] != 127
            and frame[28:32] not in replies
        ):
            return source + middle + asker
    return why_not(frame, replies, mac)


def why_not(frame: bytes, replies: Mapping[bytes, bytes], mac: Mac) -> Drop:
    """The reason for a frame that `answer` does not answer, most basic fault first."""
    if fault := _malformed(frame):
        return fault
    if frame[22:28] == mac:
        return Drop.OWN_FRAME
    if frame[28:32] in replies:
        return Drop.CONFLICT
    if frame[21] == 2:
        return Drop.NOT_A_QUESTION
    if frame[:6] not in {BROADCAST, mac}:
        return Drop.WRONG_DESTINATION
    if frame[38:42] not in replies:
        return Drop.FOREIGN_ADDRESS
    return Drop.BAD_SENDER


def claim(frame: bytes, mac: Mac) -> Claim | None:
    """The address that the sender of a well-formed frame says it uses or probes for; None for our own frames."""
    if _malformed(frame) or frame[22:28] == mac or not is_unicast(frame[22:28]):
        return None
    if frame[28:32] != NO_ADDRESS:
        return Claim(frame[28:32], frame[22:28])
    return Claim(frame[38:42], frame[22:28], is_probe=True) if frame[21] == 1 else None


def announcements(template: bytes, address: bytes, mac: Mac) -> tuple[bytes, bytes]:
    """Gratuitous ARP as a request (RFC 5227 section 2.3) and as a reply: some stacks heed only one of the two."""
    return (
        _broadcast(template, REQUEST, mac, address, NOBODY + address),
        _broadcast(template, REPLY, mac, address, BROADCAST + address),
    )


def probe(template: bytes, address: bytes, mac: Mac) -> bytes:
    """Ask whether anybody uses the address, without claiming it: sender IP 0.0.0.0 (RFC 5227 section 2.1.1)."""
    return _broadcast(template, REQUEST, mac, NO_ADDRESS, NOBODY + address)


def _broadcast(template: bytes, operation: bytes, mac: Mac, sender: bytes, target: bytes) -> bytes:
    return template[:6] + mac + template[12:20] + operation[8:] + mac + sender + target


def _malformed(frame: bytes) -> Drop | None:
    if len(frame) < 14:
        return Drop.TRUNCATED
    if frame[12:14] != TYPE:
        return Drop.VLAN_TAGGED if frame[12:14] in VLAN_TYPES else Drop.OTHER_PROTOCOL
    if len(frame) < LENGTH:
        return Drop.TRUNCATED
    if len(frame) > LONGEST:
        return Drop.OVERSIZED
    if frame[14:16] != REQUEST[2:4]:
        return Drop.WRONG_HARDWARE
    return None if frame[12:22] in {REQUEST, REPLY} else Drop.WRONG_FORMAT
