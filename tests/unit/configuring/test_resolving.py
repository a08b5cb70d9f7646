"""Which advertisement reaches which pool, node, interface and peer."""

from suite.config.document import read_text
from suite.config.loading import load
from suite.config.resolve import (
    BgpWay,
    L2Way,
    add_scores,
    bgp_for_service,
    interfaces_of,
    l2_for_service,
    prefer_differently,
    resolve,
)
from suite.model.node import Node
from suite.model.selector import Selector

NODES = (Node("b", (("rack", "r1"),)), Node("a", (("rack", "r2"),)))
COFFEE = Selector((("app", "coffee"),))
TEXT = """\
address-pools:
- {name: quiet, protocol: none, addresses: [10.0.0.0/24]}
- name: lan
  protocol: layer2
  addresses: [10.0.1.0/24]
  l2-advertisements:
  - {interfaces: [eth0], node-selectors: [{match-labels: {rack: r1}}]}
  - {interfaces: [eth1], preferred-node-selectors: [{weight: 7, preference: {match-labels: {rack: r2}}}]}
"""


def ways(text=TEXT):
    return resolve(load(read_text(text)).configuration, NODES)


def test_a_pool_nobody_announces_has_no_ways():
    assert (ways()["quiet"].l2, ways()["quiet"].bgp) == ((), ())


def test_selectors_become_names_of_nodes_in_order():
    assert ways()["lan"].l2 == (L2Way(("b",), ("eth0",)), L2Way(("a", "b"), ("eth1",), (), (("a", 7),)))


def test_advertisements_that_say_the_same_count_once():
    text = TEXT.replace(
        "interfaces: [eth1], preferred-node-selectors: [{weight: 7, preference: {match-labels: {rack: r2}}}]",
        "interfaces: [eth0], node-selectors: [{match-labels: {rack: r1}}]",
    )

    assert len(ways(text)["lan"].l2) == 1


def test_one_advertisement_for_all_interfaces_opens_all_of_them():
    assert interfaces_of(ways()["lan"].l2) == {"eth0", "eth1"}
    assert interfaces_of((*ways()["lan"].l2, L2Way(("a",)))) is None


def test_scores_of_several_advertisements_add_up():
    assert add_scores((L2Way(preferred=(("a", 70),)), L2Way(preferred=(("a", 30), ("b", 50))))) == {"a": 100, "b": 50}


def test_a_service_selector_chooses_among_the_ways():
    ours, all_of_them = L2Way(("a",), service_selectors=(COFFEE,)), L2Way(("b",))

    assert l2_for_service((ours, all_of_them), (("app", "coffee"),)) == (ours, all_of_them)
    assert l2_for_service((ours, all_of_them), (("app", "tea"),)) == (all_of_them,)


def test_bgp_ways_are_those_of_the_node():
    assert bgp_for_service((BgpWay("one", ("a",)), BgpWay("two", ("b",))), (), "b") == (BgpWay("two", ("b",)),)


def test_two_preferences_for_one_route_to_one_peer_are_a_conflict():
    one, other = BgpWay(nodes=("a",), local_pref=1), BgpWay(nodes=("a", "b"), local_pref=2, peers=("p",))

    assert prefer_differently(one, other, frozenset({4}))
    assert not prefer_differently(one, BgpWay(nodes=("b",), local_pref=2), frozenset({4}))
    assert not prefer_differently(one, BgpWay(nodes=("a",), local_pref=2, aggregation_length=24), frozenset({4}))
    assert prefer_differently(one, BgpWay(nodes=("a",), local_pref=2, aggregation_length=24), frozenset({4, 6}))
