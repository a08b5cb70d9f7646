"""The life cycle of an address after its Service: held, cooling, free.

Each step closes the open lease row and, while the address must still wait, opens the next one.  A time of 0 leaves
its step out; with both at 0 an address is free at once, as in MetalLB.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from suite.model.event import Action
from suite.model.lease import Lease, LeaseState


@dataclass(frozen=True, slots=True)
class Waits:
    """How long an address waits, in seconds."""

    hold: float
    cooling: float


@dataclass(frozen=True, slots=True)
class Step:
    """What follows an open lease: ``action`` says what happened, ``following`` is the next row or None when it is free."""

    action: Action
    following: Lease | None


def after_release(lease: Lease, waits: Waits, now: datetime, *, is_last: bool) -> Step:
    """The Service is gone: wait for its name, or cool at once when there is no hold time."""
    if waits.hold > 0:
        return Step(Action.HELD, _waiting(lease, LeaseState.HELD, waits.hold, now))
    return after_hold(lease, waits, now, is_last=is_last)


def after_hold(lease: Lease, waits: Waits, now: datetime, *, is_last: bool) -> Step:
    """Nobody waits for the name any more: cool when it was the last lease on the address, else just let go of its ports."""
    if waits.cooling > 0 and is_last:
        return Step(Action.COOLING, _waiting(lease, LeaseState.COOLING, waits.cooling, now))
    return Step(Action.FREED, None)


def _waiting(lease: Lease, state: LeaseState, seconds: float, now: datetime) -> Lease:
    """The row that follows: a held address keeps its ports and group, a cooling one is nobody's to share."""
    cools = state is LeaseState.COOLING
    return replace(
        lease,
        id=0,
        state=state,
        share_group=f"cooling:{lease.ref}" if cools else lease.share_group,
        ports=() if cools else lease.ports,
        valid_from=now,
        until=now + timedelta(seconds=seconds),
    )
