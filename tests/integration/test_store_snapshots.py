"""Whatever is committed in whatever order: commit, refresh and a full read come to the same snapshot."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from fix_db import fresh_database
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from suite.model.changes import Changes, Closing
from suite.model.configuration import Configuration, StaticRecord
from suite.model.event import Action, Event
from suite.model.lease import Lease, LeaseState, Reservation
from suite.model.node import Namespace, Node
from suite.model.refusal import Reason, Refusal
from suite.model.selector import labels_of
from suite.model.service import Endpoint, Endpoints, Port, Service, ServiceRef, ServiceType

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

addresses = st.sampled_from([*(f"10.0.42.{n}" for n in range(5)), "2001:db8::1", "2001:db8::ffff"]).map(ip_address)
refs = st.builds(ServiceRef, st.sampled_from(["default", "team"]), st.sampled_from(["a", "b", "tëst", "d'e%s?"]))
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
labels = st.dictionaries(st.sampled_from("xyz"), texts, max_size=2).map(labels_of)
ports = st.lists(
    st.builds(Port, st.integers(1, 3), st.sampled_from(["TCP", "UDP"]), name=texts), max_size=2, unique_by=lambda p: (p.port, p.protocol)
).map(tuple)  # fmt: skip
services = st.builds(
    Service, refs, uid=texts, type=st.sampled_from(ServiceType), ports=ports, labels=labels,
    requested=st.lists(addresses, max_size=2).map(tuple), ttl=st.none() | st.integers(0, 9),
    fault=st.none() | st.builds(Refusal, st.sampled_from(Reason), texts),
)  # fmt: skip
endpoints = st.builds(
    Endpoints, refs, st.lists(st.builds(Endpoint, texts, texts, st.booleans()), max_size=2).map(tuple)
)
nodes = st.builds(
    Node, st.sampled_from(["n1", "n2"]), labels, st.lists(addresses, max_size=1).map(tuple), st.booleans()
)
namespaces = st.builds(Namespace, st.sampled_from(["default", "team"]), labels)
records = st.builds(StaticRecord, st.sampled_from(["x.lan.", "y.lan."]), st.just("TXT"), texts, st.none() | st.just(5))
reservations = st.builds(Reservation, addresses, st.none() | refs, texts)
configurations = st.builds(Configuration, hold_time=st.sampled_from([0.0, 60.0]), digest=st.sampled_from(["1", "2"]))


def few(values, by):
    return st.lists(values, max_size=2, unique_by=by).map(tuple)


@st.composite
def wishes(draw):
    """One commit without leases: things that come, things that go, or both."""
    come = {
        "services": draw(few(services, lambda each: each.ref)),
        "endpoints": draw(few(endpoints, lambda each: each.ref)),
        "nodes": draw(few(nodes, lambda each: each.name)),
        "namespaces": draw(few(namespaces, lambda each: each.name)),
        "refusals": draw(
            few(st.tuples(refs, st.builds(Refusal, st.sampled_from(Reason), texts)), lambda each: each[0])
        ),
        "records": draw(few(records, None)),
        "reserved": draw(few(reservations, lambda each: each.address)),
        "drained": draw(few(st.sampled_from(["p", "q"]), None)),
    }
    gone = {
        "services_gone": draw(few(refs, None)),
        "endpoints_gone": draw(few(refs, None)),
        "nodes_gone": draw(few(st.sampled_from(["n1", "n2"]), None)),
        "namespaces_gone": draw(few(st.sampled_from(["default", "team"]), None)),
        "refusals_gone": draw(few(refs, None)),
        "records_gone": draw(few(records, None)),
        "unreserved": draw(few(reservations, lambda each: each.address)),
        "nodes_drained": draw(few(st.sampled_from(["n1", "n2"]), None)),
        "nodes_undrained": draw(few(st.sampled_from(["n2", "n3"]), None)),
        "undrained": draw(few(st.sampled_from(["p", "q"]), None)),
    }
    chosen = draw(st.sampled_from([come, gone, come | gone]))
    events = draw(st.lists(st.builds(Event, st.sampled_from(Action), refs, addresses, reason=texts), max_size=3))
    single = {"withheld": draw(st.none() | texts), "configuration": draw(st.none() | configurations)}
    return Changes(**chosen, **single, events=tuple(events))


@st.composite
def steps(draw):
    """A commit, which open leases it ends, and which it would like to open."""
    opened = draw(st.lists(st.tuples(refs, addresses, st.sampled_from(LeaseState), st.booleans(), ports), max_size=3))
    return draw(wishes()), draw(st.integers(0, 3)), opened


def with_leases(changes, ends, wanted, snapshot):
    """Add leases that nothing forbids, as a planner would."""
    from dataclasses import replace

    closed = sorted(snapshot.open_leases(), key=lambda lease: lease.id)[:ends]
    left = [lease for lease in snapshot.open_leases() if lease not in closed]
    opened = []
    for ref, address, state, is_shared, asked in wanted:
        lease = Lease(address, ref, "p", state, "key" if is_shared else str(ref), NOON, ports=asked)
        if all(fits(lease, other) for other in [*left, *opened]):
            opened.append(lease)
    return replace(changes, closed=tuple(Closing(lease, "over") for lease in closed), opened=tuple(opened))


def fits(lease, other):
    if lease.address != other.address:
        return True
    clash = {(port.port, port.protocol) for port in lease.ports} & {(port.port, port.protocol) for port in other.ports}
    return lease.share_group == other.share_group and lease.ref != other.ref and not clash


def looking_different(before, after):
    """The Services about which the two snapshots do not say the same."""
    return {
        ref
        for field in ("services", "endpoints", "refusals", "holdings")
        for ref in differing(getattr(before, field), getattr(after, field))
    }


def differing(before, after):
    return {key for key in {*before.keys(), *after.keys()} if before.get(key) != after.get(key)}


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
@settings(
    max_examples=10,  # each makes a database
    phases=[Phase.explicit, Phase.generate],  # making an example small takes minutes of databases
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(turns=st.lists(steps(), min_size=1, max_size=6))
def test_commit_refresh_and_read_agree(request, kind, turns):
    with fresh_database(request, kind) as db:
        store, follower = db.open(), db.open()
        now = lagging = start = follower.read()
        for number, (changes, ends, wanted) in enumerate(turns):
            turn = with_leases(changes, ends, wanted, now)
            now = store.commit(turn, now, now=NOON + timedelta(seconds=number))
            lagging = follower.refresh(lagging) if number % 2 else lagging

        news = follower.news(lambda: start, timeout=0)
        assert now == store.read() == follower.refresh(lagging) == follower.refresh(start) == news.snapshot
        assert news.services is None or news.services >= looking_different(start, now)
        assert news.addresses >= differing(start.leases, now.leases)
        assert store.check() == []
