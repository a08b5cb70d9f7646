"""Who counts as alive: two or three nodes over a fake wire, with all the datagrams in the test's hands."""

from __future__ import annotations

import pytest

from suite.speaker.heartbeat import Fault, Standing
from suite.speaker.membership import Membership, Self, Settings

KEY, OTHER_KEY = b"one key", b"another key"
STANDING = Standing(7, "epoch")


def member(
    name: str, *peers: str, boot: int = 1, now: float = 0.0, keys: tuple[bytes, ...] = (KEY,), minor: int = 0
) -> Membership:
    membership = Membership(name, bytes((boot,)) * 8, now, minor=minor)
    membership.configure(peers, keys)
    membership.report(Self(standing=STANDING), now)
    return membership


def exchange(now: float, *members: Membership) -> list[Fault | None]:
    """Deliver everything that is due, answers included; what the receivers thought of it."""
    verdicts: list[Fault | None] = []
    while sent := [(name, datagram) for each in members for name, datagram in each.datagrams(now)]:
        for name, datagram in sent:
            verdicts += [each.receive(datagram, now) for each in members if each.name == name]
    return verdicts


def live(membership: Membership) -> list[str]:
    return sorted(name for name, node in membership.view().items() if node.is_live and name != membership.name)


def acquainted() -> tuple[Membership, Membership]:
    """Two nodes that believe in each other at time 0."""
    one, two = member("one", "two"), member("two", "one", boot=2)
    exchange(0.0, one, two)
    return one, two


def one_beat(membership: Membership, now: float) -> bytes:
    return membership.datagrams(now)[0][1]


def test_two_nodes_believe_in_each_other_within_one_round_trip() -> None:
    one, two = acquainted()

    assert (live(one), live(two)) == (["two"], ["one"])


def test_a_node_that_falls_silent_is_dead_after_the_dead_interval() -> None:
    one, _ = acquainted()

    one.datagrams(0.5)
    one.datagrams(0.99)
    before = live(one)
    one.datagrams(1.0)

    assert (before, live(one)) == (["two"], [])


def pass_silently(until: float, *members: Membership) -> None:
    """Time goes by, and everything that is sent is lost."""
    for step in range(1, int(until / 0.25) + 1):
        for each in members:
            each.datagrams(step * 0.25)


def test_a_death_is_counted_so_that_a_short_one_is_not_missed() -> None:
    one, two = acquainted()
    pass_silently(1.25, one, two)

    exchange(1.5, one, two)
    exchange(1.75, one, two)

    assert (live(one), one.view()["two"].deaths) == (["two"], 1)


def test_silence_after_a_goodbye_is_no_death() -> None:
    one, two = acquainted()
    two.report(Self(standing=STANDING, is_draining=True), 0.0)
    exchange(0.0, one, two)

    pass_silently(2.0, one, two)

    assert (live(one), one.view()["two"].deaths) == ([], 0)


def test_the_next_timer_is_never_later_than_a_death() -> None:
    one, _ = acquainted()
    one.datagrams(0.9)

    assert one.next_timer() == 1.0


def test_a_link_that_carries_only_one_way_counts_as_broken() -> None:
    """`two` hears `one` all the time, but its own datagrams are lost."""
    one, two = acquainted()
    for step in range(1, 9):
        now = step * 0.25
        for _, datagram in one.datagrams(now):
            two.receive(datagram, now)
        two.datagrams(now)

    assert (live(one), live(two)) == ([], [])


def test_after_a_cut_both_sides_believe_again() -> None:
    one, two = acquainted()
    for step in range(1, 20):
        one.datagrams(step * 0.25)
        two.datagrams(step * 0.25)
    assert live(one) == []

    exchange(5.0, one, two)
    exchange(5.25, one, two)

    assert (live(one), live(two)) == (["two"], ["one"])


def test_a_replayed_datagram_is_counted_and_ignored() -> None:
    one, two = acquainted()
    recorded = one_beat(one, 0.25)
    two.receive(recorded, 0.25)

    assert two.receive(recorded, 0.26) is Fault.REPLAYED
    assert two.faults[Fault.REPLAYED] == 1


