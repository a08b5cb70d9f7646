"""A plan that followed every change is the plan made from nothing."""

from datetime import UTC, datetime
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st
from rpds import HashTrieMap

from suite.config.document import read_text
from suite.config.loading import load
from suite.model.lease import Lease, LeaseState
from suite.model.node import Node
from suite.model.service import Endpoint, Endpoints, Service, ServiceRef, ServiceType
from suite.model.snapshot import Snapshot
from suite.speaker.plan import Plan, plan, replan

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NODES = ("a", "b", "c")
CONFIGURATION = load(
    read_text("""\
address-pools:
- {name: lan, protocol: layer2, addresses: [10.0.0.0-10.0.0.1]}
- {name: bgp, protocol: bgp, addresses: [10.0.0.2-10.0.0.3], bgp-advertisements: [{aggregation-length: 31}]}
""")
).configuration

states = st.fixed_dictionaries({
    "address": st.none() | st.sampled_from(["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3"]),
    "is_local": st.booleans(),
    "served": st.none() | st.lists(st.sampled_from(NODES), max_size=3),
})  # fmt: skip
changes = st.lists(st.tuples(st.sampled_from(["s1", "s2", "s3"]), states), max_size=8)


def snapshot_of(world, revision):
    leases, holdings = {}, {}
    for ref, state in world.items():
        if state["address"]:
            lease = Lease(ip_address(state["address"]), ref, "p", LeaseState.BOUND, "g", NOW)
            leases[lease.address] = (*leases.get(lease.address, ()), lease)
            holdings[ref] = (lease,)
    services = {
        ref: Service(ref, type=ServiceType.LOAD_BALANCER, is_local=state["is_local"], sharing_key="k")
        for ref, state in world.items()
    }
    endpoints = {
        ref: Endpoints(ref, tuple(Endpoint("10.1.0.1", node) for node in state["served"]))
        for ref, state in world.items()
        if state["served"] is not None
    }
    return Snapshot(
        revision=revision,
        configuration=CONFIGURATION,
        services=HashTrieMap(services),
        endpoints=HashTrieMap(endpoints),
        nodes=HashTrieMap({name: Node(name) for name in NODES}),
        leases=HashTrieMap(leases),
        holdings=HashTrieMap(holdings),
    )


def orders(made: Plan):
    return {address: (entry.order, entry.interfaces) for address, entry in made.entries.items()}


@given(changes)
def test_following_changes_and_starting_anew_come_to_the_same(steps):
    world, made = {}, plan(snapshot_of({}, 1), "a")
    for revision, (name, state) in enumerate(steps, 2):
        ref = ServiceRef("default", name)
        world[ref] = state
        made = replan(made, snapshot_of(world, revision), "a", [ref])

    fresh = plan(snapshot_of(world, 99), "a")

    assert orders(made) == orders(fresh)
    assert dict(made.parts.items()) == dict(fresh.parts.items())
    assert made.prefixes == fresh.prefixes
    assert made.routes("p") == fresh.routes("p")


@given(changes)
def test_routes_change_only_where_the_plan_says_so(steps):
    world, made = {}, plan(snapshot_of({}, 1), "a")
    for revision, (name, state) in enumerate(steps, 2):
        ref = ServiceRef("default", name)
        world[ref] = state
        before, made = made, replan(made, snapshot_of(world, revision), "a", [ref])
        old, new = before.routes("p"), made.routes("p")

        assert {prefix for prefix in {*old, *new} if old.get(prefix) != new.get(prefix)} <= made.touched


@given(changes)
def test_whoever_announces_an_address_would_be_chosen_by_every_node(steps):
    given_snapshot = snapshot_of({ServiceRef("default", name): state for name, state in steps}, 1)

    assert len({str(sorted(orders(plan(given_snapshot, node)).items())) for node in NODES}) == 1
