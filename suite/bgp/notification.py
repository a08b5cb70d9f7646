"""NOTIFICATION: why a session ends (RFC 4271 sections 4.5 and 6), and the exception that carries one.

Every decoder of this package raises `ProtocolError`, which already holds the message to send; nobody has to
translate a fault into an answer later.
"""

from dataclasses import dataclass
from enum import IntEnum

SHUTDOWN_TEXT_LIMIT = 255  # RFC 9003 section 2: the length octet's whole range


class Code(IntEnum):
    """Error codes of RFC 4271 section 4.5, RFC 7313 (7) and RFC 9687 (8)."""

    HEADER = 1
    OPEN = 2
    UPDATE = 3
    HOLD_TIMER_EXPIRED = 4
    FSM = 5
    CEASE = 6
    ROUTE_REFRESH = 7
    SEND_HOLD_TIMER_EXPIRED = 8


class HeaderError(IntEnum):
    """Subcodes of a message header error (RFC 4271 section 6.1)."""

    NOT_SYNCHRONIZED = 1
    BAD_LENGTH = 2
    BAD_TYPE = 3


class OpenError(IntEnum):
    """Subcodes of an OPEN error (RFC 4271 section 6.2, RFC 5492 for 7)."""

    UNSPECIFIC = 0
    UNSUPPORTED_VERSION = 1
    BAD_PEER_AS = 2
    BAD_IDENTIFIER = 3
    UNSUPPORTED_PARAMETER = 4
    UNACCEPTABLE_HOLD_TIME = 6
    UNSUPPORTED_CAPABILITY = 7


class UpdateError(IntEnum):
    """Subcodes of an UPDATE error that resets the session (RFC 4271 section 6.3, as revised by RFC 7606)."""

    MALFORMED_ATTRIBUTE_LIST = 1
    UNRECOGNIZED_WELL_KNOWN = 2
    OPTIONAL_ATTRIBUTE = 9
    INVALID_NETWORK = 10


class FsmError(IntEnum):
    """Subcodes of a state machine error (RFC 6608)."""

    UNSPECIFIED = 0
    OPEN_SENT = 1
    OPEN_CONFIRM = 2
    ESTABLISHED = 3


class Cease(IntEnum):
    """Subcodes of Cease (RFC 4486, RFC 8538 for 9, RFC 9384 for 10)."""

    UNSPECIFIC = 0
    MAXIMUM_PREFIXES = 1
    ADMINISTRATIVE_SHUTDOWN = 2
    PEER_DECONFIGURED = 3
    ADMINISTRATIVE_RESET = 4
    CONNECTION_REJECTED = 5
    CONFIGURATION_CHANGE = 6
    COLLISION = 7
    OUT_OF_RESOURCES = 8
    HARD_RESET = 9
    BFD_DOWN = 10


ROUTE_REFRESH_INVALID_LENGTH = 1  # RFC 7313 section 5

_SUBCODES: dict[int, type[IntEnum]] = {
    Code.HEADER: HeaderError,
    Code.OPEN: OpenError,
    Code.UPDATE: UpdateError,
    Code.FSM: FsmError,
    Code.CEASE: Cease,
}


@dataclass(frozen=True, slots=True)
class Notification:
    """One NOTIFICATION message; codes outside the enumerations are legal, since peers may know newer ones."""

    code: int
    subcode: int = 0
    data: bytes = b""

    @classmethod
    def shutdown(cls, text: str = "", subcode: Cease = Cease.ADMINISTRATIVE_SHUTDOWN) -> "Notification":
        """Cease with a message for the people at the other end (RFC 9003); longer text is cut at a character."""
        octets = text.encode()[:SHUTDOWN_TEXT_LIMIT].decode(errors="ignore").encode()
        return cls(Code.CEASE, subcode, bytes((len(octets),)) + octets if octets else b"")

    @property
    def text(self) -> str:
        """The message of an administrative shutdown or reset, made printable; empty if there is none.

        RFC 9003 section 4: what is not valid UTF-8 is shown as replacement characters, control characters dropped.
        """
        if self.code != Code.CEASE or self.subcode not in {Cease.ADMINISTRATIVE_SHUTDOWN, Cease.ADMINISTRATIVE_RESET}:
            return ""
        octets = self.data[1 : 1 + self.data[0]] if self.data else b""
        return "".join(character for character in octets.decode(errors="replace") if character.isprintable())

    def __str__(self) -> str:
        words = _name(Code, self.code, "code").lower().replace("_", " ")
        if self.subcode or self.code == Code.OPEN:
            subcode = _name(_SUBCODES.get(self.code), self.subcode, "subcode")
            words += f"/{subcode.lower().replace('_', ' ')}"
        return f"{words}: {self.text}" if self.text else words


def _name(names: type[IntEnum] | None, number: int, kind: str) -> str:
    """The name of a number, which peers may know more of than the enumeration."""
    return next((member.name for member in names or () if member == number), f"{kind} {number}")


class ProtocolError(Exception):
    """The peer broke the protocol; `notification` is the message to send before closing."""

    def __init__(self, notification: Notification, reason: str) -> None:
        super().__init__(f"{notification}: {reason}")
        self.notification = notification
        self.reason = reason


def fault(code: Code, subcode: int, reason: str, data: bytes = b"") -> ProtocolError:
    """The exception for a fault; `data` is what RFC 4271 section 6 wants in the NOTIFICATION's data field."""
    return ProtocolError(Notification(code, int(subcode), data), reason)


def encode_notification(notification: Notification) -> bytes:
    """The body of the message."""
    return bytes((notification.code, notification.subcode)) + notification.data


def decode_notification(body: bytes) -> Notification:
    """The message of a body of at least two octets, which the framing guarantees."""
    return Notification(body[0], body[1], body[2:])
