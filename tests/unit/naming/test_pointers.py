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
from suite.nameserver.why import why

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


def gateway(owner: str, value: str = "gateway.lan.", rtype: str = "PTR") -> StaticRecord:
    return StaticRecord(owner, rtype, value)


@pytest.mark.parametrize(
    ("space", "owner"),
    [
        ("10.0.42.0/24", "1.42.0.10.in-addr.arpa."),
        ("10.0.0.0/16", "1.42.0.10.in-addr.arpa."),
        ("192.0.2.0/26", "1.0/26.2.0.192.in-addr.arpa."),
        ("192.0.2.1-192.0.2.9", "200.2.0.192.in-addr.arpa."),
        ("fd00::/64", f"1.{'0.' * 29}d.f.ip6.arpa."),
        ("fd00::1-fd00::2", f"1.{'0.' * 29}d.f.ip6.arpa."),
    ],
    ids=["octet", "larger", "classless", "neighbour of a range", "nibble", "a zone of one address"],
)
def test_a_static_pointer_stands_in_the_reverse_zone_of_a_pool(space: str, owner: str) -> None:
    snapshot = with_pools(snapshot_of(records=(gateway(owner),)), space)

    assert pointers(snapshot) == {f"{owner} PTR gateway.lan."}


def test_a_value_without_a_dot_lies_in_the_first_zone() -> None:
    snapshot = snapshot_of(records=(gateway("1.42.0.10.IN-ADDR.arpa", "gateway"),))

    assert {line.lower() for line in pointers(snapshot)} == {"1.42.0.10.in-addr.arpa. ptr gateway.service."}


@pytest.mark.parametrize(
    ("space", "owner", "address"),
    [
        ("10.0.42.0/24", "1.42.0.10.in-addr.arpa.", "10.0.42.1"),
        ("192.0.2.0/26", "1.0/26.2.0.192.in-addr.arpa.", "192.0.2.1"),
        ("fd00::1-fd00::2", f"1.{'0.' * 29}d.f.ip6.arpa.", "fd00::1"),
    ],
)
def test_a_leased_address_has_the_name_of_its_lease_and_then_the_static_one_again(
    space: str, owner: str, address: str
) -> None:
    leased = snapshot_of(load_balancer("coffee"), leases={"coffee": address}, records=(gateway(owner),))
    leased = with_pools(leased, space)
    free = replace(leased, revision=8, services=leased.services.discard(COFFEE))
    planner, seen = ZonePlanner(), []
    for snapshot, touched in ((leased, None), (free, {COFFEE}), (replace(leased, revision=9), {COFFEE})):
        told = planner.plan(snapshot, touched)
        zone = next(zone for origin, zone in planner.zones.items() if b"arpa" in origin and zone.get(from_text(owner)))
        seen.append((zone.get(from_text(owner)).get(12).rdatas, told.static))

    record = f"static record {owner.rstrip('.')}"
    lost = {record: (Refusal(Reason.NAME_TAKEN, f"{owner} belongs to service default/coffee"),)}
    coffee, written = (from_text("coffee.default.service."),), (from_text("gateway.lan."),)
    assert seen == [(coffee, lost), (written, {}), (coffee, lost)]


def test_the_names_between_are_there_as_long_as_a_static_pointer_is() -> None:
    snapshot = with_pools(snapshot_of(records=(gateway("1.42.0.10.in-addr.arpa."),)), "10.0.0.0/16")
    between, planner = from_text("42.0.10.in-addr.arpa."), ZonePlanner()
    planner.plan(snapshot)
    with_it = planner.zones[from_text("0.10.in-addr.arpa.")].get(between)
    empty = replace(snapshot.configuration, dns=replace(snapshot.configuration.dns, records=()))
    planner.plan(replace(snapshot, revision=8, configuration=empty))

    assert with_it is not None
    assert with_it.rrsets == ()
    assert planner.zones[from_text("0.10.in-addr.arpa.")].get(between) is None


def test_a_delegation_in_reverse_hides_no_leased_address() -> None:
    record = gateway("42.0.10.in-addr.arpa.", "ns.elsewhere.example.", "NS")
    snapshot = snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.0"}, records=(record,))
    planner = ZonePlanner()
    told = planner.plan(with_pools(snapshot, "10.0.0.0/16")).static

    why_not = "the delegation of 42.0.10.in-addr.arpa. would hide 0.42.0.10.in-addr.arpa. of service default/coffee"
    assert told == {"static record 42.0.10.in-addr.arpa": (Refusal(Reason.NAME_TAKEN, why_not),)}


def test_a_pointer_of_an_address_of_no_pool_is_refused() -> None:
    told = ZonePlanner().plan(snapshot_of(records=(gateway("1.1.168.192.in-addr.arpa."),))).static

    (refusal,) = told["static record 1.1.168.192.in-addr.arpa"]
    assert refusal.message == (
        "1.1.168.192.in-addr.arpa. PTR: 1.1.168.192.in-addr.arpa. is in none of the zones served here"
    )


def test_reverse_zones_that_are_not_served_hold_no_static_pointers() -> None:
    told = ZonePlanner().plan(snapshot_of(records=(gateway("1.42.0.10.in-addr.arpa."),), reverse=False)).static

    assert list(told) == ["static record 1.42.0.10.in-addr.arpa"]


def test_who_has_a_pointer_and_who_was_refused_it_is_explained() -> None:
    records = (gateway("0.42.0.10.in-addr.arpa."), gateway("1.42.0.10.in-addr.arpa."))
    services = (load_balancer("coffee"), load_balancer("tea"))
    snapshot = snapshot_of(*services, leases={"coffee": "10.0.42.0", "tea": "10.0.42.0"}, records=records)
    leased, static = ([
        (each.step, each.text.partition(" since")[0]) for each in why(snapshot, from_text(f"{number}.42.0.10.in-addr.arpa."))[1:]
    ] for number in range(2))  # fmt: skip

    assert leased == [
        ("holder", "service default/coffee, which leases the address"),
        ("holder", "service default/tea, which leases the address"),
        ("refused", "static record 0.42.0.10.in-addr.arpa, as an operator wrote it"),
        ("row", "lease 0: 10.0.42.0 bound to default/coffee"),
        ("row", "lease 1: 10.0.42.0 bound to default/tea"),
    ]
    assert static == [
        ("holder", "static record 1.42.0.10.in-addr.arpa, as an operator wrote it"),
        ("row", "dns.records of the configuration"),
    ]


def test_a_zone_of_ours_leads_to_the_pointers_of_a_classless_one_inside_it() -> None:
    snapshot = snapshot_of(load_balancer("coffee"), leases={"coffee": "192.0.2.241"})
    served = pointers(with_pools(snapshot, "192.0.2.240/28", "192.0.2.10-192.0.2.20"))
    everything = records(with_pools(snapshot, "192.0.2.240/28", "192.0.2.10-192.0.2.20"))

    assert served == {"241.240/28.2.0.192.in-addr.arpa. PTR coffee.default.service."}
    assert "241.2.0.192.in-addr.arpa. CNAME 241.240/28.2.0.192.in-addr.arpa." in everything
    assert len([line for line in everything if " CNAME " in line]) == 16
