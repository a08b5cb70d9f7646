"""Who announces a Service: the plan of one node, made of the snapshot alone."""

from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

import pytest
from rpds import HashTrieMap

from suite.config.document import read_text
from suite.config.loading import load
from suite.model.advertisement import Community
from suite.model.lease import Lease, LeaseState
from suite.model.node import EXCLUDE_LABEL, Node
from suite.model.refusal import Reason
from suite.model.service import Endpoint, Endpoints, Service, ServiceRef, ServiceType
from suite.model.snapshot import Snapshot
from suite.speaker.plan import Route, plan, replan

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COFFEE = ServiceRef("default", "coffee")
TEA = ServiceRef("default", "tea")
TWO = (Node("a"), Node("b"))
CONFIGURATION = """\
bgp-communities: {quiet: 65535:65281}
address-pools:
- {name: lan, protocol: layer2, addresses: [10.0.42.0/24]}
- name: bgp
  protocol: bgp
  addresses: [10.10.10.0/24]
  bgp-advertisements:
  - {communities: [quiet], localpref: 10}
  - {aggregation-length: 24, peers: [core]}
- {name: silent, protocol: none, addresses: [10.9.0.0/24]}
"""


def service(ref, **wishes):
    return Service(ref, type=ServiceType.LOAD_BALANCER, **wishes)


def snapshot(*held, configuration=CONFIGURATION, nodes=TWO, endpoints=(), revision=7, drained=()):
    leases, holdings = {}, {}
    for subject, address in held:
        lease = Lease(ip_address(address), subject.ref, "p", LeaseState.BOUND, "g", NOW)
        leases[lease.address] = (*leases.get(lease.address, ()), lease)
        holdings[subject.ref] = (*holdings.get(subject.ref, ()), lease)
    return Snapshot(
        epoch="e",
        revision=revision,
        configuration=load(read_text(configuration)).configuration,
        services=HashTrieMap({subject.ref: subject for subject, _ in held}),
        endpoints=HashTrieMap({each.ref: each for each in endpoints}),
        nodes=HashTrieMap({node.name: node for node in nodes}),
        leases=HashTrieMap(leases),
        holdings=HashTrieMap(holdings),
        drained_nodes=frozenset(drained),
    )


def served(ref, *nodes, is_ready=True):
    return Endpoints(ref, tuple(Endpoint("10.1.0.1", node, is_ready) for node in nodes))


def reasons(given, node="a", ref=COFFEE):
    return [refusal.reason for refusal in plan(given, node).refusals(ref)]


def order(given, address="10.0.42.0"):
    entry = plan(given, "a").entries.get(ip_address(address))
    return entry.order if entry else None


def test_every_node_is_a_candidate_in_the_order_of_the_election():
    assert order(snapshot((service(COFFEE), "10.0.42.0"))) == ("a", "b")
    assert order(snapshot((service(COFFEE), "10.0.42.1"))) is None


def test_where_no_node_is_known_this_one_announces():
    assert order(snapshot((service(COFFEE), "10.0.42.0"), nodes=())) == ("a",)


def test_a_pool_that_nobody_advertises_is_told():
    assert reasons(snapshot((service(COFFEE), "10.9.0.1"))) == [Reason.NO_ADVERTISEMENT]


def test_a_service_that_nobody_serves_is_announced_by_nobody():
    given = snapshot((service(COFFEE), "10.0.42.0"), endpoints=[served(COFFEE, "a", is_ready=False)])

    assert order(given) is None
    assert reasons(given) == [Reason.NO_ENDPOINTS]


def test_with_policy_local_only_nodes_that_serve_it_are_candidates():
    given = snapshot((service(COFFEE, is_local=True), "10.0.42.0"), endpoints=[served(COFFEE, "b")])

    assert order(given) == ("b",)
    assert reasons(given, "a") == [Reason.NO_LOCAL_ENDPOINTS]
    assert reasons(given, "b") == []


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (Node("a", ((EXCLUDE_LABEL, ""),)), Reason.NODE_EXCLUDED),
        (Node("a", network_unavailable=True), Reason.NODE_NETWORK_UNAVAILABLE),
    ],
    ids=["labelled", "without network"],
)
@pytest.mark.parametrize("address", ["10.0.42.0", "10.10.10.1"], ids=["layer 2", "BGP"])
def test_a_node_that_must_not_announce_says_why(node, reason, address):
    assert reasons(snapshot((service(COFFEE), address), nodes=(node, Node("b")))) == [reason]


def test_the_label_that_excludes_a_node_can_be_ignored():
    given = snapshot((service(COFFEE), "10.0.42.0"), nodes=(Node("a", ((EXCLUDE_LABEL, ""),)),))

    assert plan(given, "a", ignores_label=True).entries[ip_address("10.0.42.0")].order == ("a",)


def test_services_that_share_an_address_are_announced_by_a_node_that_serves_both():
    shared = [(service(ref, is_local=True, sharing_key="k"), "10.0.42.0") for ref in (COFFEE, TEA)]
    given = snapshot(*shared, endpoints=[served(COFFEE, "a", "b"), served(TEA, "b")])

    assert order(given) == ("b",)


def test_services_that_share_an_address_and_no_node_are_announced_all_the_same():
    shared = [(service(ref, is_local=True, sharing_key="k"), "10.0.42.0") for ref in (COFFEE, TEA)]
    given = snapshot(*shared, endpoints=[served(COFFEE, "a"), served(TEA, "b")])

    assert order(given) == ("a", "b")


