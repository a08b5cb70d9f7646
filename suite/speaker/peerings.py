"""Pictures of this node's BGP sessions for people: from the protocol's values to the vocabulary.  Pure."""

from collections.abc import Iterable

from suite.bgp.bfd import BfdStatus
from suite.bgp.fsm import State
from suite.bgp.status import ReceivedRoute, SessionStatus, StateChanged
from suite.model.peering import Heard, Moment, Peering, SessionState
from suite.speaker.neighbours import Neighbour

UP = str(State.ESTABLISHED)


def peering(neighbour: Neighbour, node: str, status: SessionStatus, bfd: BfdStatus | None, now: float) -> Peering:
    """One session as it is at ``now``, by the clock of ``status``."""
    return Peering(
        peer=neighbour.name,
        node=node,
        address=str(neighbour.config.address),
        state=str(status.state),
        seconds=round(max(0.0, now - status.since), 3),
        asn=status.peer_as,
        identifier=str(status.peer_identifier or ""),
        local=str(status.local or ""),
        hold_time=status.hold_time,
        families=tuple(sorted(map(str, status.families))),
        announced=status.announced,
        pending=status.pending,
        received=status.counters.get("prefixes_received", 0),
        bfd=bfd.state.name.lower().replace("_", " ") if bfd is not None else "",
        why=_why(status),
        heard=tuple(_heard(each, now) for each in status.received),
        faults=status.faults,
        history=tuple(_moment(change, now) for change in status.history),
    )


def _why(status: SessionStatus) -> str:
    """Why a session is not up, or what one that is up leaves out."""
    if status.state is not State.ESTABLISHED:
        return status.last_cause.text if status.last_cause is not None else ""
    if not status.unannounced_families:
        return ""
    names = " and ".join(sorted(map(str, status.unannounced_families)))
    return f"no {names}: the router does not take it here, or this node has no address of that family to lead to"


def _heard(each: ReceivedRoute, now: float) -> Heard:
    return Heard(round(max(0.0, now - each.at), 3), str(each.prefix), each.withdrawn)


def session_states(peerings: Iterable[Peering]) -> frozenset[SessionState]:
    """What the database keeps of sessions: those that are up, and those that are down for a reason."""
    return frozenset(_state(each) for each in peerings if each.state == UP or each.why)


def _state(each: Peering) -> SessionState:
    if each.state == UP:
        return SessionState(each.node, each.peer, each.address, True, each.asn, each.identifier)
    return SessionState(each.node, each.peer, each.address, False, why=each.why)


def _moment(change: StateChanged, now: float) -> Moment:
    return Moment(round(max(0.0, now - change.at), 3), str(change.new), change.cause.text if change.cause else "")
