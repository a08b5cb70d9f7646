"""Nobody behind a Service: no pod selected, none ready, or none with the port."""

from datetime import UTC, datetime
from ipaddress import ip_address

from rpds import HashTrieMap

from suite.model.address import parse_range
from suite.model.configuration import Configuration
from suite.model.explain import explain
from suite.model.lease import Lease, LeaseState
from suite.model.pool import Pool
from suite.model.service import Endpoint, Endpoints, Port, Service, ServiceRef, ServiceType
from suite.model.snapshot import Snapshot

POOL = Pool("default", (parse_range("10.0.42.0/24"),))
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
COFFEE = ServiceRef("default", "coffee")
LEASE = Lease(ip_address("10.0.42.0"), COFFEE, "default", LeaseState.BOUND, "default/coffee", NOW)


def endpoints_link(endpoints: Endpoints, *ports: Port, **fields: object) -> tuple[str, str]:
    service = Service(COFFEE, type=ServiceType.LOAD_BALANCER, ports=ports, **fields)
    snapshot = Snapshot(
        "epoch",
        7,
        NOW,
        Configuration((POOL,), digest="d"),
        services=HashTrieMap({COFFEE: service}),
        endpoints=HashTrieMap({COFFEE: endpoints}),
        leases=HashTrieMap({LEASE.address: (LEASE,)}),
        holdings=HashTrieMap({COFFEE: (LEASE,)}),
    )
    link = next(each for each in explain(snapshot, COFFEE).links if each.stage == "endpoints")
    return link.verdict.value, link.text


def test_a_target_port_that_no_pod_names_breaks_the_chain():
    ready = Endpoints(COFFEE, (Endpoint("10.1.0.1"),), ports=())

    assert endpoints_link(ready, Port(8080, target="api")) == (
        "broken",
        "no pod names the targetPort api of port 8080/tcp",
    )


def test_one_of_two_ports_that_leads_nowhere_is_told():
    ready = Endpoints(COFFEE, (Endpoint("10.1.0.1"),), ports=("http",))
    ports = (Port(80, name="http", target="web"), Port(443, name="https", target="tls"))

    assert endpoints_link(ready, *ports) == (
        "ok",
        "1 of 1 are ready; no pod names the targetPort tls of port 443/tcp",
    )


def test_without_endpoints_the_selector_is_named_and_that_pods_may_not_have_started():
    assert endpoints_link(Endpoints(COFFEE), Port(80), selector=(("app", "coffee"),)) == (
        "broken",
        (
            "it has no endpoints: no pod with an address has the labels app=coffee "
            "(none is selected, or those that are have not started)"
        ),
    )
