"""Times as people write them mean one instant, and what is doubtful about it is said."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from suite.cli.timeword import understand

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 11, 30, tzinfo=UTC)
"""A Sunday, 12:30 in Berlin."""


def instant(text, zone=BERLIN, now=NOW):
    return understand(text, now, zone).instant.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("now", "2026-11-22T11:30:00Z", id="now"),
        pytest.param("tue 14:03", "2026-11-17T13:03:00Z", id="weekday-and-clock"),
        pytest.param("Tuesday", "2026-11-16T23:00:00Z", id="weekday-alone-is-its-start"),
        pytest.param("sun 12:30", "2026-11-22T11:30:00Z", id="today-s-weekday-up-to-now"),
        pytest.param("sun 12:31", "2026-11-15T11:31:00Z", id="never-in-the-future"),
        pytest.param("yesterday", "2026-11-20T23:00:00Z", id="yesterday"),
        pytest.param("yesterday 9:00", "2026-11-21T08:00:00Z", id="yesterday-clock"),
        pytest.param("today 09:00:30.5", "2026-11-22T08:00:30.500000Z", id="today-with-a-fraction"),
        pytest.param("14:03", "2026-11-21T13:03:00Z", id="clock-alone-is-its-last-time"),
        pytest.param("12:00", "2026-11-22T11:00:00Z", id="clock-alone-today"),
        pytest.param("2026-11-22 14:03", "2026-11-22T13:03:00Z", id="date-and-clock"),
        pytest.param("2026-11-22T14:03:05", "2026-11-22T13:03:05Z", id="iso-local"),
        pytest.param("2026-11-22T14:03Z", "2026-11-22T14:03:00Z", id="iso-utc"),
        pytest.param("2026-11-22 14:03+05:30", "2026-11-22T08:33:00Z", id="iso-offset"),
        pytest.param("2026-07-01", "2026-06-30T22:00:00Z", id="date-is-its-start-in-summer-time"),
        pytest.param("-2h", "2026-11-22T09:30:00Z", id="hours-ago"),
        pytest.param("-1d12h", "2026-11-20T23:30:00Z", id="days-and-hours"),
        pytest.param("90m ago", "2026-11-22T10:00:00Z", id="ago"),
        pytest.param("2 h ago", "2026-11-22T09:30:00Z", id="ago-with-blanks"),
        pytest.param("@0", "1970-01-01T00:00:00Z", id="seconds-since-1970"),
    ],
)
def test_a_time_means_one_instant(text, expected):
    assert instant(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "noon",
        "tu 14:03",
        "tue 25:00",
        "tue 14",
        "-2",
        "2h",
        "+2h",
        "2026-13-01",
        "@",
        "@99999999999999999999",
        "-99999999999w",
        "ago",
        "9999-12-31 23:59-10:00",
        "0001-01-01",
    ],
)
def test_what_is_no_time_is_refused_with_the_forms_or_the_reason(text):
    with pytest.raises(ValueError, match=r"is no time; write|lies outside"):
        instant(text)


def test_a_time_the_clocks_showed_twice_is_the_first_and_says_so():
    meant = understand("2026-10-25 02:30", NOW, BERLIN)

    assert meant.instant == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert meant.warning == (
        "the clocks showed 02:30 twice that day; taken as the first, CEST; the second was 2026-10-25T01:30:00Z"
    )


def test_a_time_the_clocks_skipped_is_what_they_showed_instead():
    meant = understand("2026-03-29 02:30", NOW, BERLIN)

    assert meant.instant == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert meant.warning == "the clocks skipped 02:30 that day; taken as 03:30 CEST"


def test_an_ordinary_time_carries_no_warning():
    assert understand("2026-11-22 02:30", NOW, BERLIN).warning == ""


def test_what_was_understood_is_shown_in_both_zones():
    assert str(understand("tue 14:03", NOW, BERLIN)) == "2026-11-17 13:03:00 UTC (Tue 2026-11-17 14:03:00 CET)"


def test_utc_is_shown_once():
    assert str(understand("tue 14:03", NOW, UTC)) == "2026-11-17 14:03:00 UTC"
