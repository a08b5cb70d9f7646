"""The speaker's side of BFD: what the time-critical process is ordered to watch, and what its reports come to."""

import json
from ipaddress import ip_address

import pytest

from suite.bgp.bfd import BfdChange, BfdProfile, BfdSession
from suite.bgp.bfd_link import BfdPeer
from suite.bgp.bfd_packet import BfdState, Diagnostic
from suite.speaker.path_message import (
    Message,
    PathNews,
    path_news,
    path_report,
    unwatch_order,
    watch_order,
    watched_peer,
)
from suite.speaker.paths import Paths

ROUTER = BfdPeer(ip_address("10.9.0.1"), ip_address("10.9.0.2"))
FAR = BfdPeer(ip_address("fe80::1%eth0"), None, "eth0", multihop=True, profile=BfdProfile(150, 200, 5, minimum_ttl=60))
FELL = BfdChange(BfdState.UP, BfdState.DOWN, Diagnostic.DETECTION_TIME_EXPIRED, 7.5, BfdState.UP)


class Desk:
    """Paths with what they ordered and what they passed on."""

    def __init__(self) -> None:
        self.orders: list[Message] = []
        self.changes: list[BfdChange] = []
        self.paths = Paths(self.orders.append)

    def watch(self, name: str = "gateway", peer: BfdPeer = ROUTER) -> None:
        self.paths.watch(name, peer, self.changes.append)


def status():
    return BfdSession(BfdProfile(), 7, lambda: 0.5).status()


@pytest.mark.parametrize("peer", [ROUTER, FAR], ids=["beside", "beyond, by link-local address"])
def test_an_order_travels_as_text_and_arrives_whole(peer: BfdPeer) -> None:
    assert watched_peer(json.loads(json.dumps(watch_order("gateway", peer)))) == peer


@pytest.mark.parametrize(
    "news",
    [
        PathNews("gateway", status(), FELL),
        PathNews("gateway", status()),
        PathNews("gateway", fault="port 3784 is taken"),
    ],
    ids=["a change", "a picture", "a fault"],
)
def test_a_report_travels_as_text_and_arrives_whole(news: PathNews) -> None:
    assert path_news(json.loads(json.dumps(path_report(news)))) == news


def test_a_path_is_ordered_once_however_often_its_session_comes_up() -> None:
    desk = Desk()
    desk.watch()
    desk.watch()

    assert desk.orders == [watch_order("gateway", ROUTER)]


def test_a_path_from_another_address_is_ordered_anew() -> None:
    desk = Desk()
    desk.watch()
    desk.watch(peer=FAR)

    assert desk.orders == [watch_order("gateway", ROUTER), watch_order("gateway", FAR)]


def test_a_change_reaches_whoever_watches_the_path() -> None:
    desk = Desk()
    desk.watch()

    desk.paths.hear(path_report(PathNews("gateway", status(), FELL)))

    assert desk.changes == [FELL]


def test_a_report_about_a_path_that_was_given_up_counts_for_nothing() -> None:
    desk = Desk()
    desk.watch()
    desk.paths.unwatch("gateway")

    desk.paths.hear(path_report(PathNews("gateway", status(), FELL)))

    assert (desk.changes, desk.paths.status()) == ([], {})


def test_giving_up_is_ordered_for_paths_that_are_watched_only() -> None:
    desk = Desk()
    desk.watch()
    desk.paths.unwatch("gateway")
    desk.paths.unwatch("gateway")

    assert desk.orders[1:] == [unwatch_order("gateway")]


def test_a_new_process_is_told_everything_and_its_start_is_no_failure() -> None:
    desk = Desk()
    desk.watch()
    desk.watch("other", FAR)
    desk.paths.hear(path_report(PathNews("gateway", status())))
    desk.orders.clear()

    desk.paths.order_all()

    assert desk.orders == [watch_order("gateway", ROUTER), watch_order("other", FAR)]
    assert (desk.changes, desk.paths.status()) == ([], {})


def test_the_last_picture_of_a_session_is_kept() -> None:
    desk = Desk()
    desk.watch()

    desk.paths.hear(path_report(PathNews("gateway", status())))

    assert desk.paths.status_of("gateway") == status()
