"""What a session shows of itself: events for its shell, and a status for people and metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from suite.bgp.attribute import PathAttributes
from suite.bgp.connection import Cause
from suite.bgp.fsm import State
from suite.bgp.prefix import Address, Family, Prefix


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a TCP connection to the peer and report `connected` or `lost` with this number."""

    link: int


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Send the last octets, then close this connection; nothing needs to be reported about it any more."""

    link: int
    last: bytes = b""


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The session as a whole moved; `cause` tells why when it fell."""

    old: State
    new: State
    at: float
    cause: Cause | None = None


SessionEvent = Connect | Disconnect | StateChanged


@dataclass(frozen=True, slots=True)
class ReceivedRoute:
    """A route the peer sent, kept for show only."""

    prefix: Prefix
    withdrawn: bool
    attributes: PathAttributes
    at: float


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """A picture of a session. Times are the caller's clock; `counters` are since the session was made.

    Counter names are `<message>_sent` and `<message>_received` with the message one of open, update, notification,
    keepalive and route_refresh, then `prefixes_received` and `prefixes_withdrawn` (by the peer), `faults` (UPDATEs
    that RFC 7606 forgave), `established` and `dropped`.
    """

    state: State
    since: float
    peer_as: int | None
    peer_identifier: IPv4Address | None
    internal: bool | None
    local: Address | None
    remote: Address | None
    hold_time: int | None
    keepalive_time: float | None
    families: frozenset[Family]
    unannounced_families: frozenset[Family]
    announced: int
    pending: int
    counters: Mapping[str, int]
    last_cause: Cause | None
    history: tuple[StateChanged, ...]
    received: tuple[ReceivedRoute, ...]
    faults: tuple[str, ...]
