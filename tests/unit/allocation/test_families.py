"""IPv4, IPv6, both: what a Service gets by its policy."""

from fix_world import World, load_balancer, pool

from suite.model.refusal import Reason
from suite.model.service import FamilyPolicy

PREFER, REQUIRE = FamilyPolicy.PREFER_DUAL, FamilyPolicy.REQUIRE_DUAL
V4, V6, BOTH = pool("four", "10.0.0.0/24"), pool("six", "fd00::/64"), pool("both", "10.1.0.0/24", "fd01::/64")


def test_a_required_pair_comes_from_one_pool_ipv4_first() -> None:
    world = World(V4, V6, BOTH)

    world.put(load_balancer("a", families=(6, 4), family_policy=REQUIRE))

    assert world.has("a") == ["10.1.0.0", "fd01::"]


def test_a_required_pair_is_never_put_together_from_two_pools() -> None:
    world = World(V4, V6)

    world.put(load_balancer("a", families=(4, 6), family_policy=REQUIRE))

    assert world.has("a") == []


def test_a_preferred_pair_takes_the_first_pool_that_has_both() -> None:
    world = World(V4, BOTH)

    world.put(load_balancer("a", families=(4, 6), family_policy=PREFER))

    assert world.has("a") == ["10.1.0.0", "fd01::"]


def test_a_preferred_pair_is_content_with_its_primary_family_and_says_so() -> None:
    world = World(V4, V6)

    world.put(load_balancer("a", families=(6, 4), family_policy=PREFER))

    refusal = world.refusal("a")
    assert world.has("a") == ["fd00::"]
    assert refusal is not None
    assert refusal.reason is Reason.NO_SECOND_FAMILY


def test_a_pool_that_becomes_dual_adds_the_second_address_and_keeps_the_first() -> None:
    world = World(V4)
    world.put(load_balancer("a", families=(4, 6), family_policy=PREFER))

    world.reconfigure(pool("four", "10.0.0.0/24", "fd00::/64"))

    assert world.has("a") == ["10.0.0.0", "fd00::"]


def test_required_both_with_cluster_addresses_of_one_family_is_refused() -> None:
    world = World(BOTH)

    world.put(load_balancer("a", families=(4,), family_policy=REQUIRE))

    refusal = world.refusal("a")
    assert refusal is not None
    assert refusal.reason is Reason.NOT_ENOUGH_FAMILIES


def test_one_requested_address_is_not_enough_for_a_service_of_two_families() -> None:
    world = World(BOTH)

    world.put(load_balancer("a", "10.1.0.5", families=(4, 6), family_policy=REQUIRE))

    refusal = world.refusal("a")
    assert refusal is not None
    assert refusal.reason is Reason.ADDRESS_FAMILY


def test_a_pool_without_the_family_says_which_one_it_lacks() -> None:
    world = World(V4)

    world.put(load_balancer("a", families=(6,)))

    refusal = world.refusal("a")
    assert refusal is not None
    assert refusal.message == "pool 'four' has no IPv6 addresses"
