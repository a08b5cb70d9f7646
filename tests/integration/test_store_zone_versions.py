"""Serials of zones: equal content has one serial in one database, whoever asks; other content never gets a known one."""

from dataclasses import replace

import pytest
from fix_db import fresh_database

from suite.model.zone_version import KEPT, LONGEST, ZoneVersion
from suite.store import zone_versions
from suite.store.errors import Unavailable
from suite.store.remote.kept_versions import NAME, SPARE, KeptVersions

FIRST = ZoneVersion("service.", 100, 100, "a")
SECOND = ZoneVersion("service.", 110, 110, "b", 100, "a to b")
THIRD = ZoneVersion("service.", 120, 120, "c", 110, "b to c")


@pytest.fixture
def store(db):
    with db.open() as opened:
        yield opened


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres), "file"])
def versions(request, tmp_path):
    """Where a server asks: its database, or where there is none a file of its own."""
    if request.param == "file":
        yield KeptVersions(tmp_path / NAME)
        return
    with fresh_database(request, request.param) as db, db.open() as opened:
        yield opened


def serials(versions, *wanted):
    return [each.serial for each in versions.number_zones(wanted)]


def test_new_content_keeps_the_serial_it_asked_for(versions):
    assert serials(versions, FIRST, replace(FIRST, origin="other.")) == [100, 100]


def test_equal_content_has_the_serial_it_had_before_whatever_revision_it_is_served_at(versions):
    serials(versions, FIRST)

    assert serials(versions, replace(FIRST, serial=115, revision=115)) == [100]


def test_other_content_at_the_same_revision_gets_a_serial_of_its_own(versions):
    serials(versions, FIRST)

    assert serials(versions, replace(FIRST, digest="z"), replace(SECOND, serial=101, revision=101)) == [101, 102]


def test_content_that_came_back_is_a_new_version(versions):
    serials(versions, FIRST, SECOND)

    assert serials(versions, replace(THIRD, digest="a")) == [120]


def test_a_server_that_lags_behind_gets_what_was_served_at_its_revision(versions):
    serials(versions, FIRST, SECOND, THIRD)

    assert serials(versions, replace(SECOND, serial=115, revision=115)) == [110]


def test_a_serial_never_goes_back_for_a_server_that_went_further(versions):
    serials(versions, FIRST)

    assert serials(versions, replace(FIRST, serial=111, revision=111, old_serial=110)) == [111]


def test_the_chain_leads_to_a_serial_step_by_step(versions):
    serials(versions, FIRST, SECOND, THIRD)

    assert versions.zone_chain("service.", 120) == [FIRST, SECOND, THIRD]
    assert versions.zone_chain("service.", 99) == []


def test_a_chain_begins_behind_a_step_that_nobody_knows(versions):
    serials(versions, FIRST, replace(SECOND, difference=""), THIRD)

    assert [each.serial for each in versions.zone_chain("service.", 120)] == [110, 120]


def test_a_difference_that_costs_more_than_the_zone_is_not_kept(versions):
    long = "x" * (LONGEST + 1)

    (given,) = versions.number_zones([replace(SECOND, difference=long)])

    assert (given.serial, given.difference) == (110, "")


def test_old_versions_go_and_the_newest_stay(store, db):
    count = KEPT + 2 * zone_versions.PRUNE_EVERY
    steps = [ZoneVersion("service.", n, n, f"{n}", n - 1, "step") for n in range(1, count)]
    for at in range(0, count, 50):
        store.number_zones(steps[at : at + 50])

    ((kept, lowest),) = db.rows("SELECT count(*), min(serial) FROM zone_version")

    assert KEPT <= kept <= zone_versions.KEPT + zone_versions.PRUNE_EVERY
    assert lowest == count - kept


def test_long_differences_go_before_they_fill_the_disk(store, db):
    long = "x" * LONGEST
    for n in range(1, 21):
        store.number_zones([ZoneVersion("service.", n, n, f"{n}", n - 1, long)])

    assert db.rows("SELECT count(*), max(serial) FROM zone_version") == [(16, 20)]


def test_numbering_moves_no_revision(store):
    before = store.read()
    serials(store, FIRST)

    assert store.refresh(before) is before


def test_a_file_is_read_again_after_a_restart(tmp_path):
    serials(KeptVersions(tmp_path / NAME), FIRST, SECOND)

    again = KeptVersions(tmp_path / NAME)

    assert again.zone_chain("service.", 110) == [FIRST, SECOND]
    assert serials(again, replace(SECOND, serial=130, revision=130)) == [110]


def test_a_line_that_was_cut_off_costs_that_version_alone(tmp_path):
    path = tmp_path / NAME
    serials(KeptVersions(path), FIRST, SECOND)
    path.write_bytes(path.read_bytes()[:-9])

    again = KeptVersions(path)
    serials(again, THIRD)

    assert [each.serial for each in KeptVersions(path).zone_chain("service.", 100)] == [100]
    assert [each.serial for each in KeptVersions(path).zone_chain("service.", 120)] == [120]


@pytest.mark.parametrize("text", ["[]", "[1,2,3,4,5,6]", "{}", "nonsense", '["service.",1,1,"a",null]'])
def test_a_line_that_is_no_version_is_passed_over(tmp_path, text):
    path = tmp_path / NAME
    path.write_text(text + "\n")

    assert serials(KeptVersions(path), FIRST) == [100]


def test_a_file_holds_the_newest_versions_and_does_not_grow(tmp_path):
    kept = KeptVersions(tmp_path / NAME)
    count = 2 * KEPT + SPARE + 100
    for at in range(0, count, 100):
        kept.number_zones([ZoneVersion("service.", n, n, f"{n}", n - 1, "step") for n in range(at + 1, at + 101)])

    lines = (tmp_path / NAME).read_text().splitlines()

    assert len(kept.zone_chain("service.", count + 36)) == KEPT
    assert KEPT <= len(lines) <= 2 * KEPT + SPARE


def test_a_file_is_its_owner_s_alone(tmp_path):
    serials(KeptVersions(tmp_path / NAME), FIRST)

    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_a_disk_that_takes_nothing_is_told_and_nothing_is_remembered(tmp_path):
    kept = KeptVersions(tmp_path / "no such folder" / NAME)

    with pytest.raises(Unavailable, match="cannot be written"):
        serials(kept, FIRST)
    assert kept.zone_chain("service.", 100) == []
