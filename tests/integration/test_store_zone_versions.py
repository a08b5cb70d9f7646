"""Serials of zones: equal content has one serial in one database, whoever asks; other content never gets a known one."""

from dataclasses import replace

import pytest

from suite.model.zone_version import ZoneVersion
from suite.store import zone_versions

FIRST = ZoneVersion("service.", 100, 100, "a")
SECOND = ZoneVersion("service.", 110, 110, "b", 100, "a to b")
THIRD = ZoneVersion("service.", 120, 120, "c", 110, "b to c")


@pytest.fixture
def store(db):
    with db.open() as opened:
        yield opened


def serials(store, *wanted):
    return [each.serial for each in store.number_zones(wanted)]


def test_new_content_keeps_the_serial_it_asked_for(store):
    assert serials(store, FIRST, replace(FIRST, origin="other.")) == [100, 100]


def test_equal_content_has_the_serial_it_had_before_whatever_revision_it_is_served_at(store):
    serials(store, FIRST)

    assert serials(store, replace(FIRST, serial=115, revision=115)) == [100]


def test_other_content_at_the_same_revision_gets_a_serial_of_its_own(store):
    serials(store, FIRST)

    assert serials(store, replace(FIRST, digest="z"), replace(SECOND, serial=101, revision=101)) == [101, 102]


def test_content_that_came_back_is_a_new_version(store):
    serials(store, FIRST, SECOND)

    assert serials(store, replace(THIRD, digest="a")) == [120]


def test_a_server_that_lags_behind_gets_what_was_served_at_its_revision(store):
    serials(store, FIRST, SECOND, THIRD)

    assert serials(store, replace(SECOND, serial=115, revision=115)) == [110]


def test_a_serial_never_goes_back_for_a_server_that_went_further(store):
    serials(store, FIRST)

    assert serials(store, replace(FIRST, serial=111, revision=111, old_serial=110)) == [111]


def test_the_chain_leads_to_a_serial_step_by_step(store):
    serials(store, FIRST, SECOND, THIRD)

    assert store.zone_chain("service.", 120) == [FIRST, SECOND, THIRD]
    assert store.zone_chain("service.", 99) == []


def test_a_chain_begins_behind_a_step_that_nobody_knows(store):
    serials(store, FIRST, replace(SECOND, difference=""), THIRD)

    assert [each.serial for each in store.zone_chain("service.", 120)] == [110, 120]


def test_a_difference_that_costs_more_than_the_zone_is_not_kept(store):
    long = "x" * (zone_versions.LONGEST + 1)

    (given,) = store.number_zones([replace(SECOND, difference=long)])

    assert (given.serial, given.difference) == (110, "")


def test_old_versions_go_and_the_newest_stay(store, db):
    count = zone_versions.KEPT + 2 * zone_versions.PRUNE_EVERY
    steps = [ZoneVersion("service.", n, n, f"{n}", n - 1, "step") for n in range(1, count)]
    for at in range(0, count, 50):
        store.number_zones(steps[at : at + 50])

    ((kept, lowest),) = db.rows("SELECT count(*), min(serial) FROM zone_version")

    assert zone_versions.KEPT <= kept <= zone_versions.KEPT + zone_versions.PRUNE_EVERY
    assert lowest == count - kept


def test_long_differences_go_before_they_fill_the_disk(store, db):
    long = "x" * zone_versions.LONGEST
    for n in range(1, 21):
        store.number_zones([ZoneVersion("service.", n, n, f"{n}", n - 1, long)])

    assert db.rows("SELECT count(*), max(serial) FROM zone_version") == [(16, 20)]


def test_numbering_moves_no_revision(store):
    before = store.read()
    serials(store, FIRST)

    assert store.refresh(before) is before
