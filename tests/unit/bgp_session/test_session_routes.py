"""What a session announces, in portions a slow peer can take, and what it makes of what it receives."""

from bgp_wire import Lone, Wire, config, peer_open

from suite.bgp.capability import EnhancedRouteRefresh, GracefulRestart
from suite.bgp.export import RouteAttributes
from suite.bgp.fsm import State
from suite.bgp.message import KEEPALIVE, RouteRefresh
from suite.bgp.prefix import IPV4, Prefix
from suite.bgp.update import Update

VIP = Prefix.parse("10.10.10.10/32")
OTHER = Prefix.parse("10.10.10.11/32")
PLAIN = RouteAttributes()


def updates(lone: Lone) -> list[Update]:
    return [message for message in lone.heard() if isinstance(message, Update)]


def test_routes_told_before_the_session_are_sent_when_it_is_up() -> None:
    lone = Lone(config())
    lone.session.announce({VIP: PLAIN}, 0.0)

    lone.connect().say(*_hello())

    assert [update.prefixes for update in updates(lone)] == [(VIP,)]
    assert lone.session.is_announced(VIP)


def test_a_change_sends_only_itself() -> None:
    lone = Lone(config()).establish()
    lone.session.announce({VIP: PLAIN}, 0.0)
    lone.heard()

    lone.session.change({OTHER: PLAIN}, [VIP], 0.0)

    assert [(update.withdrawn, update.prefixes) for update in updates(lone)] == [((VIP,), ()), ((), (OTHER,))]
    assert dict(lone.session.routes) == {OTHER: PLAIN}


def test_a_large_table_goes_out_in_portions() -> None:
    lone = Lone(config()).establish()
    many = {Prefix.parse(f"10.{n >> 8}.{n & 255}.0/24"): RouteAttributes(med=n) for n in range(5000)}
    lone.session.announce(many, 0.0)

    portion = lone.session.bytes_to_send(lone.link, 0.0, limit=10_000)

    assert 10_000 <= len(portion) < 10_000 + 4096
    assert lone.session.status().pending > 4000


def test_nothing_is_sent_on_a_connection_that_does_not_carry_the_session() -> None:
    lone = Lone(config())
    lone.session.announce({VIP: PLAIN}, 0.0)

    lone.connect()

    assert [type(message).__name__ for message in lone.heard()] == ["Open"]


def test_a_refresh_is_answered_with_the_table() -> None:
    lone = Lone(config()).establish(EnhancedRouteRefresh())
    lone.session.announce({VIP: PLAIN}, 0.0)
    lone.heard()

    lone.say(RouteRefresh(IPV4))

    marks = [message.kind for message in lone.heard() if isinstance(message, RouteRefresh)]
    assert marks == [1, 2]
    assert lone.session.status().counters["route_refresh_sent"] == 2


def test_the_marks_of_the_peers_own_refresh_need_no_answer() -> None:
    lone = Lone(config()).establish(EnhancedRouteRefresh())

    lone.say(RouteRefresh(IPV4, 1), RouteRefresh(IPV4, 2))

    assert lone.heard() == []


def test_a_peer_that_knows_graceful_restart_is_told_the_end_of_the_first_routes() -> None:
    lone = Lone(config())

    lone.connect().say(*_hello(GracefulRestart(60)))

    assert [update.end_of_rib for update in updates(lone)] == [IPV4]


def test_what_the_peer_announces_is_counted_and_the_last_of_it_shown() -> None:
    wire = Wire(config(), config(64513, passive=True))
    many = {Prefix.parse(f"10.0.{n}.0/24"): PLAIN for n in range(100)}
    wire.a.announce(many, 0.0)
    wire.start().run(1)
    wire.a.announce({VIP: PLAIN}, wire.now)
    wire.settle()

    status = wire.b.status()

    assert (status.counters["prefixes_received"], status.counters["prefixes_withdrawn"]) == (101, 100)
    assert len(status.received) == 20
    assert (status.received[-1].prefix, status.received[-1].withdrawn) == (VIP, False)


def test_a_status_tells_both_ends() -> None:
    lone = Lone(config()).establish()

    status = lone.session.status()

    assert (status.state, status.peer_as, str(status.peer_identifier)) == (State.ESTABLISHED, 64513, "10.9.0.2")
    assert (str(status.local), str(status.remote)) == ("10.9.0.1", "10.9.0.2")


def _hello(*capabilities: object) -> tuple[object, bytes]:
    return peer_open(*capabilities), KEEPALIVE
