"""Zones that followed one change after another are those that a fresh look at the same snapshot makes."""

from dataclasses import replace
from datetime import UTC, datetime

from chances import chances
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from rpds import HashTrieMap

from suite.dns import rrtype
from suite.model.address import parse_address, parse_range
from suite.model.changes import Changes
from suite.model.configuration import Configuration, DnsSettings, StaticHost, StaticRecord
from suite.model.lease import Lease, LeaseState
from suite.model.persistent import Folded
from suite.model.pool import Pool
from suite.model.publication import touched_by
from suite.model.service import Port, Service, ServiceRef, ServiceType
from suite.model.snapshot import Snapshot
from suite.model.succession import succeed
from suite.nameserver.plan import ZonePlan, ZonePlanner
from suite.nameserver.refused import Asking
from suite.store.folding import folder, plain_ports

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOSTS = (
    StaticHost("gateway", (parse_address("192.0.2.1"),), aliases=("router",)),
    StaticHost("www", service=ServiceRef("b", "x")),
)
RECORDS = (
    StaticRecord("deep", "NS", "ns.elsewhere.example."),
    StaticRecord("a", "DNAME", "elsewhere.example."),
    StaticRecord("web", "TXT", "written"),
    StaticRecord("_http._tcp.x.a", "TXT", "below a Service"),
    StaticRecord("_tcp.y.b", "TXT", "between"),
)
POOLS = (
    Pool("p", (parse_range("10.0.0.0/29"), parse_range("10.1.0.0/24"), parse_range("fd00::/125"))),
    Pool("q", (parse_range("10.2.0.0/16"), parse_range("fd00:0:0:1::/64"))),
)
CONFIGURATION = Configuration(POOLS, dns=DnsSettings(hosts=HOSTS, records=RECORDS), digest="d")
REFS = [ServiceRef(namespace, name) for namespace in ("a", "b") for name in ("x", "y")]
ADDRESSES = [
    parse_address(text) for text in ("10.0.0.1", "10.0.0.2", "10.1.0.1", "10.2.0.1", "fd00::1", "fd00:0:0:1::1")
]
WHOLE = tuple(
    f"{parse_address(text).reverse_pointer}." for text in ("10.1.0.1", "10.2.0.1", "fd00::1", "fd00:0:0:1::1")
)
POINTERS = (
    *(StaticRecord(owner, "PTR", "written.lan.") for owner in ("1.0/29.0.0.10.in-addr.arpa.", *WHOLE)),
    StaticRecord("7.0/29.0.0.10.in-addr.arpa", "PTR", "gateway"),
    StaticRecord(WHOLE[0], "TXT", "beside"),
    StaticRecord("0.2.10.in-addr.arpa.", "DNAME", "elsewhere.example."),
    StaticRecord("2.0.0.10.in-addr.arpa.", "PTR", "in.no.zone."),
    StaticRecord("www", "PTR", "written.lan."),
)
written = st.lists(st.sampled_from(POINTERS), unique=True, max_size=4).map(tuple)
"""Static pointers in classless, IPv4 and IPv6 zones, one where no zone is and one in a forward zone."""

IMPORTED = (
    *RECORDS,
    *POINTERS[:4],
    StaticRecord("www", "A", "192.0.2.9", 60),
    StaticRecord("WWW.service.", "A", "192.0.2.10"),
    StaticRecord("www.service.", "TXT", "another way to write it"),
    StaticRecord("router", "CNAME", "elsewhere.example."),
    StaticRecord("gateway", "A", "no address"),
    StaticRecord("gateway", "A", "no address either"),
    StaticRecord("x.a", "TXT", "at the name of a Service"),
    StaticRecord("leaf.deep", "A", "192.0.2.11"),
    StaticRecord("service.", "TXT", "at the apex"),
    StaticRecord("far.inside.deep.b", "A", "192.0.2.12"),
)
imports = st.tuples(
    st.lists(st.sampled_from(IMPORTED), max_size=3), st.lists(st.sampled_from(IMPORTED), max_size=3)
).map(lambda both: Changes(records=tuple(both[0]), records_gone=tuple(both[1])))
"""Static records that come and go by themselves, beside those of the configuration and equal to some of these."""

