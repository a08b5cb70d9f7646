"""Which routes every node announces, and the sentence about the best of them."""

from ipaddress import ip_address, ip_network

from suite.bgp.bestpath import Router
from suite.model.node import Node
from suite.model.peer import Peer
from suite.speaker.plan import Route
from suite.speaker.route_view import Announced, paths_of, prediction, routes_to

GATEWAY = Peer("gateway", 64512, 64512, address=ip_address("192.168.1.1"))
STORY = (("master", 200), ("node1", 101), ("node2", 102), ("node3", 103))


def announced(prefix: str = "10.10.10.10/32", peer: Peer = GATEWAY) -> list[Announced]:
    nodes = [Node(name, addresses=(ip_address(f"10.10.0.{last}"),)) for name, last in STORY]
    return [Announced(node, peer, Route(ip_network(prefix))) for node in nodes]


def test_the_lowest_router_identifier_is_best_and_the_controller_plays_no_part() -> None:
    said = prediction(announced(), Router(keeps_oldest=False))

    assert "10.10.0.101 is best: lowest router identifier" in said
    assert said.count("stands by") == 3


def test_a_router_with_several_paths_uses_the_others_too() -> None:
    assert prediction(announced(), Router(keeps_oldest=False, multipath=8)).count("carries traffic too") == 3


def test_external_peers_may_keep_an_older_path() -> None:
    peer = Peer("gateway", 64513, 64512, address=ip_address("192.168.1.1"))

    assert "keeps the oldest of equal external paths" in prediction(announced(peer=peer))


def test_the_longest_prefix_leads_to_an_address() -> None:
    everything = [*announced("10.10.10.0/24"), *announced()]

    leading = routes_to(everything, ip_address("10.10.10.10"))

    assert {str(each.route.prefix) for each in leading} == {"10.10.10.10/32"}


def test_an_address_that_nobody_announces_has_no_route() -> None:
    assert routes_to(announced(), ip_address("10.10.10.11")) == []


def test_a_local_preference_is_for_internal_peers_only() -> None:
    route = Route(ip_network("10.10.10.10/32"), local_pref=250)
    node = Node("node1", addresses=(ip_address("10.10.0.101"),))
    external = Peer("isp", 64513, 64512, address=ip_address("192.168.1.2"))

    paths = paths_of([Announced(node, GATEWAY, route), Announced(node, external, route)])

    assert [path.local_pref for path in paths] == [250, 100]
