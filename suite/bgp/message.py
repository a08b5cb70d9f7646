"""Messages and their framing (RFC 4271 section 4.1): a byte stream in, typed messages or a ProtocolError out.

The header is judged as soon as its 19 octets are there, so a peer that speaks another protocol is told at once, and
the buffer never holds more than one message of 4,096 octets beyond what one call of `feed` handed over.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from suite.bgp.notification import (
    ROUTE_REFRESH_INVALID_LENGTH,
    Code,
    HeaderError,
    Notification,
    decode_notification,
    encode_notification,
    fault,
)
from suite.bgp.open import Open, decode_open, encode_open
from suite.bgp.prefix import Family
from suite.bgp.update import Dialect, Update, decode_update, encode_update

MARKER = b"\xff" * 16
HEADER_SIZE = 19
MAX_SIZE = 4096


class MessageType(IntEnum):
    """Type codes (RFC 4271 section 4.1, RFC 2918 for 5)."""

    OPEN = 1
    UPDATE = 2
    NOTIFICATION = 3
    KEEPALIVE = 4
    ROUTE_REFRESH = 5


MIN_SIZE = {
    MessageType.OPEN: 29,
    MessageType.UPDATE: 23,
    MessageType.NOTIFICATION: 21,
    MessageType.KEEPALIVE: 19,
    MessageType.ROUTE_REFRESH: 19,  # its own error has its own code, see `_decode_route_refresh`
}


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Nothing to say, but alive."""


class RefreshKind(IntEnum):
    """What a ROUTE-REFRESH means (RFC 7313 section 3.2)."""

    REQUEST = 0
    BEGIN = 1
    END = 2


@dataclass(frozen=True, slots=True)
class RouteRefresh:
    """ROUTE-REFRESH of one family; `kind` is a number, since unknown ones are ignored rather than refused."""

    family: Family
    kind: int = RefreshKind.REQUEST


Message = Open | Update | Notification | Keepalive | RouteRefresh


def frame(kind: MessageType, body: bytes) -> bytes:
    """A whole message; ValueError if the body is too long for one."""
    size = HEADER_SIZE + len(body)
    if size > MAX_SIZE:
        raise ValueError(f"a message of {size} octets, {MAX_SIZE} are allowed")
    return MARKER + size.to_bytes(2) + bytes((kind,)) + body


KEEPALIVE = frame(MessageType.KEEPALIVE, b"")


def encode(message: Message, *, four_octet: bool = True) -> bytes:
    """Any message with its header; `four_octet` matters for UPDATE only."""
    match message:
        case Open():
            return frame(MessageType.OPEN, encode_open(message))
        case Update():
            return frame(MessageType.UPDATE, encode_update(message, four_octet=four_octet))
        case Notification():
            return frame(MessageType.NOTIFICATION, encode_notification(message))
        case Keepalive():
            return KEEPALIVE
        case RouteRefresh(family, kind):
            return frame(MessageType.ROUTE_REFRESH, family.afi.to_bytes(2) + bytes((kind, family.safi)))


class MessageReader:
    """Cuts a byte stream into messages; after a ProtocolError the stream is lost and the reader must not be fed."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, octets: bytes) -> Iterator[tuple[MessageType, bytes]]:
        """Type and body of each message that is now complete; ProtocolError at the first bad header."""
        buffer = self._buffer
        buffer += octets
        at = 0
        while len(buffer) - at >= HEADER_SIZE:
            size, kind = _check_header(buffer[at : at + HEADER_SIZE])
            if len(buffer) - at < size:
                break
            body = bytes(buffer[at + HEADER_SIZE : at + size])
            at += size
            yield kind, body
        del buffer[:at]


def _check_header(header: bytearray) -> tuple[int, MessageType]:
    """Length and type of a header (RFC 4271 section 6.1, which also says what the data field repeats)."""
    if header[:16] != MARKER:
        raise fault(Code.HEADER, HeaderError.NOT_SYNCHRONIZED, "the marker is not all ones")
    size, kind = int.from_bytes(header[16:18]), header[18]
    if not HEADER_SIZE <= size <= MAX_SIZE:
        raise fault(Code.HEADER, HeaderError.BAD_LENGTH, f"length {size}", bytes(header[16:18]))
    if kind not in MIN_SIZE:
        raise fault(Code.HEADER, HeaderError.BAD_TYPE, f"type {kind}", bytes((kind,)))
    known = MessageType(kind)
    if size < MIN_SIZE[known] or (known is MessageType.KEEPALIVE and size != HEADER_SIZE):
        raise fault(Code.HEADER, HeaderError.BAD_LENGTH, f"{known.name} of length {size}", bytes(header[16:18]))
    return size, known


def decode(kind: MessageType, body: bytes, dialect: Dialect) -> Message:
    """The message of one body; ProtocolError if it is malformed."""
    match kind:
        case MessageType.KEEPALIVE:
            return Keepalive()
        case MessageType.UPDATE:
            return decode_update(body, dialect)
        case MessageType.OPEN:
            return decode_open(body)
        case MessageType.NOTIFICATION:
            return decode_notification(body)
        case MessageType.ROUTE_REFRESH:
            return _decode_route_refresh(body)


def _decode_route_refresh(body: bytes) -> RouteRefresh:
    """RFC 7313 section 5: a wrong length is answered with the whole message."""
    if len(body) != 4:
        whole = frame(MessageType.ROUTE_REFRESH, body)[: MAX_SIZE - HEADER_SIZE - 2]
        reason = f"ROUTE-REFRESH with {len(body)} octets"
        raise fault(Code.ROUTE_REFRESH, ROUTE_REFRESH_INVALID_LENGTH, reason, whole)
    return RouteRefresh(Family(int.from_bytes(body[:2]), body[3]), body[2])
