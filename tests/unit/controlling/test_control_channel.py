"""The two processes of a speaker talk: nothing is lost that must not be, nobody waits for the other."""

from __future__ import annotations

import socket
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from suite.speaker.control import Amend, Channel, difference
from suite.speaker.heartbeat import Standing
from suite.speaker.ownership import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

STANDING = Standing(7, "e")
PLAN = {entry.address: entry for entry in (Entry(ip_address(f"10.0.42.{number}"), ("a", "b")) for number in range(4))}


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    left, right = socket.socketpair()
    with left, right:
        yield Channel(left, limit=100_000), Channel(right)


def test_messages_arrive_whole_and_in_order(ends: tuple[Channel, Channel]) -> None:
    for number in range(3):
        ends[0].send({"kind": "test", "number": number})

    assert [message["number"] for message in ends[1].receive()] == [0, 1, 2]


def test_a_reader_that_stalls_costs_messages_but_no_time_and_no_memory(ends: tuple[Channel, Channel]) -> None:
    for _ in range(2000):
        ends[0].send({"kind": "test", "text": "x" * 1000})

    assert ends[0].dropped > 0
    assert ends[0].is_behind


def test_an_order_is_never_dropped(ends: tuple[Channel, Channel]) -> None:
    ends[0].limit = None
    for number in range(2000):
        ends[0].send({"kind": "test", "number": number, "text": "x" * 1000})
    heard = 0
    while heard < 2000:
        heard += len(list(ends[1].receive()))
        ends[0].flush()

    assert (heard, ends[0].dropped) == (2000, 0)


def test_the_end_of_the_other_side_is_noticed_by_reading_and_not_by_sending(ends: tuple[Channel, Channel]) -> None:
    ends[0].close()

    ends[1].send({"kind": "test"})

    with pytest.raises(EOFError):
        ends[1].receive()


def test_only_what_changed_travels() -> None:
    changed = replace(PLAN[ip_address("10.0.42.1")], order=("b", "a"))
    after = {address: entry for address, entry in PLAN.items() if str(address) != "10.0.42.3"} | {
        changed.address: changed
    }

    assert list(difference(PLAN, after, STANDING)) == [
        Amend(None, (changed,)),
        Amend(None, (), (ip_address("10.0.42.3"),)),
        Amend(STANDING),
    ]


def test_a_plan_travels_in_portions_and_counts_when_the_last_one_is_there() -> None:
    amendments = list(difference({}, PLAN, STANDING, portion=3))

    assert [(len(amend.entries), amend.standing) for amend in amendments] == [(3, None), (1, None), (0, STANDING)]


def test_an_amendment_arrives_as_it_was_sent() -> None:
    amend = Amend(STANDING, tuple(PLAN.values()), (ip_address("fd00::1"),))

    assert Amend.from_message(amend.to_message()) == amend
