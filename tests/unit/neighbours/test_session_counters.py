"""Counters of sessions become metrics that only rise, and what stands is told as it is."""

from bgp_wire import Lone, config

from suite.bgp.bfd import BfdProfile, BfdSession
from suite.bgp.export import RouteAttributes
from suite.bgp.notification import Cease, Notification
from suite.bgp.prefix import Prefix
from suite.metrics import names
from suite.speaker.session_metrics import grown, standing, totals

ROUTES = {Prefix.parse("10.10.10.10/32"): RouteAttributes()}
SENT, RECEIVED = (names.BGP_SENT, ()), (names.BGP_RECEIVED, ())


def announcing() -> Lone:
    """A session that has told its peer one route."""
    lone = Lone(config()).establish()
    lone.session.announce(ROUTES, 0.0)
    lone.heard()
    return lone


def watched_path() -> BfdSession:
    """A path that came up at intervals of 100 ms."""
    fast = BfdProfile(receive_interval=100, transmit_interval=100)
    one, other = (BfdSession(fast, number, lambda: 1.0) for number in (1, 2))
    for now in range(3):
        for each, peer in ((one, other), (other, one)):
            for octets in each.packets_to_send(now):
                peer.receive(octets, now)
        one.start(now)
        other.start(now)
    return one


def test_a_counter_grows_by_what_came_since() -> None:
    assert grown({SENT: 3, RECEIVED: 0}, {SENT: 5, RECEIVED: 0}) == {SENT: 2}


def test_a_counter_that_was_begun_anew_counts_whole() -> None:
    assert grown({(names.BFD_INPUT, ()): 30}, {(names.BFD_INPUT, ()): 5}) == {(names.BFD_INPUT, ()): 5}


def test_a_counter_is_there_before_it_has_counted_anything() -> None:
    assert grown({}, {SENT: 0}) == {SENT: 0}


def test_messages_are_counted_under_metallb_s_names_and_ours() -> None:
    found = totals(announcing().session.status(), None)

    assert (found[names.BGP_UPDATES, ()], found[names.OWN_BGP_MESSAGES, ("update", "sent")]) == (1, 1)
    assert (found[names.BGP_OPENS_RECEIVED, ()], found[names.OWN_BGP_MESSAGES, ("open", "received")]) == (1, 1)


def test_a_session_that_ended_is_counted() -> None:
    lone = announcing()
    lone.say(Notification(6, Cease.ADMINISTRATIVE_SHUTDOWN))

    assert totals(lone.session.status(), None)[names.OWN_BGP_ENDED, ()] == 1


def test_a_peer_without_bfd_has_no_counter_of_it() -> None:
    assert not any("bfd" in metric.name for metric, _ in totals(announcing().session.status(), None))


def test_a_path_that_came_up_is_counted_and_told_and_echoes_are_not_sent() -> None:
    found = totals(announcing().session.status(), watched_path().status(), has_bfd=True)

    counted = [names.BFD_UP_EVENTS, names.BFD_DOWN_EVENTS, names.BFD_NOTIFICATIONS, names.BFD_ECHO_OUTPUT]
    assert [found[metric, ()] for metric in counted] == [1, 0, 1, 0]
    assert found[names.OWN_BFD_CHANGES, ("up",)] == 1


def test_how_long_a_path_may_be_silent_is_told() -> None:
    told = standing(announcing().session.status(), watched_path().status(), has_bfd=True)

    assert (told[names.OWN_BFD_UP], told[names.OWN_BFD_DETECTION]) == (1, 0.3)


def test_a_session_that_stands_has_what_it_announced() -> None:
    told = standing(announcing().session.status(), None)

    assert (told[names.BGP_SESSION_UP], told[names.BGP_ANNOUNCED], told[names.BGP_PENDING]) == (1, 1, 0)


def test_a_session_that_is_down_has_announced_nothing_though_its_routes_are_kept() -> None:
    lone = announcing()
    lone.say(Notification(6, Cease.ADMINISTRATIVE_SHUTDOWN))

    told = standing(lone.session.status(), None)

    assert (told[names.BGP_SESSION_UP], told[names.OWN_BGP_UP], told[names.BGP_ANNOUNCED]) == (0, 0, 0)
    assert lone.session.routes == ROUTES
