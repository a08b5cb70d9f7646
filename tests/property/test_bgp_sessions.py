"""Sessions under any sequence of events: they never raise, never forget a route, and always find together."""

from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise

from bgp_wire import Lone, Wire, config, messages, peer_open
from chances import chances
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from suite.bgp.bfd import BfdProfile, BfdSession
from suite.bgp.capability import EnhancedRouteRefresh, GracefulRestart, Multiprotocol
from suite.bgp.export import Exporter, RouteAttributes
from suite.bgp.fsm import Event, State, step
from suite.bgp.message import KEEPALIVE, RouteRefresh, encode
from suite.bgp.negotiation import negotiate
from suite.bgp.notification import Notification
from suite.bgp.prefix import IPV4, IPV6, Prefix
from suite.bgp.rib import AdjRibOut
from suite.bgp.session import Stop
from suite.bgp.status import StateChanged
from suite.bgp.update import Update

PREFIXES = [Prefix.parse(f"10.0.{n}.0/24") for n in range(12)] + [Prefix.parse(f"2001:db8:{n}::/48") for n in range(4)]
tables = st.dictionaries(
    st.sampled_from(PREFIXES), st.builds(RouteAttributes, med=st.integers(0, 3)), max_size=len(PREFIXES)
)


@given(st.lists(st.sampled_from(Event)))
def test_the_state_machine_is_total(events: list[Event]) -> None:
    state = State.IDLE
    for event in events:
        state = step(state, event).state

    assert state in State


@given(st.lists(st.binary(max_size=80), max_size=8), st.integers(0, 3))
def test_no_octets_in_any_state_raise(chunks: list[bytes], progress: int) -> None:
    lone = Lone(config()).connect()
    for message in [encode(peer_open()), KEEPALIVE][:progress]:
        lone.say(message)

    for chunk in chunks:
        lone.say(chunk)
        messages(lone.session.bytes_to_send(lone.link, lone.now))

    assert lone.session.state in State


@given(st.data())
def test_damaged_streams_of_a_real_peer_never_raise(data: st.DataObject) -> None:
    attributes = "40010100" + "40020602010000fc01" + "4003040a090002"
    update = bytes.fromhex("ff" * 16 + "003002" + "0000" + "0014" + attributes + "200a0a0a0a")
    stream = bytearray(encode(peer_open()) + KEEPALIVE + update * 2 + encode(RouteRefresh(IPV4)) + KEEPALIVE)
    for _ in range(data.draw(st.integers(1, 5))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))

    lone = Lone(config()).connect().say(bytes(stream))

    assert lone.session.state in State


class Chaos(RuleBasedStateMachine):
    """Two active sessions, a wire that is cut and mended, routes that change, resets; in the end they agree."""

    def __init__(self) -> None:
        super().__init__()
        both = {"families": frozenset({IPV4, IPV6}), "graceful_restart": 60}
        self.wire = Wire(config(**both), config(64513, **both))
        self.wire.start()

    @rule(routes=tables)
    def announce(self, routes: dict[Prefix, RouteAttributes]) -> None:
        self.wire.a.announce(routes, self.wire.now)

    @rule(routes=tables, gone=st.lists(st.sampled_from(PREFIXES)))
    def change(self, routes: dict[Prefix, RouteAttributes], gone: list[Prefix]) -> None:
        self.wire.a.change(routes, gone, self.wire.now)

    @rule(seconds=st.floats(0, 200))
    def wait(self, seconds: float) -> None:
        self.wire.run(self.wire.now + seconds)

    @rule()
    def cut(self) -> None:
        self.wire.cut = True

    @rule()
    def mend(self) -> None:
        self.wire.cut = False

    @rule()
    def reset(self) -> None:
        self.wire.b.reset(self.wire.now, Notification(6, 4))

    @rule(how=st.sampled_from(Stop))
    def restart(self, how: Stop) -> None:
        self.wire.b.stop(self.wire.now, how)
        self.wire.b.start(self.wire.now)

    @invariant()
    def few_connections(self) -> None:
        assert len(self.wire.a._connections) <= 3
        assert len(self.wire.b._connections) <= 3

    def teardown(self) -> None:
        self.wire.cut = False
        self.wire.run(self.wire.now + 1000)
        states = self.wire.a.state, self.wire.b.state
        assert states == (State.ESTABLISHED, State.ESTABLISHED)
        assert self.wire.a.status().announced == sum(p.family == IPV4 for p in self.wire.a.routes)
        assert self.wire.a.status().pending == 0


