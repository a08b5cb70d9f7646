"""The chain from a Service to its answer says where it breaks, and why."""

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from rpds import HashTrieMap

from suite.model.address import parse_range
from suite.model.advertisement import BgpAdvertisement, L2Advertisement, PreferredNodes
from suite.model.configuration import Configuration, DnsSettings, L2Settings
from suite.model.explain import Live, Verdict, explain, names_of, selects_pool
from suite.model.layer2 import Owner
from suite.model.lease import Lease, LeaseState
from suite.model.node import EXCLUDE_LABEL, Node
from suite.model.pool import Pool, ServiceAllocation
from suite.model.refusal import Reason, Refusal
from suite.model.selector import Selector
from suite.model.service import Endpoint, Endpoints, Port, Service, ServiceRef, ServiceType
from suite.model.snapshot import Snapshot

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
COFFEE, TEA = ServiceRef("default", "coffee"), ServiceRef("default", "tea")
ADDRESS = ip_address("10.0.42.0")
POOL = Pool("default", (parse_range("10.0.42.0/24"),))
LAN = L2Advertisement("lan")


def service(ref=COFFEE, **fields):
    return Service(ref, **{"type": ServiceType.LOAD_BALANCER, "ports": (Port(8080),), **fields})


def lease(ref=COFFEE, state=LeaseState.BOUND):
    return Lease(ADDRESS, ref, "default", state, f"service:{ref}", NOW)


def snapshot(*services, leases=(), pools=(POOL,), l2=(LAN,), bgp=(), refusals=(), **fields):
    by_ref = {}
    for each in leases:
        by_ref.setdefault(each.ref, []).append(each)
    return Snapshot(
        "epoch",
        7,
        NOW,
        Configuration(pools, l2_advertisements=l2, bgp_advertisements=bgp, dns=DnsSettings(), digest="d"),
        services=HashTrieMap({each.ref: each for each in services}),
        leases=HashTrieMap({ADDRESS: tuple(leases)} if leases else {}),
        holdings=HashTrieMap({ref: tuple(each) for ref, each in by_ref.items()}),
        refusals=HashTrieMap(dict(refusals)),
        **fields,
    )


def endpoints(*nodes, is_ready=True):
    found = tuple(Endpoint(f"10.1.0.{at}", node, is_ready) for at, node in enumerate(nodes))
    return {"endpoints": HashTrieMap({COFFEE: Endpoints(COFFEE, found)})}


def nodes(*those):
    return {"nodes": HashTrieMap({each.name: each for each in those})}


def link(explanation, stage):
    found = next(each for each in explanation.links if each.stage == stage)
    return found.verdict.value, found.text


def test_a_service_that_is_reached_is_explained_from_wish_to_answer():
    live = Live({ADDRESS: ("node1 (layer2, eth0)",)}, answers={"coffee.default.service.": (ADDRESS,)})

    chain = explain(snapshot(service(), leases=(lease(),), **endpoints("node1")), COFFEE, live)

    assert [(each.stage, each.verdict.value, each.text) for each in chain.links] == [
        ("service", "ok", "default/coffee is of type LoadBalancer, IPv4, 8080/tcp"),
        ("wish", "ok", "it asks for any address"),
        ("pool", "ok", "its address is from pool default"),
        ("address", "ok", "it has 10.0.42.0 since 2026-11-22 12:00:00 UTC"),
        ("endpoints", "ok", "1 of 1 are ready, on node1"),
        ("announcement", "ok", "announced by node1 (layer2, eth0)"),
        (
            "ping",
            "ok",
            (
                'no answer, or "Redirect Host" from node1, is healthy: kube-proxy takes only the ports of the Service, and the '
                "kernel of node1 forwards the rest; try `nc -vz 10.0.42.0 8080` instead, or set l2.answer-ping"
            ),
        ),
        ("name", "ok", "its names are coffee.default.service."),
        ("answer", "ok", "coffee.default.service. is answered with 10.0.42.0"),
    ]
    assert chain.verdict is Verdict.OK
    assert chain.broken is None


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        pytest.param(
            L2Settings(answer_ping=True), "the speaker of node1 answers it (l2.answer-ping)", id="answer-ping"
        ),
        pytest.param(
            L2Settings(bind_address=True),
            "the kernel of node1 answers it, for it has the address (l2.bind-address)",
            id="bind-address",
        ),
    ],
)
def test_who_answers_a_ping_is_told_where_somebody_does(settings, text):
    known = snapshot(service(), leases=(lease(),))
    known = replace(known, configuration=replace(known.configuration, l2=settings))

    chain = explain(known, COFFEE, Live(told={ADDRESS: ("node1 (layer2, eth0)",)}))

    assert link(chain, "ping") == ("ok", text)


