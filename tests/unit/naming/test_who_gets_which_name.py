"""Names that Services, hosts and records ask for, and who gets them."""

from dataclasses import replace

import pytest
from rpds import HashTrieMap
from zone_worlds import NOW, load_balancer, records, snapshot_of

from suite.dns import name, rrtype
from suite.model.address import parse_address, parse_range
from suite.model.configuration import NameGrant, StaticHost, StaticRecord
from suite.model.lease import Lease, LeaseState
from suite.model.node import Node
from suite.model.pool import Pool
from suite.model.refusal import Reason, Refusal
from suite.model.service import Endpoint, Endpoints, Port, Service, ServiceRef, ServiceType
from suite.model.snapshot import Snapshot
from suite.nameserver.plan import ZonePlanner
from suite.nameserver.refused import Asking

COFFEE = ServiceRef("default", "coffee")


def test_a_service_with_an_address_has_a_name_and_its_address_has_a_pointer() -> None:
    snapshot = snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.0"})

    assert records(snapshot) == {
        "coffee.default.service. A 10.0.42.0",
        "0.42.0.10.in-addr.arpa. PTR coffee.default.service.",
    }


def test_a_service_without_an_address_has_its_name_already_so_that_nobody_caches_its_absence() -> None:
    refusal = Refusal(Reason.POOL_EXHAUSTED, "pool 'default' is exhausted")
    snapshot = replace(snapshot_of(load_balancer("coffee")), refusals=HashTrieMap({COFFEE: refusal}))

    assert records(snapshot) == {"coffee.default.service. TXT \"no address: pool 'default' is exhausted\""}


def test_names_below_a_wildcard_exist_before_there_is_an_address_too() -> None:
    served = records(snapshot_of(load_balancer("coffee", wildcard=True)))

    assert '*.coffee.default.service. TXT "no address: its address is on its way"' in served


def test_the_reason_of_somebody_who_lost_a_name_is_not_told_at_it() -> None:
    planner = ZonePlanner()
    host = StaticHost("board.default", (parse_address("10.0.10.1"),))
    planner.plan(snapshot_of(load_balancer("coffee", hostnames=("board.default",)), hosts=(host,)))

    assert set(planner.zones[b"\x07service\0"].notes) == {name.from_text("coffee.default.service.")}


def test_the_reason_goes_from_every_name_once_there_is_an_address() -> None:
    planner = ZonePlanner()
    coffee = load_balancer("coffee", hostnames=("board.default",), wildcard=True)
    host = StaticHost("nas", service=COFFEE, aliases=("k8s-nas",))
    planner.plan(snapshot_of(coffee, hosts=(host,)))
    before = {origin: len(zone.notes) for origin, zone in planner.zones.items() if zone.notes}
    bound = snapshot_of(coffee, hosts=(host,), leases={"coffee": "10.0.42.0"})
    planner.plan(replace(bound, configuration=planner.snapshot.configuration), {COFFEE})

    assert before == {b"\x07service\0": 5, b"\x07k8s-nas\0": 1}
    assert not any(zone.notes for zone in planner.zones.values())


def test_a_service_that_asks_for_its_own_name_without_an_address_may_go() -> None:
    planner = ZonePlanner()
    before = snapshot_of(load_balancer("coffee", hostnames=("coffee.default",)))
    planner.plan(before)
    planner.plan(replace(before, services=before.services.discard(COFFEE)), {COFFEE})

    assert not planner.zones[b"\x07service\0"].notes


def test_a_host_name_of_one_label_answers_inside_the_zone_and_as_a_zone_of_its_own() -> None:
    dashboard = load_balancer("kd/dashboard", hostnames=("k8s-dashboard",))
    served = records(snapshot_of(dashboard, leases={"kd/dashboard": "10.10.10.10"}))

    assert {"k8s-dashboard.service. A 10.10.10.10", "k8s-dashboard. A 10.10.10.10"} <= served