def test_interfaces_are_those_of_the_nodes_own_advertisements():
    ways = "l2-advertisements: [{interfaces: [eth0], node-selectors: [{match-labels: {n: a}}]}, {interfaces: [eth1]}]"
    configuration = f"address-pools: [{{name: lan, protocol: layer2, addresses: [10.0.42.0/24], {ways}}}]"
    nodes = (Node("a", (("n", "a"),)), Node("b"))
    entries = plan(snapshot((service(COFFEE), "10.0.42.0"), configuration=configuration, nodes=nodes), "a").entries

    assert entries[ip_address("10.0.42.0")].interfaces == {"a": {"eth0", "eth1"}, "b": {"eth1"}}


def test_each_advertisement_makes_a_route_for_the_peers_it_names():
    made = plan(snapshot((service(COFFEE), "10.10.10.7")), "a")
    own = Route(ip_network("10.10.10.7/32"), 10, (Community((65535, 65281)),))

    assert made.routes("edge") == {own.prefix: own}
    assert set(made.routes("core")) == {own.prefix, ip_network("10.10.10.0/24")}


def test_an_aggregate_of_two_services_goes_with_the_last_of_them():
    both = plan(snapshot((service(COFFEE), "10.10.10.7"), (service(TEA), "10.10.10.8")), "a")
    one = plan(snapshot((service(COFFEE), "10.10.10.7")), "a")

    assert ip_network("10.10.10.0/24") in both.routes("core")
    assert ip_network("10.10.10.0/24") in one.routes("core")
    assert plan(snapshot(), "a").routes("core") == {}


def test_a_held_address_is_announced_by_nobody():
    given = snapshot((service(COFFEE), "10.0.42.0"))
    (lease,) = given.holdings[COFFEE]
    waiting = Lease(lease.address, COFFEE, "p", LeaseState.HELD, "g", NOW)
    held = Snapshot(
        revision=8,
        configuration=given.configuration,
        nodes=given.nodes,
        leases=HashTrieMap({lease.address: (waiting,)}),
        holdings=HashTrieMap({COFFEE: (waiting,)}),
    )

    assert len(plan(held, "a").entries) == len(replan(plan(given, "a"), held, "a", [COFFEE]).entries) == 0


def test_an_entry_keeps_the_revision_it_stands_since():
    first = plan(snapshot((service(COFFEE), "10.0.42.0"), revision=7), "a")
    later = snapshot((service(COFFEE), "10.0.42.0"), (service(TEA), "10.0.42.5"), revision=9)
    entries = plan(later, "a", before=first).entries

    assert [entries[ip_address(text)].since.revision for text in ("10.0.42.0", "10.0.42.5")] == [7, 9]


def test_a_drained_node_stays_a_candidate_until_its_goodbye_is_heard():
    given = snapshot((service(COFFEE), "10.0.42.0"), drained=["a"])

    assert order(given) == ("a", "b")
    assert reasons(given) == [Reason.NODE_DRAINED]
    assert reasons(given, "b") == []


def test_a_drained_node_has_no_routes():
    given = snapshot((service(COFFEE), "10.10.10.7"), drained=["a"])

    assert plan(given, "a").routes("core") == {}
    assert plan(given, "b").routes("core")
    assert reasons(given) == [Reason.NODE_DRAINED]


@pytest.mark.parametrize(("text", "told"), [("drain-cordoned: true", [Reason.NODE_DRAINED]), ("", [])])
def test_a_cordoned_node_is_drained_where_the_configuration_says_so(text, told):
    nodes = (Node("a", is_cordoned=True), Node("b"))

    assert reasons(snapshot((service(COFFEE), "10.10.10.7"), nodes=nodes, configuration=CONFIGURATION + text)) == told


def test_a_node_that_the_cluster_removes_is_drained_whatever_the_configuration_says():
    nodes = (Node("a", is_being_removed=True), Node("b"))

    assert reasons(snapshot((service(COFFEE), "10.10.10.7"), nodes=nodes)) == [Reason.NODE_DRAINED]


@pytest.mark.parametrize(
    ("node", "may_stay_away"),
    [(Node("a"), False), (Node("a", is_cordoned=True), True), (Node("a", is_being_removed=True), True)],
    ids=["at work", "cordoned", "being removed"],
)
def test_a_suite_that_ends_on_a_node_that_drains_may_stay_away(node, may_stay_away):
    assert snapshot(nodes=(node, Node("b"))).may_not_return("a") is may_stay_away


def test_a_suite_that_ends_on_a_drained_node_may_stay_away():
    assert snapshot(drained=["a"]).may_not_return("a")


def test_while_metallb_speaks_on_one_node_ours_announce_nothing_on_any():
    given = snapshot(
        (service(COFFEE), "10.0.42.0"), (service(TEA), "10.10.10.7"), nodes=(Node("a"), Node("b", is_occupied=True))
    )
    made = plan(given, "a")

    assert len(made.entries) == len(made.routes("core")) == 0
    assert reasons(given) == [Reason.STANDING_BY]


def test_when_its_last_speaker_is_gone_the_plan_is_what_it_is_without_metallb():
    services = (service(COFFEE), "10.0.42.0"), (service(TEA), "10.10.10.7")
    waiting = plan(snapshot(*services, nodes=(Node("a", is_occupied=True), Node("b"))), "a")
    free = snapshot(*services, nodes=(Node("a"), Node("b")))

    assert plan(free, "a", before=waiting).routes("core") == plan(free, "a").routes("core")
    assert order(free) == ("a", "b")
