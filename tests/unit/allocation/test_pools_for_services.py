"""Which pools a Service may use: annotations, pinned pools, priorities, requests."""

import pytest
from fix_world import World, load_balancer, pool

from suite.cluster.source import Batch
from suite.model.node import Namespace
from suite.model.pool import ServiceAllocation
from suite.model.refusal import Reason
from suite.model.selector import Selector
from suite.model.service import Service

GENERAL = pool("general", "10.0.0.0/24")


def pinned(name: str, network: str, **rest: object) -> object:
    return pool(name, network, allocation=ServiceAllocation(**rest))


def test_a_pool_kept_for_a_namespace_goes_before_the_general_ones() -> None:
    world = World(GENERAL, pinned("shop", "10.1.0.0/24", namespaces=("shop",)))

    world.put(load_balancer("shop/a"), load_balancer("other/b"))

    assert (world.has("shop/a"), world.has("other/b")) == (["10.1.0.0"], ["10.0.0.0"])


def test_a_lower_priority_number_goes_first_and_none_goes_last() -> None:
    world = World(
        pinned("unset", "10.3.0.0/24"),
        pinned("late", "10.2.0.0/24", priority=20),
        pinned("early", "10.1.0.0/24", priority=1),
    )

    world.put(load_balancer("a"))

    assert world.has("a") == ["10.1.0.0"]


def test_an_exhausted_pinned_pool_falls_back_to_the_general_ones() -> None:
    world = World(GENERAL, pinned("shop", "10.1.0.0/32", namespaces=("shop",)))

    world.put(load_balancer("shop/a"), load_balancer("shop/b"))

    assert world.has("shop/b") == ["10.0.0.0"]


def test_namespace_labels_select_a_pool() -> None:
    selector = Selector((("team", "red"),))
    world = World(pinned("red", "10.1.0.0/24", namespace_selectors=(selector,)))
    namespace = Namespace("shop", (("team", "red"),))

    world.turn(Batch(services=(load_balancer("shop/a"),), namespaces=(namespace,)))

    assert world.has("shop/a") == ["10.1.0.0"]


def test_a_namespace_that_gets_its_label_later_is_served_then() -> None:
    selector = Selector((("team", "red"),))
    world = World(pinned("red", "10.1.0.0/24", namespace_selectors=(selector,)))
    world.put(load_balancer("shop/a"))
    before = world.has("shop/a")

    world.turn(Batch(namespaces=(Namespace("shop", (("team", "red"),)),)))

    assert (before, world.has("shop/a")) == ([], ["10.1.0.0"])


def test_an_annotation_uses_a_pool_that_does_not_assign_by_itself() -> None:
    world = World(pool("manual", "10.1.0.0/24", auto_assign=False))

    world.put(load_balancer("a", pool="manual"), load_balancer("b"))

    assert (world.has("a"), world.has("b")) == (["10.1.0.0"], [])


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        (load_balancer("a", pool="missing"), Reason.POOL_UNKNOWN),
        (load_balancer("a", pool="shop"), Reason.POOL_NOT_FOR_SERVICE),
        (load_balancer("a", "192.0.2.1"), Reason.ADDRESS_NOT_IN_POOL),
        (load_balancer("a", "10.0.0.1", pool="shop"), Reason.ADDRESS_IN_OTHER_POOL),
        (load_balancer("a", "10.1.0.1"), Reason.POOL_NOT_FOR_SERVICE),
    ],
)
def test_a_wish_that_cannot_be_granted_is_never_granted_otherwise(service: Service, reason: Reason) -> None:
    world = World(GENERAL, pinned("shop", "10.1.0.0/24", namespaces=("shop",)))

    world.put(service)

    refusal = world.refusal("a")
    assert refusal is not None
    assert (world.has("a"), refusal.reason) == ([], reason)


def test_without_any_pool_the_refusal_says_so() -> None:
    world = World()

    world.put(load_balancer("a"))

    refusal = world.refusal("a")
    assert refusal is not None
    assert refusal.reason is Reason.NO_POOL


def test_a_service_of_another_class_is_left_alone() -> None:
    world = World(GENERAL)

    world.put(load_balancer("a", load_balancer_class="cloud.example/lb"))

    refusal = world.refusal("a")
    assert refusal is not None
    assert refusal.reason is Reason.OTHER_CLASS


def test_a_changed_request_moves_the_service_and_an_infeasible_one_leaves_it_without() -> None:
    world = World(GENERAL)
    world.put(load_balancer("a"), load_balancer("b"))

    world.put(load_balancer("a", "10.0.0.9"))
    moved = world.has("a")
    world.put(load_balancer("a", "10.0.0.1"))

    assert (moved, world.has("a")) == (["10.0.0.9"], [])