def test_datagrams_that_overtake_each_other_count_once_each() -> None:
    one, two = acquainted()
    first, second = one_beat(one, 0.25), one_beat(one, 0.5)

    assert [two.receive(datagram, 0.5) for datagram in (second, first, first)] == [None, None, Fault.REPLAYED]


def test_a_recording_of_a_dead_node_does_not_keep_it_alive() -> None:
    """Never delivered, so its number is new; but what it acknowledges is long past."""
    one, two = acquainted()
    withheld = one_beat(one, 0.25)
    for step in range(1, 9):
        two.datagrams(step * 0.25)

    assert two.receive(withheld, 2.0) is Fault.STALE
    assert live(two) == []


def test_a_recording_of_a_former_life_does_not_displace_the_present_one() -> None:
    one, two = acquainted()
    recorded = one_beat(one, 0.25)
    reborn = member("one", "two", boot=3, now=0.5)
    exchange(0.5, reborn, two)
    for step in range(3, 9):
        exchange(step * 0.25, reborn, two)

    assert two.receive(recorded, 2.0) is Fault.STALE
    assert live(two) == ["one"]
    assert exchange(2.25, reborn, two).count(None) >= 2


def test_a_datagram_signed_with_a_wrong_key_is_forged() -> None:
    two = member("two", "one")

    assert two.receive(one_beat(member("one", "two", keys=(OTHER_KEY,)), 0.0), 0.0) is Fault.FORGED


def test_a_changed_bit_is_noticed() -> None:
    one, two = acquainted()
    datagram = bytearray(one_beat(one, 0.25))
    datagram[60] ^= 1

    assert two.receive(bytes(datagram), 0.25) is Fault.FORGED


def test_keys_are_changed_without_a_gap_because_two_may_be_valid_at_once() -> None:
    one, two = acquainted()

    two.configure(["one"], (KEY, OTHER_KEY))
    first = exchange(0.25, one, two)
    one.configure(["two"], (OTHER_KEY, KEY))
    second = exchange(0.5, one, two)
    two.configure(["one"], (OTHER_KEY,))

    assert set(first + second + exchange(0.75, one, two)) == {None}


def test_a_datagram_for_another_node_proves_nothing_to_us() -> None:
    one, three = member("one", "two", "three"), member("three", "one", "two", boot=3)
    to_two = next(datagram for name, datagram in one.datagrams(0.0) if name == "two")

    assert three.receive(to_two, 0.0) is Fault.WRONG_RECEIVER


@pytest.mark.parametrize(
    ("sender", "fault"),
    [pytest.param("stranger", Fault.UNKNOWN_SENDER, id="unknown"), pytest.param("two", Fault.OWN, id="our own name")],
)
def test_senders_that_are_not_in_the_snapshot_are_ignored(sender: str, fault: Fault) -> None:
    two = member("two", "one")
    impostor = Membership(sender, bytes(8), 0.0)
    impostor.configure(["other"], (KEY,))
    impostor.configure(["two"] if sender != "two" else ["two "], (KEY,))

    assert two.receive(one_beat(impostor, 0.0), 0.0) is fault


@pytest.mark.parametrize(
    ("minor", "believed"), [pytest.param(1, True, id="one newer"), pytest.param(2, False, id="two newer")]
)
def test_one_minor_version_newer_is_understood(minor: int, believed: bool) -> None:
    one, two = member("one", "two", minor=minor), member("two", "one", boot=2)
    exchange(0.0, one, two)

    assert (live(two) == ["one"]) is believed


@pytest.mark.parametrize("datagram", [b"", b"SH", b"GET / HTTP/1.1\r\n" * 8, b"SH\x01\x00" + bytes(200), bytes(3000)])
def test_noise_is_ignored(datagram: bytes) -> None:
    assert member("two", "one").receive(datagram, 0.0) is not None


def test_a_restarted_node_is_a_flap_that_its_peers_remember_for_it() -> None:
    one, two = acquainted()
    delays = []
    for boot in range(3, 7):
        one = member("one", "two", boot=boot, now=boot * 1.0)
        exchange(boot * 1.0, one, two)
        delays.append(one.rejoin_delay())

    assert delays == [5.0, 10.0, 20.0, 40.0]


def test_nodes_that_start_together_are_ready_together() -> None:
    one, two = acquainted()
    for step in range(1, 5):
        exchange(step * 0.25, one, two)

    assert [view["one"].is_ready and view["two"].is_ready for view in (one.view(), two.view())] == [True, True]


