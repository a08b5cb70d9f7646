"""How long what waits goes on waiting when somebody sets the clock."""

from datetime import UTC, datetime, timedelta

import pytest

from suite.controller.steady import SteadyTime

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
COOLING = 660.0


def at(seconds):
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def time():
    """Noon, at an uptime of 1,000 seconds."""
    return SteadyTime(NOON, 1000.0)


def test_nobody_sets_the_clock_and_both_agree(time):
    assert time.judged(at(90), 1090.0, COOLING) == at(90)


def test_a_clock_set_back_changes_nothing(time):
    assert time.judged(NOON - DAY, 1090.0, COOLING) == at(90)


def test_a_clock_set_forward_is_not_believed_at_first(time):
    assert [time.judged(at(seconds) + DAY, 1000.0 + seconds, COOLING) for seconds in (1, 600)] == [at(1), at(600)]


def test_a_clock_set_forward_is_believed_after_the_cooling_time(time):
    time.judged(at(1) + DAY, 1001.0, COOLING)

    assert time.judged(at(661) + DAY, 1661.0, COOLING) == at(661) + DAY


def test_a_clock_set_forth_and_back_within_the_cooling_time_was_never_believed(time):
    time.judged(at(1) + DAY, 1001.0, COOLING)
    time.judged(at(300), 1300.0, COOLING)

    assert time.judged(at(700) + DAY, 1700.0, COOLING) == at(700)


def test_without_cooling_a_clock_is_believed_at_once(time):
    assert time.judged(at(1) + DAY, 1001.0, 0.0) == at(1) + DAY


def test_a_clock_that_is_slewed_is_followed(time):
    assert time.judged(at(91), 1090.0, COOLING) == at(91)


def test_a_clock_behind_the_newest_commit_goes_on_from_there():
    time = SteadyTime(NOON, 5.0)

    assert time.judged(datetime(1970, 1, 1, tzinfo=UTC), 65.0, COOLING) == at(60)