def test_a_service_without_tcp_is_tried_with_the_question_for_its_address():
    chain = explain(
        snapshot(service(ports=(Port(53, "UDP"),)), leases=(lease(),)), COFFEE, Live({ADDRESS: ("n (layer2, eth0)",)})
    )

    assert "try `arping 10.0.42.0` instead" in link(chain, "ping")[1]


def test_nothing_is_said_of_ping_where_layer_2_does_not_announce():
    chain = explain(snapshot(service(), leases=(lease(),)), COFFEE, Live({ADDRESS: ("n (bgp, gateway)",)}))

    assert "ping" not in [each.stage for each in chain.links]


def test_an_address_that_no_machine_may_have_is_refused_with_its_own_reason():
    why = "no candidate can: n1 has 10.0.42.0/24 on eth0, and it is the number of that network"
    live = Live(owner=lambda address: Owner(str(address), "", why, reason=Reason.NETWORK_ADDRESS))

    chain = explain(snapshot(service(), leases=(lease(),)), COFFEE, live)

    assert chain.broken.reason is Reason.NETWORK_ADDRESS
    assert chain.broken.text.startswith(f"nobody announces it: {why}; ")


def owned_by(node):
    """What a speaker of a fleet knows, whose node announces the address."""
    return Live(
        {ADDRESS: (f"{node} (layer2, eth0)",)},
        owner=lambda address: Owner(str(address), node, f"{node} is the only candidate"),
    )


def test_the_announcing_node_s_reasons_are_told_with_whether_its_pods_count():
    chain = explain(snapshot(service(), leases=(lease(),), **nodes(Node("n1"))), COFFEE, owned_by("n1"))

    assert link(chain, "announcement")[1] == (
        "announced by n1 (layer2, eth0); n1 is the only candidate; where its pods run does not count (externalTrafficPolicy: Cluster)"
    )


def test_nodes_that_advertisements_prefer_are_named_with_their_weights():
    fast, roomy = (Selector(((label, "yes"),)) for label in ("fast", "roomy"))
    wishes = replace(LAN, preferred=(PreferredNodes(10, fast), PreferredNodes(50, roomy)))
    edge = L2Advertisement("edge", node_selectors=(roomy,), preferred=(PreferredNodes(5, fast),))
    both = (("fast", "yes"), ("roomy", "yes"))
    known = nodes(Node("n1", both[:1]), Node("n2", both), Node("n3"), Node("n4", both, network_unavailable=True))

    chain = explain(
        snapshot(service(), leases=(lease(),), l2=(wishes, replace(wishes, name="again"), edge), **known),
        COFFEE,
        owned_by("n2"),
    )

    assert "; preferred: n2 (weight 65), n1 (weight 10); where its pods run" in link(chain, "announcement")[1]


