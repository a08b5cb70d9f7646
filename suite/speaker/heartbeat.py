"""The heartbeat on the wire: a small, versioned, authenticated datagram. Bytes in, values out. Pure.

    "SH"  major  minor  kind  key fingerprint (4)
    sender (8)  receiver (8)             first bytes of sha256 of the node names
    nonce (8)  sequence (8)              the sender's boot, and the number of this datagram to this receiver
    echo (8)  acknowledged (8)           the receiver's nonce and sequence, as last heard by the sender
    fields: type (1) length (2) value    unknown types are skipped, so that a newer minor version may add some
    HMAC-SHA256 over all of the above (32)

The receiver is part of what is signed, so a datagram for one node proves nothing to another. Nothing is encrypted: the
content is what ARP shows the LAN anyway.
"""

import hmac
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_network

from suite.l2.hardware import Mac

Network = IPv4Network | IPv6Network

MAJOR, MINOR = 1, 0
MAGIC = b"SH"
LONGEST = 1400
"""Bytes; fits every Ethernet with room for tunnels."""
MOST_LINKS = 24
MOST_ADDRESSES = 64
"""Addresses per claims datagram: 64 of IPv6 take 1,088 bytes."""
NO_NONCE = bytes(8)
NO_CLAIMS = bytes(8)

_HEADER = struct.Struct("!2sBBB4s8s8s8sQ8sQ")
_FIELD = struct.Struct("!BH")
_SIGNATURE = 32


class Kind(IntEnum):
    """What a datagram is for."""

    BEAT = 1
    CLAIMS = 2


class Fault(StrEnum):
    """Why a datagram is ignored. The values are metric labels."""

    MALFORMED = "malformed"
    VERSION = "version"
    """More than one minor version away, or another major one."""
    UNKNOWN_SENDER = "unknown_sender"
    OWN = "own"
    """Sent under our own name: looped back, or a second node with this name."""
    WRONG_RECEIVER = "wrong_receiver"
    FORGED = "forged"
    """The signature matches none of our keys."""
    REPLAYED = "replayed"
    """Its sequence number was seen before, or is long past."""
    STALE = "stale"
    """It acknowledges nothing that we sent recently: a recording, or a link that carries only one way."""
    UNPROVEN = "unproven"
    """First contact: authentic, but not yet an echo of our nonce. It is answered, and believed only afterwards."""


@dataclass(frozen=True, slots=True, order=True)
class Standing:
    """Which snapshot a node acts on. Revisions rise even across a restore, so they decide; the epoch breaks ties."""

    revision: int
    epoch: str


@dataclass(frozen=True, slots=True)
class UsableLink:
    """An interface that can announce now: up, with carrier, on this network."""

    name: str
    network: Network
    mac: Mac
    is_settled: bool = True
    """False for a while after its carrier came back: it may be flapping."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """From whom to whom, and the proof that it is no recording."""

    sender: bytes
    receiver: bytes
    nonce: bytes
    sequence: int
    echo: bytes = NO_NONCE
    acknowledged: int = 0


@dataclass(frozen=True, slots=True)
class Beat:
    """What a node says of itself a few times per second."""

    standing: Standing | None = None
    is_ready: bool = False
    is_draining: bool = False
    is_waiting: bool = False
    """It has listened, found a fleet at work, and holds back until its rejoin delay has passed."""
    flaps: int = 0
    """How often the receiver came and went lately, as the sender saw it."""
    claims: bytes = NO_CLAIMS
    """Digest of the addresses that the sender answers for."""
    known: bytes = NO_CLAIMS
    """Digest of the receiver's addresses, as far as the sender has the complete list."""
    links: tuple[UsableLink, ...] = ()


@dataclass(frozen=True, slots=True)
class Claims:
    """A part of the list behind a digest of claims."""

    digest: bytes
    part: int
    parts: int
    addresses: frozenset[bytes]


Body = Beat | Claims


def node_id(name: str) -> bytes:
    """A node's name in eight bytes."""
    return sha256(name.encode()).digest()[:8]


def digest(addresses: Iterable[bytes]) -> bytes:
    """Eight bytes that stand for a set of packed addresses; zeroes for the empty set."""
    ordered = sorted(addresses, key=lambda packed: (len(packed), packed))
    return sha256(b"".join(ordered)).digest()[:8] if ordered else NO_CLAIMS


def encode(envelope: Envelope, body: Body, key: bytes, *, minor: int = MINOR) -> bytes:
    """The signed datagram."""
    kind = Kind.BEAT if isinstance(body, Beat) else Kind.CLAIMS
    header = _HEADER.pack(
        MAGIC,
        MAJOR,
        minor,
        kind,
        fingerprint(key),
        envelope.sender,
        envelope.receiver,
        envelope.nonce,
        envelope.sequence,
        envelope.echo,
        envelope.acknowledged,
    )
    signed = header + (_beat_body(body) if isinstance(body, Beat) else _joined(_claims_fields(body)))
    return signed + hmac.digest(key, signed, "sha256")


def open_envelope(datagram: bytes) -> Envelope | Fault:
    """Read the outside of a datagram; nothing in it is believed before `verify`."""
    if not _HEADER.size + _SIGNATURE <= len(datagram) <= LONGEST or datagram[:2] != MAGIC:
        return Fault.MALFORMED
    _, major, minor, _, _, *rest = _HEADER.unpack_from(datagram)
    if major != MAJOR or abs(minor - MINOR) > 1:
        return Fault.VERSION
    return Envelope(*rest)


