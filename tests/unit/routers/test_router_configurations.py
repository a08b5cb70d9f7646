"""What each vendor's router is told for the dashboard story; the real FRR and BIRD read theirs in tests/peers."""

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from suite.model.address import parse_range
from suite.model.advertisement import BgpAdvertisement
from suite.model.configuration import Configuration
from suite.model.node import Node
from suite.model.peer import BfdProfile, Peer
from suite.model.pool import Pool
from suite.model.selector import Selector
from suite.speaker.router_bird import bird
from suite.speaker.router_config import Accepted, Own, Part, Router, router_of
from suite.speaker.router_diff import differences
from suite.speaker.router_frr import frr, unifi
from suite.speaker.router_mikrotik import mikrotik
from suite.speaker.router_opnsense import opnsense
from suite.speaker.router_vyatta import Unmergeable, edgeos, usg
from suite.speaker.router_vyos import vyos

NODES = tuple(
    Node(name, addresses=(ip_address(f"10.10.0.{last}"),))
    for name, last in (("master", 200), ("node1", 101), ("node2", 102), ("node3", 103))
)
GATEWAY = Peer("gateway", 64512, 64512, address=ip_address("192.168.1.1"))
POOL = Pool("bgp", (parse_range("10.10.10.10-10.10.10.250"),))
ADVERTISEMENT = BgpAdvertisement("bgp", pools=("bgp",))
CONFIGURATION = Configuration(
    pools=(POOL,),
    bgp_advertisements=(ADVERTISEMENT,),
    peers=(GATEWAY,),
    bfd_profiles=(BfdProfile("fast", 150, 150),),
)
ZONES = ("service.", "k8s-dashboard.")


def router(configuration: Configuration = CONFIGURATION, **changes: Any) -> Router:
    made = router_of(configuration, NODES, replace(GATEWAY, **changes), ZONES)
    assert isinstance(made, Router), made
    return made


def text(parts: tuple[Part, ...], name: str = "bgp") -> str:
    return next(part.text for part in parts if part.name == name)


def test_the_accepted_prefixes_are_the_addresses_of_the_pool_and_no_others() -> None:
    taken = router().takes(4)

    assert sum(each.count for each in taken) == 241
    assert (taken[0], taken[-1]) == (
        Accepted(ip_network("10.10.10.10/31"), 32),
        Accepted(ip_network("10.10.10.250/32"), 32),
    )


def test_an_aggregate_is_accepted_as_the_aggregate() -> None:
    configuration = replace(CONFIGURATION, bgp_advertisements=(replace(ADVERTISEMENT, aggregation_length=24),))

    assert router(configuration).takes(4) == (Accepted(ip_network("10.10.10.0/24"), 24),)


def test_pools_that_are_not_for_this_peer_are_not_accepted() -> None:
    configuration = replace(CONFIGURATION, bgp_advertisements=(replace(ADVERTISEMENT, peers=("other",)),))

    assert router(configuration).takes(4) == ()


def test_nodes_that_the_peer_does_not_select_are_no_neighbors() -> None:
    rack = Selector((("rack", "r1"),))
    nodes = (*NODES[:3], replace(NODES[3], labels=(("rack", "r1"),)))

    made = router_of(CONFIGURATION, nodes, replace(GATEWAY, node_selectors=(rack,)), ZONES)

    assert isinstance(made, Router)
    assert [node.name for node in made.nodes] == ["node3"]


def test_without_a_node_to_speak_of_there_is_nothing_to_write() -> None:
    made = router_of(CONFIGURATION, (), GATEWAY, ZONES)

    assert made == "no node with an IPv4 address has a session with peer gateway; name them under `nodes`"


def test_a_router_whose_as_number_nobody_wrote_cannot_be_configured() -> None:
    made = router_of(CONFIGURATION, NODES, replace(GATEWAY, asn=0, dynamic_asn="external"), ZONES)

    assert made == "peer gateway takes any external AS number; say the router's own with --asn, or write it as peer-asn"


