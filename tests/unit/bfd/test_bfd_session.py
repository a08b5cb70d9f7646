"""BFD sessions in pairs over a wire of lists, with a clock that is a number."""

import pytest

from suite.bgp.bfd import BfdProfile, BfdSession
from suite.bgp.bfd_packet import BfdState, ControlPacket, Diagnostic, decode_packet, encode_packet

FAST = BfdProfile(receive_interval=100, transmit_interval=100)


def session(number: int = 1, profile: BfdProfile = FAST) -> BfdSession:
    made = BfdSession(profile, number, lambda: 1.0)
    made.start(0.0)
    return made


class Wire:
    """Two sessions and what flies between them; `cut` loses what A sends."""

    def __init__(self, a: BfdSession, b: BfdSession) -> None:
        self.a, self.b, self.now, self.is_cut = a, b, 0.0, False

    def run(self, until: float) -> None:
        while self.now <= until:
            for sender, receiver in ((self.a, self.b), (self.b, self.a)):
                sender.handle_timer(self.now)
                for packet in sender.packets_to_send(self.now):
                    if not (self.is_cut and sender is self.a):
                        receiver.receive(packet, self.now)
            times = [time for time in (self.a.next_timer(), self.b.next_timer()) if time is not None]
            self.now = max(min(times, default=until + 1), self.now + 0.001)
        self.now = until


def up(profile: BfdProfile = FAST) -> Wire:
    wire = Wire(session(1, profile), session(2, profile))
    wire.run(5.0)
    return wire


def changes(bfd: BfdSession) -> list[str]:
    found = []
    while (change := bfd.next_event()) is not None:
        found.append(f"{change.old.name}>{change.new.name} {change.diagnostic.name}")
    return found


def packet(state: BfdState, yours: int = 1, **changes: object) -> bytes:
    fields = {"multiplier": 3, "my_discriminator": 9, "desired_min_tx": 100_000, "required_min_rx": 100_000}
    return encode_packet(ControlPacket(state=state, your_discriminator=yours, **{**fields, **changes}))


def test_two_sessions_shake_hands_three_ways() -> None:
    wire = up()

    assert changes(wire.b) == ["DOWN>INIT NONE", "INIT>UP NONE"]
    assert changes(wire.a) == ["DOWN>UP NONE"]


def test_nothing_faster_than_a_second_leaves_before_the_session_is_up() -> None:
    alone = session()

    times = []
    while (due := alone.next_timer()) is not None and due < 4:
        times += [due] * len(alone.packets_to_send(due))

    assert times == [0.0, 1.0, 2.0, 3.0]


def test_up_uses_the_agreed_interval_after_a_poll() -> None:
    wire = up()

    assert wire.a.status().transmit_time == pytest.approx(0.1)
    assert wire.a.status().detection_time == pytest.approx(0.3)


def test_the_slower_side_sets_the_pace() -> None:
    wire = Wire(session(1, FAST), session(2, BfdProfile(receive_interval=500, transmit_interval=400)))
    wire.run(6.0)

    assert wire.a.status().transmit_time == pytest.approx(0.5)
    assert wire.a.status().detection_time == pytest.approx(1.2)


def test_silence_is_detected_after_the_multiplier() -> None:
    wire = up()
    changes(wire.b)
    wire.is_cut = True

    wire.run(5.19)
    before = wire.b.state
    wire.run(5.31)

    assert before is BfdState.UP
    assert changes(wire.b) == ["UP>DOWN DETECTION_TIME_EXPIRED"]


def test_the_other_side_learns_that_it_is_not_heard() -> None:
    wire = up()
    changes(wire.a)
    wire.is_cut = True

    wire.run(5.5)

    assert changes(wire.a)[0] == "UP>DOWN NEIGHBOR_SIGNALED_DOWN"


def test_silence_is_a_failure_and_an_order_is_none() -> None:
    silent, ordered = up(), up()
    changes(silent.b)
    changes(ordered.b)
    silent.is_cut = True
    ordered.a.disable(ordered.now)

    silent.run(8.0)
    ordered.run(8.0)

    assert (silent.b.next_event().is_failure, ordered.b.next_event().is_failure) == (True, False)


def test_a_mended_path_comes_up_again() -> None:
    wire = up()
    wire.is_cut = True
    wire.run(8.0)
    wire.is_cut = False

    wire.run(14.0)

    assert (wire.a.state, wire.b.state) == (BfdState.UP, BfdState.UP)


def test_a_side_that_is_disabled_says_so_and_stays_down() -> None:
    wire = up()
    changes(wire.b)

    wire.a.disable(wire.now)
    wire.run(8.0)

    assert wire.a.state is BfdState.ADMIN_DOWN
    assert changes(wire.b) == ["UP>DOWN NEIGHBOR_SIGNALED_DOWN"]


def test_a_side_that_is_enabled_again_comes_up_again() -> None:
    wire = up()
    wire.a.disable(wire.now)
    wire.run(8.0)

    wire.a.start(wire.now)
    wire.run(14.0)

    assert (wire.a.state, wire.b.state) == (BfdState.UP, BfdState.UP)


