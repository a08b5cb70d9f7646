"""What a commit does and what it refuses, on both databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from fix_db import EVERYTHING

from suite.model.address import parse_range
from suite.model.changes import Changes, Closing
from suite.model.configuration import Configuration
from suite.model.event import Action, Actor, Event
from suite.model.lease import Lease, LeaseState
from suite.model.node import Node
from suite.model.peer import Peer
from suite.model.pool import Pool
from suite.model.service import Port, Service, ServiceRef
from suite.store.errors import Conflict
from suite.store.snapshots import News

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
COFFEE = ServiceRef("default", "coffee")
TEA = ServiceRef("default", "tea")
FIRST = ip_address("10.0.42.0")
HTTP = (Port(80),)


def lease(ref=COFFEE, address=FIRST, *, group="", ports=HTTP, state=LeaseState.BOUND):
    return Lease(address, ref, "pool", state, group or str(ref), NOON, ports=ports)


def allocation(ref=COFFEE, address=FIRST, **options):
    event = Event(Action.ALLOCATED, ref, address, "pool", "first free address")
    return Changes(opened=(lease(ref, address, **options),), services=(Service(ref),), events=(event,))


NOTHING_LEFT = Changes(
    services_gone=(COFFEE, TEA),
    endpoints_gone=(COFFEE,),
    nodes_gone=("node-a",),
    namespaces_gone=("default",),
    refusals_gone=(ServiceRef("default", "milk"),),
    unreserved=EVERYTHING.reserved,
    undrained=("old",),
    records_gone=EVERYTHING.records,
    withheld="",
)


def test_new_database_starts_at_unix_time_with_the_event_that_created_it(db):
    before = int(datetime.now(UTC).timestamp())

    snapshot = db.open().read()

    assert before <= snapshot.revision <= before + 60
    assert db.rows("SELECT n, action FROM event") == [(1, "created")]


def test_commit_is_one_revision(db):
    store = db.open()
    base = store.read()

    after = store.commit(allocation(), base, now=NOON)

    assert after.revision == base.revision + 1


def test_commit_read_and_refresh_come_to_the_same(db):
    store = db.open()
    base = store.read()

    after = store.commit(EVERYTHING, base, now=NOON)

    assert after == store.read() == store.refresh(base)


def test_what_is_gone_is_gone_from_commit_read_and_refresh(db):
    store = db.open()
    full = store.commit(EVERYTHING, store.read(), now=NOON)
    closed = tuple(Closing(each, "deleted") for each in full.open_leases())

    after = store.commit(replace(NOTHING_LEFT, closed=closed), full, now=NOON)

    assert after == store.read() == store.refresh(full)
    assert not after.leases
    assert not after.holdings


def test_lease_comes_back_with_id_time_and_revision(db):
    store = db.open()

    after = store.commit(allocation(), store.read(), now=NOON)

    (found,) = after.bound(COFFEE)
    assert (found.id, found.valid_from, found.revision) == (1, after.at, after.revision)


def test_time_of_a_commit_never_goes_back(db):
    store = db.open()
    late = datetime(2030, 1, 1, tzinfo=UTC)
    base = store.commit(allocation(), store.read(), now=late)

    after = store.commit(Changes(services=(Service(TEA),)), base, now=late - timedelta(days=1))

    assert after.at == late


def test_address_taken_by_another_service_is_a_conflict_that_changes_nothing(db):
    store = db.open()
    base = store.commit(allocation(), store.read(), now=NOON)

    with pytest.raises(Conflict, match="lease_exclusive"):
        store.commit(allocation(TEA), base, now=NOON)

    assert store.read() == base


def test_services_with_one_share_group_get_one_address(db):
    store = db.open()
    base = store.commit(allocation(group="key/"), store.read(), now=NOON)

    after = store.commit(allocation(TEA, group="key/", ports=(Port(443),)), base, now=NOON)

    assert [each.ref for each in after.leases[FIRST]] == [COFFEE, TEA]


def test_two_shared_leases_on_one_port_are_a_conflict(db):
    store = db.open()
    base = store.commit(allocation(group="key/"), store.read(), now=NOON)

    with pytest.raises(Conflict, match="lease_port"):
        store.commit(allocation(TEA, group="key/"), base, now=NOON)


def test_port_of_a_closed_shared_lease_is_free_again(db):
    store = db.open()
    base = store.commit(allocation(group="key/"), store.read(), now=NOON)
    closing = Closing(base.leases[FIRST][0], "deleted")

    after = store.commit(replace(allocation(TEA, group="key/"), closed=(closing,)), base, now=NOON)

    assert [each.ref for each in after.leases[FIRST]] == [TEA]


def test_plan_made_before_another_commit_may_not_touch_leases(db):
    store = db.open()
    base = store.read()
    store.commit(Changes(services=(Service(TEA),)), base, now=NOON)

    with pytest.raises(Conflict):
        store.commit(allocation(), base, now=NOON)


def test_commit_without_leases_may_come_late_and_returns_what_others_did(db):
    store = db.open()
    base = store.read()
    store.commit(allocation(), base, now=NOON)

    after = store.commit(Changes(nodes=(Node("node-a"),)), base, now=NOON)

    assert after == store.read()
    assert after.bound(COFFEE)


def test_closing_a_lease_twice_is_a_conflict(db):
    store = db.open()
    base = store.commit(allocation(), store.read(), now=NOON)
    closing = Closing(base.leases[FIRST][0], "deleted")
    after = store.commit(Changes(closed=(closing,)), base, now=NOON)

    with pytest.raises(Conflict, match="closed already"):
        store.commit(Changes(closed=(closing,)), after, now=NOON)


def test_passwords_of_peers_stay_out_of_the_database(db):
    store = db.open()
    configuration = Configuration(peers=(Peer("router", 64512, 64513, password="secret"),), digest="d")

    after = store.commit(Changes(configuration=configuration), store.read(), now=NOON)

    assert after.configuration.peers[0].password == ""
    assert "secret" not in str(db.rows("SELECT document FROM configuration"))


def test_pools_keep_their_history(db):
    store = db.open()
    old, new = Pool("a", (parse_range("10.0.42.0/24"),)), Pool("a", (parse_range("10.0.43.0/24"),))
    base = store.commit(Changes(configuration=Configuration(pools=(old,), digest="1")), store.read(), now=NOON)

    store.commit(Changes(configuration=Configuration(pools=(new,), digest="2")), base, now=NOON)

    sql = "SELECT r.first, p.valid_to IS NULL FROM pool p JOIN pool_range r ON r.pool_id = p.id ORDER BY p.id"
    assert db.rows(sql) == [("10.0.42.0", False), ("10.0.43.0", True)]


def test_unchanged_pool_keeps_its_row(db):
    store = db.open()
    pools = (Pool("a", (parse_range("10.0.42.0/24"),)),)
    base = store.commit(Changes(configuration=Configuration(pools=pools, digest="1")), store.read(), now=NOON)

    store.commit(Changes(configuration=Configuration(pools=pools, digest="2")), base, now=NOON)

    assert db.rows("SELECT count(*) FROM pool") == [(1,)]


def test_second_store_sees_the_commit_and_refreshes_to_it(db):
    ours, theirs = db.open(), db.open()
    base = theirs.read()

    after = ours.commit(EVERYTHING, ours.read(), now=NOON)

    news = theirs.news(lambda: base, timeout=5)
    assert news is not None
    assert news.snapshot == theirs.refresh(base) == after


def test_wait_ends_without_news_when_nothing_happens(db):
    store = db.open()

    assert store.news(store.read, timeout=0.05) is None


def test_refresh_without_news_is_the_same_object(db):
    store = db.open()
    snapshot = store.read()

    assert store.refresh(snapshot) is snapshot


def test_refresh_after_more_changes_than_the_feed_lists_reads_everything(db):
    store = db.open()
    base = store.read()
    many = tuple(Service(ServiceRef("default", f"s{number}")) for number in range(5_001))

    after = store.commit(Changes(services=many), base, now=NOON)

    assert store.refresh(base) == after
    assert store.news(lambda: base, timeout=0) == News(after, base)


@pytest.mark.parametrize("text", ["a\0b", "lone \ud800 surrogate", "Ötzi ☕"], ids=ascii)
def test_no_text_of_an_event_or_lease_stops_a_commit(db, text):
    store = db.open()
    odd = replace(lease(), uid=text, note=text)
    event = Event(Action.REFUSED, COFFEE, reason=text, after=text, actor=Actor("operator", text))

    after = store.commit(Changes(opened=(odd,), events=(event,)), store.read(), now=NOON)

    assert after == store.read()
    assert store.verify().is_good
