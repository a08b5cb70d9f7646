"""Counters of sessions become metrics that only rise."""

from suite.metrics import names
from suite.speaker.session_metrics import grown


def test_a_counter_grows_by_what_came_since() -> None:
    assert grown({names.BGP_SENT: 3}, {names.BGP_SENT: 5, names.BGP_RECEIVED: 0}) == {names.BGP_SENT: 2}


def test_a_counter_that_was_begun_anew_counts_whole() -> None:
    assert grown({names.BFD_INPUT: 30}, {names.BFD_INPUT: 5}) == {names.BFD_INPUT: 5}