def test_nodes_that_are_no_candidates_are_named_with_the_reason():
    known = nodes(Node("n1"), Node("n2"), Node("n3", ((EXCLUDE_LABEL, ""),))) | endpoints("n1")

    chain = explain(snapshot(service(is_local=True), leases=(lease(),), **known), COFFEE, owned_by("n1"))

    assert link(chain, "announcement")[1].endswith(
        "; its pods' nodes are candidates (externalTrafficPolicy: Local); not n2 (no ready endpoint on it "
        "(externalTrafficPolicy: Local)), n3 (labelled to be left out of load balancing)"
    )


def test_of_many_nodes_that_are_no_candidates_a_few_are_named():
    known = nodes(*(Node(f"n{number:02}", network_unavailable=True) for number in range(20)), Node("own"))

    chain = explain(snapshot(service(), leases=(lease(),), **known), COFFEE, owned_by("own"))

    assert link(chain, "announcement")[1].endswith("n07 (its network is unavailable) and 12 more")


def test_without_a_running_suite_the_last_links_are_unknown():
    chain = explain(snapshot(service(), leases=(lease(),), **endpoints("node1")), COFFEE)

    assert chain.verdict is Verdict.UNKNOWN
    assert link(chain, "announcement") == (
        "unknown",
        "to be announced by layer 2; only a running suite knows whether it is",
    )


def test_a_service_nobody_knows_is_answered_with_one_like_it():
    chain = explain(snapshot(service()), ServiceRef("default", "cofee"))

    assert link(chain, "service") == ("broken", "no Service default/cofee is known; there is default/coffee")


def test_a_service_that_is_gone_tells_what_is_held_for_it():
    chain = explain(snapshot(leases=(lease(state=LeaseState.HELD),)), COFFEE)

    assert link(chain, "service") == (
        "broken",
        "no Service default/coffee is known; 10.0.42.0 is held for its return",
    )


@pytest.mark.parametrize(
    ("wrong", "text", "reason"),
    [
        pytest.param(
            {"type": ServiceType.CLUSTER_IP},
            "it wants no address: its type is ClusterIP, not LoadBalancer",
            None,
            id="type",
        ),
        pytest.param(
            {"load_balancer_class": "other"},
            "its load balancer class is 'other', and this suite serves those that name none (load-balancer-class in the configuration)",
            Reason.OTHER_CLASS,
            id="class",
        ),
        pytest.param(
            {"fault": Refusal(Reason.INVALID_REQUEST, "'ten' is no address")},
            "'ten' is no address",
            Reason.INVALID_REQUEST,
            id="annotation",
        ),
    ],
)
def test_a_wish_that_cannot_be_met_breaks_the_chain(wrong, text, reason):
    chain = explain(snapshot(service(**wrong)), COFFEE)

    assert (chain.broken.stage, chain.broken.text, chain.broken.reason) == ("wish", text, reason)


def test_every_pool_that_is_passed_over_is_named_with_the_reason():
    pools = (
        Pool("mine", POOL.ranges),
        Pool("theirs", POOL.ranges, allocation=ServiceAllocation(namespaces=("other",))),
        Pool("asked", POOL.ranges, auto_assign=False),
        Pool("old", POOL.ranges, draining=True),
        Pool("six", (parse_range("fd00::/64"),)),
    )

    chain = explain(snapshot(service(), pools=pools), COFFEE)

    assert link(chain, "pool")[1] == (
        "it may use mine; not theirs (not for this namespace or Service), asked (only for those who ask for it), "
        "old (drained), six (no address of its family)"
    )


def test_a_service_that_names_a_pool_may_use_no_other():
    chain = explain(snapshot(service(pool="gone")), COFFEE)

    assert link(chain, "pool") == ("broken", "it may use no pool; not default (not asked for)")


def test_a_refusal_is_told_in_its_own_words():
    refusal = Refusal(Reason.POOL_EXHAUSTED, "pool default has no free IPv4 address")

    chain = explain(snapshot(service(), refusals=[(COFFEE, refusal)]), COFFEE)

    assert chain.broken.text == "pool default has no free IPv4 address"
    assert chain.broken.reason is Reason.POOL_EXHAUSTED


