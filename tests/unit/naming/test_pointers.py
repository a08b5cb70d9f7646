"""Pointers: whose they are where several ask for one, and those that an operator wrote."""

from __future__ import annotations

from dataclasses import replace

import pytest
from zone_worlds import load_balancer, records, snapshot_of

from suite.dns.name import from_text
from suite.model.address import parse_range
from suite.model.configuration import StaticRecord
from suite.model.pool import Pool
from suite.model.refusal import Reason, Refusal
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot
from suite.nameserver.plan import ZonePlanner

COFFEE = ServiceRef("default", "coffee")


def with_pools(snapshot: Snapshot, *ranges: str) -> Snapshot:
    pool = Pool("default", tuple(map(parse_range, ranges)))
    return replace(snapshot, configuration=replace(snapshot.configuration, pools=(pool,)))


def pointers(snapshot: Snapshot) -> set[str]:
    return {line for line in records(snapshot) if " PTR " in line}


@pytest.mark.parametrize(("space", "address"), [("10.0.42.0/24", "10.0.42.1"), ("fd00::1-fd00::2", "fd00::1")])
def test_services_that_share_an_address_share_its_pointer(space: str, address: str) -> None:
    leases = {"coffee": address, "tea": address}
    snapshot = with_pools(snapshot_of(load_balancer("coffee"), load_balancer("tea"), leases=leases), space)

    assert {line.split(" PTR ")[1] for line in pointers(snapshot)} == {
        "coffee.default.service.",
        "tea.default.service.",
    }
    assert ZonePlanner().plan(snapshot).refused == {}


def test_a_static_pointer_in_a_forward_zone_keeps_the_name_whoever_came_first() -> None:
    record = StaticRecord("www.service.", "PTR", "nas.service.")
    both = snapshot_of(load_balancer("coffee", hostnames=("www",)), leases={"coffee": "10.0.42.0"}, records=(record,))
    planner = ZonePlanner()
    planner.plan(replace(both, services=both.services.discard(COFFEE)))
    told = planner.plan(replace(both, revision=8), {COFFEE}).refused

    node = planner.zones[b"\x07service\0"].get(from_text("www.service."))
    assert [rrset.rtype for rrset in node.rrsets] == [12]
    assert told == {COFFEE: (Refusal(Reason.NAME_TAKEN, "www.service. belongs to record www.service"),)}
