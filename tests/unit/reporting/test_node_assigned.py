"""Which Events come of announcements that begin."""

from ipaddress import ip_address

from fix_world import World, load_balancer, ref

from suite.cluster.status import Note
from suite.controller.sightings import assignments
from suite.model.announcement import Announcement

FIRST = ip_address("10.0.0.0")


def here(address=FIRST, node="compute1", mode="layer2", interface="eth0"):
    return Announcement(address, node, mode, interface)


def test_the_event_says_in_metallbs_words_which_node_announces(world: World):
    world.put(load_balancer("coffee"))

    expected = Note("nodeAssigned", 'announcing from node "compute1" with protocol "layer2"')
    assert assignments([here()], world.snapshot) == [(ref("coffee"), expected)]


def test_two_interfaces_of_a_node_are_one_event(world: World):
    world.put(load_balancer("coffee"))

    assert len(assignments([here(), here(interface="eth1")], world.snapshot)) == 1


def test_everybody_who_shares_the_address_has_an_event(world: World):
    world.put(load_balancer("coffee", sharing_key="a"), load_balancer("tea", "10.0.0.0", sharing_key="a", ports=()))

    assert [each for each, _ in assignments([here()], world.snapshot)] == [ref("coffee"), ref("tea")]


def test_an_address_that_nobody_has_any_more_is_passed_over(world: World):
    assert assignments([here()], world.snapshot) == []
