"""Whatever people type as a time is understood or refused, never more; and what is shown can be typed again."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from suite.cli.timeword import UNITS, WEEKDAYS, understand

ZONES = st.sampled_from(
    [UTC, *map(ZoneInfo, ("Europe/Berlin", "America/St_Johns", "Pacific/Kiritimati", "Asia/Kathmandu"))]
)
NOWS = st.integers(0, 13_569_465_600).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
"""From 1970 to 2400."""
CLOCKS = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
WORDS = st.sampled_from(
    [
        *WEEKDAYS,
        *(day[:3] for day in WEEKDAYS),
        "today",
        "yesterday",
        "now",
        "ago",
        "-",
        "@",
        "24:00",
        "0001-01-01",
        "9999-12-31",
        "T",
        "Z",
    ]
)
TEXTS = st.lists(st.one_of(WORDS, CLOCKS, st.text(max_size=6), st.dates().map(str), st.integers().map(str)), max_size=4)


@given(TEXTS.map(" ".join), NOWS, ZONES)
def test_any_text_is_understood_or_refused(text, now, zone):
    try:
        meant = understand(text, now, zone)
    except ValueError:
        return

    assert meant.instant.tzinfo is UTC
    assert str(meant)


@given(NOWS, ZONES, NOWS)
def test_an_instant_with_its_offset_means_itself(moment, zone, now):
    local = moment.astimezone(zone)

    assert understand(local.isoformat(), now, zone).instant == moment


@given(st.sampled_from(WEEKDAYS), CLOCKS, NOWS, ZONES)
def test_a_weekday_lies_in_the_last_week(day, clock, now, zone):
    meant = understand(f"{day} {clock}", now, zone)

    # A change of clocks moves an instant by at most two hours against the wall.
    assert timedelta(hours=-2) <= now - meant.instant <= timedelta(days=7, hours=2)


@given(st.integers(0, 10_000), st.sampled_from(sorted(UNITS)), NOWS, ZONES)
def test_a_span_is_so_long_ago(count, unit, now, zone):
    try:
        meant = understand(f"-{count}{unit}", now, zone)
    except ValueError:
        assert count * UNITS[unit] > (now - datetime(2, 1, 1, tzinfo=UTC)).total_seconds()
    else:
        assert now - meant.instant == timedelta(seconds=count * UNITS[unit])
