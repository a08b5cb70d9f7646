"""What a follower reads is what the database holds, whole or in steps, and nothing else is ever believed."""

import dataclasses
import re
from datetime import UTC, datetime, timedelta

import pytest
from fix_db import EVERYTHING

from suite.model.address import parse_address
from suite.model.announcement import Announcement
from suite.model.changes import Changes, Closing
from suite.model.configuration import DnsSettings
from suite.model.lease import LeaseState, Reservation
from suite.model.node import Node
from suite.model.peer import Peer
from suite.model.service import Service, ServiceRef
from suite.model.snapshot import Snapshot
from suite.model.token import Scope
from suite.store.remote import lines
from suite.store.remote.feed import Feed
from suite.store.remote.kept import UNKNOWN_AGE, keep, recall
from suite.store.remote.lines import FeedError, Position
from suite.store.remote.reader import Known, read

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
WEB, SPEAKER, NAMESERVER = ({each} for each in (Scope.WEB, Scope.SPEAKER, Scope.NAMESERVER))


class Side:
    """A controller's store and feed, and one follower."""

    def __init__(self, db, scopes=SPEAKER):
        self.store = db.open()
        self.snapshot = self.store.commit(EVERYTHING, self.store.read(), now=NOON)
        self.feed = Feed(self.store, lambda: self.snapshot)
        self.scopes = scopes
        self.known = Known()

    def commit(self, **changes):
        self.snapshot = self.store.commit(Changes(**changes), self.snapshot, now=NOON)

    def sent(self):
        octets = b"".join(self.feed.answer(self.known.position, self.scopes))
        return octets.splitlines(keepends=True)

    def follow(self):
        answer = read(iter(self.sent()), self.known)
        self.known = answer.known
        return answer


@pytest.fixture
def side(sqlite_db):
    return Side(sqlite_db)


@pytest.fixture
def either(db):
    """The same on both databases, where SQL is what matters."""
    return Side(db)


def test_a_first_answer_is_the_whole_snapshot(side):
    side.follow()

    assert side.known.snapshot == side.snapshot


def test_no_field_of_a_snapshot_is_forgotten():
    told = {*lines.TABLES.values(), *lines.SMALL, *lines.OTHERS}

    assert {each.name for each in dataclasses.fields(Snapshot)} == told


