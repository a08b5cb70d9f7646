"""Findings about addresses that nobody has yet: told now or never, and worth nothing to the controller when they are old."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from suite.model.lease import Lease, LeaseState
from suite.model.service import ServiceRef
from suite.store.remote.passing import Passing
from suite.web.following import is_outdated

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
FREE, TAKEN = ip_address("10.0.42.1"), ip_address("10.0.42.2")
STRANGER = {"node": "n1", "declined": [["10.0.42.2", "02:00:00:00:00:ff"]]}


def lease(begun):
    return Lease(TAKEN, ServiceRef("default", "web"), "lan", LeaseState.BOUND, "web", begun)


def test_silence_and_a_stranger_travel_together():
    passing = Passing()
    passing.clean(FREE)
    passing.stranger(TAKEN, STRANGER)

    assert passing.take() == {"reports": [STRANGER | {"serial": "ahead-0"}], "clean": ["10.0.42.1"]}


def test_what_was_taken_is_not_told_twice():
    passing = Passing()
    passing.clean(FREE)
    passing.take()

    assert passing.take() is None


@pytest.mark.parametrize("is_clean_last", [True, False])
def test_the_newest_finding_about_an_address_counts(is_clean_last):
    passing = Passing()
    steps = [lambda: passing.stranger(TAKEN, STRANGER), lambda: passing.clean(TAKEN)]
    for step in steps if is_clean_last else reversed(steps):
        step()

    assert (passing.take()["clean"] == ["10.0.42.2"]) is is_clean_last


@pytest.mark.parametrize(
    ("begun", "seconds", "is_old"),
    [
        ([], 0, False),
        ([], 60, False),
        ([], 61, True),
        ([timedelta()], 3600, False),
        ([timedelta(seconds=1)], 5, True),
        ([timedelta(), timedelta(seconds=1)], 5, False),
    ],
    ids=["free", "free for a minute", "free, an old story", "had then", "got later", "shared, had then"],
)
def test_a_stranger_counts_who_was_there_before_or_just_now(begun, seconds, is_old):
    assert is_outdated([lease(NOON + each) for each in begun], NOON, NOON + timedelta(seconds=seconds)) is is_old
