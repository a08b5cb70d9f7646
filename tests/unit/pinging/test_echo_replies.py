"""Ping for owned addresses: the reply is the one a kernel would send; everything else is dropped for its reason."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, IPOption
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from suite.l2 import echo, packet_filter
from suite.l2.drop import Drop

OURS_TEXT, CLIENT_TEXT = "02:00:00:00:10:01", "02:00:00:0c:01:03"
OURS = bytes.fromhex("020000001001")
VIP4, VIP6 = bytes([10, 0, 42, 0]), bytes.fromhex("fd000042000000000000000000010002")
REPLIES = {VIP4: b"", VIP6: b""}
ETHERNET, BACK = Ether(src=CLIENT_TEXT, dst=OURS_TEXT), Ether(src=OURS_TEXT, dst=CLIENT_TEXT)
TO4, TO6 = IP(src="10.0.1.3", dst="10.0.42.0", id=7, ttl=3), IPv6(src="fd00::3", dst="fd00:42::1:2", hlim=3)
PING4, PING6 = ICMP(type=8, id=5, seq=6) / b"odd", ICMPv6EchoRequest(id=5, seq=6, data=b"odd")


def test_an_ipv4_ping_is_answered() -> None:
    reply = echo.answer4(bytes(ETHERNET / TO4 / PING4), REPLIES, OURS)

    assert reply == bytes(BACK / IP(src="10.0.42.0", dst="10.0.1.3", id=7, ttl=64) / ICMP(type=0, id=5, seq=6) / b"odd")


def test_an_ipv6_ping_is_answered() -> None:
    reply = echo.answer6(bytes(ETHERNET / TO6 / PING6), REPLIES, OURS)

    expected = IPv6(src="fd00:42::1:2", dst="fd00::3", hlim=64) / ICMPv6EchoReply(id=5, seq=6, data=b"odd")
    assert reply == bytes(BACK / expected)


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        pytest.param(ETHERNET / IP(src="10.0.1.3", dst="10.0.42.1") / PING4, Drop.FOREIGN_ADDRESS, id="not ours"),
        pytest.param(
            Ether(src=CLIENT_TEXT, dst="ff:ff:ff:ff:ff:ff") / TO4 / PING4, Drop.WRONG_DESTINATION, id="broadcast"
        ),
        pytest.param(ETHERNET / TO4 / ICMP(type=0), Drop.OTHER_PROTOCOL, id="a reply"),
        pytest.param(ETHERNET / TO4 / ICMP(type=8, chksum=1) / b"x", Drop.BAD_CHECKSUM, id="checksum"),
        pytest.param(
            ETHERNET / IP(src="10.0.1.3", dst="10.0.42.0", flags="MF") / PING4, Drop.WRONG_FORMAT, id="fragment"
        ),
        pytest.param(
            ETHERNET / IP(src="10.0.1.3", dst="10.0.42.0", options=[IPOption(b"\x01\x01\x01\x00")]) / PING4,
            Drop.OTHER_PROTOCOL,
            id="options",
        ),
        pytest.param(ETHERNET / IP(src="224.0.0.1", dst="10.0.42.0") / PING4, Drop.BAD_SENDER, id="multicast sender"),
        pytest.param(ETHERNET / IP(src="10.0.42.0", dst="10.0.42.0") / PING4, Drop.BAD_SENDER, id="from ourselves"),
    ],
)
def test_what_is_no_whole_ping_to_us_is_dropped_for_its_reason(packet: Packet, reason: Drop) -> None:
    assert echo.answer4(bytes(packet), REPLIES, OURS) is reason


@pytest.mark.parametrize("length", [0, 20, 41, 44])
def test_a_cut_ping_is_dropped(length: int) -> None:
    assert echo.answer4(bytes(ETHERNET / TO4 / PING4)[:length], REPLIES, OURS) is Drop.TRUNCATED


def test_the_kernel_lets_pings_to_us_through_and_nothing_else() -> None:
    frames = (ETHERNET / TO4 / PING4, ETHERNET / IP(dst="10.0.42.1") / PING4, ETHERNET / TO4 / ICMP(type=0))

    assert [packet_filter.run(packet_filter.echo4([VIP4]), bytes(frame)) for frame in frames] == [True, False, False]


def test_the_kernel_lets_ipv6_pings_to_us_through() -> None:
    assert packet_filter.run(packet_filter.echo6([VIP6]), bytes(ETHERNET / TO6 / PING6))
