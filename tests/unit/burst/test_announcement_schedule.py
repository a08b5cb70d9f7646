"""When an owner speaks up unasked: a burst at take-over, then slowly for ever, never after it lost the address."""

import pytest

from suite.l2.burst import Bursts


def moments(bursts: Bursts[str], until: float) -> list[float]:
    """The times at which something is due, when time jumps from timer to timer."""
    told: list[float] = []
    while (moment := bursts.next_timer()) is not None and moment <= until:
        told += [moment] * len(bursts.due(moment))
    return told


def test_a_take_over_is_told_at_once_and_again_until_every_cache_must_have_heard() -> None:
    bursts: Bursts[str] = Bursts()
    bursts.start("10.0.42.0", now=0.0)

    assert moments(bursts, until=99.0) == [0.0, 0.05, 0.2, 0.5, 1.1, 2.2, 3.3, 4.4]


def test_a_settled_owner_reminds_the_switches_before_they_forget() -> None:
    bursts: Bursts[str] = Bursts()
    bursts.start("10.0.42.0", now=0.0)

    assert moments(bursts, until=400.0)[8:] == pytest.approx([104.4, 204.4, 304.4])


def test_nothing_is_told_about_an_address_that_was_lost() -> None:
    bursts: Bursts[str] = Bursts()
    bursts.start("10.0.42.0", now=0.0)
    bursts.due(0.0)

    bursts.stop("10.0.42.0")

    assert (bursts.due(1000.0), bursts.next_timer()) == ([], None)


def test_a_second_take_over_starts_the_burst_anew_instead_of_a_second_one() -> None:
    bursts: Bursts[str] = Bursts()
    bursts.start("10.0.42.0", now=0.0)
    bursts.start("10.0.42.0", now=10.0)

    assert moments(bursts, until=11.0) == pytest.approx([10.0, 10.05, 10.2, 10.5])


def test_a_late_caller_does_not_send_the_missed_repeats_in_one_go() -> None:
    bursts: Bursts[str] = Bursts()
    bursts.start("10.0.42.0", now=0.0)

    assert [bursts.due(3.0), bursts.due(3.0), bursts.due(3.05)] == [["10.0.42.0"], [], ["10.0.42.0"]]


def test_a_thousand_take_overs_leave_in_portions() -> None:
    bursts: Bursts[int] = Bursts()
    for number in range(1000):
        bursts.start(number, now=0.0)

    portion = bursts.due(0.0, limit=64)

    assert portion == list(range(64))
    assert bursts.next_timer() == 0.0