Chaos.TestCase.settings = settings(max_examples=chances(15), stateful_step_count=20, deadline=None)
TestChaos = Chaos.TestCase


class Mirror(RuleBasedStateMachine):
    """An outgoing table and the table its peer builds from the messages: after the last message they are equal."""

    def __init__(self) -> None:
        super().__init__()
        self.rib = AdjRibOut()
        self.mirror: dict[Prefix, int | None] = {}
        self._open()

    def _open(self) -> None:
        own = config(families=frozenset({IPV4, IPV6}), next_hop_v6=IPv6Address("2001:db8::1"))
        agreed = negotiate(own, peer_open(Multiprotocol(IPV6), EnhancedRouteRefresh(), GracefulRestart(60)))
        local, remote = IPv4Address("10.9.0.1"), IPv4Address("10.9.0.2")
        self.rib.open(Exporter(own, agreed, local, remote), mark_end=True, enhanced=True)

    @rule(routes=tables)
    def replace(self, routes: dict[Prefix, RouteAttributes]) -> None:
        self.rib.replace(routes)

    @rule(routes=tables, gone=st.lists(st.sampled_from(PREFIXES)))
    def change(self, routes: dict[Prefix, RouteAttributes], gone: list[Prefix]) -> None:
        self.rib.change(routes, gone)

    @rule(family=st.sampled_from([IPV4, IPV6]))
    def refresh(self, family: object) -> None:
        self.rib.refresh(family)

    @rule()
    def reconnect(self) -> None:
        self.mirror.clear()
        self.rib.close()
        self._open()

    @rule(count=st.integers(1, 5))
    def send(self, count: int) -> None:
        for _ in range(count):
            self._take(self.rib.next_message())

    def _take(self, octets: bytes | None) -> None:
        for message in messages(octets or b""):
            if not isinstance(message, Update):
                continue
            for prefix in message.withdrawn + (message.unreach.prefixes if message.unreach else ()):
                del self.mirror[prefix]  # a withdrawal of what was never announced is a fault
            for prefix in message.prefixes + (message.reach.prefixes if message.reach else ()):
                self.mirror[prefix] = message.attributes.med

    def teardown(self) -> None:
        while (octets := self.rib.next_message()) is not None:
            self._take(octets)
        assert self.mirror == {prefix: attributes.med for prefix, attributes in self.rib.wanted.items()}
        assert (self.rib.pending, self.rib.has_output) == (0, False)


Mirror.TestCase.settings = settings(max_examples=chances(20), stateful_step_count=20, deadline=None)
TestMirror = Mirror.TestCase


@given(st.lists(st.tuples(st.floats(0, 3), st.binary(max_size=40)), max_size=30))
def test_a_bfd_session_takes_anything_at_any_time(packets: list[tuple[float, bytes]]) -> None:
    bfd, now = BfdSession(BfdProfile(), 1, lambda: 0.5), 0.0
    bfd.start(now)

    for pause, octets in packets:
        now += pause
        bfd.handle_timer(now)
        bfd.receive(octets, now)
        assert len(bfd.packets_to_send(now)) <= 2
        assert bfd.next_timer() is None or bfd.next_timer() > now


@given(st.lists(st.sampled_from(["a", "b", "both", "none"]), max_size=20))
def test_bfd_sessions_find_together_whatever_was_lost(losses: list[str]) -> None:
    a, b = (BfdSession(BfdProfile(), n, lambda: 0.9) for n in (1, 2))
    a.start(0.0)
    b.start(0.0)
    tick = 0

    def exchange(lost: str) -> None:
        now = tick * 0.05
        for name, sender, receiver in (("a", a, b), ("b", b, a)):
            sender.handle_timer(now)
            for packet in sender.packets_to_send(now):
                if lost not in {name, "both"}:
                    receiver.receive(packet, now)

    for loss in losses:
        for _ in range(20):
            tick += 1
            exchange(loss)
    for _ in range(200):
        tick += 1
        exchange("none")

    assert (a.state.name, b.state.name) == ("UP", "UP")


def test_changes_of_state_tell_the_whole_way() -> None:
    wire = Wire(config(), config(64513)).start().run(100)
    wire.b.reset(wire.now, Notification(6, 4))
    wire.run(200)

    changes: list[StateChanged] = wire.events[wire.a]

    assert all(before.new is after.old for before, after in pairwise(changes))
