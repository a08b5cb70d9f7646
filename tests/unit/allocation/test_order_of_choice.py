"""Which address a Service gets: free before cooling before held, never what is kept for somebody else."""

from fix_world import World, load_balancer, pool, ref

from suite.model.address import parse_address, parse_range
from suite.model.lease import Reservation
from suite.model.refusal import Reason


def test_the_first_address_of_the_first_range_goes_first_even_when_it_ends_in_zero() -> None:
    world = World(pool("default", "10.0.42.0/24"))

    world.put(load_balancer("coffee"), load_balancer("tea"))

    assert (world.has("coffee"), world.has("tea")) == (["10.0.42.0"], ["10.0.42.1"])


def test_ranges_are_used_in_the_order_written() -> None:
    world = World(pool("default", "10.0.1.0/32", "10.0.0.0/32"))

    world.put(load_balancer("a"), load_balancer("b"))

    assert (world.has("a"), world.has("b")) == (["10.0.1.0"], ["10.0.0.0"])


def test_a_free_address_is_preferred_to_one_that_is_cooling() -> None:
    world = World(pool("default", "10.0.0.0/31"), cooling=60)
    world.put(load_balancer("a"))
    world.delete("a")

    world.put(load_balancer("b"))

    assert world.has("b") == ["10.0.0.1"]


def test_the_address_that_has_been_cooling_longest_goes_before_the_others() -> None:
    world = World(pool("default", "10.0.0.0/31"), cooling=60)
    world.put(load_balancer("a"), load_balancer("b"))
    world.delete("b")
    world.wait(1)
    world.delete("a")

    world.put(load_balancer("c"))

    assert world.has("c") == ["10.0.0.1"]
    assert world.actions == ["taken-cooling 10.0.0.1", "allocated 10.0.0.1"]


def test_a_cooling_address_goes_before_one_that_is_held() -> None:
    world = World(pool("default", "10.0.0.0/31"), hold=10, cooling=60)
    world.put(load_balancer("a"), load_balancer("b"))
    world.delete("b")
    world.wait(11)
    world.delete("a")

    world.put(load_balancer("c"))

    assert world.has("c") == ["10.0.0.1"]


def test_a_held_address_is_given_away_only_when_nothing_else_is_left_and_the_log_says_so() -> None:
    world = World(pool("default", "10.0.0.0/32"), hold=60)
    world.put(load_balancer("a"))
    world.delete("a")

    world.put(load_balancer("b"))

    assert world.has("b") == ["10.0.0.0"]
    assert world.actions == ["taken-held 10.0.0.0", "allocated 10.0.0.0"]


def test_an_explicit_request_takes_a_held_address_at_once() -> None:
    world = World(pool("default", "10.0.0.0/24"), hold=60)
    world.put(load_balancer("a"))
    world.delete("a")

    world.put(load_balancer("b", "10.0.0.0"))

    assert world.has("b") == ["10.0.0.0"]


def test_a_reserved_address_goes_to_its_name_and_to_nobody_else() -> None:
    kept = Reservation(parse_address("10.0.0.0"), ref("later"))
    world = World(pool("default", "10.0.0.0/31"), reservations=(kept,))

    world.put(load_balancer("now"), load_balancer("later"), load_balancer("unlucky"))

    assert (world.has("now"), world.has("later"), world.has("unlucky")) == (["10.0.0.1"], ["10.0.0.0"], [])


def test_a_request_for_a_reserved_address_is_refused_and_names_its_owner() -> None:
    kept = Reservation(parse_address("10.0.0.0"), ref("shop/till"))
    world = World(pool("default", "10.0.0.0/24"), reservations=(kept,))

    world.put(load_balancer("a", "10.0.0.0"))

    refusal = world.refusal("a")
    assert refusal is not None
    assert (refusal.reason, refusal.message) == (Reason.ADDRESS_RESERVED, "10.0.0.0 is reserved for shop/till")


def test_a_block_and_an_exclusion_are_passed_over() -> None:
    block = Reservation(parse_address("10.0.0.0"), last=parse_address("10.0.0.9"))
    world = World(pool("default", "10.0.0.0/24", excluded=["10.0.0.10-10.0.0.11"]), reservations=(block,))

    world.put(load_balancer("a"))

    assert world.has("a") == ["10.0.0.12"]


def test_a_pool_that_avoids_buggy_addresses_starts_at_one() -> None:
    world = World(pool("default", "10.0.0.0/24", avoid_buggy=True))

    world.put(load_balancer("a"))

    assert world.has("a") == ["10.0.0.1"]


def test_a_full_pool_is_a_refusal_and_the_next_release_ends_it() -> None:
    world = World(pool("default", "10.0.0.0/32"))
    world.put(load_balancer("a"), load_balancer("b"))
    refusal = world.refusal("b")

    world.delete("a")

    assert refusal is not None
    assert refusal.reason is Reason.POOL_EXHAUSTED
    assert world.has("b") == ["10.0.0.0"]


def test_pools_of_equal_rank_are_tried_in_the_order_written() -> None:
    world = World(pool("zebra", "10.0.1.0/32"), pool("ant", "10.0.0.0/24"))

    world.put(load_balancer("a"), load_balancer("b"))

    assert (world.has("a"), world.has("b")) == (["10.0.1.0"], ["10.0.0.0"])


def test_a_drained_pool_gives_no_new_lease_and_takes_none_away() -> None:
    world = World(pool("default", "10.0.0.0/24"))
    world.put(load_balancer("a"))

    world.reconfigure(pool("default", "10.0.0.0/24", draining=True))
    world.put(load_balancer("b"))

    assert world.has("a") == ["10.0.0.0"]
    assert world.has("b") == []


def test_a_range_within_an_ipv6_64_costs_no_walk() -> None:
    wide = parse_range("fd00::/64")
    world = World(pool("six", str(wide)))

    world.put(load_balancer("a", families=(6,)), load_balancer("b", families=(6,)))

    assert (world.has("a"), world.has("b")) == (["fd00::"], ["fd00::1"])
