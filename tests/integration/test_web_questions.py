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
from suite.model.announcement import Announcement
from suite.model.configuration import Configuration
from suite.model.layer2 import Layer2, LinkState, NodeState, Owner
from suite.model.lease import Lease, LeaseState
from suite.model.peering import Heard, Moment, Peering, SessionState
from suite.model.pool import Pool
from suite.model.refusal import Reason
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
SESSION = SessionState("node", "router", "192.168.1.1", is_up=True, asn=64512, identifier="192.168.1.1")
PEERING = Peering(
    "router",
    "node",
    "192.168.1.1",
    "established",
    12.5,
    asn=64512,
    identifier="192.168.1.1",
    local="192.168.1.2",
    hold_time=90,
    families=("ipv4", "ipv6"),
    announced=1,
    received=2,
    bfd="up",
    heard=(Heard(3.5, "10.9.0.0/16"), Heard(1.0, "10.9.0.0/16", is_withdrawn=True)),
    faults=("ORIGIN: of length 2",),
    history=(Moment(20.0, "idle", "the peer closed the connection"), Moment(12.5, "established")),
)
DOWN = Peering("attic", "node", "fd00::1", "active", 7.0, why="no answer")
"""Nothing is known of who it would be with."""
LAYER2 = Layer2(
    "node",
    (
        NodeState("node", True, True, False, 7, "epoch", 1, (LinkState("eth0", "10.0.0.0/16", "02:00:00:00:00:01"),)),
        NodeState("other", is_live=False, is_ready=False, is_draining=True, deaths=1),
    ),
    (
        Owner("10.0.42.0", "node", "it hashes first", ("other",), ("eth0",), "02:00:00:00:00:01"),
        Owner("10.0.42.1", "", "nobody can", reason=Reason.NO_USABLE_LINK),
    ),
    ("10.0.42.0",),
)


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """The API over one lease, what a speaker tells of layer 2 and BGP, and a database that knows of both."""
    with open_store(f"sqlite:///{tmp_path_factory.mktemp('api')}/suite.db") as store:
        plan = PlanDocument((), (), "")
        status = Status((Instance("web", "node", "0"),))
        store.announce("node", frozenset({Announcement(LEASE.address, "node", "layer2", "eth0")}), now=NOW)
        store.note_sessions("node", frozenset({SESSION}), now=NOW)
        backend = Backend(
            lambda: SNAPSHOT,
            lambda: status,
            new_registry(),
            plan=lambda: plan,
            store=store,
            zones=UnservedZones(lambda: SNAPSHOT).zones,
            peerings=lambda: (PEERING, DOWN),
            layer2=lambda: LAYER2,
        )
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
    "/v1/zone-versions",
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
