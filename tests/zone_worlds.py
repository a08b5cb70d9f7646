"""Services, addresses and settings of names as one snapshot, for tests of zones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rpds import HashTrieMap

from suite.dns import name, rrtype
from suite.dns.rdata import format_rdata
from suite.model.address import parse_address, parse_range
from suite.model.configuration import Configuration, DnsSettings
from suite.model.lease import Lease, LeaseState
from suite.model.pool import Pool
from suite.model.service import Service, ServiceRef, ServiceType
from suite.model.snapshot import Snapshot
from suite.nameserver.plan import ZonePlanner

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POOLS = (Pool("default", (parse_range("10.0.42.0/24"),)),)


def load_balancer(text: str, **rest: Any) -> Service:
    namespace, _, short = text.rpartition("/")
    return Service(ServiceRef(namespace or "default", short), type=ServiceType.LOAD_BALANCER, **rest)


def snapshot_of(*services: Service, leases: dict[str, str] | None = None, **dns: Any) -> Snapshot:
    """Services by name, and the address each has."""
    configuration = Configuration(POOLS, dns=DnsSettings(**dns), digest="x")
    holdings = {}
    for number, (text, address) in enumerate((leases or {}).items()):
        ref = ServiceRef(*(text.split("/") if "/" in text else ("default", text)))
        lease = Lease(parse_address(address), ref, "default", LeaseState.BOUND, "g", NOW, id=number)
        holdings[ref] = (*holdings.get(ref, ()), lease)
    return Snapshot(
        "epoch",
        7,
        NOW,
        configuration,
        services=HashTrieMap({service.ref: service for service in services}),
        holdings=HashTrieMap(holdings),
    )


def records(snapshot: Snapshot, planner: ZonePlanner | None = None) -> set[str]:
    """Everything served but SOA and NS, in presentation format."""
    planner = planner or ZonePlanner()
    planner.plan(snapshot)
    return {
        f"{name.to_text(rrset.name)} {rrtype.type_to_text(rrset.rtype)} {format_rdata(rrset.rtype, rdata)}"
        for zone in planner.zones.values()
        for rrset in zone.rrsets()
        for rdata in rrset.rdatas
        if rrset.rtype not in {rrtype.SOA, rrtype.NS}
    }
