"""Counters of the answering process, added up over interfaces."""

from suite.speaker.reports import counts

ETH0 = {
    "answered": {"10.0.42.0": 3},
    "announced": {"10.0.42.0": 8},
    "dropped": {"ARP": {"truncated": 1}, "NDP": {"truncated": 2}},
}
ETH1 = {"answered": {"10.0.42.0": 4, "fd00::1": 1}, "announced": {"10.0.42.0": 2}, "dropped": {}}


def test_answers_are_counted_by_address_over_all_interfaces():
    assert counts([ETH0, ETH1]).answered == {("10.0.42.0",): 7, ("fd00::1",): 1}


def test_what_was_dropped_is_counted_by_reason():
    assert counts([ETH0, ETH1]).dropped == {("truncated",): 3}


def test_nothing_is_counted_without_interfaces():
    assert counts([]) == ({}, {}, {})


def test_announcements_are_counted_by_address():
    assert counts([ETH0, ETH1]).announced == {("10.0.42.0",): 10}