def test_a_named_port_has_a_service_record() -> None:
    service = load_balancer("coffee", ports=(Port(8080, "TCP", "http"), Port(53, "UDP")))
    served = records(snapshot_of(service, leases={"coffee": "10.0.42.0"}))

    assert "_http._tcp.coffee.default.service. SRV 0 100 8080 coffee.default.service." in served
    assert len([line for line in served if " SRV " in line]) == 1


def test_an_external_name_is_an_alias() -> None:
    service = Service(COFFEE, type=ServiceType.EXTERNAL_NAME, external_name="shop.example.com")

    assert records(snapshot_of(service)) == {"coffee.default.service. CNAME shop.example.com."}


@pytest.mark.parametrize(
    ("elsewhere", "said", "port"),
    [
        ("shop.example.com", "CNAME shop.example.com.", "shop.example.com."),
        ("10.9.9.9", "A 10.9.9.9", "ext.default.service."),
    ],
)
def test_every_name_of_an_external_name_leads_elsewhere_as_its_own_does(elsewhere: str, said: str, port: str) -> None:
    asked = ("extalias", "extra.default")
    service = Service(
        ServiceRef("default", "ext"),
        type=ServiceType.EXTERNAL_NAME,
        external_name=elsewhere,
        hostnames=asked,
        wildcard=True,
        ports=(Port(80, "TCP", "http"),),
    )
    alone = {f"extalias. {said}"} if said.startswith("A ") else set()

    assert records(snapshot_of(service)) == alone | {
        f"ext.default.service. {said}",
        f"*.ext.default.service. {said}",
        f"extalias.service. {said}",
        f"extra.default.service. {said}",
        f"_http._tcp.ext.default.service. SRV 0 100 80 {port}",
    }


def test_an_alias_of_one_label_that_is_no_zone_as_it_leads_elsewhere_is_told_so() -> None:
    service = Service(COFFEE, type=ServiceType.EXTERNAL_NAME, external_name="shop.example.com", hostnames=("extalias",))
    planner = ZonePlanner()
    why = "does not answer without its zone too: it is an alias, and no zone has a CNAME at its name"

    assert planner.plan(snapshot_of(service)).refused == {
        COFFEE: (Refusal(Reason.NAME_NOT_GRANTED, f"extalias.service. {why}"),)
    }
    assert b"\x08extalias\0" not in planner.zones


def test_a_published_cluster_ip_is_told_that_it_has_no_address_to_publish_and_its_ports_lead_nowhere() -> None:
    service = Service(COFFEE, publish=True, ports=(Port(80, "TCP", "http"),))
    why = "a ClusterIP is an address inside its cluster alone; make the Service headless, a NodePort or a LoadBalancer"

    assert records(snapshot_of(service)) == {f'coffee.default.service. TXT "no address: {why}"'}


def test_a_cluster_ip_service_is_published_only_when_it_asks() -> None:
    quiet = Service(COFFEE)
    loud = Service(ServiceRef("default", "tea"), publish=True, is_headless=True)
    endpoints = Endpoints(loud.ref, (Endpoint("10.244.0.7"), Endpoint("10.244.0.8", is_ready=False)))
    snapshot = replace(snapshot_of(quiet, loud), endpoints=HashTrieMap({loud.ref: endpoints}))

    assert records(snapshot) == {"tea.default.service. A 10.244.0.7"}


def test_a_published_node_port_service_leads_to_the_nodes_that_serve_it() -> None:
    ports = (Port(80, "TCP", "http", node_port=30080),)
    service = Service(COFFEE, type=ServiceType.NODE_PORT, publish=True, ports=ports)
    nodes = {each: Node(each, addresses=(parse_address(f"10.0.10.{each[-1]}"),)) for each in ("n1", "n2")}
    endpoints = Endpoints(COFFEE, (Endpoint("10.244.0.7", "n2"),))
    snapshot = snapshot_of(service)
    snapshot = replace(snapshot, nodes=HashTrieMap(nodes), endpoints=HashTrieMap({COFFEE: endpoints}))

    assert records(snapshot) == {
        "coffee.default.service. A 10.0.10.2",
        "_http._tcp.coffee.default.service. SRV 0 100 30080 coffee.default.service.",
    }


