"""Timers of a session, with a clock that is a number (RFC 4271 sections 8 and 10, RFC 9687)."""

import pytest
from bgp_wire import Lone, Wire, config, peer_open

from suite.bgp.export import RouteAttributes
from suite.bgp.fsm import State
from suite.bgp.message import KEEPALIVE, Keepalive
from suite.bgp.notification import Notification
from suite.bgp.prefix import Prefix

DAY = 86_400
REFUSAL = Notification(6, 5)


def test_a_day_of_an_idle_session_passes_without_a_change() -> None:
    wire = Wire(config(), config(64513, passive=True)).start().run(1)
    changes = len(wire.events[wire.a])

    wire.run(DAY)

    assert len(wire.events[wire.a]) == changes
    assert wire.a.status().counters["keepalive_sent"] == 1 + (DAY // 30)


def test_the_hold_time_is_enforced_on_a_peer_that_falls_silent() -> None:
    lone = Lone(config()).establish(hold_time=90)

    before = lone.wait(89.9).session.state
    lone.wait(0.2)

    assert (before, lone.session.state) == (State.ESTABLISHED, State.IDLE)
    assert lone.last_words[-1] == Notification(4)


def test_a_keepalive_of_the_peer_holds_the_session() -> None:
    lone = Lone(config()).establish(hold_time=90)

    lone.wait(60).say(KEEPALIVE).wait(80)

    assert lone.session.state is State.ESTABLISHED


def test_a_hold_time_of_zero_never_ends_and_sends_no_keepalives() -> None:
    lone = Lone(config(hold_time=0)).establish()

    lone.wait(DAY)

    assert (lone.session.state, lone.heard(), lone.session.next_timer()) == (State.ESTABLISHED, [], None)


def test_keepalives_go_out_every_third_of_the_hold_time() -> None:
    lone = Lone(config(hold_time=9)).establish()

    assert lone.wait(2.9).heard() == []
    assert lone.wait(0.2).heard() == [Keepalive()]


def test_jitter_shortens_the_interval_by_a_quarter_at_most() -> None:
    lone = Lone(config(hold_time=9))
    lone.session._random = lone.session._outgoing._random = lambda: 0.0

    lone.establish()

    assert lone.session.next_timer() == pytest.approx(2.25)


def test_a_blocked_peer_costs_one_keepalive_only() -> None:
    lone = Lone(config(hold_time=9)).establish(hold_time=9)
    for _ in range(20):
        lone.wait(3).say(KEEPALIVE)

    assert lone.heard() == [Keepalive()]


def test_a_peer_that_takes_nothing_for_eight_minutes_is_given_up() -> None:
    lone = Lone(config()).establish()
    lone.session.announce({Prefix.parse("10.0.0.0/24"): RouteAttributes()}, lone.now)

    for _ in range(8):
        lone.wait(59.9).say(KEEPALIVE)
    before = lone.session.state
    lone.wait(1)

    assert (before, lone.last_words[-1]) == (State.ESTABLISHED, Notification(8))


def test_a_connection_that_does_not_stand_in_time_is_tried_anew() -> None:
    lone = Lone(config(connect_retry_time=10.0))
    first = lone.link

    lone.wait(10)

    assert (lone.link, lone.closed, lone.session.state) == (first + 1, [b""], State.CONNECT)


def test_an_open_that_does_not_come_in_four_minutes_ends_the_attempt() -> None:
    lone = Lone(config()).connect()
    lone.heard()

    lone.wait(240)

    assert (lone.last_words, lone.session.state) == ([Notification(4)], State.IDLE)


def refused(lone: Lone, times: int) -> list[float]:
    """The pauses after so many answers that the peer would have none of us."""
    pauses = []
    for _ in range(times):
        lone.connect().say(REFUSAL)
        pauses.append(lone.session.next_timer() - lone.now)
        lone.wait(pauses[-1])
    return pauses


def test_the_pause_after_failures_doubles_up_to_its_limit() -> None:
    lone = Lone(config(idle_hold_time=1.0, idle_hold_max=8.0))

    assert refused(lone, 6) == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_a_router_that_was_away_for_long_is_found_again_within_the_connect_retry_time() -> None:
    wire = Wire(config(idle_hold_time=1.0, idle_hold_max=60.0, connect_retry_time=8.0), config(64513, passive=True))
    wire.refuses = True
    wire.start().run(40)

    attempts = [change.at for change in wire.events[wire.a] if change.new is State.CONNECT]

    assert attempts == [0.0, 1.0, 3.0, 7.0, 15.0, 23.0, 31.0, 39.0]


def test_knocking_at_a_closed_door_lengthens_no_pause_after_a_failure() -> None:
    lone = Lone(config(idle_hold_time=1.0, idle_hold_max=60.0, connect_retry_time=8.0))
    for _ in range(5):
        lone.session.lost(lone.link, lone.now)
        lone.settle()
        lone.wait(8)

    assert refused(lone, 3) == [1.0, 2.0, 4.0]


def test_a_session_that_stood_long_starts_again_with_the_short_pause() -> None:
    lone = Lone(config(idle_hold_max=60.0))
    refused(lone, 5)
    lone.establish(hold_time=0)
    lone.now += 3600

    lone.session.lost(lone.link, lone.now)

    assert lone.session.next_timer() - lone.now == pytest.approx(1.0)


def test_delay_open_waits_for_the_peer_to_speak_first() -> None:
    lone = Lone(config(delay_open_time=5.0)).connect()

    quiet = lone.wait(4).heard()
    lone.say(peer_open())

    assert quiet == []
    assert [type(message).__name__ for message in lone.heard()] == ["Open", "Keepalive"]
    assert lone.session.state is State.OPEN_CONFIRM


def test_delay_open_speaks_when_the_peer_does_not() -> None:
    lone = Lone(config(delay_open_time=5.0)).connect()

    lone.wait(5)

    assert lone.session.state is State.OPEN_SENT
    assert [type(message).__name__ for message in lone.heard()] == ["Open"]