UNNUMBERED = Peer("rack", 64513, dynamic_asn="external", interface="eth1")


def test_an_unnumbered_peer_needs_the_router_s_own_interface() -> None:
    made = router_of(CONFIGURATION, NODES, UNNUMBERED, ZONES)

    assert made == "peer rack names an interface of the nodes; say the router's own with --interface"


def test_frr_has_a_session_on_each_interface_that_unnumbered_nodes_are_behind() -> None:
    made = router_of(CONFIGURATION, NODES, UNNUMBERED, ZONES, own=Own(("eth1", "eth2"), 64512))
    assert isinstance(made, Router), made

    written = text(frr(made))

    assert " neighbor eth1 interface peer-group suite\n neighbor eth2 interface peer-group suite\n" in written
    assert "listen range" not in written
    assert differences(made, written) == []
    assert differences(made, written.replace("eth2", "eth3")) == ["interface eth2 has no session of its own"]


# ---- FRR and UniFi


def test_frr_takes_nodes_out_of_a_range_so_that_a_new_node_needs_no_edit() -> None:
    assert " bgp listen range 10.10.0.0/24 peer-group suite\n" in text(frr(router()))


def test_frr_names_each_node_where_the_nodes_wait_for_the_router() -> None:
    written = text(frr(router(passive=True)))

    assert "listen range" not in written
    assert " neighbor 10.10.0.103 peer-group suite\n neighbor 10.10.0.103 description node3\n" in written


def test_equal_as_numbers_need_the_multipath_of_internal_peers() -> None:
    assert "maximum-paths ibgp 8" in text(frr(router()))
    assert "maximum-paths 8" in text(frr(router(asn=64513)))


def test_frr_has_no_bfd_where_it_cannot_work_and_says_so() -> None:
    part = frr(router(bfd_profile="fast"))[0]

    assert "bfd" not in part.text
    assert "no BFD here" in part.instructions()


@pytest.mark.parametrize("write", [frr, unifi, vyos])
def test_a_dead_node_is_believed_dead_with_graceful_restart_too(write: Callable[[Router], tuple[Part, ...]]) -> None:
    """FRR's `check-control-plane-failure` would keep its path for the hold time."""
    written = text(write(router(bfd_profile="fast", address=ip_address("10.10.0.1"), graceful_restart=True)))

    assert "bfd profile suite" in written
    assert "check-control-plane-failure" not in written


def test_frr_has_bfd_on_the_nodes_own_link() -> None:
    written = text(frr(router(bfd_profile="fast", address=ip_address("10.10.0.1"))))

    assert " neighbor suite bfd\n neighbor suite bfd profile suite\n" in written
    assert "  transmit-interval 150\n" in written


def test_a_password_is_never_written() -> None:
    parts = [*frr(router(password="sesame")), *bird(router(password="sesame"))]

    assert not any("sesame" in part.text for part in parts)
    assert "neighbor suite password" in parts[0].text


def test_every_zone_is_forwarded_to_every_node_and_may_hold_private_addresses() -> None:
    lines = text(frr(router()), "dns").splitlines()

    assert "server=/service/10.10.0.101" in lines
    assert "server=/k8s-dashboard/10.10.0.200" in lines
    assert "rebind-domain-ok=/service/" in lines


def test_unifi_gets_a_file_and_an_entry_for_each_zone() -> None:
    parts = unifi(router())

    assert text(parts) == text(frr(router()))
    assert "Forward Domain  service  10.10.0.101\n" in text(parts, "dns")
    assert "Forward Domain  k8s-dashboard  10.10.0.101\n" in text(parts, "dns")


# ---- BIRD


def test_bird_takes_nodes_out_of_a_range() -> None:
    written = text(bird(router()))

    assert "neighbor range 10.10.0.0/24 as 64512;" in written
    assert "10.10.10.10/31{32,32}" in written


