"""Who owns an address, who follows, and why others do not."""

from ipaddress import ip_address

import pytest

from suite.speaker.election import (
    Candidate,
    Exclusion,
    NodeFacts,
    Offer,
    elect,
    interfaces_for,
    nominate,
    preference_scores,
    rank,
)

VIP = ip_address("10.0.42.0")
NODES = ("compute1", "compute2", "compute3")


def test_the_owner_is_the_same_whatever_the_order_of_the_candidates() -> None:
    assert elect(VIP, map(Candidate, NODES)).order == elect(VIP, map(Candidate, reversed(NODES))).order


def test_nobody_owns_an_address_without_candidates() -> None:
    assert elect(VIP, []).winner is None


def test_a_preferred_node_goes_first_and_its_successor_is_ranked_as_usual() -> None:
    order = elect(VIP, [Candidate("compute1"), Candidate("compute2"), Candidate("compute3", score=50)]).order

    assert order == ("compute3", *rank(VIP, ("compute1", "compute2")))


def test_an_excluded_node_is_named_with_its_reason() -> None:
    election = elect(VIP, [Candidate("compute1"), Candidate("compute2", exclusion=Exclusion.NO_LINK)])

    assert (election.winner, election.excluded) == ("compute1", (("compute2", Exclusion.NO_LINK),))


def test_a_mapped_address_is_ranked_like_the_ipv4_address_it_stands_for() -> None:
    assert rank(ip_address("::ffff:10.0.42.0"), NODES) == rank(VIP, NODES)


@pytest.mark.parametrize(
    ("facts", "local_policy", "ignores_label", "exclusion"),
    [
        pytest.param(NodeFacts("a", has_endpoint=True), True, False, None, id="eligible"),
        pytest.param(NodeFacts("a"), False, False, None, id="any node forwards under policy Cluster"),
        pytest.param(NodeFacts("a"), True, False, Exclusion.NO_ENDPOINT, id="no pod under policy Local"),
        pytest.param(NodeFacts("a", is_labelled=True), False, False, Exclusion.LABELLED, id="label"),
        pytest.param(NodeFacts("a", is_labelled=True), False, True, None, id="label ignored"),
        pytest.param(NodeFacts("b"), False, False, Exclusion.NOT_ADVERTISED, id="not selected"),
        pytest.param(
            NodeFacts("a", network_unavailable=True), False, False, Exclusion.NETWORK_UNAVAILABLE, id="no network"
        ),
    ],
)
def test_a_node_is_nominated_or_told_why_not(
    facts: NodeFacts, local_policy: bool, ignores_label: bool, exclusion: Exclusion | None
) -> None:
    offers = [Offer(frozenset({"a"}))]

    nominated = nominate([facts], offers, local_policy=local_policy, ignores_label=ignores_label)

    assert nominated[0].exclusion is exclusion


def test_weights_of_several_advertisements_add_up() -> None:
    nodes = frozenset({"a", "b"})
    offers = [Offer(nodes, preferences={"a": 70}), Offer(nodes, preferences={"a": 30, "b": 50})]

    assert preference_scores(offers) == {"a": 100, "b": 50}


def test_interfaces_are_those_of_the_advertisements_for_this_node() -> None:
    offers = [Offer(frozenset({"a"}), frozenset({"eth0"})), Offer(frozenset({"b"}), frozenset({"eth1"}))]

    assert interfaces_for("a", offers) == {"eth0"}


def test_one_advertisement_for_all_interfaces_wins() -> None:
    offers = [Offer(frozenset({"a"}), frozenset({"eth0"})), Offer(frozenset({"a"}))]

    assert interfaces_for("a", offers) is None
