"""Several Services on one address: who may, and what each refusal says."""

import pytest
from fix_world import World, load_balancer, pool

from suite.model.refusal import Reason
from suite.model.service import Port

HTTP, HTTPS, DNS = (Port(80),), (Port(443),), (Port(53, "UDP"),)


def test_services_with_the_same_key_and_other_ports_share_the_lowest_address() -> None:
    world = World(pool("default", "10.0.0.0/24"))

    world.put(load_balancer("a", sharing_key="k", ports=HTTP), load_balancer("b", sharing_key="k", ports=HTTPS))

    assert (world.has("a"), world.has("b")) == (["10.0.0.0"], ["10.0.0.0"])


def test_the_same_port_number_over_another_protocol_is_another_port() -> None:
    world = World(pool("default", "10.0.0.0/24"))

    world.put(load_balancer("a", sharing_key="k", ports=DNS), load_balancer("b", sharing_key="k", ports=(Port(53),)))

    assert world.has("b") == ["10.0.0.0"]


@pytest.mark.parametrize(
    ("asking", "reason"),
    [
        pytest.param({"sharing_key": "k", "ports": HTTP}, Reason.PORT_CLASH, id="same port"),
        pytest.param({"sharing_key": "other", "ports": HTTPS}, Reason.SHARING_KEY_DIFFERS, id="other key"),
        pytest.param({"ports": HTTPS}, Reason.ADDRESS_IN_USE, id="no key"),
        pytest.param(
            {"sharing_key": "k", "ports": HTTPS, "is_local": True, "selector": (("app", "x"),)},
            Reason.BACKEND_DIFFERS,
            id="other pods behind it",
        ),
    ],
)
def test_a_request_for_an_address_that_cannot_be_shared_says_why(asking: dict[str, object], reason: Reason) -> None:
    world = World(pool("default", "10.0.0.0/24"))
    world.put(load_balancer("a", sharing_key="k", ports=HTTP))

    world.put(load_balancer("b", "10.0.0.0", **asking))

    refusal = world.refusal("b")
    assert refusal is not None
    assert refusal.reason is reason


def test_a_clash_without_a_request_gives_an_address_of_its_own() -> None:
    world = World(pool("default", "10.0.0.0/24"))

    world.put(load_balancer("a", sharing_key="k"), load_balancer("b", sharing_key="k"))

    assert world.has("b") == ["10.0.0.1"]


def test_a_service_alone_on_its_address_may_change_its_key() -> None:
    world = World(pool("default", "10.0.0.0/24"))
    world.put(load_balancer("a", sharing_key="k"))

    world.put(load_balancer("a", sharing_key="other"))

    assert world.has("a") == ["10.0.0.0"]
    assert world.actions == ["changed 10.0.0.0"]


def test_a_service_that_leaves_its_group_leaves_the_shared_address() -> None:
    world = World(pool("default", "10.0.0.0/24"))
    world.put(load_balancer("a", sharing_key="k"), load_balancer("b", sharing_key="k", ports=HTTPS))

    world.put(load_balancer("b", ports=HTTPS))

    assert (world.has("a"), world.has("b")) == (["10.0.0.0"], ["10.0.0.1"])


def test_who_was_refused_for_a_port_gets_the_address_when_that_port_is_given_up() -> None:
    world = World(pool("default", "10.0.0.0/24"))
    world.put(load_balancer("a", sharing_key="k", ports=HTTP))
    world.put(load_balancer("b", "10.0.0.0", sharing_key="k", ports=HTTP))

    world.put(load_balancer("a", sharing_key="k", ports=HTTPS))

    assert world.has("b") == ["10.0.0.0"]
