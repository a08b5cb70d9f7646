"""BFD in the time-critical process: a path comes up and is reported, and a port that is taken is waited for."""

from __future__ import annotations

import random
import socket
from ipaddress import ip_address
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from suite.bgp.bfd import BfdProfile
from suite.bgp.bfd_link import SINGLE_HOP_PORT, BfdPeer
from suite.bgp.bfd_packet import BfdState
from suite.speaker.path_message import PathNews, path_news, watch_order
from suite.speaker.path_watch import PathWatch
from suite.speaker.selector import Selector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fix_netns import NetLab

pytestmark = [pytest.mark.peer, pytest.mark.net]

PATIENCE = 10.0
PEER = BfdPeer(ip_address("127.0.0.1"), ip_address("127.0.0.1"), profile=BfdProfile(50, 50))


class Process:
    """The part of the time-critical process that is about paths, stepped by the test."""

    def __init__(self) -> None:
        self.news: list[PathNews] = []
        self._selector = Selector(monotonic)
        self.paths = PathWatch(
            self._selector, lambda report: self.news.append(path_news(report)), random.Random(3).random
        )

    def until(self, holds: Callable[[], object]) -> bool:
        deadline = monotonic() + PATIENCE
        while not holds() and monotonic() < deadline:
            due = self.paths.next_timer()
            self._selector.wait(min(0.05, max(0.0, (due or monotonic()) - monotonic())))
            self.paths.turn(monotonic())
        return bool(holds())

    def close(self) -> None:
        self.paths.close()
        self._selector.close()


@pytest.fixture
def process(netlab: NetLab) -> Iterator[Process]:
    """On the loopback of a host of its own: the port is everybody's."""
    with netlab.namespace("host").entered():
        process = Process()
        yield process
        process.close()


def test_a_path_to_itself_comes_up_and_is_reported(process: Process) -> None:
    process.paths.watch(watch_order("self", PEER), monotonic())

    assert process.until(lambda: [each for each in process.news if each.change and each.change.new is BfdState.UP])


def test_a_path_that_was_given_up_reports_no_more(process: Process) -> None:
    process.paths.watch(watch_order("self", PEER), monotonic())
    process.paths.unwatch("self", monotonic())

    process.paths.tell_all(monotonic())

    assert (process.news, process.paths.next_timer()) == ([], None)


def test_a_port_that_another_daemon_has_is_told_and_taken_when_it_is_free(process: Process) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rival:
        rival.bind(("0.0.0.0", SINGLE_HOP_PORT))
        process.paths.watch(watch_order("self", PEER), monotonic())
        assert [each.fault for each in process.news] == ["[Errno 98] Address already in use"]

    process.paths.tell_all(monotonic())

    assert (process.news[-1].status is not None, process.news[-1].fault) == (True, "")
