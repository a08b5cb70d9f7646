"""Names that Ingresses and routes of Gateways ask for lead to the load balancer that serves them."""

from zone_worlds import load_balancer, records, snapshot_of

from suite.model.configuration import NameGrant
from suite.model.service import RoutedName, Service
from suite.nameserver.plan import ZonePlanner

LEASES = {"nginx/front": "10.0.42.7", "shop": "10.0.42.9"}


def front(*hostnames: str, namespace: str = "shop") -> Service:
    return load_balancer("nginx/front", routed=tuple(RoutedName(each, "Ingress", namespace, "a") for each in hostnames))


def test_the_host_of_an_ingress_leads_to_the_address_of_its_load_balancer() -> None:
    served = records(snapshot_of(front("cart.service"), leases=LEASES))

    assert "cart.service. A 10.0.42.7" in served


def test_a_wildcard_host_is_a_wildcard_in_dns() -> None:
    served = records(snapshot_of(front("*.apps.service"), leases=LEASES))

    assert "*.apps.service. A 10.0.42.7" in served


def test_a_host_in_none_of_our_zones_is_not_ours_to_publish_and_no_mistake() -> None:
    plan = ZonePlanner().plan(snapshot_of(front("cart.example.com"), leases=LEASES))

    assert plan.refused == {}


def test_the_namespace_of_the_ingress_decides_what_it_may_ask_for() -> None:
    grant = (NameGrant(("*",), ("nginx",)),)
    planner = ZonePlanner()
    plan = planner.plan(snapshot_of(front("cart.service"), leases=LEASES, claims=grant))

    [refusal] = next(iter(plan.refused.values()))
    assert str(refusal) == "no grant in dns.claims lets Ingress shop/a claim 'cart.service.'"


def test_a_host_below_the_namespace_of_the_ingress_needs_no_grant() -> None:
    served = records(snapshot_of(front("cart.shop.service"), leases=LEASES, claims=()))

    assert "cart.shop.service. A 10.0.42.7" in served


def test_a_name_that_was_claimed_first_stays_where_it_is() -> None:
    first = load_balancer("shop", hostnames=("cart",), claimed=(("cart", 3),))
    second = load_balancer(
        "nginx/front", routed=(RoutedName("cart.service", "Ingress", "shop", "a"),), claimed=(("cart.service.", 4),)
    )
    served = records(snapshot_of(first, second, leases=LEASES))

    assert "cart.service. A 10.0.42.9" in served
    assert "cart.service. A 10.0.42.7" not in served