def established() -> Membership:
    """A node that has been at work alone for ten seconds."""
    one = member("one", "two")
    for step in range(1, 41):
        one.datagrams(step * 0.25)
    return one


def test_a_node_that_finds_a_fleet_at_work_waits_before_it_takes_over() -> None:
    one, two = established(), member("two", "one", boot=2, now=10.0)
    exchange(10.0, one, two)
    readiness = []
    for step in range(1, 21):
        exchange(10.0 + step * 0.25, one, two)
        readiness.append(one.view()["two"].is_ready)

    assert readiness == [False] * 19 + [True]


def test_a_rejoin_delay_shorter_than_the_listening_never_sets_a_timer_that_is_past() -> None:
    one, two = member("one", "two"), member("two", "one", boot=2)
    for step in range(8):
        exchange(step * 0.25, one, two)
    late = Membership("three", bytes((3,)) * 8, 2.0, Settings(rejoin_delay=0.1))
    one.configure(["two", "three"], [KEY])
    late.configure(["one", "two"], [KEY])
    late.report(Self(standing=STANDING), 2.0)
    exchange(2.0, one, late)
    exchange(2.25, one, late)

    assert (late.view()["three"].is_ready, late.next_timer() > 2.25) == (False, True)


def test_a_node_alone_is_ready_as_soon_as_it_has_listened() -> None:
    assert [membership.view()["one"].is_ready for membership in (member("one"), established())] == [False, True]


def test_a_node_with_nobody_to_listen_to_claims_at_once() -> None:
    alone, one_of_two = member("one"), member("one", "two")
    alone.datagrams(0.0)
    one_of_two.datagrams(0.0)

    assert [each.view()["one"].is_live for each in (alone, one_of_two)] == [True, False]


def test_a_node_without_a_plan_is_never_ready() -> None:
    one = Membership("one", bytes(8), 0.0)
    one.configure([], (KEY,))
    one.datagrams(100.0)

    assert not one.view()["one"].is_ready


def test_goodbye_is_told_at_once() -> None:
    one, two = acquainted()

    one.report(Self(standing=STANDING, is_draining=True), 0.3)
    exchange(0.3, one, two)

    assert two.view()["one"].is_draining


def test_claims_arrive_completely_however_many_they_are() -> None:
    one, two = acquainted()
    many = frozenset(number.to_bytes(4, "big") for number in range(3000))

    one.report(Self(standing=STANDING, claims=many), 0.3)
    for step in range(8):
        exchange(0.3 + step * 0.25, one, two)

    assert two.view()["one"].claims == many


def test_claims_given_up_are_known_at_once() -> None:
    one, two = acquainted()
    one.report(Self(standing=STANDING, claims=frozenset({b"\x0a\x00\x2a\x00"})), 0.3)
    exchange(0.3, one, two)

    one.report(Self(standing=STANDING), 0.4)
    exchange(0.4, one, two)

    assert two.view()["one"].claims == frozenset()


def test_a_process_that_did_not_run_for_a_while_starts_over_instead_of_burying_the_others() -> None:
    one, two = acquainted()
    for step in range(1, 5):
        exchange(step * 0.25, one, two)

    one.datagrams(4.0)

    assert (live(one), one.view()["one"].is_live, one.view()["one"].is_ready) == (["two"], False, False)


def test_heartbeats_without_a_key_are_refused() -> None:
    with pytest.raises(ValueError, match="a key that is not empty"):
        Membership("one", bytes(8), 0.0).configure(["two"], ())


def test_an_interval_that_cannot_be_missed_once_is_refused() -> None:
    with pytest.raises(ValueError, match="at most half of dead-after"):
        Settings(interval=0.6, dead_after=1.0)


def test_a_flood_of_greetings_gets_few_answers() -> None:
    """Authentic greetings, replayed 1,000 times within one interval: nine answers."""
    two = member("two", "one", boot=2)
    two.datagrams(0.0)
    greeting = one_beat(member("one", "two"), 0.0)
    answers = 0
    for step in range(1000):
        now = step * 0.00025
        two.receive(greeting, now)
        answers += len(two.datagrams(now))

    assert answers <= 9
