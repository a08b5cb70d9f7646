"""The kernel's filter keeps what is about our addresses and drops the rest."""

import pytest

from suite.l2 import arp, packet_filter
from suite.l2.frames import templates

CLIENT = bytes.fromhex("0200000c0103")
VIPS = [bytes([10, 0, 42, number]) for number in (0, 1, 2, 9)]
PROGRAM = packet_filter.arp(VIPS)
ARP = templates().arp
"""Made here, while sockets may be opened: scapy looks at the interfaces when it is imported."""


def question(target: str, sender: str = "10.0.1.3") -> bytes:
    packed = [bytes(map(int, text.split("."))) for text in (sender, target)]
    return ARP[:22] + CLIENT + packed[0] + bytes(6) + packed[1]


@pytest.mark.parametrize(
    ("target", "kept"),
    [("10.0.42.0", True), ("10.0.42.2", True), ("10.0.42.3", False), ("10.0.42.9", True), ("10.0.41.255", False)],
)
def test_questions_about_our_addresses_pass(target: str, kept: bool) -> None:
    assert packet_filter.run(PROGRAM, question(target)) is kept


def test_a_frame_whose_sender_uses_our_address_passes() -> None:
    assert packet_filter.run(PROGRAM, question("10.0.99.99", sender="10.0.42.9"))


@pytest.mark.parametrize(
    ("packet_type", "kept"),
    [
        pytest.param(0, True, id="for this host"),
        pytest.param(1, True, id="broadcast"),
        pytest.param(2, True, id="multicast"),
        pytest.param(3, False, id="for another host or VLAN"),
        pytest.param(4, False, id="outgoing"),
    ],
)
def test_what_is_not_for_this_host_is_dropped(packet_type: int, kept: bool) -> None:
    assert packet_filter.run(PROGRAM, question("10.0.42.0"), packet_type) is kept


def test_without_addresses_nothing_passes() -> None:
    assert not packet_filter.run(packet_filter.arp([]), question("0.0.0.0"))


def test_the_smallest_gaps_are_closed_when_there_are_too_many_ranges() -> None:
    ranges = packet_filter.to_ranges(bytes([10, 0, 0, number]) for number in (1, 2, 5, 6, 100, 102, 200))

    assert [(low & 255, high & 255) for low, high in packet_filter.close_gaps(ranges, 3)] == [
        (1, 6),
        (100, 102),
        (200, 200),
    ]


def test_a_thousand_scattered_addresses_fit_the_kernels_limit() -> None:
    program = packet_filter.arp(bytes([10, number % 250, 42, number // 250 * 2]) for number in range(1000))

    assert len(program) < 4096


def test_the_highest_address_of_all_has_no_border_behind_it() -> None:
    program = packet_filter.arp([b"\xff\xff\xff\xff"])

    assert packet_filter.run(program, question("255.255.255.255"))


def test_a_truncated_frame_is_dropped() -> None:
    assert not packet_filter.run(PROGRAM, question("10.0.42.0")[:40])


def test_instructions_are_packed_as_the_kernel_reads_them() -> None:
    assert packet_filter.to_bytes([packet_filter.ACCEPT]) == bytes.fromhex("0600 00 00 00000400")


def test_our_own_replies_prepared_for_an_address_are_what_the_filter_lets_back_in() -> None:
    request, _ = arp.announcements(ARP, VIPS[3], CLIENT)

    assert packet_filter.run(PROGRAM, request)