@pytest.mark.parametrize(
    "changes",
    [
        {"services": (Service(ServiceRef("default", "tea")),)},
        {"services_gone": (ServiceRef("default", "coffee"),)},
        {"nodes": (Node("n9", addresses=(parse_address("10.0.0.9"),)),)},
        {"drained": ("pool",)},
        {"nodes_drained": ("node-a",)},
        {"reserved": (Reservation(parse_address("10.0.42.200"), note="printer"),)},
        {"withheld": "abc"},
        {"heartbeat_keys": ("aa" * 32, "bb" * 32)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_commit_makes_the_follower_equal_again(either, changes):
    either.follow()

    either.commit(**changes)
    either.follow()

    assert either.known.snapshot == either.snapshot


def test_leases_that_close_and_open_arrive_by_address_and_by_service(either):
    either.follow()
    lease = next(either.snapshot.open_leases())
    held = dataclasses.replace(lease, id=0, state=LeaseState.HELD)

    either.commit(closed=(Closing(lease, "gone"),), opened=(held,))
    answer = either.follow()

    assert either.known.snapshot == either.snapshot
    assert lease.ref in answer.touched


def test_one_change_costs_one_change(side):
    side.commit(services=tuple(Service(ServiceRef("many", f"s{number}")) for number in range(500)))
    side.follow()

    side.commit(services=(Service(ServiceRef("default", "tea")),))

    assert len(side.sent()) == 5  # header, small, the Service, secrets, end


def test_many_commits_arrive_together(side):
    side.follow()
    for number in range(5):
        side.commit(services=(Service(ServiceRef("many", f"s{number}")),))

    answer = side.follow()

    assert side.known.snapshot == side.snapshot
    assert answer.touched == {ServiceRef("many", f"s{number}") for number in range(5)}


def test_another_epoch_is_told_whole(side):
    side.known = Known(Snapshot(epoch="another", revision=side.snapshot.revision))

    assert b'"kind":"base"' in side.sent()[0]


def test_who_is_ahead_of_a_lagging_controller_is_told_nothing(side):
    ahead = Position(side.snapshot.epoch, side.snapshot.revision + 1)

    assert not side.feed.is_news(ahead)


def test_a_controller_without_a_first_turn_has_no_news(sqlite_db):
    store = sqlite_db.open()
    feed = Feed(store, store.read)

    assert not feed.is_news(None)


def test_an_answer_that_is_cut_off_anywhere_is_not_believed(side):
    sent = side.sent()

    for length in range(len(sent)):
        with pytest.raises(FeedError):
            read(iter(sent[:length]), Known())


def test_an_answer_whose_digest_differs_is_not_believed(side):
    sent = [each.replace(b"coffee", b"c0ffee") for each in side.sent()]

    with pytest.raises(FeedError, match="the digest differs"):
        read(iter(sent), Known())


def test_changes_for_somebody_else_are_not_believed(side):
    side.follow()
    side.commit(services=(Service(ServiceRef("default", "tea")),))

    with pytest.raises(FeedError, match="were sent to one who stands at None"):
        read(iter(side.sent()), Known())


def test_a_broken_answer_leaves_what_was_known(side):
    side.follow()
    before = side.known.snapshot
    side.commit(services=(Service(ServiceRef("default", "tea")),))

    with pytest.raises(FeedError):
        read(iter(side.sent()[:-1]), side.known)
    side.follow()

    assert before is not side.known.snapshot
    assert side.known.snapshot == side.snapshot


def with_password(side):
    peers = (Peer("tor", 64512, 64513, address=parse_address("10.0.0.1"), password="hunter2"),)
    configuration = dataclasses.replace(side.snapshot.configuration, peers=peers)
    side.snapshot = dataclasses.replace(side.snapshot, configuration=configuration)


def test_a_speaker_gets_passwords_and_heartbeat_keys(sqlite_db):
    side = Side(sqlite_db, SPEAKER)
    with_password(side)

    side.follow()

    assert side.known.snapshot.configuration.peers[0].password == "hunter2"
    assert side.known.snapshot.heartbeat_keys == side.store.read().heartbeat_keys != ()


@pytest.mark.parametrize("scopes", [WEB, NAMESERVER])
def test_others_get_neither(sqlite_db, scopes):
    side = Side(sqlite_db, scopes)
    with_password(side)

    sent = b"".join(side.sent())

    assert b"hunter2" not in sent
    assert side.snapshot.heartbeat_keys[0].encode() not in sent


@pytest.mark.parametrize(("scopes", "expected"), [(NAMESERVER, "key k"), (SPEAKER, ""), (WEB, "")])
def test_only_nameservers_get_the_tsig_keys(sqlite_db, tmp_path, scopes, expected):
    (tmp_path / "keys").write_text("key k")
    side = Side(sqlite_db, scopes)
    dns = DnsSettings(tsig_keys_file=str(tmp_path / "keys"))
    configuration = dataclasses.replace(side.snapshot.configuration, dns=dns)
    side.snapshot = dataclasses.replace(side.snapshot, configuration=configuration)

    side.follow()

    assert side.known.secrets.tsig_keys == expected


def test_what_is_kept_on_the_disk_is_what_was_known(side, tmp_path):
    side.follow()
    path = tmp_path / "snapshot.last"

    keep(path, side.known)
    found, age = recall(path, path.stat().st_mtime + 60)

    assert (found.snapshot, found.secrets, age) == (side.known.snapshot, side.known.secrets, 60.0)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "damage", [lambda text: text[:-20], lambda text: text.replace(b"coffee", b"c0ffee", 1), bytes.upper]
)
def test_a_file_that_is_damaged_is_not_believed(side, tmp_path, damage):
    side.follow()
    path = tmp_path / "snapshot.last"
    keep(path, side.known)
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(FeedError):
        recall(path, 0)


def test_a_clock_before_the_file_cannot_tell_its_age(side, tmp_path):
    side.follow()
    keep(tmp_path / "snapshot.last", side.known)

    assert recall(tmp_path / "snapshot.last", 0)[1] == UNKNOWN_AGE


def test_without_a_file_nothing_is_known(tmp_path):
    assert recall(tmp_path / "snapshot.last", 0)[0].position is None


def claim(address, node="n1"):
    return Announcement(parse_address(address), node, "layer2", "eth0", mac="02:00:00:00:00:01")


ROWS = "SELECT node, address, valid_from, valid_to FROM announcement ORDER BY id"


def times(db):
    return [
        (node, address, re.sub(r".* (..:..).*", r"\1", str(begin)), end and re.sub(r".* (..:..).*", r"\1", str(end)))
        for node, address, begin, end in db.rows(ROWS)
    ]


def test_a_report_keeps_the_time_at_which_it_was_true(db):
    store = db.open()

    store.take_report("n1", "a-1", frozenset({claim("10.0.42.1")}), at=NOON)
    store.take_report("n1", "a-2", frozenset(), at=NOON + timedelta(minutes=5))

    assert times(db) == [("n1", "10.0.42.1", "12:00", "12:05")]


def test_the_same_report_again_changes_nothing(db):
    store = db.open()
    first = ("n1", "a-1", frozenset({claim("10.0.42.1")}))
    store.take_report(*first, at=NOON)
    store.take_report("n1", "a-2", frozenset(), at=NOON + timedelta(minutes=5))

    store.take_report(*first, at=NOON)

    assert times(db) == [("n1", "10.0.42.1", "12:00", "12:05")]


def test_a_late_report_ends_nobody_who_began_after_it(db):
    store = db.open()
    store.take_report("n2", "b-1", frozenset({claim("10.0.42.1", "n2")}), at=NOON + timedelta(minutes=30))

    store.take_report("n1", "a-1", frozenset({claim("10.0.42.1")}), at=NOON)

    assert times(db) == [("n2", "10.0.42.1", "12:30", None), ("n1", "10.0.42.1", "12:00", None)]
