"""BGP sessions as roles tell them to people: plain values, made by the speaker, shown by the API and the command line."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moment:
    """A change of a session's state, ``ago`` seconds before the picture was made."""

    ago: float
    state: str
    cause: str = ""


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
    """Why it is not up, as far as anybody said."""
    history: tuple[Moment, ...] = ()