def verify(datagram: bytes, keys: Iterable[bytes]) -> bool:
    """Whether one of the keys signed it; a few keys at most, so the fingerprint only saves work."""
    signed, signature = datagram[:-_SIGNATURE], datagram[-_SIGNATURE:]
    wanted = datagram[5:9]
    return any(
        hmac.compare_digest(hmac.digest(key, signed, "sha256"), signature) for key in keys if fingerprint(key) == wanted
    )


def read(datagram: bytes) -> Body | Fault:
    """The content of a verified datagram. A peer's mistake is MALFORMED, never an exception."""
    if datagram[4] not in {Kind.BEAT, Kind.CLAIMS}:
        return Fault.VERSION
    try:
        body = datagram[_HEADER.size : -_SIGNATURE]
        return _read_beat(body) if datagram[4] == Kind.BEAT else _read_claims(list(_split(body)))
    except (ValueError, struct.error):  # UnicodeDecodeError is a ValueError
        return Fault.MALFORMED


@lru_cache(8)
def fingerprint(key: bytes) -> bytes:
    """Tells keys apart without giving them away."""
    return sha256(b"suite heartbeat key\0" + key).digest()[:4]


STANDING, FLAGS, FLAPS, CLAIMED, KNOWN, LINK, PART, ADDRESSES = range(1, 9)
READY, DRAINING, WAITING = 1, 2, 4
Field = tuple[int, bytes]


def _joined(fields: Iterable[Field]) -> bytes:
    return b"".join(_FIELD.pack(kind, len(value)) + value for kind, value in fields)


@lru_cache(256)
def _beat_body(beat: Beat) -> bytes:
    """A node says the same to all of its peers, again and again."""
    return _joined(_beat_fields(beat))


def _beat_fields(beat: Beat) -> Iterator[Field]:
    if beat.standing is not None:
        yield STANDING, struct.pack("!Q", beat.standing.revision) + beat.standing.epoch.encode()[:64]
    yield FLAGS, bytes((READY * beat.is_ready | DRAINING * beat.is_draining | WAITING * beat.is_waiting,))
    yield FLAPS, bytes((min(beat.flaps, 255),))
    yield CLAIMED, beat.claims
    yield KNOWN, beat.known
    for link in beat.links[:MOST_LINKS]:
        network = link.network.network_address.packed
        yield (
            LINK,
            bytes((link.is_settled, len(network), link.network.prefixlen))
            + network
            + link.mac
            + link.name.encode()[:15],
        )


def _claims_fields(claims: Claims) -> Iterator[Field]:
    yield CLAIMED, claims.digest
    yield PART, struct.pack("!HH", claims.part, claims.parts)
    for size in (4, 16):
        if packed := b"".join(sorted(address for address in claims.addresses if len(address) == size)):
            yield ADDRESSES, bytes((size,)) + packed


def _split(body: bytes) -> Iterator[Field]:
    at = 0
    while at < len(body):
        kind, length = _FIELD.unpack_from(body, at)
        at += _FIELD.size
        if at + length > len(body):
            raise ValueError("a field ends behind the datagram")
        yield kind, body[at : at + length]
        at += length


@lru_cache(256)
def _read_beat(body: bytes) -> Beat:
    """Nodes say the same again and again, and one object for it spares comparing."""
    fields = list(_split(body))
    single = dict(fields)
    flags = int.from_bytes(single.get(FLAGS, b"")[:1], "big")
    standing = single.get(STANDING)
    return Beat(
        standing=Standing(struct.unpack_from("!Q", standing)[0], standing[8:].decode()) if standing else None,
        is_ready=bool(flags & READY),
        is_draining=bool(flags & DRAINING),
        is_waiting=bool(flags & WAITING),
        flaps=int.from_bytes(single.get(FLAPS, b"")[:1], "big"),
        claims=_digest_in(single.get(CLAIMED, NO_CLAIMS)),
        known=_digest_in(single.get(KNOWN, NO_CLAIMS)),
        links=tuple(_read_link(value) for kind, value in fields if kind == LINK),
    )


def _read_link(value: bytes) -> UsableLink:
    is_settled, size, prefix = struct.unpack_from("!BBB", value)
    if size not in {4, 16} or len(value) < 9 + size:
        raise ValueError("a link is too short or of an unknown family")
    network = ip_network((value[3 : 3 + size], prefix))
    return UsableLink(value[9 + size :].decode(), network, value[3 + size : 9 + size], bool(is_settled))


def _read_claims(fields: list[Field]) -> Claims:
    single = dict(fields)
    part, parts = struct.unpack("!HH", single.get(PART, b""))
    addresses = frozenset(packed for kind, value in fields if kind == ADDRESSES for packed in _read_addresses(value))
    if not part < parts or len(addresses) > MOST_ADDRESSES:
        raise ValueError("a part beyond the last, or too big a part")
    return Claims(_digest_in(single.get(CLAIMED, b"")), part, parts, addresses)


def _read_addresses(value: bytes) -> Iterator[bytes]:
    size = value[0] if value else 0
    if size not in {4, 16} or (len(value) - 1) % size:
        raise ValueError("addresses of an unknown family")
    return (value[at : at + size] for at in range(1, len(value), size))


def _digest_in(value: bytes) -> bytes:
    if len(value) != 8:
        raise ValueError("a digest has eight bytes")
    return value
