"""Somebody else uses our address: reported once, defended once per interval, settled inside the fleet (RFC 5227 2.4)."""

from suite.l2.arp import Claim
from suite.l2.conflict import MOST_KEPT, NOTHING, OVER, Conflict, Notice, Watch

VIP = bytes([10, 0, 42, 0])
STRANGER, COLLEAGUE = bytes.fromhex("0200000000ff"), bytes.fromhex("020000001002")
FLEET = frozenset({COLLEAGUE})


def test_a_stranger_is_reported_with_its_mac_and_answered_by_an_announcement() -> None:
    notice = Watch().observe(Claim(VIP, STRANGER), 5.0, FLEET)

    assert notice == Notice(Conflict(VIP, STRANGER, in_fleet=False, first=5.0, last=5.0), defend=True)


def test_a_stubborn_stranger_is_reported_once_and_defended_against_once_per_interval() -> None:
    watch = Watch()
    notices = [watch.observe(Claim(VIP, STRANGER), now, FLEET) for now in (0.0, 1.0, 9.9, 10.0, 11.0)]

    assert [notice.defend for notice in notices] == [True, False, False, True, False]
    assert [notice.report is not None for notice in notices] == [True, False, False, False, False]


def test_what_is_remembered_says_how_often_and_since_when() -> None:
    watch = Watch()
    for now in (1.0, 2.0, 3.0):
        watch.observe(Claim(VIP, STRANGER), now)

    assert watch.conflicts(3.0) == (Conflict(VIP, STRANGER, in_fleet=False, first=1.0, last=3.0, times=3),)


def test_a_double_inside_the_fleet_is_reported_but_not_fought() -> None:
    notice = Watch().observe(Claim(VIP, COLLEAGUE), 0.0, FLEET)

    assert notice == Notice(Conflict(VIP, COLLEAGUE, in_fleet=True, first=0.0, last=0.0), defend=False)


def test_a_machine_that_only_asks_whether_the_address_is_free_is_no_conflict() -> None:
    assert Watch().observe(Claim(VIP, STRANGER, is_probe=True), 0.0) is NOTHING


def test_after_the_address_was_given_up_a_conflict_is_a_new_one() -> None:
    watch = Watch()
    watch.observe(Claim(VIP, STRANGER), 0.0)

    watch.forget(VIP)

    assert watch.observe(Claim(VIP, STRANGER), 1.0).report is not None


def test_a_stranger_that_comes_back_after_a_long_silence_is_reported_anew() -> None:
    watch = Watch()
    watch.observe(Claim(VIP, STRANGER), 0.0)

    assert watch.conflicts(OVER) == ()
    assert watch.observe(Claim(VIP, STRANGER), OVER).report is not None


def test_forged_claims_without_end_do_not_grow_the_memory() -> None:
    watch = Watch()
    for number in range(MOST_KEPT + 10):
        watch.observe(Claim(VIP, b"\x02\x00" + number.to_bytes(4, "big")), number / 10)

    assert len(watch.conflicts(104.0)) == MOST_KEPT
    assert watch.conflicts(104.0)[0].first == 1.0


def test_of_a_flood_of_claims_four_machines_are_reported_in_an_interval_and_the_others_when_they_come_again() -> None:
    watch = Watch()
    machines = [b"\x02\x00" + number.to_bytes(4, "big") for number in range(10)]

    reported = [
        [mac[-1] for mac in machines if watch.observe(Claim(VIP, mac), now).report is not None]
        for now in (0.0, 5.0, 10.0)
    ]

    assert reported == [[0, 1, 2, 3], [], [4, 5, 6, 7]]


def test_a_flood_about_one_address_hides_no_stranger_at_another() -> None:
    watch = Watch()
    for number in range(MOST_KEPT):
        watch.observe(Claim(VIP, b"\x02\x00" + number.to_bytes(4, "big")), 0.0)

    assert watch.observe(Claim(bytes([10, 0, 42, 1]), STRANGER), 0.0).report is not None
