"""Whatever people do to their Services and pools, a turn leaves a world in which nothing is wrong and nothing is left to do."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

from chances import chances
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from suite.cluster.source import Batch
from suite.controller.plan import Planner
from suite.ipam.sharing import clashing_ports
from suite.model.address import parse_address, parse_range
from suite.model.changes import Changes
from suite.model.configuration import Configuration
from suite.model.event import Action
from suite.model.lease import LeaseState, Reservation
from suite.model.pool import Pool
from suite.model.refusal import Reason
from suite.model.service import FamilyPolicy, Port, Service, ServiceRef, ServiceType
from suite.model.snapshot import Snapshot
from suite.model.succession import succeed

POOLS = {
    "small": Pool("small", (parse_range("10.0.0.0/30"),)),
    "dual": Pool("dual", (parse_range("10.0.1.0/30"), parse_range("fd00::/126"))),
    "picky": Pool("picky", (parse_range("10.0.2.254-10.0.3.1"),), avoid_buggy=True),
    "manual": Pool("manual", (parse_range("10.0.4.0/31"),), auto_assign=False),
}
RESERVED = Reservation(parse_address("10.0.0.1"), ServiceRef("ns", "s1"))
ADDRESSES = [parse_address(text) for text in ("10.0.0.0", "10.0.0.1", "10.0.1.1", "fd00::1", "10.0.3.0", "10.9.9.9")]

services = st.builds(
    lambda number, **rest: Service(ServiceRef("ns", f"s{number}"), uid=f"uid{number}", **rest),
    number=st.integers(0, 8),
    type=st.sampled_from([ServiceType.LOAD_BALANCER] * 4 + [ServiceType.CLUSTER_IP]),
    families=st.sampled_from([(4,), (6,), (4, 6), (6, 4)]),
    family_policy=st.sampled_from(FamilyPolicy),
    ports=st.sampled_from([(Port(80),), (Port(443),), (Port(53, "UDP"), Port(53))]),
    sharing_key=st.sampled_from(["", "", "a", "b"]),
    is_local=st.booleans(),
    selector=st.sampled_from([(), (("app", "x"),)]),
    pool=st.sampled_from(["", "", "", "small", "dual", "missing"]),
    requested=st.sampled_from([(), (), (), *((address,) for address in ADDRESSES)]),
    status=st.sampled_from([(), (), (ADDRESSES[0],), (ADDRESSES[3],)]),
)


class Turns(RuleBasedStateMachine):
    """A controller without a database: plans, and a commit that only counts."""

    @initialize(hold=st.sampled_from([0, 60]), cooling=st.sampled_from([0, 30]))
    def start(self, hold: int, cooling: int) -> None:
        self.ids, self.versions = count(1), count(1)
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.waits = {"hold_time": hold, "cooling_time": cooling}
        self.snapshot = Snapshot(epoch="e")
        self.planner = Planner(self.snapshot)
        self.follower = Planner(self.snapshot)
        self.turn(Batch(is_full=True), self.configuration(list(POOLS)))

    def configuration(self, names: list[str]) -> Configuration:
        pools = tuple(POOLS[name] for name in names)
        return Configuration(pools, reservations=(RESERVED,), digest=str(next(self.versions)), **self.waits)

    def commit(self, changes: Changes) -> None:
        if changes:
            opened = [replace(lease, id=next(self.ids)) for lease in changes.opened]
            self.snapshot = succeed(self.snapshot, changes, opened, revision=self.snapshot.revision + 1, at=self.now)
            closed = (closing.lease for closing in changes.closed)
            if not self.follower.followed(self.snapshot, [lease.address for lease in (*opened, *closed)]):
                self.follower = Planner(self.snapshot)

    def turn(self, batch: Batch, configuration: Configuration | None = None) -> None:
        self.changes = self.planner.turn(batch, self.now, configuration)
        self.commit(self.changes)
        self.planner.committed(self.snapshot)

    @rule(service=services)
    def put(self, service: Service) -> None:
        self.turn(Batch(services=(service,)))

    @rule(several=st.lists(services, max_size=6))
    def put_several(self, several: list[Service]) -> None:
        self.turn(Batch(services=tuple({service.ref: service for service in several}.values())))

    @rule(number=st.integers(0, 8))
    def delete(self, number: int) -> None:
        self.turn(Batch(services_gone=(ServiceRef("ns", f"s{number}"),)))

    @rule(names=st.lists(st.sampled_from(list(POOLS)), unique=True))
    def reconfigure(self, names: list[str]) -> None:
        self.turn(Batch(), self.configuration(names))

    @rule(seconds=st.sampled_from([1, 31, 61]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.turn(Batch())

    @rule()
    def restart(self) -> None:
        self.planner = Planner(self.snapshot)
        self.turn(Batch(services=tuple(self.snapshot.services.values()), is_full=True))
        assert not self.changes

    @precondition(lambda self: self.snapshot.withheld)
    @rule()
    def confirm(self) -> None:
        self.commit(Changes(confirmed=self.snapshot.withheld))
        self.planner = Planner(self.snapshot)
        self.turn(Batch())
        assert not self.snapshot.withheld

    @invariant()
    def nobody_has_what_another_may_not_share(self) -> None:
        for leases in self.snapshot.leases.values():
            assert len({lease.share_group for lease in leases}) == 1
            for lease in leases:
                others = [port for other in leases if other is not lease for port in other.ports]
                assert not clashing_ports(lease.ports, others)

    @invariant()
    def every_bound_lease_is_wanted_or_withheld(self) -> None:
        for lease in self.snapshot.open_leases():
            if lease.state is LeaseState.BOUND and not self.snapshot.withheld:
                assert self.snapshot.services[lease.ref].wants_address
                pool = self.snapshot.configuration.pool_of(lease.address)
                assert pool is not None
                assert lease.address in pool
                assert pool.name == lease.pool

    @invariant()
    def a_reserved_address_goes_to_nobody_else(self) -> None:
        holders = [lease.ref for lease in self.snapshot.leases.get(RESERVED.address) or ()]
        assert set(holders) <= {RESERVED.ref}

    @invariant()
    def a_service_has_an_address_or_a_refusal(self) -> None:
        for ref, service in self.snapshot.services.items():
            has = bool(self.snapshot.bound(ref))
            if not self.snapshot.withheld:
                refusal = self.snapshot.refusals.get(ref)
                is_refused = refusal is not None and refusal.reason is not Reason.NO_SECOND_FAMILY
                assert has is (service.wants_address and not is_refused)

    @invariant()
    def both_indexes_say_the_same(self) -> None:
        by_ref = defaultdict(set)
        for lease in self.snapshot.open_leases():
            by_ref[lease.ref].add(lease.id)
        assert by_ref == {ref: {lease.id for lease in mine} for ref, mine in self.snapshot.holdings.items()}

    @invariant()
    def a_second_plan_finds_nothing_to_do(self) -> None:
        again = Planner(self.snapshot).turn(Batch(), self.now, look_at_all=True)
        assert not replace(again, refusals=(), events=()), again
        # Who stands in the way of a refused Service may have changed since it asked; that it is refused has not.
        assert {ref for ref, _ in again.refusals} <= set(self.snapshot.refusals.keys())

    @invariant()
    def who_follows_knows_what_a_new_planner_knows(self) -> None:
        fresh = Planner(self.snapshot)
        assert (self.follower.ahead(), self.follower.next_due()) == (fresh.ahead(), fresh.next_due())

    @invariant()
    def every_opening_and_closing_has_its_event(self) -> None:
        told = {(event.address, event.ref) for event in self.changes.events}
        assert all((lease.address, lease.ref) in told for lease in self.changes.opened)
        assert all((closing.lease.address, closing.lease.ref) in told for closing in self.changes.closed)
        assert all(event.action is not Action.REFUSED or event.reason for event in self.changes.events)


TestTurns = Turns.TestCase
TestTurns.settings = settings(max_examples=chances(20), stateful_step_count=20, deadline=None)