def test_bird_keeps_routes_over_a_graceful_restart_with_bfd_and_says_how_long_those_of_a_dead_node_stay() -> None:
    part = bird(router(bfd_profile="fast", graceful_restart=True, graceful_restart_time=20))[0]

    assert "  bfd graceful;" in part.text
    assert "BIRD keeps the routes of a node that dies for 20 s" in part.instructions()


def test_bird_drops_the_routes_with_bfd_where_nothing_restarts_gracefully() -> None:
    part = bird(router(bfd_profile="fast"))[0]

    assert "  bfd on;" in part.text
    assert "of a node that dies" not in part.instructions()


def test_bird_speaks_directly_on_the_nodes_own_link() -> None:
    assert "  direct;" in text(bird(router(address=ip_address("10.10.0.1"))))


# ---- the UniFi Security Gateway

STORY_FILE = """{
    "protocols": {"bgp": {"64512": {
        "neighbor": {"10.10.0.200": {"remote-as": "64512"}},
        "parameters": {"router-id": "192.168.1.1"}}}},
    "system": {"static-host-mapping": {"host-name": {"printer.local": {"inet": ["192.168.1.9"]}}}}
}
"""


def test_usg_merges_into_the_file_of_the_story_and_keeps_what_it_does_not_know() -> None:
    document = json.loads(text(usg(router(), STORY_FILE)))

    neighbors = document["protocols"]["bgp"]["64512"]["neighbor"]
    assert sorted(neighbors) == ["10.10.0.101", "10.10.0.102", "10.10.0.103", "10.10.0.200"]
    assert document["system"]["static-host-mapping"]["host-name"]["printer.local"] == {"inet": ["192.168.1.9"]}


def test_usg_gives_the_file_back_octet_by_octet_when_nothing_changed() -> None:
    once = text(usg(router(), STORY_FILE)).replace("  ", "\t")

    assert text(usg(router(), once)) == once


@pytest.mark.parametrize(
    ("existing", "fault"),
    [
        ('{"protocols": ', "no valid JSON, line 1 column 15: Expecting value"),
        ("[]", "the document is no object"),
        ('{"a": 1, "a": 2}', "'a' stands twice in one object"),
        ('{"protocols": "bgp"}', "protocols is no object, our settings cannot be put there"),
    ],
    ids=["cut off", "a list", "a name twice", "something else in the place"],
)
def test_usg_refuses_a_file_it_cannot_merge_with(existing: str, fault: str) -> None:
    with pytest.raises(Unmergeable, match=fault.replace("(", r"\(")):
        usg(router(), existing)


def test_usg_json_has_only_objects_lists_and_texts_as_the_gateway_wants() -> None:
    def leaves(node: object) -> list[object]:
        if isinstance(node, dict):
            return [leaf for value in node.values() for leaf in leaves(value)]
        return [leaf for value in node for leaf in leaves(value)] if isinstance(node, list) else [node]

    assert {type(leaf) for leaf in leaves(json.loads(text(usg(router()))))} == {str}


# ---- the others


def test_edgeos_names_each_node_with_its_as_number() -> None:
    assert "set protocols bgp 64512 neighbor 10.10.0.102 remote-as 64512\n" in text(edgeos(router()))


def test_vyos_takes_nodes_out_of_a_range() -> None:
    assert "set protocols bgp listen range 10.10.0.0/24 peer-group suite\n" in text(vyos(router()))


def test_mikrotik_listens_for_the_range_with_the_role_of_equal_as_numbers() -> None:
    written = text(mikrotik(router()))

    assert "remote.address=10.10.0.0/24 remote.as=64512 listen=yes" in written
    assert "local.role=ibgp" in written


