"""Which nodes there are: those of the cluster or the manifests, those of the configuration, or this machine alone."""

from dataclasses import replace
from ipaddress import ip_address

from rpds import HashTrieMap

from suite.config.document import read_text
from suite.config.loading import load
from suite.model.node import Node
from suite.model.snapshot import Snapshot
from suite.speaker.plan import known_nodes

NAMED = "nodes: [{name: c, addresses: [10.0.10.3]}, {name: a, labels: {rack: one}, addresses: [10.0.10.1]}]"
SEEN = Node("a", addresses=(ip_address("10.0.10.9"),))


def snapshot(configuration="", *nodes):
    return replace(
        Snapshot("e", 7),
        configuration=load(read_text(configuration)).configuration,
        nodes=HashTrieMap({node.name: node for node in nodes}),
    )


def test_where_nobody_names_any_this_machine_is_alone():
    assert known_nodes(snapshot(), "here") == {"here": Node("here")}


def test_this_machine_is_none_of_them_where_others_are_named():
    assert list(known_nodes(snapshot(NAMED), "here")) == ["a", "c"]


def test_nodes_of_the_configuration_have_the_labels_and_addresses_it_says():
    known = known_nodes(snapshot(NAMED), "a")

    assert known["a"] == Node("a", (("rack", "one"),), (ip_address("10.0.10.1"),))


def test_what_a_node_says_of_itself_goes_before_what_the_configuration_says_of_it_as_a_whole():
    assert known_nodes(snapshot(NAMED, SEEN), "a")["a"] == SEEN


def test_both_together_are_the_fleet_by_name():
    assert list(known_nodes(snapshot(NAMED, Node("b"), SEEN), "a")) == ["a", "b", "c"]
