"""How sessions end: by order, by the peer, by faults in each state, and what is left behind."""

from ipaddress import IPv4Address

import pytest
from bgp_wire import Lone, Wire, config, peer_open

from suite.bgp.capability import GracefulRestart
from suite.bgp.export import RouteAttributes
from suite.bgp.fsm import State
from suite.bgp.message import KEEPALIVE, RouteRefresh
from suite.bgp.notification import Cease, Notification
from suite.bgp.prefix import IPV4, Prefix
from suite.bgp.session import Session, Stop
from suite.bgp.status import Disconnect

VIP = Prefix.parse("10.10.10.10/32")
ROUTES = {VIP: RouteAttributes()}


def test_a_stop_sends_an_administrative_shutdown_with_its_text() -> None:
    lone = Lone(config()).establish()

    lone.session.stop(1.0, Stop.CEASE, Notification.shutdown("maintenance"))
    lone.settle()

    assert lone.last_words[-1].text == "maintenance"


def test_after_a_stop_nothing_is_left_to_happen() -> None:
    lone = Lone(config()).establish()

    lone.session.stop(1.0)

    assert (lone.session.state, lone.session.next_timer()) == (State.IDLE, None)


def test_a_stopped_session_can_start_again() -> None:
    lone = Lone(config()).establish()
    lone.session.stop(1.0)

    lone.session.start(2.0)
    lone.settle()

    assert lone.establish().session.state is State.ESTABLISHED


def test_a_graceful_stop_says_nothing_and_withdraws_nothing() -> None:
    lone = Lone(config(graceful_restart=60)).establish(GracefulRestart(60))
    lone.session.announce(ROUTES, 0.0)
    lone.heard()

    lone.session.stop(1.0, Stop.GRACEFUL)
    lone.settle()

    assert (lone.closed, lone.session.state, lone.session.next_timer()) == ([b""], State.IDLE, None)


@pytest.mark.parametrize("ours", [0, 60])
def test_a_graceful_stop_without_the_peers_consent_is_an_ordinary_one(ours: int) -> None:
    capabilities = () if ours else (GracefulRestart(60),)
    lone = Lone(config(graceful_restart=ours)).establish(*capabilities)

    lone.session.stop(1.0, Stop.GRACEFUL)
    lone.settle()

    assert lone.last_words[-1] == Notification(6, 2)


def test_a_dead_path_resets_the_session_and_it_comes_back() -> None:
    lone = Lone(config()).establish()

    lone.session.reset(1.0, Notification(6, Cease.BFD_DOWN))
    lone.settle()
    first = lone.link
    lone.wait(2)

    assert lone.last_words[-1] == Notification(6, 10)
    assert lone.link == first + 1


def test_a_reset_leaves_an_attempt_to_connect_alone() -> None:
    lone = Lone(config())

    lone.session.reset(1.0, Notification(6, Cease.BFD_DOWN))

    assert (lone.session.state, lone.session.next_event()) == (State.CONNECT, None)


def test_only_the_first_open_after_a_restart_says_so() -> None:
    lone = Lone(config(graceful_restart=60, restarting=True)).connect()
    [first] = lone.heard()
    lone.say(peer_open(), KEEPALIVE)
    lone.session.lost(lone.link, 1.0)
    lone.settle()
    lone.wait(5)

    [second] = lone.connect().heard()

    assert [first.capabilities[-1].restarting, second.capabilities[-1].restarting] == [True, False]


def test_routes_are_sent_again_after_every_end() -> None:
    wire = Wire(config(), config(64513, passive=True))
    wire.a.announce(ROUTES, 0.0)
    wire.start().run(1)

    wire.b.reset(1.0, Notification(6, 4))
    wire.run(10)

    assert wire.a.status().counters["update_sent"] == 2
    assert wire.a.is_announced(VIP)


def test_the_reason_of_the_peer_is_kept() -> None:
    lone = Lone(config()).establish()

    lone.say(Notification.shutdown("cabling"))

    assert lone.session.status().last_cause.text == "received cease/administrative shutdown: cabling"


def test_a_router_that_closes_before_its_open_is_a_reason_though_the_session_only_falls_back_to_active() -> None:
    lone = Lone(config()).connect()

    lone.session.lost(lone.link, 1.0)

    status = lone.session.status()
    assert (status.state, status.last_cause.text) == (State.ACTIVE, "connection closed by the peer before its OPEN")
    assert status.history[-1].cause is status.last_cause


def test_an_address_that_answers_nothing_is_a_reason_when_the_attempt_is_given_up() -> None:
    lone = Lone(config(connect_retry_time=10.0)).wait(11.0)

    status = lone.session.status()
    assert (status.state, status.last_cause.text) == (State.CONNECT, "connect: no answer")


def test_what_an_attempt_beside_an_established_session_came_to_is_no_reason() -> None:
    wire = Lone(config()).establish()
    attempt = wire.session.accepted(IPv4Address("10.9.0.1"), IPv4Address("10.9.0.2"), 1.0)

    wire.session.lost(attempt, 2.0)

    assert wire.session.status().last_cause is None


def test_a_lost_connection_is_a_reason_too() -> None:
    lone = Lone(config()).establish()

    lone.session.lost(lone.link, 1.0, "connection reset by peer")

    assert lone.session.status().last_cause.text == "connection reset by peer"


def in_state(state: State) -> Lone:
    """A session brought into a state by its peer."""
    lone = Lone(config())
    if state >= State.OPEN_SENT:
        lone.connect()
    if state >= State.OPEN_CONFIRM:
        lone.say(peer_open())
    if state >= State.ESTABLISHED:
        lone.say(KEEPALIVE)
    lone.heard()
    return lone