def test_opnsense_calls_carry_valid_json() -> None:
    calls = [shlex.split(line)[2] for line in text(opnsense(router())).splitlines() if line.startswith("save ")]

    neighbors = [document["neighbor"]["address"] for call in calls if "neighbor" in (document := json.loads(call))]
    assert neighbors == ["10.10.0.101", "10.10.0.102", "10.10.0.103", "10.10.0.200"]


def test_a_node_s_name_cannot_end_a_line_or_a_quotation() -> None:
    named = router_of(CONFIGURATION, [Node("a'; reboot;'\n no x", addresses=NODES[0].addresses)], GATEWAY, ZONES)
    assert isinstance(named, Router)

    [line] = [line for line in text(opnsense(named)).splitlines() if line.startswith("save add_neighbor")]

    assert json.loads(shlex.split(line)[-1])["neighbor"]["description"] == "metal-suite a'; reboot;' no x"


@pytest.mark.parametrize("write", [frr, unifi, bird, usg, edgeos, vyos, mikrotik, opnsense])
def test_every_vendor_is_told_where_it_goes_how_it_is_applied_checked_and_undone(write: Any) -> None:
    for part in write(router()):
        assert all((part.place, part.apply, part.check, part.undo)), part.name


# ---- --diff


@pytest.mark.parametrize("write", [frr, unifi, bird, usg, edgeos, vyos, mikrotik, opnsense])
@pytest.mark.parametrize("passive", [False, True], ids=["nodes connect", "the router connects"])
def test_what_we_wrote_ourselves_lacks_nothing(write: Any, passive: bool) -> None:
    made = router(passive=passive)

    assert differences(made, text(write(made))) == []


@pytest.mark.parametrize("write", [frr, bird, usg, edgeos, vyos, mikrotik, opnsense])
def test_a_node_the_router_lacks_is_named(write: Any) -> None:
    before = replace(router(passive=True), nodes=router().nodes[:-1])

    assert differences(router(), text(write(before))) == ["node master (10.10.0.200) is no neighbor of the router"]


@pytest.mark.parametrize("write", [frr, bird, usg, edgeos, vyos, mikrotik, opnsense])
def test_a_wrong_as_number_is_named_for_each_node(write: Any) -> None:
    wrong = replace(router(passive=True), node_asn=64999)

    assert differences(router(), text(write(wrong)))[0] == (
        "node node1 (10.10.0.101) is expected with AS number 64999; the suite has 64512"
    )


def test_the_wrong_as_number_of_the_router_itself_is_named() -> None:
    found = differences(router(), "router bgp 64999\n bgp listen range 10.10.0.0/24 peer-group suite\n")

    assert found == ["the router's own AS number is 64999; the suite's peer gateway has 64512"]


def test_json_that_is_cut_off_is_a_difference_not_an_exception() -> None:
    assert differences(router(), '{"protocols": ')[0].startswith("the file is no valid JSON, line 1")


# ---- IPv6, limits and what a maker does not have


BOTH = {"dual_stack_address_family": True}
SIX_POOL = Pool("six", (parse_range("2001:db8:10::/112"),))
DUAL = replace(CONFIGURATION, pools=(POOL, SIX_POOL), bgp_advertisements=(BgpAdvertisement("bgp"),))


def test_the_security_gateway_takes_ipv6_with_a_filter_and_a_limit_of_its_own() -> None:
    document = json.loads(text(usg(router(DUAL, **BOTH))))

    neighbor = document["protocols"]["bgp"]["64512"]["neighbor"]["10.10.0.101"]
    assert neighbor["address-family"]["ipv6-unicast"] == {
        "soft-reconfiguration": {"inbound": "''"},
        "maximum-prefix": "50000",
        "prefix-list": {"import": "suite6", "export": "suite-none6"},
    }
    assert document["policy"]["prefix-list6"]["suite6"]["rule"]["10"]["prefix"] == "2001:db8:10::/112"