def test_a_wish_of_an_allocated_service_that_waits_is_told_beside_its_address():
    refusal = Refusal(Reason.RELEASE_WITHHELD, "its release waits for an operator")

    chain = explain(snapshot(service(), leases=(lease(),), refusals=[(COFFEE, refusal)]), COFFEE)

    assert link(chain, "address")[1].endswith("; but its release waits for an operator")


def test_those_who_share_the_address_are_named():
    chain = explain(snapshot(service(), leases=(lease(), lease(TEA))), COFFEE)

    assert link(chain, "address")[1].endswith(", shared with default/tea")


@pytest.mark.parametrize(
    ("known", "text"),
    [
        pytest.param(endpoints(), "it has no endpoints", id="empty-slice"),
        pytest.param(endpoints("a", "b", is_ready=False), "none of its 2 endpoints is ready", id="none-ready"),
    ],
)
def test_nobody_behind_the_service_breaks_the_chain(known, text):
    chain = explain(snapshot(service(), leases=(lease(),), **known), COFFEE)

    assert (chain.broken.stage, chain.broken.text) == ("endpoints", text)


def test_a_service_without_any_slice_counts_as_reachable():
    chain = explain(snapshot(service(), leases=(lease(),)), COFFEE)

    assert link(chain, "endpoints")[0] == "unknown"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"l2": ()}, ("broken", "no advertisement is for pool default and this Service"), id="none"),
        pytest.param(
            {"l2": (L2Advertisement(service_selectors=(Selector((("app", "tea"),)),)),)},
            ("broken", "no advertisement is for pool default and this Service"),
            id="other-services",
        ),
        pytest.param(
            {"bgp": (BgpAdvertisement(),), **nodes(Node("n1"), Node("n2"))},
            ("unknown", "to be announced by BGP and layer 2 from n1 or n2"),
            id="either-node",
        ),
        pytest.param(
            nodes(Node("n1", ((EXCLUDE_LABEL, ""),)), Node("n2", network_unavailable=True)),
            (
                "broken",
                "no node may announce it: n1: labelled to be left out of load balancing; n2: its network is unavailable",
            ),
            id="no-node",
        ),
    ],
)
def test_who_may_announce_follows_from_the_configuration(fields, expected):
    chain = explain(snapshot(service(), leases=(lease(),), **fields), COFFEE)

    assert link(chain, "announcement") == expected


def test_with_local_policy_only_nodes_with_endpoints_announce():
    known = {**nodes(Node("n1"), Node("n2")), **endpoints("n2")}

    chain = explain(snapshot(service(is_local=True), leases=(lease(),), **known), COFFEE)

    assert link(chain, "announcement") == ("unknown", "to be announced by layer 2 from n2")


def test_a_speaker_s_own_reason_is_told():
    live = Live(silent={ADDRESS: Refusal(Reason.NO_PRIVILEGE, "CAP_NET_RAW is missing")})

    chain = explain(snapshot(service(), leases=(lease(),)), COFFEE, live)

    assert (chain.broken.stage, chain.broken.reason) == ("announcement", Reason.NO_PRIVILEGE)


def test_an_address_that_no_router_hears_of_is_named_beside_the_one_that_is_announced():
    second = ip_address("2001:db8::7")
    live = Live({ADDRESS: ("node1 (bgp, gateway)",)}, {second: Refusal(Reason.NO_SESSION, "no session carries IPv6")})
    both = (lease(), replace(lease(), address=second))

    chain = explain(snapshot(service(), leases=both), COFFEE, live)

    assert link(chain, "announcement") == (
        "ok",
        "announced by node1 (bgp, gateway); but 2001:db8::7: no session carries IPv6",
    )


