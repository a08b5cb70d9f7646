"""A serial that secondaries have seen keeps standing for the same content, whatever happens to this server."""

import asyncio
from dataclasses import replace

import pytest
from zone_worlds import load_balancer, snapshot_of

from suite.dns.feed import ReplaceZone, SetHistory, Update
from suite.dns.journal import between
from suite.dns.name import from_text
from suite.model.configuration import Configuration, DnsSettings, StaticHost
from suite.model.snapshot import Snapshot
from suite.model.zone_version import ZoneVersion
from suite.nameserver.apex import expire_of
from suite.nameserver.numbering import Numbering
from suite.nameserver.plan import ZonePlanner
from suite.nameserver.versions import digest_of, history_of, moved, next_serial, version_of
from suite.store.errors import Unavailable

ORIGIN = from_text("service.")
BEFORE = snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.0"}, transfer_acl=("127.0.0.1",))
AFTER = replace(
    snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.1"}, transfer_acl=("127.0.0.1",)), revision=9
)


class Versions:
    """A database that knows some versions and gives every other one the serial it asks for."""

    def __init__(self, *known: ZoneVersion, chain: tuple[ZoneVersion, ...] = ()) -> None:
        self.known = {(each.origin, each.digest): each for each in known}
        self.chain = list(chain)
        self.asked: list[ZoneVersion] = []
        self.is_away = False

    def number_zones(self, wanted: list[ZoneVersion]) -> list[ZoneVersion]:
        if self.is_away:
            raise Unavailable("the database is away")
        self.asked += [each for each in wanted if each.origin == "service."]
        return [self.known.get((each.origin, each.digest), each) for each in wanted]

    def zone_chain(self, origin: str, serial: int) -> list[ZoneVersion]:
        return self.chain


class Server:
    """A planner whose zones are numbered by a database."""

    def __init__(self, versions: Versions) -> None:
        self.planner = ZonePlanner()
        self.numbering = Numbering(lambda: versions)

    def serve(self, snapshot: Snapshot) -> list[Update]:
        updates = self.planner.plan(snapshot).updates
        return asyncio.run(self.numbering.numbered(updates, self.planner, snapshot.revision))

    @property
    def serial(self) -> int:
        return self.planner.zones[ORIGIN].serial


def known(snapshot: Snapshot, serial: int) -> ZoneVersion:
    versions = Versions()
    Server(versions).serve(snapshot)
    return replace(versions.asked[0], serial=serial)


def test_content_that_the_database_knows_is_served_under_its_serial() -> None:
    server = Server(Versions(known(BEFORE, 5)))

    updates = server.serve(BEFORE)

    assert server.serial == 5
    assert [each.zone.serial for each in updates if isinstance(each, ReplaceZone) and each.zone.origin == ORIGIN] == [5]


def test_what_led_to_a_known_serial_is_served_too() -> None:
    versions = Versions()
    server = Server(versions)
    server.serve(BEFORE)
    server.serve(AFTER)
    step = versions.asked[1]

    updates = Server(Versions(replace(known(AFTER, 9), old_serial=7), chain=(step,))).serve(AFTER)
    (history,) = (each for each in updates if isinstance(each, SetHistory) and each.origin == ORIGIN)

    assert [(each.old_serial, each.new_serial) for each in history.differences] == [(7, 9)]


def test_a_change_is_asked_for_with_its_difference() -> None:
    versions = Versions()
    server = Server(versions)
    server.serve(BEFORE)
    zone = server.planner.zones[ORIGIN]
    server.serve(AFTER)

    assert [(each.old_serial, each.serial, each.revision) for each in versions.asked] == [(None, 7, 7), (7, 9, 9)]
    assert history_of(versions.asked[1:]) == (_bare(between(zone, server.planner.zones[ORIGIN])),)


def test_the_next_change_goes_on_from_the_serial_that_was_given() -> None:
    versions = Versions(known(AFTER, 12))
    server = Server(versions)
    server.serve(AFTER)
    server.serve(replace(BEFORE, revision=11))

    assert (server.serial, versions.asked[-1].old_serial) == (13, 12)


def test_a_database_that_is_away_stops_no_answer() -> None:
    versions = Versions()
    server = Server(versions)
    server.serve(BEFORE)
    versions.is_away = True
    server.serve(AFTER)
    versions.is_away = False
    server.serve(replace(BEFORE, revision=11))

    assert (server.serial, versions.asked[-1].old_serial) == (11, None)


def test_a_digest_follows_a_change_without_a_look_at_the_rest() -> None:
    server = Server(Versions())
    server.serve(BEFORE)
    before = server.planner.zones[ORIGIN]
    server.serve(AFTER)
    after = server.planner.zones[ORIGIN]

    assert moved(digest_of(before.rrsets()), between(before, after)) == digest_of(after.rrsets())


def test_a_digest_does_not_depend_on_the_serial_but_on_everything_else() -> None:
    server = Server(Versions())
    server.serve(BEFORE)
    zone = server.planner.zones[ORIGIN]

    def text(number: int) -> str:
        return version_of(ReplaceZone(zone), None, zone.with_changes((), number), 1)[0].digest

    assert text(1) == text(2)
    assert text(1) != known(AFTER, 1).digest


@pytest.mark.parametrize("damage", ["{", "[]", '{"old": 1}'])
def test_a_chain_begins_behind_a_step_that_cannot_be_read(damage: str) -> None:
    versions = Versions()
    server = Server(versions)
    server.serve(BEFORE)
    server.serve(AFTER)
    first, step = versions.asked

    assert len(history_of([replace(first, difference=damage), step])) == 1


@pytest.mark.parametrize("digest", ["0" * 32, "who knows"])
def test_a_step_that_leads_from_something_else_is_none(digest: str) -> None:
    versions = Versions()
    server = Server(versions)
    server.serve(BEFORE)
    server.serve(AFTER)
    first, step = versions.asked

    assert history_of([replace(first, digest=digest), step]) == ()


@pytest.mark.parametrize(
    ("serial", "revision", "following"),
    [(7, 9, 9), (7, 7, 8), (9, 7, 10), (0xFFFFFFFF, 1 << 32, 0), (0xFFFFFFFF, (1 << 32) - 1, 0)],
    ids=["later", "same", "earlier", "wrapped", "raised-over-the-end"],
)
def test_serials_rise_in_their_own_arithmetic(serial: int, revision: int, following: int) -> None:
    assert next_serial(serial, revision) == following


def test_a_secondary_forgets_within_what_the_cooling_time_leaves() -> None:
    dns = DnsSettings(ttl=30, stale_limit=600, hosts=(StaticHost("x", ttl=60),))

    assert expire_of(Configuration(dns=dns, cooling_time=1000)) == 1000 - 600 - 60 - 5


@pytest.mark.parametrize(("cooling", "expire"), [(660, 80), (0, 600), (86400, 600)], ids=["least", "none", "most"])
def test_a_secondary_outlives_a_missed_answer_and_never_ten_minutes(cooling: float, expire: int) -> None:
    assert expire_of(Configuration(cooling_time=cooling)) == expire


def _bare(step: object) -> object:
    """As it is written down: whether a set is leased does not travel."""
    sets = {part: tuple(replace(each, leased=False) for each in getattr(step, part)) for part in ("removed", "added")}
    soas = {part: replace(getattr(step, part), leased=False) for part in ("old_soa", "new_soa")}
    return replace(step, **sets, **soas)
