"""Whatever is asked, the answer is one that the API's own description allows, and never a server error."""

from datetime import UTC, datetime

import pytest
import schemathesis
from fix_db import EVERYTHING
from hypothesis import HealthCheck, given, settings
from rpds import HashTrieMap
from schemathesis.specs.openapi.checks import positive_data_acceptance

from suite.controller.orders import Orders
from suite.metrics.names import new_registry
from suite.model.address import parse_address, parse_range
from suite.model.configuration import Configuration
from suite.model.lease import Lease, LeaseState
from suite.model.pool import Pool
from suite.model.service import Service, ServiceRef, ServiceType
from suite.model.snapshot import Snapshot
from suite.model.status import Instance, Status
from suite.nameserver.unserved import UnservedZones
from suite.store import open_store
from suite.store.remote.feed import Feed
from suite.web.application import application
from suite.web.backend import Backend
from suite.web.documents import PlanDocument
from suite.web.following import Following, News

NOW = datetime(2026, 11, 22, tzinfo=UTC)
COFFEE = ServiceRef("default", "coffee")
LEASE = Lease(parse_address("10.0.42.0"), COFFEE, "default", LeaseState.BOUND, f"service:{COFFEE}", NOW)
SNAPSHOT = Snapshot(
    "epoch",
    7,
    NOW,
    Configuration((Pool("default", (parse_range("10.0.42.0/24"),)),), digest="d"),
    services=HashTrieMap({COFFEE: Service(COFFEE, type=ServiceType.LOAD_BALANCER)}),
    leases=HashTrieMap({LEASE.address: (LEASE,)}),
    holdings=HashTrieMap({COFFEE: (LEASE,)}),
)


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """The API over one lease and a fresh database."""
    with open_store(f"sqlite:///{tmp_path_factory.mktemp('api')}/suite.db") as store:
        plan = PlanDocument((), (), "")
        status = Status((Instance("web", "node", "0"),))
        zones = UnservedZones(lambda: SNAPSHOT).zones
        backend = Backend(lambda: SNAPSHOT, lambda: status, new_registry(), plan=lambda: plan, store=store, zones=zones)
        yield schemathesis.openapi.from_asgi("/v1/openapi.json", application(backend))


@pytest.fixture(scope="module")
def whole_api(tmp_path_factory):
    """All of it, asked through the unix socket: the feed, reports and orders over a database with something in it."""
    with open_store(f"sqlite:///{tmp_path_factory.mktemp('whole')}/suite.db") as store:
        origin = Follower(store)
        following = Following(Feed(store, lambda: origin.snapshot), News(), origin, store)
        orders = Orders(store, origin, lambda: NOW)
        app = application(
            Backend(lambda: origin.snapshot, Status, new_registry(), store=store, following=following, orders=orders)
        )

        async def local(scope, receive, send):
            await app(scope | {"server": ("/suite.sock", None)}, receive, send)

        yield schemathesis.openapi.from_asgi("/v1/openapi.json", local)


BESIDE_QUESTIONS = {
    "/v1/snapshot",
    "/v1/reports",
    "/v1/authority",
    "/v1/reservations/{address}",
    "/v1/pools/{name}/draining",
}


class Follower:
    """A controller that follows its database only when it is asked, and takes every stranger's word."""

    trouble = ""

    def __init__(self, store):
        self.store = store
        self.known = store.commit(EVERYTHING, store.read(), now=NOW)

    @property
    def snapshot(self):
        self.known = self.store.refresh(self.known)
        return self.known

    async def decline(self, address, mac, node):
        pass


def test_every_answer_of_feed_reports_and_orders_is_one_that_is_described(whole_api):
    everything = [each.ok() for each in whole_api.get_all_operations()]
    for operation in (each for each in everything if each.path in BESIDE_QUESTIONS):

        @given(operation.as_strategy())
        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        def ask(case):
            if case.query and "wait" in case.query:  # nobody has to wait here
                case.query["wait"] = 0
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        ask()


def test_every_answer_is_one_that_is_described(api):
    everything = [each.ok() for each in api.get_all_operations()]
    for operation in (each for each in everything if each.path not in BESIDE_QUESTIONS):

        @given(operation.as_strategy())
        @settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
        def ask(case):
            # A schema cannot say what an address is, so what fits it may still be refused.
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        ask()
