"""A mistake upstream must not take everybody's address away in one turn."""

from fix_world import World, load_balancer, pool, ref

from suite.cluster.source import Batch
from suite.controller.plan import Planner
from suite.model.changes import Changes
from suite.model.event import Action

TEN = [f"s{number}" for number in range(10)]


def world_of_ten() -> World:
    world = World(pool("default", "10.0.0.0/24"))
    world.put(*map(load_balancer, TEN))
    return world


def test_three_of_ten_may_go() -> None:
    world = world_of_ten()

    world.delete(*TEN[:3])

    assert world.bound_count() == 7


def test_four_of_ten_wait_for_an_operator_and_everything_else_proceeds() -> None:
    world = world_of_ten()

    world.turn(Batch(services=(load_balancer("new"),), services_gone=tuple(map(ref, TEN[:4]))))

    assert world.bound_count() == 11
    assert world.has("s0") == ["10.0.0.0"]
    assert Action.WITHHELD in [event.action for event in world.changes.events]


def test_nine_leases_are_too_few_to_be_a_mass() -> None:
    world = World(pool("default", "10.0.0.0/24"))
    world.put(*map(load_balancer, TEN[:9]))

    world.delete(*TEN[:9])

    assert world.bound_count() == 0


def test_a_confirmed_digest_releases_exactly_what_was_shown() -> None:
    world = world_of_ten()
    world.delete(*TEN[:4])

    world.commit(Changes(confirmed=world.snapshot.withheld))
    world.planner = Planner(world.snapshot, pending=world.planner.pending())
    world.turn(Batch())

    assert world.bound_count() == 6
    assert (world.snapshot.withheld, world.snapshot.confirmed) == ("", "")


def test_another_release_than_the_confirmed_one_waits_again() -> None:
    world = world_of_ten()
    world.delete(*TEN[:4])
    shown = world.snapshot.withheld
    world.commit(Changes(confirmed=shown))
    world.planner = Planner(world.snapshot, pending=world.planner.pending())

    world.delete("s9")

    assert world.bound_count() == 10
    assert world.snapshot.withheld not in {"", shown}


def test_services_that_come_back_end_the_waiting() -> None:
    world = world_of_ten()
    world.delete(*TEN[:4])

    world.put(*map(load_balancer, TEN[:4]))

    assert world.snapshot.withheld == ""
    assert world.bound_count() == 10


def test_the_waiting_survives_a_restart() -> None:
    world = world_of_ten()
    world.delete(*TEN[:4])
    world.restart()

    world.turn(Batch(services=tuple(map(load_balancer, TEN[4:])), is_full=True))

    assert world.bound_count() == 10
    assert len(world.planner.held_back) == 4


def test_a_pool_that_loses_its_range_is_a_mass_release_too() -> None:
    world = world_of_ten()

    world.reconfigure(pool("default", "10.0.1.0/24"))

    assert world.bound_count() == 10
    assert world.has("s0") == ["10.0.0.0"]
