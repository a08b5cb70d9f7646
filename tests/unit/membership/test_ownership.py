"""Who answers for an address, given the plan, the living and the claims of others."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from suite.speaker.election import Exclusion
from suite.speaker.heartbeat import Standing, UsableLink
from suite.speaker.membership import NodeView
from suite.speaker.ownership import (
    Contest,
    Entry,
    Ownership,
    moves_without,
    placements,
    standings,
    usable_range,
)

VIP = ip_address("10.0.42.0")
LAN = UsableLink("eth0", ip_network("10.0.0.0/16"), bytes(6))
ELSEWHERE = UsableLink("eth1", ip_network("192.168.1.0/24"), bytes(6))
NOW = Standing(5, "e")
A = NodeView("a", is_live=True, is_ready=True, standing=NOW, links=(LAN,))
B, C = replace(A, name="b"), replace(A, name="c")
ENTRY = Entry(VIP, ("a", "b", "c"))
CLAIMED = frozenset({VIP.packed})


def owns(name: str, *nodes: NodeView, entry: Entry = ENTRY) -> bool:
    """Whether a node that owned nothing so far owns the address now."""
    decision = Ownership(name).decide({VIP: entry}, {node.name: node for node in nodes}, 0.0)
    return VIP in decision.owned


def owner_named_by(*nodes: NodeView, entry: Entry = ENTRY) -> list[str]:
    return [node.name for node in nodes if owns(node.name, *nodes, entry=entry)]


@pytest.mark.parametrize(
    ("nodes", "owner"),
    [
        pytest.param((A, B, C), "a", id="the first candidate"),
        pytest.param((replace(A, is_live=False), B, C), "b", id="the first one is dead"),
        pytest.param((replace(A, is_draining=True), B, C), "b", id="the first one drains"),
        pytest.param((replace(A, links=()), B, C), "b", id="the first one lost its carrier"),
        pytest.param((replace(A, links=(ELSEWHERE,)), B, C), "b", id="the first one is on another subnet"),
        pytest.param((replace(A, is_ready=False), B, C), "b", id="the first one has just started"),
        pytest.param((replace(A, standing=None), B, C), "b", id="the first one has no plan"),
        pytest.param((replace(A, links=(replace(LAN, is_settled=False),)), B, C), "b", id="the first one's link flaps"),
        pytest.param(tuple(replace(node, is_ready=False) for node in (A, B)), "a", id="all have just started"),
    ],
)
def test_the_first_candidate_that_qualifies_owns_the_address(nodes: tuple[NodeView, ...], owner: str) -> None:
    assert owner_named_by(*nodes) == [owner]


def test_nobody_owns_an_address_without_a_candidate_that_lives() -> None:
    assert owner_named_by(replace(A, is_live=False)) == []


def test_another_subnet_is_no_obstacle_when_the_configuration_says_so() -> None:
    assert owner_named_by(replace(A, links=(ELSEWHERE,)), B, entry=replace(ENTRY, any_subnet=True)) == ["a"]


def test_a_candidate_whose_advertised_interface_is_missing_is_passed_over() -> None:
    assert owner_named_by(A, B, entry=replace(ENTRY, interfaces={"a": frozenset({"eth7"})})) == ["b"]


def test_a_candidate_that_does_not_know_the_entry_yet_is_passed_over() -> None:
    nodes = (replace(A, standing=Standing(4, "e")), B)

    assert owns("b", *nodes, entry=replace(ENTRY, since=NOW))


@pytest.mark.parametrize(
    ("theirs", "keeps"),
    [
        pytest.param(Standing(6, "e"), False, id="newer revision"),
        pytest.param(Standing(5, "f"), False, id="same revision, later epoch"),
        pytest.param(Standing(5, "e"), True, id="same snapshot: order of election"),
        pytest.param(Standing(4, "e"), True, id="older"),
    ],
)
def test_of_two_claims_the_newer_snapshot_wins(theirs: Standing, keeps: bool) -> None:
    assert owns("a", A, replace(B, standing=theirs, claims=CLAIMED)) is keeps


def test_a_claim_that_only_keeps_the_address_warm_does_not_win() -> None:
    leaving = replace(B, standing=Standing(6, "e"), claims=CLAIMED, is_draining=True)

    assert owns("a", A, leaving)


class Story:
    """One node's ownership over time."""

    def __init__(self, name: str) -> None:
        self.ownership = Ownership(name)

    def at(self, now: float, *nodes: NodeView) -> bool:
        self.decision = self.ownership.decide({VIP: ENTRY}, {node.name: node for node in nodes}, now)
        return VIP in self.decision.owned


def test_who_loses_an_address_to_a_living_successor_answers_until_it_does() -> None:
    story = Story("b")
    before = story.at(0.0, B)

    assert [before, story.at(1.0, A, B), story.at(1.1, replace(A, claims=CLAIMED), B)] == [True, True, False]


