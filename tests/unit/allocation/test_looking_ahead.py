"""The addresses that come next are known before anybody gets them, and one that was just asked for goes first."""

from fix_world import World, load_balancer, pool

from suite.model.address import parse_address
from suite.model.lease import Reservation


def ahead(world: World) -> list[str]:
    return [str(address) for address in world.planner.ahead()]


def proven(world: World, *addresses: str) -> None:
    world.planner.proven = tuple(map(parse_address, addresses))


def test_the_next_four_free_addresses_are_looked_at_in_the_order_of_choice() -> None:
    world = World(pool("default", "10.0.42.0/24"))

    world.put(load_balancer("coffee"))

    assert ahead(world) == ["10.0.42.1", "10.0.42.2", "10.0.42.3", "10.0.42.4"]


def test_ranges_and_families_follow_each_other() -> None:
    world = World(pool("default", "10.0.1.0/31", "10.0.0.0/24", "fd00::/126"))

    assert ahead(world) == ["10.0.1.0", "10.0.1.1", "10.0.0.0", "10.0.0.1", "fd00::", "fd00::1", "fd00::2", "fd00::3"]


def test_what_is_kept_back_or_drained_is_not_looked_at() -> None:
    reserved = Reservation(parse_address("10.0.0.1"), None, source="config")
    pools = pool("a", "10.0.0.0/29", excluded=("10.0.0.2-10.0.0.4",)), pool("b", "10.1.0.0/24", draining=True)

    assert ahead(World(*pools, reservations=(reserved,))) == ["10.0.0.0", "10.0.0.5", "10.0.0.6", "10.0.0.7"]


def test_an_address_nobody_answers_for_goes_before_the_lowest_one() -> None:
    world = World(pool("default", "10.0.42.0/24"))
    proven(world, "10.0.42.1", "10.0.42.2")

    world.put(load_balancer("coffee"), load_balancer("tea"), load_balancer("milk"))

    assert [world.has(name) for name in ("coffee", "tea", "milk")] == [["10.0.42.1"], ["10.0.42.2"], ["10.0.42.0"]]


def test_a_proven_address_of_a_later_range_does_not_overtake() -> None:
    world = World(pool("default", "10.0.1.0/24", "10.0.2.0/24"))
    proven(world, "10.0.2.0")

    world.put(load_balancer("coffee"))

    assert world.has("coffee") == ["10.0.1.0"]


def test_a_proven_address_that_is_reserved_meanwhile_is_passed_over() -> None:
    world = World(
        pool("default", "10.0.42.0/24"), reservations=(Reservation(parse_address("10.0.42.1"), None, source="config"),)
    )
    proven(world, "10.0.42.1")

    world.put(load_balancer("coffee"))

    assert world.has("coffee") == ["10.0.42.0"]


def test_the_last_address_of_the_address_space_ends_the_look() -> None:
    assert ahead(World(pool("default", "255.255.255.254-255.255.255.255"))) == ["255.255.255.254", "255.255.255.255"]