def test_a_gateway_of_one_family_takes_nothing_of_the_other() -> None:
    document = json.loads(text(usg(router(replace(CONFIGURATION, bgp_advertisements=())))))

    neighbor = document["protocols"]["bgp"]["64512"]["neighbor"]["10.10.0.101"]
    assert neighbor["prefix-list"] == {"import": "suite-none", "export": "suite-none"}
    assert document["policy"]["prefix-list"]["suite-none"]["rule"]["10"]["action"] == "deny"


def test_a_pool_that_is_gone_is_gone_from_the_gateway_s_file_too() -> None:
    first = text(usg(router(), STORY_FILE))
    smaller = replace(CONFIGURATION, pools=(replace(POOL, ranges=(parse_range("10.10.10.64/27"),)),))

    document = json.loads(text(usg(router(smaller), first)))

    assert list(document["policy"]["prefix-list"]["suite"]["rule"].values()) == [
        {"action": "permit", "prefix": "10.10.10.64/27", "ge": "32", "le": "32"}
    ]


def test_only_the_zones_are_written_for_the_gateway_when_only_they_are_asked_for() -> None:
    (part,) = usg(router(), only="dns")

    assert part.name == "dns"
    assert list(json.loads(part.text)) == ["service"]


def test_mikrotik_is_told_how_many_routes_it_may_take_of_each_family() -> None:
    written = text(mikrotik(router(DUAL, **BOTH)))

    assert "input.limit-process-routes-ipv4=241 input.limit-process-routes-ipv6=50000" in written


def test_opnsense_attaches_the_filter_and_spreads_over_nodes_by_itself() -> None:
    calls = [shlex.split(line) for line in text(opnsense(router())).splitlines() if line.startswith("save ")]

    neighbor = json.loads(next(call[2] for call in calls if call[1] == "add_neighbor"))["neighbor"]
    assert (neighbor["linkedPrefixlistIn"], neighbor["linkedPrefixlistOut"]) == ("$taken", "$none")
    assert json.loads(calls[0][2])["bgp"]["maximumpathsibgp"] == "8"


@pytest.mark.parametrize(
    ("write", "changes", "said"),
    [
        (mikrotik, {}, "no multipath for BGP"),
        (opnsense, {}, "no maximum-prefix"),
        (opnsense, {"ttl_security": 1, "asn": 64513}, "no TTL security"),
        (usg, {"dual_stack_address_family": True}, "no maximum-paths for IPv6"),
        (edgeos, {"bfd_profile": "fast"}, "no BFD"),
        (vyos, {"bfd_profile": "fast"}, "no BFD here"),
        (edgeos, {"password": "sesame"}, "each neighbor needs its password"),
        (vyos, {"password": "sesame"}, "peer-group suite password"),
        (opnsense, {"password": "sesame"}, "the peer's password into each neighbor"),
    ],
)
def test_what_a_maker_does_not_have_is_said_and_not_left_out_silently(write: Any, changes: Any, said: str) -> None:
    assert said in write(router(**changes))[0].instructions()


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (frr, " neighbor suite ttl-security hops 2\n"),
        (unifi, " neighbor suite ttl-security hops 2\n"),
        (bird, "  ttl security on;\n"),
        (usg, '"ttl-security": {\n              "hops": "2"'),
        (edgeos, "neighbor 10.10.0.101 ttl-security hops 2\n"),
        (vyos, "set protocols bgp peer-group suite ttl-security hops 2\n"),
        (mikrotik, "local.ttl=255 remote.ttl=254"),
    ],
)
def test_a_peer_that_has_to_be_near_is_near_at_both_ends(write: Any, words: str) -> None:
    assert words in text(write(router(asn=64513, ttl_security=2)))


@pytest.mark.parametrize("write", [frr, vyos])
def test_a_range_with_many_nodes_has_a_limit_with_room_for_them(write: Any) -> None:
    many = replace(router(), nodes=router().nodes * 30)

    assert "listen limit 240\n" in text(write(many))
    assert "listen limit" not in text(write(router()))
