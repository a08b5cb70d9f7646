"""A serial that secondaries have seen keeps standing for the same content, whatever happens to this server."""

from dataclasses import replace

import pytest
from zone_worlds import load_balancer, snapshot_of

from suite.dns.feed import ReplaceZone, SetHistory
from suite.dns.name import from_text
from suite.dns.zone import Zone
from suite.model.configuration import Configuration, DnsSettings, StaticHost
from suite.nameserver.apex import expire_of
from suite.nameserver.kept import Kept, KeptError, lines_of, next_serial, read
from suite.nameserver.plan import ZonePlanner

ORIGIN = from_text("service.")
BEFORE = snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.0"}, transfer_acl=("127.0.0.1",))
AFTER = replace(
    snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.1"}, transfer_acl=("127.0.0.1",)), revision=9
)


def served(snapshot: object, kept: dict[bytes, Kept] | None = None) -> tuple[Zone, list[object]]:
    planner = ZonePlanner(kept)
    updates = planner.plan(snapshot).updates
    return planner.zones[ORIGIN], [
        each for each in updates if getattr(each, "origin", None) == ORIGIN or isinstance(each, ReplaceZone)
    ]


def test_equal_content_keeps_its_serial_although_the_database_went_on() -> None:
    zone, _ = served(BEFORE)
    again, _ = served(replace(BEFORE, revision=12), {ORIGIN: Kept(zone)})

    assert (zone.serial, again.serial) == (7, 7)


def test_content_that_changed_meanwhile_has_the_revision_and_its_difference_is_served() -> None:
    zone, _ = served(BEFORE)
    again, updates = served(AFTER, {ORIGIN: Kept(zone)})
    (history,) = (each for each in updates if isinstance(each, SetHistory))

    assert again.serial == 9
    assert [(each.old_serial, each.new_serial) for each in history.differences] == [(7, 9)]


def test_other_content_at_the_same_revision_raises_the_serial() -> None:
    zone, _ = served(BEFORE)
    again, _ = served(replace(AFTER, revision=7), {ORIGIN: Kept(zone)})

    assert again.serial == 8


def test_the_next_change_goes_above_a_raised_serial() -> None:
    zone, _ = served(BEFORE)
    planner = ZonePlanner({ORIGIN: Kept(zone)})
    planner.plan(replace(AFTER, revision=7))
    planner.plan(replace(BEFORE, revision=8))

    assert planner.zones[ORIGIN].serial == 9


@pytest.mark.parametrize(
    ("serial", "revision", "following"),
    [(7, 9, 9), (7, 7, 8), (9, 7, 10), (0xFFFFFFFF, 1 << 32, 0), (0xFFFFFFFF, (1 << 32) - 1, 0)],
    ids=["later", "same", "earlier", "wrapped", "raised-over-the-end"],
)
def test_serials_rise_in_their_own_arithmetic(serial: int, revision: int, following: int) -> None:
    assert next_serial(serial, revision) == following


def test_what_is_written_down_is_read_again() -> None:
    zone, _ = served(BEFORE)
    again, updates = served(AFTER, {ORIGIN: Kept(zone)})
    (history,) = (each for each in updates if isinstance(each, SetHistory))

    found = read(lines_of([again], {ORIGIN: history.differences}))

    assert set(found[ORIGIN].zone.rrsets()) == set(again.rrsets())
    assert found[ORIGIN].differences == history.differences


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: lines[:-1],
        lambda lines: [*lines[:2], "{", *lines[3:]],
        lambda lines: [line.replace('"set"', '"sat"') for line in lines],
        lambda lines: [lines[0].replace("1]", "2]"), *lines[1:]],
        lambda lines: [line for line in lines if '00", 6, ' not in line],
        lambda lines: [*lines, "[]"],
    ],
    ids=["cut", "no-json", "other-words", "other-format", "no-soa", "empty-row"],
)
def test_a_damaged_file_is_no_file(damage: object) -> None:
    zone, _ = served(snapshot_of(load_balancer("coffee")))

    with pytest.raises(KeptError):
        read(damage(list(lines_of([zone], {}))))


def test_a_secondary_forgets_within_what_the_cooling_time_leaves() -> None:
    dns = DnsSettings(ttl=30, stale_limit=600, hosts=(StaticHost("x", ttl=60),))

    assert expire_of(Configuration(dns=dns, cooling_time=1000)) == 1000 - 600 - 60 - 5


@pytest.mark.parametrize(("cooling", "expire"), [(660, 80), (0, 600), (86400, 600)], ids=["least", "none", "most"])
def test_a_secondary_outlives_a_missed_answer_and_never_ten_minutes(cooling: float, expire: int) -> None:
    assert expire_of(Configuration(cooling_time=cooling)) == expire
