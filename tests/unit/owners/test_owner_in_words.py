"""Who owns an address is told with the reason, and from the reports that travel between processes."""

from ipaddress import ip_address

import pytest

from suite.model.layer2 import LinkState, NodeState, Owner
from suite.model.refusal import Reason
from suite.speaker.heartbeat import Standing
from suite.speaker.layer2_view import all_healthy, barred_notes, node_state, node_view, owner, picture
from suite.speaker.ownership import Entry, moves_without
from suite.speaker.reports import node_report

VIP = ip_address("10.0.42.0")
ENTRY = Entry(VIP, ("compute2", "compute1", "compute3"), Standing(7, "e"))


def node(name, *, network="10.0.0.0/16", **differences):
    state = {"is_live": True, "is_ready": True, "is_draining": False} | differences
    mac = f"02:00:00:00:10:0{name[-1]}"
    return NodeState(name, **state, revision=7, epoch="e", links=(LinkState("eth0", network, mac),))


def said(*nodes, where=None):
    return owner(ENTRY, {each.name: node_view(each) for each in nodes}, where)


def test_the_first_of_the_order_owns_the_address():
    told = said(node("compute1"), node("compute2"), node("compute3"), where={"eth0": "02:00:00:00:10:02"})

    assert told == Owner(
        "10.0.42.0",
        "compute2",
        "the order is compute2 before compute1 before compute3",
        ("compute1", "compute3"),
        ("eth0",),
        "02:00:00:00:10:02",
    )


def test_who_was_passed_over_is_named_with_the_reason():
    told = said(node("compute1", is_draining=True), node("compute2", is_live=False), node("compute3"))

    assert told.node == "compute3"
    assert told.why.endswith("; compute2 is not heard, compute1 is leaving")


def test_a_node_that_an_operator_drained_is_told_apart_from_one_that_ends():
    nodes = [node("compute1"), node("compute2", is_draining=True)]

    told = owner(ENTRY, {each.name: node_view(each) for each in nodes}, None, {"compute2"}.__contains__)

    assert told.why.endswith("; compute2 is drained")


def test_a_node_that_has_just_started_is_passed_over_and_stands_by():
    told = said(node("compute1"), node("compute2", is_ready=False), node("compute3"))

    assert (told.node, told.successors) == ("compute1", ("compute2", "compute3"))
    assert told.why.endswith("; compute2 has just started")


def test_an_address_on_nobodys_network_has_no_owner():
    told = said(*(node(name, network="192.168.0.0/24") for name in ENTRY.order))

    assert (told.node, told.successors) == ("", ())
    assert told.why.startswith("no candidate can: compute2 has no usable interface on its network")
    assert told.reason is Reason.NO_USABLE_LINK


@pytest.mark.parametrize(
    ("address", "network", "what"),
    [
        ("10.0.255.255", "10.0.0.0/16", "the broadcast address"),
        ("10.0.42.0", "10.0.42.0/24", "the number"),
        ("fd00:42::", "fd00:42::/64", "the routers' anycast address (RFC 4291)"),
    ],
    ids=["broadcast", "number", "anycast"],
)
def test_an_address_that_a_link_s_own_subnet_forbids_names_the_link_and_the_subnet(address, network, what):
    entry = Entry(ip_address(address), ("compute1",))

    told = owner(entry, {"compute1": node_view(node("compute1", network=network))})

    assert (told.node, told.reason) == ("", Reason.NETWORK_ADDRESS)
    assert told.why == f"no candidate can: compute1 has {network} on eth0, and it is {what} of that network"


def test_a_node_tells_which_addresses_of_the_plan_its_own_subnet_forbids():
    plan = {address: Entry(address, ("compute1",)) for address in map(ip_address, ("10.0.255.255", "10.0.42.0"))}

    notes = barred_notes(node_view(node("compute1")), plan.get)

    assert notes == [
        "10.0.255.255 is not announced here: compute1 has 10.0.0.0/16 on eth0, and it is the broadcast address of that network"
    ]


def test_a_node_that_announces_on_any_subnet_forbids_nothing():
    entry = Entry(ip_address("10.0.255.255"), ("compute1",), any_subnet=True)

    assert barred_notes(node_view(node("compute1")), {entry.address: entry}.get) == []


def test_a_report_survives_the_way_to_the_command_line():
    state = node("compute1")

    assert node_state(node_report(node_view(state))) == state


def test_the_picture_is_in_the_order_of_names_and_addresses():
    later = Entry(ip_address("10.0.42.10"), ("compute1",))
    early = Entry(ip_address("10.0.42.9"), ("compute1",))

    shown = picture("compute1", [node("compute2"), node("compute1")], [later, early], {})

    assert [each.name for each in shown.nodes] == ["compute1", "compute2"]
    assert [each.address for each in shown.owners] == ["10.0.42.9", "10.0.42.10"]


def test_with_everybody_healthy_the_second_in_order_takes_over():
    nodes = all_healthy([ENTRY], ENTRY.order)

    assert moves_without({VIP: ENTRY}, nodes, "compute2") == {VIP: ("compute2", "compute1")}


def test_healthy_nodes_have_the_interfaces_they_are_to_announce_on():
    entry = Entry(VIP, ("compute1",), interfaces={"compute1": frozenset({"eth7"})})

    nodes = all_healthy([entry], ["compute1"])

    assert owner(entry, nodes).node == "compute1"
