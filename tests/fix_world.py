"""A controller without a database: plans turns, and commits that only count.  For tests of decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from suite.cluster.source import Batch
from suite.controller.plan import Planner
from suite.model.address import parse_address, parse_range
from suite.model.configuration import Configuration
from suite.model.lease import LeaseState
from suite.model.pool import Pool
from suite.model.service import Port, Service, ServiceRef, ServiceType, parse_ref
from suite.model.snapshot import Snapshot
from suite.model.succession import succeed

if TYPE_CHECKING:
    from suite.model.changes import Changes
    from suite.model.event import Event
    from suite.model.refusal import Refusal

START = datetime(2026, 1, 1, tzinfo=UTC)


def pool(name: str = "default", *ranges: str, **rest: Any) -> Pool:
    """A pool of ranges as people write them."""
    excluded = tuple(parse_range(text) for text in rest.pop("excluded", ()))
    return Pool(name, tuple(parse_range(text) for text in ranges), excluded=excluded, **rest)


def load_balancer(name: str, *requested: str, **rest: Any) -> Service:
    """A LoadBalancer Service; a bare name lies in namespace default."""
    rest.setdefault("ports", (Port(80),))
    addresses = tuple(parse_address(text) for text in requested)
    return Service(parse_ref(name), type=ServiceType.LOAD_BALANCER, requested=addresses, **rest)


class World:
    """Says what Services there are, and what came of it."""

    def __init__(self, *pools: Pool, hold: float = 0, cooling: float = 0, **rest: Any) -> None:
        self._ids, self._versions = count(1), count(1)
        self.now = START
        self.snapshot = Snapshot(epoch="e")
        self.planner = Planner(self.snapshot, rest.pop("adoptable", None))
        self.changes: Changes
        self._rest = {"hold_time": hold, "cooling_time": cooling, **rest}
        self.turn(Batch(is_full=True), self.configuration(*pools))

    def configuration(self, *pools: Pool) -> Configuration:
        return Configuration(pools, digest=str(next(self._versions)), **self._rest)

    def turn(self, batch: Batch, configuration: Configuration | None = None) -> Changes:
        self.changes = self.planner.turn(batch, self.now, configuration)
        self.commit(self.changes)
        self.planner.committed(self.snapshot)
        return self.changes

    def commit(self, changes: Changes) -> None:
        if changes:
            opened = [replace(lease, id=next(self._ids), valid_from=self.now) for lease in changes.opened]
            revision = self.snapshot.revision + 1
            self.snapshot = succeed(self.snapshot, changes, opened, revision=revision, at=self.now)

    def put(self, *services: Service) -> Changes:
        return self.turn(Batch(services=services))

    def delete(self, *names: str) -> Changes:
        return self.turn(Batch(services_gone=tuple(map(parse_ref, names))))

    def reconfigure(self, *pools: Pool) -> Changes:
        return self.turn(Batch(), self.configuration(*pools))

    def wait(self, seconds: float) -> Changes:
        self.now += timedelta(seconds=seconds)
        return self.turn(Batch())

    def restart(self) -> None:
        self.planner = Planner(self.snapshot)

    def has(self, name: str) -> list[str]:
        """Addresses the Service has."""
        return [str(lease.address) for lease in self.snapshot.bound(parse_ref(name))]

    def refusal(self, name: str) -> Refusal | None:
        return self.snapshot.refusals.get(parse_ref(name))

    def state(self, address: str) -> list[tuple[str, str]]:
        """State and Service of each open lease on an address."""
        return [(lease.state.value, str(lease.ref)) for lease in self.snapshot.leases.get(parse_address(address)) or ()]

    @property
    def actions(self) -> list[str]:
        """What the last turn's events say, in order."""
        return [" ".join(filter(None, (_said(event), str(event.address or "")))) for event in self.changes.events]

    def bound_count(self) -> int:
        return sum(lease.state is LeaseState.BOUND for lease in self.snapshot.open_leases())


def _said(event: Event) -> str:
    return event.action.value


@pytest.fixture
def world() -> World:
    """One pool of four addresses, no waiting."""
    return World(pool("default", "10.0.0.0/30"))


def ref(name: str) -> ServiceRef:
    """The reference that a name stands for."""
    return parse_ref(name)