def test_who_waits_for_a_successor_in_vain_gives_up_after_a_dead_interval() -> None:
    story = Story("b")
    story.at(0.0, B)

    assert [story.at(1.0, A, B), story.ownership.next_timer(), story.at(2.0, A, B)] == [True, 2.0, False]


def test_who_lost_the_link_stops_at_once() -> None:
    story = Story("b")
    story.at(0.0, B)

    assert not story.at(1.0, A, replace(B, links=()))


def test_a_planned_succession_is_no_double() -> None:
    story = Story("b")
    story.at(0.0, B)
    story.at(1.0, A, B)
    story.at(1.1, replace(A, claims=CLAIMED), B)

    assert story.decision.contests == ()


def test_a_double_that_shows_when_a_partition_heals_is_reported_with_both_names() -> None:
    story = Story("b")
    story.at(0.0, B)

    story.at(1.0, replace(A, claims=CLAIMED), B)

    assert story.decision.contests == (Contest(VIP, winner="a", loser="b"),)


def test_a_double_is_reported_also_when_the_list_of_claims_comes_later_than_the_node() -> None:
    story = Story("b")
    story.at(0.0, B)
    story.at(1.0, replace(A, is_heard_out=False), B)

    story.at(1.1, replace(A, claims=CLAIMED), B)

    assert story.decision.contests == (Contest(VIP, winner="a", loser="b"),)


def test_the_winner_of_a_double_tells_the_network_again_once() -> None:
    story = Story("a")
    story.at(0.0, A)
    rival = replace(B, claims=CLAIMED)
    announced = []
    for now, nodes in ((1.0, (A, rival)), (1.1, (A, rival)), (1.2, (A, B)), (1.3, (A, B))):
        story.at(now, *nodes)
        announced.append(VIP in story.decision.announce)

    assert announced == [True, False, True, False]


def test_a_node_that_returns_may_have_told_the_network_otherwise_though_it_claims_nothing_any_more() -> None:
    story = Story("a")
    for now, nodes in ((0.0, (A, B)), (1.0, (A,))):
        story.at(now, *nodes)

    story.at(2.0, A, replace(B, has_listened=True))

    assert story.decision.announce == {VIP}


def test_a_node_that_has_just_started_told_nobody_anything() -> None:
    story = Story("a")
    story.at(0.0, A)

    story.at(1.0, A, replace(B, is_ready=False))

    assert story.decision.announce == frozenset()


def test_a_gained_address_is_announced() -> None:
    story = Story("a")
    story.at(0.0, A)

    assert (story.decision.gained, story.decision.announce) == ({VIP}, {VIP})


@pytest.mark.parametrize(
    ("network", "first", "last"),
    [
        pytest.param("10.0.0.0/16", "10.0.0.1", "10.0.255.254", id="a LAN"),
        pytest.param("10.0.42.0/31", "10.0.42.0", "10.0.42.1", id="two points"),
        pytest.param("fd00:42::/64", "fd00:42::1", "fd00:42::ffff:ffff:ffff:ffff", id="IPv6 has no broadcast"),
    ],
)
def test_a_networks_own_number_and_broadcast_address_are_no_ones(network: str, first: str, last: str) -> None:
    low, high = usable_range(ip_network(network))
    assert (low, high) == (int(ip_address(first)), int(ip_address(last)))


def test_dot_zero_of_a_slice_inside_a_wider_network_is_an_ordinary_address() -> None:
    narrow = UsableLink("eth1", ip_network("10.0.42.0/24"), bytes(6))

    assert placements(ENTRY, "a", (LAN, narrow)) == {"eth0"}


def test_explain_names_the_order_and_the_reason_of_everybody_else() -> None:
    nodes = {node.name: node for node in (replace(A, is_draining=True), replace(B, links=(ELSEWHERE,)), C)}

    election = standings(replace(ENTRY, order=("a", "b", "c", "d")), nodes)

    assert (election.winner, election.excluded) == (
        "c",
        (("a", Exclusion.DRAINING), ("b", Exclusion.NO_LINK), ("d", Exclusion.NOT_HEARD)),
    )


def test_explain_tells_a_node_that_lags_behind() -> None:
    nodes = {node.name: node for node in (replace(A, standing=Standing(4, "e")), B)}

    assert standings(replace(ENTRY, since=NOW, order=("a", "b")), nodes).excluded == (("a", Exclusion.OUTDATED),)


def test_a_node_that_has_just_started_stands_behind_the_settled_ones() -> None:
    nodes = {node.name: node for node in (replace(A, is_ready=False), B, C)}

    assert standings(ENTRY, nodes).order == ("b", "a", "c")


def test_a_simulated_failure_says_what_would_move_where() -> None:
    other = replace(ENTRY, address=ip_address("10.0.42.1"), order=("b", "c"))
    nodes = {node.name: node for node in (A, B)}

    assert moves_without({VIP: ENTRY, other.address: other}, nodes, "b") == {other.address: ("b", None)}
