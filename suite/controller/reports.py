"""What speakers report about addresses, decided: each report becomes Changes to commit. No clock, no database, no network."""

from dataclasses import replace
from datetime import datetime

from suite.model.address import Address
from suite.model.changes import Changes, Closing
from suite.model.event import Action, Actor, Event
from suite.model.lease import Lease, LeaseState
from suite.model.service import NOBODY
from suite.model.snapshot import Snapshot

SPEAKER = Actor("system", "speaker")


def declined(snapshot: Snapshot, address: Address, mac: str, now: datetime, node: str = "") -> Changes:
    """Another machine answers for ``address``: nobody gets it until an operator releases it.

    Who had it asks again in the next turn.  One that was left while the report was on its way (a Service that needs both
    families gives up the second address when a stranger has the first) is declined as well: what cools or waits for a
    return would go to somebody later.  So is an address that nobody has yet, for speakers ask for the next free ones
    before anybody gets them.  Empty when it is declined already (the report is not the first), and when it is in no pool.
    """
    leases = snapshot.leases.get(address) or ()
    why = f"{mac} answers for {address}"
    if not leases:
        return _declined_ahead(snapshot, address, mac, now, node)
    if any(lease.state is LeaseState.DECLINED for lease in leases):
        return Changes()
    return Changes(
        closed=tuple(Closing(lease, f"declined: {why}") for lease in leases),
        opened=(_declined(leases[0], mac, now),),
        events=tuple(_event(lease, why, node) for lease in leases),
    )


def _declined_ahead(snapshot: Snapshot, address: Address, mac: str, now: datetime, node: str) -> Changes:
    pool = snapshot.configuration.pool_of(address)
    if pool is None:
        return Changes()
    lease = _declined(Lease(address, NOBODY, pool.name, LeaseState.DECLINED, "", now), mac, now)
    why = f"{mac} answers for {address}, before anybody got it"
    event = Event(Action.DECLINED, address=address, pool=pool.name, reason=why, node=node, actor=SPEAKER)
    return Changes(opened=(lease,), events=(event,))


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
