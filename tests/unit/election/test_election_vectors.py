"""The same winner as MetalLB: its own test cases, replayed (tests/vectors/l2_election.json names the source)."""

import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from suite.speaker.election import Candidate, NodeFacts, Offer, elect, interfaces_for, nominate, preference_scores, rank

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "l2_election.json").read_text(encoding="utf-8"))
LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"

# That Services which share an address must not be told apart by selectors is the plan's business, not the election's.
ROWS = [
    pytest.param(row, id=f"{name}-{row['n']}")
    for name, rows in VECTORS["l2_should_announce"].items()
    for row in rows
    if row["expect"]["reason"] != "sharedIPWithServiceSelector"
]


def offers(row: dict[str, Any]) -> list[Offer]:
    labels = {f"{key}={value}" for key, value in (row["service"]["labels"] or {}).items()}
    return [
        Offer(
            frozenset(advertisement["nodes"] or []),
            None if advertisement["all_interfaces"] else frozenset(advertisement["interfaces"] or []),
            advertisement["preferred_nodes"],
        )
        for advertisement in row["l2_advertisements"]
        if not advertisement["service_selectors"] or labels & set(advertisement["service_selectors"])
    ]


def facts(row: dict[str, Any]) -> list[NodeFacts]:
    known = row["nodes"] or {}
    speakers = row["usable_speakers"] or list(known)  # without a list of speakers, every node counts
    usable = {each["node"] for each in row["endpoints"] or [] if each["ready"] or each.get("serving")}
    return [
        NodeFacts(
            name,
            is_labelled=LABEL in (known.get(name, {}).get("labels") or {}),
            has_endpoint=name in usable,
        )
        for name in speakers
    ]


@pytest.mark.parametrize("row", ROWS)
def test_a_node_announces_when_metallb_would(row: dict[str, Any]) -> None:
    local = row["service"]["external_traffic_policy"] == "Local"
    candidates = nominate(facts(row), offers(row), local_policy=local, ignores_label=row["ignore_exclude_lb"])

    election = elect(ip_address(row["ips"][0]), candidates)

    in_advertisement = any(row["node"] in offer.nodes for offer in offers(row))
    assert (election.winner == row["node"] and in_advertisement) is row["expect"]["announce"]


@pytest.mark.parametrize(("address", "winner"), VECTORS["l2_election_vectors"]["winner_by_ip"].items())
def test_the_winner_by_hash_is_metallbs(address: str, winner: str) -> None:
    candidates = map(Candidate, VECTORS["l2_election_vectors"]["candidates"])

    assert elect(ip_address(address), candidates).winner == winner


@pytest.mark.parametrize("row", VECTORS["l2_sort_candidates"])
def test_candidates_are_sorted_as_metallb_sorts_them(row: dict[str, Any]) -> None:
    order = rank(ip_address(row["ip"]), row["candidates"] or [], row["scores"])

    assert list(order) == (row["want"] or [])


@pytest.mark.parametrize("row", VECTORS["l2_preferred_scores"])
def test_preferences_add_up_as_in_metallb(row: dict[str, Any]) -> None:
    given = [Offer(frozenset(ad["nodes"]), preferences=ad["preferred_nodes"]) for ad in row["ads"]]

    assert preference_scores(given) == (row["want"] or {})


@pytest.mark.parametrize("row", VECTORS["l2_interfaces_for_address"])
def test_interfaces_unite_as_in_metallb(row: dict[str, Any]) -> None:
    given = [
        Offer(frozenset({"me"}), None if ad["all_interfaces"] else frozenset(ad["interfaces"] or []))
        for ad in row["ads"]
    ]

    assert interfaces_for("me", given) == (None if row["want_all_interfaces"] else set(row["want_interfaces"]))