@pytest.mark.parametrize(
    "endpoints", [(), (Endpoint("10.244.0.7", "n1"), Endpoint("10.244.0.8", "n2"))], ids=["none known", "on both"]
)
def test_a_node_that_is_not_ready_serves_nothing_while_a_cordoned_one_does(endpoints: tuple[Endpoint, ...]) -> None:
    service = Service(COFFEE, type=ServiceType.NODE_PORT, publish=True)
    nodes = (
        Node("n1", (), (parse_address("10.0.10.1"),), is_cordoned=True),
        Node("n2", (), (parse_address("10.0.10.2"),), is_unready=True),
    )
    known = HashTrieMap({COFFEE: Endpoints(COFFEE, endpoints)} if endpoints else {})
    snapshot = replace(snapshot_of(service), nodes=HashTrieMap({each.name: each for each in nodes}), endpoints=known)

    assert records(snapshot) == {"coffee.default.service. A 10.0.10.1"}


def test_the_canonical_name_wins_over_whoever_else_asks_for_it() -> None:
    thief = load_balancer("evil/thief", hostnames=("coffee.default",))
    snapshot = snapshot_of(load_balancer("coffee"), thief, leases={"coffee": "10.0.42.0", "evil/thief": "10.0.42.1"})
    planner = ZonePlanner()
    refused = planner.plan(snapshot).refused

    assert "coffee.default.service. A 10.0.42.0" in records(snapshot)
    assert "coffee.default.service. A 10.0.42.1" not in records(snapshot)
    message = "coffee.default.service. belongs to service default/coffee"
    assert refused == {thief.ref: (Refusal(Reason.NAME_TAKEN, message),)}


def test_a_stranger_gets_no_name_below_that_of_a_service() -> None:
    thief = load_balancer("evil/thief", hostnames=("login.coffee.default", "a.b.Coffee.default", "login.tea.default"))
    snapshot = snapshot_of(load_balancer("coffee"), thief, leases={"coffee": "10.0.42.0", "evil/thief": "10.0.42.1"})
    refused = ZonePlanner().plan(snapshot).refused

    assert {line for line in records(snapshot) if line.endswith("10.0.42.1")} == {
        "thief.evil.service. A 10.0.42.1",
        "login.tea.default.service. A 10.0.42.1",
    }
    whose = "belongs to service default/coffee, below whose name it stands"
    assert refused == {
        thief.ref: tuple(
            Refusal(Reason.NAME_TAKEN, f"{each}.coffee.default.service. {whose}") for each in ("login", "a.b")
        )
    }


def test_a_namespace_may_have_names_below_those_of_its_own_services() -> None:
    coffee = load_balancer("coffee", hostnames=("login.coffee.default",))
    tea = load_balancer("tea", hostnames=("menu.coffee.default",))
    served = records(snapshot_of(coffee, tea, leases={"coffee": "10.0.42.0", "tea": "10.0.42.1"}))

    assert {"login.coffee.default.service. A 10.0.42.0", "menu.coffee.default.service. A 10.0.42.1"} <= served


def test_a_name_goes_to_its_service_when_that_comes_and_back_when_it_leaves() -> None:
    thief = load_balancer("evil/thief", hostnames=("login.coffee.default",))
    alone = snapshot_of(thief, leases={"evil/thief": "10.0.42.1"})
    both = replace(alone, services=alone.services.insert(COFFEE, load_balancer("coffee")))
    planner = ZonePlanner()
    seen = []
    for snapshot in (alone, both, alone):
        refused = planner.plan(snapshot, {COFFEE} if seen else None).refused
        node = planner.zones[b"\x07service\0"].get(name.from_text("login.coffee.default.service."))
        seen.append((node is not None, thief.ref in refused))

    assert seen == [(True, False), (False, True), (True, False)]


