"""What a move from MetalLB comes to is known before it begins."""

from ipaddress import ip_address
from typing import Any

from fix_world import START, load_balancer, pool

from suite.cli.migration import Move, moves, silences, taken_over
from suite.cluster.source import Batch
from suite.model.advertisement import L2Advertisement
from suite.model.configuration import Configuration
from suite.model.node import Node
from suite.model.service import Service

FIRST, SECOND = ip_address("10.0.0.0"), ip_address("10.0.0.1")
CONFIGURATION = Configuration(
    (pool("default", "10.0.0.0/30"),), l2_advertisements=(L2Advertisement("lan", ("default",)),), digest="x"
)
NODES = tuple(Node(name, is_occupied=True) for name in ("a", "b", "c"))


def planned(*services: Service, ours: frozenset[str] | None = None, **changed: Any) -> list[Move]:
    batch = Batch(services=services, nodes=changed.pop("nodes", NODES), is_full=True)
    return list(moves(batch, CONFIGURATION, START, ours))


def has(name: str, *addresses: str, **rest: Any) -> Service:
    return load_balancer(name, status=tuple(map(ip_address, addresses)), **rest)


def test_an_address_in_a_status_stays_with_its_service_and_on_its_node() -> None:
    [move] = planned(has("coffee", "10.0.0.1"))

    assert (move.before, move.after, move.pool, move.note) == (SECOND, SECOND, "default", "")
    assert move.speaker == move.successor != ""


def test_what_has_an_address_is_served_before_what_has_none() -> None:
    found = planned(load_balancer("a-newcomer"), has("coffee", "10.0.0.0"))

    assert [(str(move.ref), move.after) for move in found] == [
        ("default/a-newcomer", SECOND),
        ("default/coffee", FIRST),
    ]


def test_an_address_outside_the_pools_is_told_before_it_is_lost() -> None:
    [move] = planned(has("coffee", "192.0.2.1"))

    assert not move.stays
    assert move.note.startswith(("GETS ANOTHER address", "LOSES its address"))


def test_an_address_moves_only_where_none_of_our_speakers_runs_on_its_node() -> None:
    [before] = planned(has("coffee", "10.0.0.0"))
    others = frozenset({"a", "b", "c"}) - {before.speaker}
    [after] = planned(has("coffee", "10.0.0.0"), ours=others)

    assert (after.speaker, after.stays) == (before.speaker, False)
    assert after.note == f"moves from {before.speaker} to {after.successor}"


def test_without_a_speaker_of_ours_nobody_would_announce() -> None:
    [move] = planned(has("coffee", "10.0.0.0"), ours=frozenset())

    assert move.note == "announced by NOBODY: no speaker of ours may"


def test_a_service_that_metallb_refuses_too_is_no_loss() -> None:
    [move] = planned(load_balancer("coffee", pool="nowhere"))

    assert (move.before, move.after, move.stays) == (None, None, True)


def test_the_gap_is_the_longest_time_without_an_answer() -> None:
    answers = [(1.0, FIRST), (1.5, FIRST), (2.2, FIRST), (1.1, SECOND)]

    gaps = silences(answers, [FIRST, SECOND], 1.0, 2.5)

    assert {str(address): round(gap, 1) for address, gap in gaps.items()} == {"10.0.0.0": 0.7, "10.0.0.1": 1.4}


def test_the_take_over_ends_with_the_address_that_is_answered_last():
    answers = [(0.9, FIRST), (1.4, FIRST), (1.75, SECOND), (1.9, SECOND), (1.5, FIRST)]

    assert taken_over(answers, 1.0) == 0.75


def test_where_nobody_answers_nothing_was_taken_over():
    assert taken_over([(0.9, FIRST)], 1.0) == 0.0