def test_a_passive_side_falls_quiet_with_its_peer() -> None:
    quiet = session(2, BfdProfile(passive=True))
    quiet.receive(packet(BfdState.DOWN, 0), 1.0)
    quiet.packets_to_send(1.0)

    quiet.handle_timer(quiet.status().detection_time + 1.0)

    assert (quiet.next_timer(), quiet.state) == (None, BfdState.DOWN)


def test_silence_of_a_session_that_never_came_up_is_no_change() -> None:
    bfd = session(1)
    bfd.receive(packet(BfdState.UP), 0.0)

    bfd.handle_timer(10.0)

    assert (bfd.next_event(), bfd.status().remote_discriminator) == (None, 0)


def test_a_passive_side_waits_to_be_spoken_to() -> None:
    quiet = session(2, BfdProfile(passive=True))

    assert quiet.next_timer() is None
    quiet.receive(packet(BfdState.DOWN, 0), 1.0)

    assert [decode_packet(octets).state for octets in quiet.packets_to_send(1.0)] == [BfdState.INIT]


def test_a_poll_is_answered_at_once_with_final() -> None:
    wire = up()

    wire.a.receive(packet(BfdState.UP, poll=True), wire.now)

    answer = decode_packet(wire.a.packets_to_send(wire.now)[0])
    assert (answer.final, answer.poll) == (True, False)


def test_a_longer_interval_waits_for_the_answer_to_the_poll() -> None:
    slow = BfdProfile(receive_interval=100, transmit_interval=5000)
    bfd = session(1, slow)
    bfd.receive(packet(BfdState.INIT, 1), 0.0)
    before = bfd.status().transmit_time

    bfd.receive(packet(BfdState.UP, 1, final=True), 0.5)

    assert (before, bfd.status().transmit_time) == (1.0, 5.0)


@pytest.mark.parametrize(
    "wish", [{"required_min_rx": 0}, {"demand": True}], ids=["zero required interval", "demand mode"]
)
def test_a_peer_may_ask_for_silence(wish: dict[str, object]) -> None:
    bfd = session(1)
    bfd.receive(packet(BfdState.INIT), 0.0)
    bfd.receive(packet(BfdState.UP, final=True), 0.1)

    bfd.receive(packet(BfdState.UP, **wish), 0.2)

    bfd.packets_to_send(0.2)
    assert bfd.status().transmit_time is None


def test_the_control_plane_bit_is_never_set() -> None:
    first = session().packets_to_send(0.0)[0]

    assert first.hex() == "2040031800000001" + "00000000" + "000f4240" + "000186a0" + "00000000"


@pytest.mark.parametrize("number", [0, 2**32])
def test_a_discriminator_is_a_number_above_zero(number: int) -> None:
    with pytest.raises(ValueError, match="discriminator"):
        BfdSession(FAST, number, lambda: 0.0)


@pytest.mark.parametrize(
    "wrong",
    [{"receive_interval": 9}, {"transmit_interval": 60_001}, {"detect_multiplier": 1}, {"minimum_ttl": 255}],
    ids=str,
)
def test_a_profile_keeps_its_limits(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"ms|multiplier|TTL"):
        BfdProfile(**wrong)


GOOD = "20c8031800000009" + "00000001" + "000186a0" + "000186a0" + "00000000"
DROPPED = [
    pytest.param(GOOD[:46], "shorter than 24 octets", id="short"),
    pytest.param("40" + GOOD[2:], "version is not 1", id="version"),
    pytest.param(GOOD[:6] + "17" + GOOD[8:], "length does not fit", id="length too small"),
    pytest.param(GOOD[:6] + "19" + GOOD[8:], "length does not fit", id="length too large"),
    pytest.param(GOOD[:4] + "00" + GOOD[6:], "multiplier is zero", id="multiplier"),
    pytest.param(GOOD[:2] + "c1" + GOOD[4:], "multipoint", id="multipoint"),
    pytest.param(GOOD[:8] + "00000000" + GOOD[16:], "my discriminator is zero", id="my discriminator"),
    pytest.param(GOOD[:16] + "00000000" + GOOD[24:], "your discriminator is zero", id="your discriminator"),
    pytest.param(GOOD[:2] + "c4" + GOOD[4:], "authentication is not in use", id="authentication"),
]


@pytest.mark.parametrize(("octets", "reason"), DROPPED)
def test_a_bad_packet_is_dropped_with_its_reason(octets: str, reason: str) -> None:
    assert decode_packet(bytes.fromhex(octets)) == reason


def test_a_bad_packet_changes_nothing_but_a_counter() -> None:
    bfd = session()

    bfd.receive(b"garbage", 0.0)

    assert (bfd.state, bfd.status().counters) == (BfdState.DOWN, {"packets_dropped": 1})


def test_a_packet_for_somebody_else_is_dropped() -> None:
    bfd = session(1)

    bfd.receive(packet(BfdState.DOWN, yours=77), 0.0)

    assert bfd.state is BfdState.DOWN


def test_a_packet_reads_as_it_was_written() -> None:
    made = ControlPacket(BfdState.UP, 3, 1, 2, 100_000, 200_000, 50_000, Diagnostic.PATH_DOWN, poll=True, demand=True)

    assert decode_packet(encode_packet(made)) == made