def test_among_equal_claims_the_one_committed_first_wins_whatever_the_names() -> None:
    late = load_balancer("a/late", hostnames=("www",), claimed=(("www", 9),))
    early = load_balancer("z/early", hostnames=("www",), claimed=(("www", 4),))
    planner = ZonePlanner()
    refused = planner.plan(snapshot_of(late, early, leases={"a/late": "10.0.42.1", "z/early": "10.0.42.2"})).refused

    node = planner.zones[b"\x07service\x00"].get(name.from_text("www.service."))
    assert [rrset.rdatas for rrset in node.rrsets] == [(bytes((10, 0, 42, 2)),)]
    assert refused == {late.ref: (Refusal(Reason.NAME_TAKEN, "www.service. belongs to service z/early"),)}


def test_a_name_without_a_grant_is_refused_but_one_below_the_own_namespace_is_not() -> None:
    service = load_balancer("shop/web", hostnames=("www", "www.shop"))
    snapshot = snapshot_of(service, leases={"shop/web": "10.0.42.5"}, claims=(NameGrant(("api",), ("*",)),))
    planner = ZonePlanner()

    assert planner.plan(snapshot).refused[service.ref][0].reason is Reason.NAME_NOT_GRANTED
    assert "www.shop.service. A 10.0.42.5" in records(snapshot)
    assert not [line for line in records(snapshot) if line.startswith("www.service.")]


def test_a_wish_that_is_not_granted_makes_no_zone_of_one_name_either() -> None:
    web = load_balancer("web", hostnames=("notgranted", "absolute.", "taken"))
    taken = StaticRecord("taken", "A", "192.0.2.1")
    snapshot = snapshot_of(web, leases={"web": "10.0.42.5"}, claims=(NameGrant(("taken",), ("*",)),), records=(taken,))
    planner = ZonePlanner()

    assert len(planner.plan(snapshot).refused[web.ref]) == 3
    assert set(planner.zones) == {b"\x07service\0", name.from_text("42.0.10.in-addr.arpa.")}


def test_a_zone_of_one_name_comes_and_goes_with_the_name_inside() -> None:
    planner = ZonePlanner()
    first, second = (load_balancer(each, hostnames=("board",), claimed=(("board", n),)) for n, each in enumerate("ab"))
    both = snapshot_of(first, second, leases={"a": "10.0.42.1", "b": "10.0.42.2"})
    seen = []
    for gone in ((), (first.ref,), (first.ref, second.ref)):
        left = replace(both, services=HashTrieMap({each.ref: each for each in (first, second) if each.ref not in gone}))
        planner.plan(left, (first.ref, second.ref))
        seen.append(
            [
                rrset.rdatas
                for zone in planner.zones.values()
                if zone.origin == b"\x05board\0"
                for rrset in zone.rrsets()
                if rrset.rtype == rrtype.A
            ]
        )

    assert seen == [[(bytes((10, 0, 42, 1)),)], [(bytes((10, 0, 42, 2)),)], []]


@pytest.mark.parametrize("text", ["arpa", "Com", "local"])
def test_a_name_of_one_label_that_is_a_zone_of_others_answers_inside_the_zone_alone(text: str) -> None:
    web, host = (
        load_balancer("web", hostnames=(text,)),
        StaticHost("nas", (parse_address("192.0.2.9"),), aliases=(text,)),
    )
    why = f"{text.lower()}. is a zone of others, so it answers as {text}.service. alone"
    planner = ZonePlanner()
    plans = [planner.plan(each) for each in (snapshot_of(web, leases={"web": "10.0.42.5"}), snapshot_of(hosts=(host,)))]

    assert plans[0].refused == {web.ref: (Refusal(Reason.NAME_NOT_GRANTED, why),)}
    assert plans[1].static == {"static host nas": (Refusal(Reason.NAME_NOT_GRANTED, why),)}
    assert name.from_text(f"{text}.").lower() not in planner.zones
    assert any(line.startswith(f"{text}.service. A ") for line in records(planner.snapshot))


def test_an_alias_that_the_configuration_put_into_the_first_zone_is_a_zone_of_its_own_too() -> None:
    host = StaticHost("printer.service.", (parse_address("192.0.2.9"),), aliases=("lp.service.", "deep.lp.service."))
    served = records(snapshot_of(hosts=(host,)))

    assert {line for line in served if line.split()[0].count(".") == 1} == {"lp. A 192.0.2.9"}


