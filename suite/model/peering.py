"""BGP sessions as roles tell them to people: plain values, made by the speaker, shown by the API and the command line."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Moment:
    """A change of a session's state, ``ago`` seconds before the picture was made."""

    ago: float
    state: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """A route that the peer told us, ``ago`` seconds before the picture was made; nothing is done with it."""

    ago: float
    prefix: str
    is_withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Peering:
    """One session of one node; times are seconds."""

    peer: str
    node: str
    address: str
    state: str
    seconds: float
    """How long it has been in this state."""
    asn: int | None = None
    """The peer's AS number, once it has said it."""
    identifier: str = ""
    local: str = ""
    """Our address of the session."""
    hold_time: int | None = None
    families: tuple[str, ...] = ()
    announced: int = 0
    pending: int = 0
    received: int = 0
    """Prefixes that the peer sent; they are counted and dropped."""
    bfd: str = ""
    """State of the BFD session; empty where there is none."""
    why: str = ""
    """Why it is not up, as far as anybody said; or which family an established one does not carry."""
    heard: tuple[Heard, ...] = ()
    """The last routes that the peer sent."""
    faults: tuple[str, ...] = ()
    """The last faults in its UPDATEs that did not end the session (RFC 7606)."""
    history: tuple[Moment, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionState:
    """Whether one session of one node is up, as the database keeps it; a session that was never heard of is neither."""

    node: str
    peer: str
    address: str
    is_up: bool
    asn: int | None = None
    """The peer's AS number and identifier, where it is up."""
    identifier: str = ""
    why: str = ""
    """Why it is down."""

    @property
    def key(self) -> tuple[str, str, str, bool, int, str]:
        """What tells one row from the next; a reason alone does not."""
        return self.node, self.peer, self.address, self.is_up, self.asn or 0, self.identifier


@dataclass(frozen=True, slots=True)
class SessionSpan:
    """A state from when until when; None for until now."""

    state: SessionState
    since: datetime
    until: datetime | None = None
