"""Fleets under loss, delay, one-way links, restarts and different snapshots: never two owners that hear each other once
settled, exactly one once quiet."""

from __future__ import annotations

import itertools
from random import Random
from typing import TYPE_CHECKING

import pytest
from chances import chances
from fix_fleet import LAN, Clock, Fleet, Plan, make_plan
from fleet_referee import Referee
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.speaker.election import rank
from suite.speaker.heartbeat import Standing, UsableLink
from suite.speaker.membership import Settings

if TYPE_CHECKING:
    from ipaddress import IPv4Address

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
    return shares_of(fleet, fleet.plan)


def shares_of(fleet: Fleet, plan: Plan) -> list[int]:
    return [len(fleet.owners(address)) for address in plan]


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


class Story:
    """A fleet to which one thing after another happens, drawn by Hypothesis; `newest` is the snapshot that all get in the end."""

    def __init__(self, data: st.DataObject, count: int) -> None:
        self.data, self.draw = data, data.draw
        self.fleet = Fleet(names(count), make_plan(names(count), ADDRESSES), Random(data.draw(st.integers(0, 2**32))))
        self.fleet.settings = BRISK
        self.fleet.clocks = {name: Clock(data.draw(ANYWHEN), data.draw(DRIFT)) for name in self.fleet.names}
        self.fleet.loss, self.fleet.delay = data.draw(st.floats(0, 0.05)), data.draw(st.floats(0.001, 0.1))
        self.newest, self.standing = self.fleet.plan, Standing(1, "e")
        self.referee = Referee(self.fleet, self.newest)
        for name in self.fleet.names:
            self.fleet.start(name)
        self.referee.run(2)

    def some(self, least: int = 0) -> set[str]:
        """A few nodes."""
        return self.draw(st.sets(st.sampled_from(self.fleet.names), min_size=least, max_size=4))

    def living(self) -> set[str]:
        return self.some() & self.fleet.speakers.keys()

    def happens(self) -> None:
        """One thing."""
        getattr(self, self.draw(st.sampled_from(FAULTS)))()
        self.referee.run(self.draw(st.floats(0.1, 2)))

    def power_cut(self) -> None:
        for name in self.living():
            self.fleet.kill(name)

    def restart(self) -> None:
        for name in self.some():
            self.fleet.start(name, self.standing, self.newest)

    def one_way_cuts(self) -> None:
        pairs = st.tuples(st.sampled_from(self.fleet.names), st.sampled_from(self.fleet.names))
        self.fleet.cut = set(self.draw(st.lists(pairs, max_size=6)))

    def partition(self) -> None:
        here = self.some(least=1)
        pairs = itertools.permutations(self.fleet.names, 2)
        self.fleet.cut = {(one, other) for one, other in pairs if (one in here) != (other in here)}

    def storm(self) -> None:
        self.fleet.loss = self.draw(st.floats(0.2, 0.9))
        self.referee.run(self.draw(st.floats(0.1, 2)))
        self.fleet.loss = 0.05

    def freeze(self) -> None:
        for name in self.living():
            self.fleet.freeze(name, self.draw(st.floats(0.1, 3)))

    def carrier(self) -> None:
        """Lost, and back for those that had lost it."""
        for name in self.living():
            self.fleet.set_links(name, *(() if self.fleet.speakers[name].duty.state.links else (CABLE,)))

    def drain(self) -> None:
        for name in self.living():
            self.fleet.drain(name, is_draining=not self.fleet.speakers[name].duty.state.is_draining)

    def newer_snapshot(self) -> None:
        """Other candidates, and not everybody has heard of it."""
        self.standing = Standing(self.standing.revision + 1, "e")
        self.newest = self.referee.plan = make_plan(self.some(least=1), ADDRESSES, self.standing)
        for name in self.living():
            self.fleet.adopt(name, self.newest, self.standing)

    def ends(self) -> None:
        """Everything is well again, but that those who lost power or their cable stay away."""
        self.fleet.cut, self.fleet.loss = set(), 0.0
        for name, speaker in self.fleet.speakers.items():
            speaker.frozen_until = 0.0
            if speaker.standing != self.standing:
                self.fleet.adopt(name, self.newest, self.standing)
        self.referee.run(QUIET)

    def winners(self) -> dict[IPv4Address, list[str]]:
        """Who MetalLB would have announce each address: of the candidates that can, the one with the lowest hash."""
        can = {name for name, speaker in self.fleet.speakers.items() if speaker.is_able}
        return {address: list(rank(address, can & set(entry.order))[:1]) for address, entry in self.newest.items()}


