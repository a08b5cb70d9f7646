"""How long to wait before trying again."""

import pytest

from suite.cluster.backoff import Backoff


def after(failures: int) -> Backoff:
    backoff = Backoff(first=0.2, most=30.0)
    for _ in range(failures):
        backoff = backoff.failed()
    return backoff


@pytest.mark.parametrize(("failures", "wait"), [(1, 0.2), (2, 0.4), (5, 3.2), (20, 30.0), (10_000, 30.0)])
def test_waits_double_up_to_the_most(failures, wait):
    assert after(failures).wait(0.5) == pytest.approx(wait)


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 0.1), (0.5, 0.2), (1.0, 0.3)])
def test_chance_spreads_them_by_half(chance, wait):
    assert after(1).wait(chance) == pytest.approx(wait)


def test_an_attempt_that_went_well_for_a_while_begins_anew():
    assert after(8).failed(lasted=6.0).failures == 1


def test_an_attempt_that_failed_soon_does_not():
    assert after(8).failed(lasted=1.0).failures == 9


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_what_the_server_asks_for_is_the_least(chance):
    assert after(1).wait(chance, at_least=7.0) >= 7.0
