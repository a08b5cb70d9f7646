"""When a worker lets questions gather: only where it is hardly quicker than they come, and never for long."""

from __future__ import annotations

import pytest

from suite.dns.moderation import GATHERED, LONGEST, LONGEST_LATE, Moderation


def after_looks(count: int, apart: float, looks: int = 1_000) -> tuple[Moderation, float]:
    """A worker that found `count` questions each `apart` seconds; with what it does after the last look."""
    moderation, pause = Moderation(), 0.0
    for number in range(1, looks + 1):
        pause = moderation.pause(count, number * apart)
    return moderation, pause


@pytest.mark.parametrize(("rate", "is_crowded"), [(1_000, False), (20_000, False), (30_000, True), (75_000, True)])
def test_up_to_half_of_what_a_worker_can_do_each_question_is_answered_at_once(rate, is_crowded):
    moderation, pause = after_looks(count=4, apart=4 / rate)

    assert (moderation.is_crowded, pause) == (is_crowded, 0.0)


def test_close_to_the_limit_they_gather_for_as_long_as_their_rate_needs():
    _, pause = after_looks(count=24, apart=24 * 10e-6)

    assert round(pause * 1e6) == (GATHERED - 24) * 10


def test_no_question_waits_longer_than_the_bound():
    _, pause = after_looks(count=2, apart=2 * 11e-6)

    assert pause == LONGEST


def test_a_worker_that_falls_behind_lets_them_gather_at_a_lower_rate_too():
    moderation, now = after_looks(count=4, apart=4 / 50_000)[0], 1_001 * 4 / 50_000
    moderation.pause(128, now)

    assert moderation.pause(4, now + 4 / 50_000) == LONGEST_LATE


def test_having_fallen_behind_once_is_forgotten():
    moderation, now = after_looks(count=4, apart=4 / 50_000)[0], 1_001 * 4 / 50_000
    moderation.pause(128, now)
    pauses = [moderation.pause(4, now + number * 4 / 50_000) for number in range(1, 1_000)]

    assert pauses[-1] == 0.0


def test_a_look_that_found_enough_is_followed_by_the_next():
    moderation, pause = after_looks(count=GATHERED, apart=GATHERED * 10e-6)

    assert (moderation.is_crowded, pause) == (True, 0.0)


def test_who_asks_one_question_after_the_other_is_never_kept_waiting():
    moderation, pause = after_looks(count=1, apart=10e-6)

    assert (moderation.is_crowded, pause) == (True, 0.0)


def test_a_burst_that_is_over_leaves_nothing_behind():
    moderation, _ = after_looks(count=24, apart=24 * 10e-6)

    assert moderation.pause(2, 1.0 + 1_000 * 240e-6) == 0.0
    assert not moderation.is_crowded


def test_a_rate_at_the_edge_does_not_flip_the_worker_to_and_fro():
    moderation, _ = after_looks(count=1, apart=39e-6)

    for number in range(1, 50):
        moderation.pause(1, 1_000 * 39e-6 + number * 50e-6)

    assert moderation.is_crowded
