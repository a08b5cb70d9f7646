"""When a worker lets questions gather: only while they come in quick succession, and never for long."""

from __future__ import annotations

from suite.dns.moderation import GATHERED, LONG, SHORT, Moderation


def after_looks(count: int, apart: float, looks: int = 100) -> tuple[Moderation, float]:
    """A worker that found `count` questions each `apart` seconds; with what it does after the last look."""
    moderation, pause = Moderation(64), 0.0
    for number in range(1, looks + 1):
        pause = moderation.pause(count, number * apart)
    return moderation, pause


def test_few_questions_are_answered_at_once():
    moderation, pause = after_looks(count=2, apart=500e-6)

    assert (moderation.is_crowded, pause) == (False, 0.0)


def test_many_are_let_gather_for_as_long_as_their_rate_needs():
    _, pause = after_looks(count=GATHERED - 2, apart=(GATHERED - 2) * 10e-6)

    assert round(pause * 1e6) == 2 * 10


def test_no_question_waits_longer_than_the_bound():
    _, pause = after_looks(count=2, apart=60e-6)

    assert pause == SHORT


def test_where_questions_are_late_anyway_more_may_gather():
    moderation, now = after_looks(count=2, apart=60e-6)[0], 101 * 60e-6
    moderation.pause(64, now)

    assert moderation.pause(2, now + 60e-6) == LONG


def test_what_was_late_once_is_forgotten():
    moderation, now = after_looks(count=2, apart=60e-6)[0], 101 * 60e-6
    moderation.pause(64, now)
    pauses = [moderation.pause(2, now + number * 60e-6) for number in range(1, 1_000)]

    assert pauses[-1] == SHORT


def test_a_look_that_found_enough_is_followed_by_the_next():
    moderation, pause = after_looks(count=GATHERED, apart=320e-6)

    assert (moderation.is_crowded, pause) == (True, 0.0)


def test_who_asks_one_question_after_the_other_is_never_kept_waiting():
    moderation, pause = after_looks(count=1, apart=30e-6)

    assert (moderation.is_crowded, pause) == (True, 0.0)


def test_a_burst_that_is_over_leaves_nothing_behind():
    moderation, _ = after_looks(count=24, apart=240e-6)
    now = 100 * 240e-6 + 1.0

    assert moderation.pause(2, now) == 0.0
    assert not moderation.is_crowded


def test_a_rate_at_the_edge_does_not_flip_the_worker_to_and_fro():
    moderation, _ = after_looks(count=1, apart=39e-6)

    for number in range(1, 50):
        moderation.pause(1, 100 * 39e-6 + number * 50e-6)

    assert moderation.is_crowded
