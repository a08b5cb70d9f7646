"""The next snapshot: the one before it, plus what a commit changed.  Structure is shared; the cost is what changed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from suite.model.address import Address
from suite.model.changes import Changes
from suite.model.lease import Lease
from suite.model.persistent import PersistentMap
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def succeed(snapshot: Snapshot, changes: Changes, opened: Iterable[Lease], *, revision: int, at: datetime) -> Snapshot:
    """``snapshot`` after ``changes``; ``opened`` are the new lease rows as the database wrote them, ids included."""
    leases, holdings = _leases(snapshot, changes, tuple(opened))
    return replace(
        snapshot,
        revision=revision,
        at=at,
        configuration=changes.configuration or snapshot.configuration,
        services=_merged(snapshot.services, changes.services, changes.services_gone, lambda each: each.ref),
        endpoints=_merged(snapshot.endpoints, changes.endpoints, changes.endpoints_gone, lambda each: each.ref),
        nodes=_merged(snapshot.nodes, changes.nodes, changes.nodes_gone, lambda each: each.name),
        namespaces=_merged(snapshot.namespaces, changes.namespaces, changes.namespaces_gone, lambda each: each.name),
        refusals=_updated(snapshot.refusals, dict(changes.refusals), changes.refusals_gone),
        leases=leases,
        holdings=holdings,
        reservations=_merged(
            snapshot.reservations,
            changes.reserved,
            tuple(each.address for each in changes.unreserved),
            lambda each: each.address,
        ),
        drained=(snapshot.drained | set(changes.drained)) - set(changes.undrained),
        drained_nodes=(snapshot.drained_nodes | set(changes.nodes_drained)) - set(changes.nodes_undrained),
        records=_updated(snapshot.records, dict.fromkeys(changes.records, True), changes.records_gone),
        withheld=snapshot.withheld if changes.withheld is None else changes.withheld,
        confirmed=snapshot.confirmed if changes.confirmed is None else changes.confirmed,
    )


def _leases(
    snapshot: Snapshot, changes: Changes, opened: tuple[Lease, ...]
) -> tuple[PersistentMap[Address, tuple[Lease, ...]], PersistentMap[ServiceRef, tuple[Lease, ...]]]:
    """Both indexes of the open leases; the same objects when no lease changed."""
    closed = {closing.lease.id for closing in changes.closed}
    gone = [closing.lease for closing in changes.closed]
    by_address = _regrouped(snapshot.leases, gone, opened, closed, lambda lease: lease.address)
    by_ref = _regrouped(snapshot.holdings, gone, opened, closed, lambda lease: lease.ref)
    return by_address, by_ref


def _regrouped(
    groups: PersistentMap[K, tuple[Lease, ...]],
    gone: Iterable[Lease],
    opened: Iterable[Lease],
    closed: set[int],
    key: Callable[[Lease], K],
) -> PersistentMap[K, tuple[Lease, ...]]:
    now: dict[K, tuple[Lease, ...]] = {}
    for lease in gone:
        at = key(lease)
        here = now[at] if at in now else groups.get(at) or ()
        now[at] = tuple(each for each in here if each.id not in closed)
    for lease in opened:
        at = key(lease)
        now[at] = (*(now[at] if at in now else groups.get(at) or ()), lease)
    return _updated(groups, {at: leases for at, leases in now.items() if leases}, [at for at in now if not now[at]])


def _merged(
    known: PersistentMap[K, V], said: Iterable[V], gone: Iterable[K], key: Callable[[V], K]
) -> PersistentMap[K, V]:
    return _updated(known, {key(value): value for value in said}, gone)


def _updated(known: PersistentMap[K, V], said: dict[K, V], gone: Iterable[K]) -> PersistentMap[K, V]:
    for each in gone:
        known = known.discard(each)
    return known.update(said) if said else known
