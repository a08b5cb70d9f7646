"""Which Services the host names of Ingresses, Gateways and routes lead to."""

from ipaddress import ip_address
from typing import Any

import pytest

from suite.cluster.hostnames import Gateway, leading, read_gateway, read_ingress, read_route
from suite.model.service import RoutedName, ServiceRef

FRONT = ServiceRef("nginx", "front")
EDGE = ServiceRef("infra", "edge")
ADDRESS = ip_address("10.0.42.7")


def ingress(*hosts: str, ip: str = "10.0.42.7", **annotations: str) -> dict[str, Any]:
    return {
        "kind": "Ingress",
        "metadata": {"name": "cart", "namespace": "shop", "annotations": annotations},
        "spec": {"rules": [{"host": host} for host in hosts]},
        "status": {"loadBalancer": {"ingress": [{"ip": ip}]}},
    }


def gateway(*listeners: str, **annotations: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "edge", "namespace": "infra", "annotations": annotations},
        "spec": {"listeners": [{"hostname": each} if each else {} for each in listeners]},
        "status": {"addresses": [{"type": "IPAddress", "value": "10.0.42.7"}, {"type": "Hostname", "value": "a.b"}]},
    }


def route(*hosts: str, accepted: str = "True", **parent: str) -> dict[str, Any]:
    reference = {"name": "edge", "namespace": "infra", **parent}
    conditions = [{"type": "Accepted", "status": accepted}]
    return {
        "kind": "HTTPRoute",
        "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {"hostnames": list(hosts)},
        "status": {"parents": [{"parentRef": reference, "conditions": conditions}]},
    }


def hostnames(asked: dict[str, Any], edge: dict[str, Any] | None = None) -> list[str]:
    asker = read_ingress(asked) if asked["kind"] == "Ingress" else read_route(asked)
    gateways = {EDGE: read_gateway(edge)} if edge else {}
    found = leading([asker], gateways, {ADDRESS: FRONT}.get)
    return [name.hostname for name in found.get(FRONT, ())]


def test_the_host_of_an_ingress_leads_to_the_service_that_has_the_address_in_its_status() -> None:
    found = leading([read_ingress(ingress("cart.service"))], {}, {ADDRESS: FRONT}.get)

    assert found == {FRONT: (RoutedName("cart.service", "Ingress", "shop", "cart"),)}


def test_the_annotation_names_the_service_instead() -> None:
    asked = ingress("cart.service", ip="192.0.2.1", **{"suite/service": "other/front"})

    assert list(leading([read_ingress(asked)], {}, {}.get)) == [ServiceRef("other", "front")]


def test_an_address_that_no_service_has_leads_nowhere() -> None:
    assert leading([read_ingress(ingress("cart.service", ip="192.0.2.1"))], {}, {ADDRESS: FRONT}.get) == {}


def test_a_route_leads_to_the_service_behind_its_gateway() -> None:
    assert hostnames(route("cart.service"), gateway("")) == ["cart.service"]


def test_a_route_that_its_gateway_does_not_accept_leads_nowhere() -> None:
    assert hostnames(route("cart.service", accepted="False"), gateway("")) == []


def test_a_route_whose_parent_is_a_service_is_of_a_mesh_and_leads_nowhere() -> None:
    assert hostnames(route("cart.service", kind="Service", group=""), gateway("")) == []


def test_a_route_without_host_names_has_those_of_the_listeners() -> None:
    assert hostnames(route(), gateway("cart.service", "")) == ["cart.service"]


@pytest.mark.parametrize(
    ("name", "listener", "common"),
    [
        ("cart.shop.service", "*.shop.service", ["cart.shop.service"]),
        ("a.cart.shop.service", "*.shop.service", ["a.cart.shop.service"]),
        ("shop.service", "*.shop.service", []),
        ("cart.service", "tea.service", []),
        ("*.shop.service", "cart.shop.service", ["cart.shop.service"]),
        ("*.shop.service", "shop.service", []),
        ("*.a.shop.service", "*.shop.service", ["*.a.shop.service"]),
    ],
)
def test_what_route_and_listener_have_in_common_counts(name: str, listener: str, common: list[str]) -> None:
    assert hostnames(route(name), gateway(listener)) == common


@pytest.mark.parametrize("rubbish", [None, 7, "x", [], [None], {"a": []}])
@pytest.mark.parametrize("place", ["metadata", "spec", "status"])
def test_rubbish_in_an_object_leads_nowhere_and_raises_nothing(place: str, rubbish: Any) -> None:
    for read, whole in ((read_ingress, ingress("a.b")), (read_route, route("a.b")), (read_gateway, gateway("a.b"))):
        read({**whole, place: rubbish})


def test_names_that_are_none_are_left_out() -> None:
    asked = read_ingress(ingress("Cart.Service", "", "-bad-", "a..b"))

    assert asked.hostnames == ("cart.service",)


def test_a_gateway_says_its_addresses_and_listeners() -> None:
    assert read_gateway(gateway("a.b", "")) == Gateway((ADDRESS,), None, ("a.b", ""))
