"""Who asks the LAN for the next free addresses: the node that would own them, and the one beside the leader."""

from ipaddress import ip_address

from rpds import HashTrieMap

from suite.config.document import read_text
from suite.config.loading import load
from suite.model.node import Node
from suite.model.publication import Publication
from suite.model.snapshot import Snapshot
from suite.speaker.ahead import own_ahead
from suite.speaker.election import rank
from suite.speaker.plan import plan

NODES = ("compute1", "compute2", "compute3")
CONFIGURATION = """\
address-pools:
- {name: lan, protocol: layer2, addresses: [10.0.42.0/24]}
- {name: bgp, protocol: bgp, addresses: [10.10.10.0/24]}
- name: one
  protocol: layer2
  addresses: [10.0.43.0/24]
  l2-advertisements: [{node-selectors: [{match-labels: {rack: r1}}]}]
"""
AHEAD = tuple(ip_address(f"10.0.42.{number}") for number in range(4))


def asked(node, *, ahead=AHEAD, is_leading=False):
    nodes = {name: Node(name, (("rack", f"r{name[-1]}"),)) for name in NODES}
    snapshot = Snapshot("e", 7, configuration=load(read_text(CONFIGURATION)).configuration, nodes=HashTrieMap(nodes))
    publication = Publication(snapshot, ahead=ahead, is_leading=is_leading)
    return list(own_ahead(publication, plan(snapshot, node), node))


def test_each_address_is_asked_for_by_the_node_that_would_own_it():
    by_node = {node: asked(node) for node in NODES}

    assert sorted(address for each in by_node.values() for address in each) == list(AHEAD)
    assert all(rank(address, NODES)[0] == node for node, each in by_node.items() for address in each)


def test_the_node_beside_the_leader_asks_for_all():
    assert asked("compute1", is_leading=True) == list(AHEAD)


def test_what_is_only_told_to_routers_is_not_asked_for():
    assert asked("compute1", ahead=(ip_address("10.10.10.0"),), is_leading=True) == []


def test_a_node_that_may_not_announce_asks_for_nothing():
    next_one = (ip_address("10.0.43.0"),)

    assert asked("compute1", ahead=next_one) == list(next_one)
    assert asked("compute2", ahead=next_one, is_leading=True) == []


def test_an_address_outside_all_pools_is_nobodys_business():
    assert asked("compute1", ahead=(ip_address("192.168.1.1"),), is_leading=True) == []