services = st.builds(
    Service,
    ref=st.sampled_from(REFS),
    type=st.sampled_from([ServiceType.LOAD_BALANCER, ServiceType.CLUSTER_IP, ServiceType.EXTERNAL_NAME]),
    ports=st.sampled_from(
        [
            (),
            (Port(80, "TCP", "http", "web", 30_080),),
            (Port(53, "TCP", "dns"), Port(53, "UDP", "dns"), Port(80), Port(443, name="https")),
            (Port(80, name="http"), Port(81, name="http")),
            (Port(80, name="Http"), Port(81, "SCTP", "x")),
        ]
    ),
    hostnames=st.sampled_from(
        [
            *[()] * 7,
            ("www",),
            ("www", "web"),
            ("x.a",),
            ("w.x.a", "W.y.b"),
            ("x.deep",),
            ("router",),
            ("_http._tcp.x.a", "_dns._udp.y.b"),
            ("_tcp.x.a", "_https._tcp.x.b"),
        ]
    ),
    claimed=st.sampled_from([(), (("www", 3),), (("www", 5), ("web", 1))]),
    external_name=st.sampled_from(["shop.example.com", "10.9.9.9"]),
    wildcard=st.booleans(),
    publish=st.sampled_from([None, None, True, False]),
)
a_step = st.one_of(
    services,
    st.sampled_from(REFS),
    st.tuples(st.sampled_from(REFS), st.lists(st.sampled_from(ADDRESSES), unique=True)),
)
steps = st.lists(a_step, max_size=12)


def advance(snapshot: Snapshot, step: object) -> tuple[Snapshot, ServiceRef]:
    snapshot = replace(snapshot, revision=snapshot.revision + 1)
    if isinstance(step, Service):
        return replace(snapshot, services=snapshot.services.update({step.ref: step})), step.ref
    if isinstance(step, ServiceRef):
        return replace(snapshot, services=snapshot.services.discard(step)), step
    ref, addresses = step
    leases = tuple(Lease(address, ref, "p", LeaseState.BOUND, "g", NOW) for address in addresses)
    return replace(snapshot, holdings=snapshot.holdings.update({ref: leases})), ref


ZONES = st.sampled_from([("service",), ("service", "a.service", "y.b.service")])
"""The last two are a namespace's and a Service's own names in the first."""


def followed_on(planner: ZonePlanner, snapshot: Snapshot, step: object) -> tuple[Snapshot, ZonePlan]:
    """The snapshot after a step of any kind, and what the planner makes of it."""
    if isinstance(step, Changes):
        snapshot = succeed(snapshot, step, (), revision=snapshot.revision + 1, at=NOW)
        return snapshot, planner.plan(snapshot, touched_by(step))
    snapshot, ref = advance(snapshot, step)
    return snapshot, planner.plan(snapshot, [ref])


def configured(pointers: tuple[StaticRecord, ...] = (), zones: tuple[str, ...] = ("service",)) -> Configuration:
    dns = replace(CONFIGURATION.dns, records=(*RECORDS, *pointers), zones=zones)
    return replace(CONFIGURATION, dns=dns)


def served(planner: ZonePlanner) -> dict[bytes, set[object]]:
    return {
        origin: {rrset for rrset in zone.rrsets() if rrset.rtype != rrtype.SOA}
        | {("note", *each) for each in zone.notes.items()}
        | set(zone.nodes)
        for origin, zone in planner.zones.items()
    }


@settings(max_examples=chances(60), deadline=None)
@given(st.lists(st.one_of(a_step, imports), max_size=12), written, ZONES)
def test_step_by_step_and_all_at_once_come_to_the_same_zones(
    changes: list[object], pointers: tuple[StaticRecord, ...], zones: tuple[str, ...]
) -> None:
    follower = ZonePlanner()
    snapshot = Snapshot("e", 1, NOW, configured(pointers, zones))
    followed = follower.plan(snapshot)

    for step in changes:
        snapshot, followed = followed_on(follower, snapshot, step)

    fresh = ZonePlanner()
    at_once = fresh.plan(snapshot)
    assert served(follower) == served(fresh)
    assert (followed.refused, followed.static) == (at_once.refused, at_once.static)


