"""Connection collision detection: which of two connections to one peer stays (RFC 4271 section 6.8)."""

from dataclasses import dataclass
from ipaddress import IPv4Address

from suite.bgp.fsm import State


@dataclass(frozen=True, slots=True)
class Contender:
    """A connection as collision detection sees it; `gracefully` if its peer announced graceful restart."""

    state: State
    incoming: bool
    gracefully: bool = False


@dataclass(frozen=True, slots=True)
class Speakers:
    """Identifier and AS number of both sides."""

    local: tuple[IPv4Address, int]
    remote: tuple[IPv4Address, int]


def keeps_new(existing: Contender, new: Contender, speakers: Speakers) -> bool:
    """Whether `new`, which just received a valid OPEN, stays and `existing` goes.

    An established connection wins, unless its peer announced graceful restart: then a new connection means that
    the peer restarted and the old one is dead (RFC 4724 section 4.2). Of two connections in the same direction the
    newer one wins, since the peer gave the older one up. Otherwise the side with the higher identifier keeps the
    one it opened; for equal identifiers the higher AS number decides (RFC 6286 section 2.3).
    """
    if existing.state is State.ESTABLISHED:
        return existing.gracefully
    if existing.incoming == new.incoming:
        return True
    local_wins = speakers.local > speakers.remote
    return new.incoming != local_wins