def test_a_host_whose_own_short_name_is_an_alias_answers_to_it_alone_as_the_router_s_table_did() -> None:
    host = StaticHost("k8s-dashboard.service.", service=COFFEE, aliases=("k8s-dashboard.service.",))
    served = records(snapshot_of(load_balancer("coffee"), leases={"coffee": "10.10.10.10"}, hosts=(host,)))

    assert {"k8s-dashboard.service. A 10.10.10.10", "k8s-dashboard. A 10.10.10.10"} <= served


@pytest.mark.parametrize("text", ["wpad", "isatap", "localhost"])
def test_names_that_make_clients_act_by_themselves_are_never_granted_not_even_to_a_namespace_called_so(
    text: str,
) -> None:
    services = load_balancer("coffee", hostnames=(text,)), load_balancer(f"{text}/tea", hostnames=(text,))
    snapshot = snapshot_of(*services, leases={"coffee": "10.0.42.0", f"{text}/tea": "10.0.42.1"})

    assert not [line for line in records(snapshot) if line.startswith(text)]
    assert set(ZonePlanner().plan(snapshot).refused) == {service.ref for service in services}


@pytest.mark.parametrize("text", ["shop", r"web\004shop"], ids=["its own", "one that only looks as if below it"])
def test_a_namespace_needs_a_grant_for_its_own_name_as_for_any_other(text: str) -> None:
    service = load_balancer("shop/web", hostnames=(text,))
    snapshot = snapshot_of(service, leases={"shop/web": "10.0.42.5"}, claims=())
    message = f"no grant in dns.claims lets shop/web claim {text!r}"

    assert ZonePlanner().plan(snapshot).refused == {service.ref: (Refusal(Reason.NAME_NOT_GRANTED, message),)}


def test_a_static_host_follows_the_lease_of_the_service_it_names() -> None:
    host = StaticHost("printer", service=COFFEE, aliases=("lp",))
    snapshot = snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.0"}, hosts=(host,))
    served = records(snapshot)

    assert {"printer.service. A 10.0.42.0", "lp.service. A 10.0.42.0", "lp. A 10.0.42.0"} <= served


def test_a_delegation_may_not_hide_a_service() -> None:
    cut = StaticRecord("default", "NS", "ns.elsewhere.example.")
    snapshot = snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.0"}, records=(cut,))
    planner = ZonePlanner()
    planner.plan(snapshot)

    node = planner.zones[b"\x07service\x00"].get(name.from_text("default.service."))
    assert node is not None
    assert node.rrsets == ()


def test_a_record_that_breaks_the_rules_keeps_nobody_elses_out() -> None:
    bad = (StaticRecord("x", "CNAME", "y"), StaticRecord("x", "A", "192.0.2.1"))
    snapshot = snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.0"}, records=bad)

    assert "coffee.default.service. A 10.0.42.0" in records(snapshot)


def test_one_changed_service_costs_one_change_and_raises_the_serial_to_its_revision() -> None:
    planner = ZonePlanner()
    before = snapshot_of(load_balancer("coffee"), load_balancer("tea"), leases={"coffee": "10.0.42.0"})
    planner.plan(before)
    after = replace(
        before,
        revision=9,
        holdings=before.holdings.insert(
            ServiceRef("default", "tea"),
            (Lease(parse_address("10.0.42.1"), ServiceRef("default", "tea"), "default", LeaseState.BOUND, "g", NOW),),
        ),
    )

    updates = planner.plan(after, [ServiceRef("default", "tea")]).updates

    changed = {name.to_text(update.origin): len(update.changes) for update in updates if hasattr(update, "changes")}
    assert changed == {"service.": 2, "42.0.10.in-addr.arpa.": 1}
    assert planner.zones[b"\x07service\x00"].serial == 9


