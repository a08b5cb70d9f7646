"""What speakers report about addresses, decided: each report becomes Changes to commit. No clock, no database, no network."""

from dataclasses import replace
from datetime import datetime

from suite.model.address import Address
from suite.model.changes import Changes, Closing
from suite.model.event import Action, Actor, Event
from suite.model.lease import Lease, LeaseState
from suite.model.snapshot import Snapshot

SPEAKER = Actor("system", "speaker")


def declined(snapshot: Snapshot, address: Address, mac: str, now: datetime, node: str = "") -> Changes:
    """Another machine answers for ``address``: nobody gets it until an operator releases it.

    Who had it asks again in the next turn.  Empty when nobody has the address, or when it is declined already: the
    report is older than the snapshot, or not the first.
    """
    leases = snapshot.leases.get(address) or ()
    if not any(lease.state is LeaseState.BOUND for lease in leases):
        return Changes()
    why = f"{mac} answers for {address}"
    return Changes(
        closed=tuple(Closing(lease, f"declined: {why}") for lease in leases),
        opened=(_declined(leases[0], mac, now),),
        events=tuple(_event(lease, why, node) for lease in leases),
    )


def _declined(lease: Lease, mac: str, now: datetime) -> Lease:
    return replace(
        lease,
        id=0,
        state=LeaseState.DECLINED,
        share_group="declined",
        valid_from=now,
        ports=(),
        until=None,
        note=mac,
    )


def _event(lease: Lease, why: str, node: str) -> Event:
    return Event(Action.DECLINED, lease.ref, lease.address, lease.pool, why, node=node, actor=SPEAKER)