CONNECTED = [State.OPEN_SENT, State.OPEN_CONFIRM, State.ESTABLISHED]


@pytest.mark.parametrize("state", CONNECTED, ids=str)
def test_a_peer_that_resets_in_any_state_is_asked_again(state: State) -> None:
    lone = in_state(state)
    first = lone.link

    lone.session.lost(lone.link, lone.now)
    lone.wait(12)

    assert lone.session.state is State.CONNECT
    assert lone.link > first


@pytest.mark.parametrize("state", CONNECTED, ids=str)
def test_garbage_in_any_state_is_answered_and_ends_the_connection(state: State) -> None:
    lone = in_state(state)

    lone.say(b"GET / HTTP/1.1\r\n\r\n" * 2)

    assert (lone.last_words[-1], lone.session.state) == (Notification(1, 1), State.IDLE)


@pytest.mark.parametrize("state", CONNECTED, ids=str)
def test_a_notification_in_any_state_ends_the_connection_without_an_answer(state: State) -> None:
    lone = in_state(state)

    lone.say(Notification(6, 4))

    assert (lone.last_words, lone.session.state) == ([], State.IDLE)


@pytest.mark.parametrize(("state", "subcode"), [(State.OPEN_SENT, 1), (State.OPEN_CONFIRM, 2)], ids=str)
def test_an_update_before_its_time_is_a_state_machine_error(state: State, subcode: int) -> None:
    lone = in_state(state)

    lone.say(bytes.fromhex("ff" * 16 + "001702" + "00000000"))

    assert lone.last_words[-1] == Notification(5, subcode)


@pytest.mark.parametrize(("state", "subcode"), [(State.OPEN_CONFIRM, 2), (State.ESTABLISHED, 3)], ids=str)
def test_a_second_open_is_a_state_machine_error(state: State, subcode: int) -> None:
    lone = in_state(state)

    lone.say(peer_open())

    assert lone.last_words[-1] == Notification(5, subcode)


def test_a_malformed_update_ends_an_established_session() -> None:
    lone = in_state(State.ESTABLISHED)

    lone.say(bytes.fromhex("ff" * 16 + "001902" + "0002210a0000"))

    assert lone.last_words[-1] == Notification(3, 10)


def test_a_route_refresh_of_a_wrong_length_has_its_own_answer() -> None:
    lone = in_state(State.ESTABLISHED)
    message = bytes.fromhex("ff" * 16 + "001505" + "0001")

    lone.say(message)

    assert lone.last_words[-1] == Notification(7, 1, message)


def test_a_forgivable_update_is_counted_and_the_session_stays() -> None:
    lone = in_state(State.ESTABLISHED)
    body = "0000" + "000e" + "40010107" + "400200" + "4003040a090002" + "180a0000"

    lone.say(bytes.fromhex("ff" * 16 + "002902" + body))

    assert lone.session.status().faults == ("attribute 1: origin 07",)
    assert lone.session.state is State.ESTABLISHED


def test_a_route_refresh_of_an_unknown_kind_is_ignored() -> None:
    lone = in_state(State.ESTABLISHED)

    lone.say(RouteRefresh(IPV4, 9))

    assert (lone.heard(), lone.session.state) == ([], State.ESTABLISHED)


@pytest.mark.parametrize(("delay", "state"), [(0.0, State.OPEN_SENT), (5.0, State.CONNECT)], ids=["no delay", "delay"])
def test_a_peer_of_another_version_is_left_and_asked_again_later(delay: float, state: State) -> None:
    lone = Lone(config(delay_open_time=delay)).connect()
    before = lone.session.state

    lone.say(Notification(2, 1, b"\0\3"))

    assert (before, lone.session.state) == (state, State.IDLE)
    assert lone.session.next_timer() == 1.0


def test_an_incoming_connection_that_is_lost_leaves_nothing_behind() -> None:
    lone = Lone(config(passive=True))
    link = lone.session.accepted(IPv4Address("10.9.0.1"), IPv4Address("10.9.0.2"), 0.0)

    lone.session.lost(link, 1.0)

    assert (lone.session.state, lone.session.next_timer()) == (State.ACTIVE, None)


def test_an_attempt_waiting_to_open_falls_back_when_tcp_fails() -> None:
    lone = Lone(config(delay_open_time=5.0)).connect()

    lone.session.lost(lone.link, 1.0)

    assert lone.session.state is State.ACTIVE


def test_octets_behind_the_end_of_a_connection_are_ignored() -> None:
    lone = in_state(State.ESTABLISHED)

    lone.say(b"\x00" * 19, KEEPALIVE, b"\x00" * 19)

    assert len(lone.closed) == 1


def test_events_of_forgotten_connections_are_ignored() -> None:
    session = Session(config(), lambda: 0.5)

    session.receive(77, b"anything", 0.0)
    session.lost(77, 0.0)
    session.connected(77, IPv4Address("10.9.0.1"), IPv4Address("10.9.0.2"), 0.0)

    assert (session.state, session.next_event(), session.bytes_to_send(77, 0.0)) == (State.IDLE, None, b"")


def test_a_session_that_never_started_stops_without_a_word() -> None:
    session = Session(config(), lambda: 0.5)

    session.stop(0.0)

    assert session.next_event() is None


def test_stopping_while_connecting_takes_the_attempt_back() -> None:
    lone = Lone(config())

    lone.session.stop(1.0)

    assert lone.session.next_event() == Disconnect(lone.link)