@settings(max_examples=chances(40), deadline=None)
@given(steps)
def test_no_delegation_or_dname_hides_what_a_service_or_a_host_has(changes: list[object]) -> None:
    snapshot = Snapshot("e", 1, NOW, CONFIGURATION)
    for step in changes:
        snapshot, _ = advance(snapshot, step)
    planner = ZonePlanner()
    planner.plan(snapshot)

    for origin, zone in planner.zones.items():
        for rrset in zone.rrsets():
            kinds = {source[0] for source, _ in planner.claims_on(origin, rrset.name.lower())}
            assert kinds == {"record"} or zone.cut_above(rrset.name.lower()) is None


@settings(max_examples=chances(40), deadline=None)
@given(st.lists(st.tuples(steps, written), min_size=2, max_size=2))
def test_a_second_look_at_everything_comes_to_what_a_fresh_one_does(
    looks: list[tuple[list[object], tuple[StaticRecord, ...]]],
) -> None:
    snapshot = Snapshot("e", 1, NOW, CONFIGURATION)
    twice = ZonePlanner()
    for changes, pointers in looks:
        snapshot = replace(snapshot, configuration=configured(pointers))
        for step in changes:
            snapshot, _ = advance(snapshot, step)
        second = twice.plan(snapshot)

    fresh = ZonePlanner()
    at_once = fresh.plan(snapshot)
    assert served(twice) == served(fresh)
    assert (second.refused, second.static) == (at_once.refused, at_once.static)


@settings(max_examples=chances(40), deadline=None)
@given(steps, steps, ZONES)
def test_services_that_are_still_folded_have_the_names_they_would_have(
    changes: list[object], more: list[object], zones: tuple[str, ...]
) -> None:
    snapshot = Snapshot("e", 1, NOW, configured(zones=zones))
    for step in changes:
        snapshot, _ = advance(snapshot, step)
    write, read = folder(Service), TypeAdapter(Service).validate_json
    folded = Folded(
        {ref: write(service) for ref, service in snapshot.services.items()},
        Service,
        lambda _, octets: read(octets),
        write,
        plain_ports,
    )

    held = {ref: leases for ref, leases in snapshot.holdings.items() if leases}
    addresses = {ref: [lease.address for lease in leases] for ref, leases in held.items()}
    standing = {ref: each if len(each) > 1 else each[0] for ref, each in addresses.items()}
    holdings: Folded[ServiceRef, tuple[Lease, ...]] = Folded(standing, tuple, lambda ref, _: held[ref])
    snapshot = replace(snapshot, services=folded, holdings=holdings)
    planner = ZonePlanner()
    followed = planner.plan(snapshot)
    same_as_fresh(planner, followed, snapshot)

    for step in more:
        snapshot, ref = advance(snapshot, step)
        followed = planner.plan(snapshot, [ref])
        same_as_fresh(planner, followed, snapshot)


def same_as_fresh(planner: ZonePlanner, followed: ZonePlan, snapshot: Snapshot) -> None:
    """The planner serves and refuses what one does that sees every Service unfolded and nothing before."""
    fresh = ZonePlanner()
    at_once = fresh.plan(replace(snapshot, services=HashTrieMap(dict(snapshot.services))))
    assert served(planner) == served(fresh)
    assert (followed.refused, followed.static) == (at_once.refused, at_once.static)


contested = st.lists(
    st.one_of(
        st.builds(
            Service,
            ref=st.sampled_from(REFS),
            type=st.just(ServiceType.LOAD_BALANCER),
            hostnames=st.sampled_from(
                [(), ("x.a",), ("w.x.a", "www"), ("W.y.b", "y.b.service"), ("x.a", "www"), ("x", "a")]
            ),
            publish=st.sampled_from([None, None, False]),
        ),
        st.sampled_from(REFS),
    ),
    min_size=4,
    max_size=12,
)


@settings(max_examples=chances(40), deadline=None)
@given(contested, st.integers(0, 12), ZONES)
def test_a_plan_of_those_who_may_be_refused_refuses_what_the_whole_one_does(
    changes: list[object], jump: int, zones: tuple[str, ...]
) -> None:
    asking, planner = Asking(), ZonePlanner()
    snapshot = Snapshot("e", 1, NOW, configured(zones=zones))
    asking.follow(snapshot)
    planner.plan(snapshot)

    for at, step in enumerate(changes):
        snapshot, ref = advance(snapshot, step)
        refused = asking.follow(snapshot, None if at == jump else [ref])
        assert refused == planner.plan(snapshot, [ref]).refused
