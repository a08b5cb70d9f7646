"""TSIG as RFC 8945 sections 4.2 and 4.3 write it down: made and checked here without a line of the program's own."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

import dns.message
import dns.name

SECRET = b"a secret of thirty-two octets ok"
FUDGE = 300
_HEAD_SIZE = 12


@dataclass(frozen=True)
class Signature:
    """How a query is signed: by which key, how far off the clock is, and how much of the MAC is sent."""

    key: str
    algorithm: str
    secret: bytes = SECRET
    skew: int = 0
    mac_size: int | None = None
    ident: bytes = b""
    """Another ID for the packet, as a forwarder puts one there."""

    def apply(self, packet: bytes, now: int) -> bytes:
        """The signed packet."""
        name, algorithm = _wire(self.key), _wire(self.algorithm)
        timers = (now + self.skew).to_bytes(6) + FUDGE.to_bytes(2)
        covered = packet + name.lower() + b"\0\xff" + bytes(4) + algorithm + timers + bytes(4)
        digest = self.algorithm.removeprefix("hmac-").partition(".")[0]
        mac = hmac.digest(self.secret, covered, digest)[: self.mac_size]
        data = algorithm + timers + len(mac).to_bytes(2) + mac + packet[:2] + bytes(4)
        record = name + b"\0\xfa\0\xff" + bytes(4) + len(data).to_bytes(2) + data
        count = int.from_bytes(packet[10:12]) + 1
        return (self.ident or packet[:2]) + packet[2:10] + count.to_bytes(2) + packet[12:] + record


def is_signed_well(reply: bytes, request: bytes) -> bool:
    """Whether the MAC of a single reply is right (section 5.3), over the request's MAC and all of the reply."""
    read = dns.message.from_wire(reply, keyring=False)
    owner, found = read.tsig.name.to_wire(), read.tsig[0]
    algorithm = found.algorithm.to_wire()
    asked = mac_of(request)
    size = len(owner) + 10 + len(algorithm) + 10 + len(found.mac) + 6 + len(found.other)
    count = int.from_bytes(reply[10:12]) - 1
    bare = found.original_id.to_bytes(2) + reply[2:10] + count.to_bytes(2) + reply[_HEAD_SIZE:-size]
    variables = owner.lower() + b"\0\xff" + bytes(4) + algorithm + found.time_signed.to_bytes(6)
    variables += found.fudge.to_bytes(2) + int(found.error).to_bytes(2) + len(found.other).to_bytes(2) + found.other
    covered = len(asked).to_bytes(2) + asked + bare + variables
    return hmac.compare_digest(hmac.digest(SECRET, covered, str(found.algorithm)[len("hmac-") : -1]), found.mac)


def mac_of(packet: bytes) -> bytes:
    """The MAC of a signed packet."""
    found: bytes = dns.message.from_wire(packet, keyring=False).tsig[0].mac
    return found


def _wire(text: str) -> bytes:
    return dns.name.from_text(text).to_wire()
