"""Gauges that follow from a snapshot and the status, set when somebody asks for the metrics page."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from suite import __version__
from suite.ipam.usage import Usage, pool_usage
from suite.metrics import names
from suite.metrics.registry import Labels, Registry
from suite.model.snapshot import Snapshot
from suite.model.status import Status
from suite.store.errors import StoreError

if TYPE_CHECKING:
    from suite.store.store import Store

STATES = ("free", "bound", "held", "cooling", "declined", "reserved")


class Gauges:
    """Gauges that are only counted anew for another snapshot: counting a hundred thousand leases takes a while."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._counted: Snapshot | None = None

    def record(self, snapshot: Snapshot, status: Status, head: str = "") -> None:
        """Bring every gauge that is derived, and not counted as things happen, up to date.

        ``head`` is the hash of the newest event, where it is known; whoever scrapes and keeps it can tell later that
        the log was rewritten.
        """
        if snapshot is not self._counted:
            _count(self._registry, snapshot)
            self._counted = snapshot
        _tell(self._registry, snapshot, status, head)


def newest_hash(store: "Store | None") -> str:
    """The hash of the newest event; empty without a database, or while it is away."""
    try:
        newest = store.events(limit=1) if store is not None else []
    except StoreError:
        return ""
    return newest[0].hash if newest else ""


def _count(registry: Registry, snapshot: Snapshot) -> None:
    _record_pools(registry, pool_usage(snapshot))
    reasons = Counter(refusal.reason.value for refusal in snapshot.refusals.values())
    registry.replace(names.REFUSALS, {(reason,): float(count) for reason, count in reasons.items()})
    registry.set(names.SERVICES, sum(service.wants_address for service in snapshot.services.values()))


def _tell(registry: Registry, snapshot: Snapshot, status: Status, head: str) -> None:
    registry.replace(names.BUILD, {(__version__, ".".join(map(str, sys.version_info[:3]))): 1.0})
    registry.replace(names.HEAD, {(snapshot.epoch, head): 1.0} if head else {})
    registry.set(names.CONFIG_LOADED, bool(snapshot.configuration.digest))
    registry.set(names.CONFIG_STALE, status.is_stale)
    registry.set(names.WITHHELD, bool(status.withheld))
    registry.set(names.DATABASE_UP, not status.database)
    severities = Counter("warning" if problem.is_warning else "error" for problem in status.problems)
    registry.replace(names.CONFIG_PROBLEMS, {(each,): float(severities[each]) for each in ("error", "warning")})
    registry.replace(names.REVISION, {(each.role,): float(each.revision) for each in status.instances})


def _record_pools(registry: Registry, usage: list[Usage]) -> None:
    registry.replace(names.ADDRESSES, _by_pool(usage, lambda each: each.total))
    registry.replace(names.IN_USE, _by_pool(usage, lambda each: each.bound))
    for family, total, in_use in ((4, names.ADDRESSES_V4, names.IN_USE_V4), (6, names.ADDRESSES_V6, names.IN_USE_V6)):
        mine = [each for each in usage if each.family == family]
        registry.replace(total, _by_pool(mine, lambda each: each.total))
        registry.replace(in_use, _by_pool(mine, lambda each: each.bound))
    states: dict[Labels, float] = {}
    for state in STATES:
        for each in usage:
            states[each.pool, state] = states.get((each.pool, state), 0.0) + getattr(each, state)
    registry.replace(names.POOL_ADDRESSES, states)


def _by_pool(usage: Iterable[Usage], count: Callable[[Usage], int]) -> dict[Labels, float]:
    sums: dict[Labels, float] = {}
    for each in usage:
        sums[each.pool,] = sums.get((each.pool,), 0.0) + count(each)
    return sums