def inside_one_another(*services: Service, **world) -> Snapshot:
    """A zone below the first one, and a pool whose Services have their names there."""
    snapshot = snapshot_of(*services, zones=("service", "lab.service"), **world)
    pools = (*snapshot.configuration.pools, Pool("lab", (parse_range("10.0.43.0/24"),), zone="lab.service"))
    return replace(snapshot, configuration=replace(snapshot.configuration, pools=pools))


def test_a_name_stands_in_the_longest_zone_it_lies_in_and_the_canonical_one_wins_there() -> None:
    host, record = StaticHost("inl.lab", (parse_address("192.0.2.1"),)), StaticRecord("h.lab", "A", "192.0.2.2")
    services, leases = (
        (load_balancer("lab/inl"), load_balancer("lab/h")),
        {"lab/inl": "10.0.42.1", "lab/h": "10.0.42.2"},
    )
    snapshot = inside_one_another(*services, leases=leases, hosts=(host,), records=(record,), reverse=False)
    planner = ZonePlanner()
    told = planner.plan(snapshot).static

    assert records(snapshot) == {"inl.lab.service. A 10.0.42.1", "h.lab.service. A 10.0.42.2"}
    assert len(planner.zones[b"\x03lab\x07service\0"].nodes) == 3
    assert {who: each[0].message for who, each in told.items()} == {
        "static host inl.lab": "inl.lab.service. belongs to service lab/inl",
        "static record h.lab": "h.lab.service. belongs to service lab/h",
    }


def test_in_zones_below_each_other_a_stranger_s_wish_is_judged_by_its_full_name() -> None:
    thief = load_balancer("evil/thief", hostnames=("h", "login.h", "free"), pool="lab")
    other = load_balancer("evil/other", hostnames=("wpad.lab", "lab"))
    own = load_balancer("lab/h", hostnames=("www.lab",))
    grants = (NameGrant(("h", "login.h", "free", "wpad*", "lab"), ("*",)),)
    snapshot = inside_one_another(thief, other, own, claims=grants)
    refused = ZonePlanner().plan(snapshot).refused

    assert {line.split()[0] for line in records(snapshot)} == {
        "thief.evil.lab.service.",
        "free.lab.service.",
        "free.",
        "other.evil.service.",
        "h.lab.service.",
        "www.lab.service.",
    }
    assert {ref.name: len(each) for ref, each in refused.items()} == {"thief": 2, "other": 2}
    assert refused == Asking().follow(snapshot)


def test_below_the_name_of_a_service_only_its_own_namespace_has_names_in_zones_below_each_other_too() -> None:
    coffee = load_balancer("default/coffee", hostnames=("www.coffee.default.lab.service",), pool="lab")
    evil = load_balancer("lab/evil", hostnames=("login.coffee.default.lab.service", "mine.lab.service"))
    snapshot = inside_one_another(coffee, evil)
    refused = ZonePlanner().plan(snapshot).refused

    assert {line.split()[0] for line in records(snapshot)} == {
        "coffee.default.lab.service.",
        "www.coffee.default.lab.service.",
        "evil.lab.service.",
        "mine.lab.service.",
    }
    assert [each.message.split(",")[0] for each in refused[evil.ref]] == [
        "login.coffee.default.lab.service. belongs to service default/coffee"
    ]
    assert refused == Asking().follow(snapshot)


def test_a_port_whose_name_has_no_room_has_no_srv_record_and_ends_no_plan() -> None:
    ports = (Port(80, name="p" * 63), Port(81, name="p" * 62))
    served = records(snapshot_of(load_balancer("coffee", ports=ports), leases={"coffee": "10.0.42.0"}, reverse=False))

    assert {line.split()[0] for line in served} == {
        "coffee.default.service.",
        f"_{'p' * 62}._tcp.coffee.default.service.",
    }


def test_an_external_name_that_asks_for_a_label_without_room_ends_no_plan() -> None:
    ref = ServiceRef("default", "ext")
    outside = Service(ref, type=ServiceType.EXTERNAL_NAME, external_name="example.org", hostnames=("x" * 300,))

    assert records(snapshot_of(outside)) == {"ext.default.service. CNAME example.org."}