ADDRESSES = 10
BRISK = Settings(interval=0.25, dead_after=1.0, rejoin_delay=0.5, longest_rejoin_delay=1.0)
"""Nodes come back soon, so that a story is short; all else as by default."""
QUIET = 5.0
BOUND = 3.0
"""Seconds: a dead interval to notice, another to linger or to listen, and as much again for what was lost or slow."""
ANYWHEN, DRIFT = st.floats(0, 1e6), st.floats(0.98, 1.02)
CABLE = UsableLink("eth0", LAN, b"\x02\x00\x00\x00\x00\x01")
FAULTS = [
    *("power_cut", "restart", "one_way_cuts", "partition", "storm"),
    *("freeze", "carrier", "drain", "newer_snapshot"),
]


def lived_through(data: st.DataObject, count: int, most: int) -> Story:
    """A story of some faults, to its end."""
    story = Story(data, count)
    for _ in range(data.draw(st.integers(1, most))):
        story.happens()
    story.ends()
    return story


@settings(max_examples=chances(10))
@given(st.data(), st.integers(2, 8))
def test_whatever_happens_owners_are_few_soon_one_and_in_the_end_metallbs(data: st.DataObject, count: int) -> None:
    story = lived_through(data, count, most=6)

    assert (story.referee.longest_double <= BOUND, story.referee.longest_gap <= BOUND) == (True, True)
    assert {address: story.fleet.owners(address) for address in story.newest} == story.winners()


@settings(max_examples=chances(1))
@given(st.data(), st.integers(30, 50))
def test_a_large_fleet_lives_through_the_same(data: st.DataObject, count: int) -> None:
    story = lived_through(data, count, most=2)

    assert (story.referee.longest_double <= BOUND, story.referee.longest_gap <= BOUND) == (True, True)
    assert {address: story.fleet.owners(address) for address in story.newest} == story.winners()


FIFTY = 50
LEAST_CUT, MOST_CUT = 0.05, 0.1
"""Of all ordered pairs of nodes, those whose datagrams go one way only."""
SPARSE = Settings(interval=0.4, dead_after=1.0)
"""As few heartbeats as find a dead node in a second: each pair of nodes costs, and lost ones weigh more."""


def fifty_in_trouble(seed: int) -> tuple[Fleet, Plan]:
    """Fifty nodes from their start on in a network that loses, delays and cuts, on three snapshots with other candidates each."""
    random = Random(seed)
    fleet = Fleet(names(FIFTY), {}, random)
    fleet.settings = SPARSE
    pairs = list(itertools.permutations(fleet.names, 2))
    fleet.cut = set(random.sample(pairs, int(random.uniform(LEAST_CUT, MOST_CUT) * len(pairs))))
    fleet.loss, fleet.delay = random.uniform(0.01, 0.05), random.uniform(0.01, 0.1)
    standings = [Standing(revision, "e") for revision in (1, 2, 3)]
    plans = [make_plan(random.sample(fleet.names, 40), ADDRESSES, standing) for standing in standings]
    for number, name in enumerate(fleet.names):
        fleet.start(name, standings[number % 3], plans[number % 3])
    return fleet, plans[-1]


@settings(max_examples=chances(1))
@given(st.integers(0, 2**32))
def test_fifty_nodes_with_loss_delay_one_way_cuts_and_three_snapshots(seed: int) -> None:
    fleet, newest = fifty_in_trouble(seed)
    fleet.run(1.2)
    fleet.loss = 0.0
    fleet.run(2.4)
    settled = doubles(fleet, newest)

    fleet.cut = set()
    for name in fleet.names:
        fleet.adopt(name, newest, Standing(3, "e"))
    fleet.run(2.4)

    assert settled == []
    assert shares_of(fleet, newest) == [1] * ADDRESSES


@pytest.mark.parametrize("count", [20, pytest.param(50, marks=pytest.mark.soak)])
def test_a_fifth_of_a_large_fleet_is_lost_and_the_rest_take_over(count: int) -> None:
    fleet = fleet_of(count, 40, seed=7)
    fleet.loss, fleet.delay = 0.02, 0.05
    fleet.run(2.5)
    for name in fleet.names[: count // 5]:
        fleet.kill(name)

    fleet.run(2.5)

    assert shares(fleet) == [1] * 40
