"""Fleets under loss, delay, one-way links, restarts and different snapshots: never two owners that hear each other once
settled, exactly one once quiet."""

from __future__ import annotations

import itertools
from random import Random

import pytest
from chances import chances
from fix_fleet import Fleet, Plan, make_plan
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.speaker.heartbeat import Standing

SETTLED = 4.0
"""Seconds after the last change: a dead interval to notice, another to linger, time for lost datagrams to be repeated."""


def names(count: int) -> list[str]:
    return [f"node{number:02}" for number in range(count)]


def fleet_of(count: int, addresses: int, seed: int) -> Fleet:
    fleet = Fleet(names(count), make_plan(names(count), addresses), Random(seed))
    for name in fleet.names:
        fleet.start(name)
    return fleet


def doubles(fleet: Fleet, plan: Plan) -> list[tuple[str, str, str]]:
    """Pairs of nodes that hear each other and both own an address."""
    return [
        (str(address), one, other)
        for address in plan
        for one, other in itertools.combinations(fleet.owners(address), 2)
        if fleet.hear_each_other(one, other)
    ]


def shares(fleet: Fleet) -> list[int]:
    """How many owners each address has."""
    return [len(fleet.owners(address)) for address in fleet.plan]


@settings(max_examples=chances(6))
@given(st.integers(2, 8), st.integers(0, 2**32), st.floats(0, 0.2), st.floats(0.001, 0.2))
def test_a_fleet_that_starts_together_has_one_owner_for_each_address(
    count: int, seed: int, loss: float, delay: float
) -> None:
    fleet = fleet_of(count, 10, seed)
    fleet.loss, fleet.delay = loss, delay

    fleet.run(10)
    fleet.loss = 0.0
    fleet.run(SETTLED)

    assert shares(fleet) == [1] * 10


@settings(max_examples=chances(6))
@given(st.data(), st.integers(3, 7), st.integers(0, 2**32))
def test_whatever_links_are_cut_nobody_shares_an_address_with_a_node_it_hears(
    data: st.DataObject, count: int, seed: int
) -> None:
    fleet = fleet_of(count, 10, seed)
    fleet.run(8)
    pairs = [(one, other) for one in fleet.names for other in fleet.names if one != other]

    fleet.cut = set(data.draw(st.lists(st.sampled_from(pairs), max_size=len(pairs))))
    fleet.loss = data.draw(st.floats(0, 0.05))
    fleet.run(6)
    fleet.loss = 0.0
    fleet.run(SETTLED)

    assert doubles(fleet, fleet.plan) == []


@settings(max_examples=chances(6))
@given(st.data(), st.integers(3, 7), st.integers(0, 2**32))
def test_after_every_trouble_exactly_one_owner_remains(data: st.DataObject, count: int, seed: int) -> None:
    fleet = fleet_of(count, 10, seed)
    fleet.run(8)
    pairs = [(one, other) for one in fleet.names for other in fleet.names if one != other]
    for _ in range(data.draw(st.integers(1, 4))):
        fleet.cut = set(data.draw(st.lists(st.sampled_from(pairs), max_size=6)))
        fleet.loss = data.draw(st.floats(0, 0.5))
        for name in data.draw(st.sets(st.sampled_from(fleet.names), max_size=2)):
            fleet.start(name)
        fleet.run(data.draw(st.floats(0.1, 3)))

    fleet.cut, fleet.loss = set(), 0.0
    fleet.run(SETTLED + 2)

    assert shares(fleet) == [1] * 10


@settings(max_examples=chances(6))
@given(st.data(), st.integers(3, 6), st.integers(0, 2**32))
def test_nodes_on_different_snapshots_never_share_an_address_for_long(
    data: st.DataObject, count: int, seed: int
) -> None:
    """Each snapshot ranks other candidates, as preferences and endpoints do."""
    fleet = fleet_of(count, 10, seed)
    fleet.run(8)
    newest = fleet.plan
    for revision in range(2, 2 + data.draw(st.integers(1, 3))):
        standing = Standing(revision, "e")
        members = data.draw(st.sets(st.sampled_from(fleet.names), min_size=1))
        newest = make_plan(members, 10, standing)
        for name in data.draw(st.sets(st.sampled_from(fleet.names))):
            fleet.adopt(name, newest, standing)
        fleet.run(SETTLED)

        assert doubles(fleet, newest) == []

    for name in fleet.names:
        fleet.adopt(name, newest, standing)
    fleet.run(SETTLED)

    assert shares(fleet) == [1] * 10


@pytest.mark.parametrize("count", [20, pytest.param(50, marks=pytest.mark.soak)])
def test_a_fifth_of_a_large_fleet_is_lost_and_the_rest_take_over(count: int) -> None:
    fleet = fleet_of(count, 40, seed=7)
    fleet.loss, fleet.delay = 0.02, 0.05
    fleet.run(2.5)
    for name in fleet.names[: count // 5]:
        fleet.kill(name)

    fleet.run(2.5)

    assert shares(fleet) == [1] * 40
