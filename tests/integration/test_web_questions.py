"""Whatever is asked, the answer is one that the API's own description allows, and never a server error."""

from datetime import UTC, datetime

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from rpds import HashTrieMap
from schemathesis.specs.openapi.checks import positive_data_acceptance

from suite.metrics.names import new_registry
from suite.model.address import parse_address, parse_range
from suite.model.configuration import Configuration
from suite.model.lease import Lease, LeaseState
from suite.model.pool import Pool
from suite.model.service import Service, ServiceRef, ServiceType
from suite.model.snapshot import Snapshot
from suite.model.status import Instance, Status
from suite.store import open_store
from suite.web.application import application
from suite.web.backend import Backend
from suite.web.documents import PlanDocument

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
        backend = Backend(lambda: SNAPSHOT, lambda: status, new_registry(), plan=lambda: plan, store=store)
        yield schemathesis.openapi.from_asgi("/v1/openapi.json", application(backend))


def test_every_answer_is_one_that_is_described(api):
    for operation in (each.ok() for each in api.get_all_operations()):

        @given(operation.as_strategy())
        @settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
        def ask(case):
            # A schema cannot say what an address is, so what fits it may still be refused.
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        ask()