def test_what_other_processes_announce_is_told_beside_what_this_one_does():
    live = Live({ADDRESS: ("node1 (bgp, gateway)",)}, told={ADDRESS: ("node2 (bgp, gateway)",)})

    (link,) = [
        each
        for each in explain(snapshot(service(), leases=(lease(),)), COFFEE, live).links
        if each.stage == "announcement"
    ]

    assert (link.verdict, link.text) == (Verdict.OK, "announced by node1 (bgp, gateway), node2 (bgp, gateway)")


def test_an_answer_that_leads_elsewhere_breaks_the_chain():
    live = Live({ADDRESS: ("n1",)}, answers={"coffee.default.service.": (ip_address("10.0.42.9"),)})

    chain = explain(snapshot(service(), leases=(lease(),)), COFFEE, live)

    assert link(chain, "answer") == (
        "broken",
        "coffee.default.service. is answered with 10.0.42.9, not with 10.0.42.0",
    )


def test_nameservers_elsewhere_that_act_on_this_revision_are_named():
    chain = explain(snapshot(service(), leases=(lease(),)), COFFEE, Live(nameservers=("node1", "node2")))

    assert link(chain, "answer") == (
        "ok",
        "coffee.default.service. leads to 10.0.42.0; the nameservers on node1, node2 act on it",
    )


def test_a_name_that_belongs_to_another_breaks_the_chain():
    taken = Refusal(Reason.NAME_TAKEN, "front.service. belongs to default/tea")

    chain = explain(snapshot(service(), leases=(lease(),)), COFFEE, Live(refused_names={COFFEE: (taken,)}))

    assert link(chain, "name") == ("broken", "front.service. belongs to default/tea")


def test_names_are_its_own_and_those_it_asks_for():
    dashboard = service(
        ServiceRef("kubernetes-dashboard", "kubernetes-dashboard"), hostnames=("k8s-dashboard", "d.k8s.")
    )

    assert names_of(snapshot(), dashboard) == (
        "kubernetes-dashboard.kubernetes-dashboard.service.",
        "k8s-dashboard.service.",
        "d.k8s.",
    )


def test_a_service_that_is_not_published_has_no_names():
    chain = explain(snapshot(service(publish=False), leases=(lease(),)), COFFEE)

    assert link(chain, "name") == ("ok", "it asks not to be published in DNS")
    assert link(chain, "answer") == ("ok", "no name, so no answer")


def test_an_advertisement_without_pools_and_selectors_is_for_every_pool():
    assert selects_pool(L2Advertisement(), POOL)


def test_an_advertisement_with_other_pools_is_not_for_this_one():
    assert not selects_pool(L2Advertisement(pools=("other",)), POOL)


def test_without_any_pool_nobody_gets_an_address():
    chain = explain(snapshot(service(), pools=()), COFFEE)

    assert (chain.broken.text, chain.broken.reason) == ("no pool is configured", Reason.NO_POOL)


def test_nodes_that_no_advertisement_selects_are_named():
    rack = L2Advertisement(node_selectors=(Selector((("rack", "b"),)),))

    chain = explain(snapshot(service(), leases=(lease(),), l2=(rack,), **nodes(Node("n1"))), COFFEE)

    assert link(chain, "announcement") == (
        "broken",
        "no node may announce it: n1: no advertisement selects it",
    )


def test_without_a_zone_there_is_no_name():
    before = snapshot(service(), leases=(lease(),))
    bare = replace(before, configuration=replace(before.configuration, dns=DnsSettings(zones=())))

    assert link(explain(bare, COFFEE), "name") == ("broken", "no zone is configured")


def test_a_name_that_ends_in_a_zone_stands_as_it_is_and_none_is_told_twice() -> None:
    asked = ("y.default.service", "Y.default", "coffee.default.service.", "lab")
    coffee = service(COFFEE, hostnames=asked)

    assert names_of(snapshot(), coffee) == (
        "coffee.default.service.",
        "y.default.service.",
        "lab.service.",
    )
