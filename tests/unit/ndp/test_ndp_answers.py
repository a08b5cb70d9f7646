"""Neighbor Solicitations: what is answered and how, what is dropped for which reason (RFC 4861, RFC 4862)."""

from ipaddress import IPv6Address

import pytest
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet, Raw

from suite.l2 import ndp
from suite.l2.arp import Claim
from suite.l2.drop import Drop
from suite.l2.frames import templates

OURS_TEXT, CLIENT_TEXT = "02:00:00:00:10:01", "02:00:00:0c:01:03"
OURS, CLIENT = bytes.fromhex("020000001001"), bytes.fromhex("0200000c0103")
VIP = IPv6Address("fd00:42::1:2").packed
GROUP, GROUP_MAC = "ff02::1:ff01:2", "33:33:ff:01:00:02"
REPLIES = {VIP: ndp.prepare(templates().advertisement, VIP, OURS)}
ETHERNET = Ether(src=CLIENT_TEXT, dst=GROUP_MAC)
NETWORK = IPv6(src="fd00::3", dst=GROUP, hlim=255)
QUESTION = ICMPv6ND_NS(tgt="fd00:42::1:2")
OPTION = ICMPv6NDOptSrcLLAddr(lladdr=CLIENT_TEXT)


def outcome(packet: Packet) -> bytes | Drop:
    return ndp.answer(bytes(packet), REPLIES, OURS)


def test_the_owner_answers_the_asker_alone() -> None:
    expected = (
        Ether(src=OURS_TEXT, dst=CLIENT_TEXT)
        / IPv6(src="fd00:42::1:2", dst="fd00::3", hlim=255)
        / ICMPv6ND_NA(R=0, S=1, O=1, tgt="fd00:42::1:2")
        / ICMPv6NDOptDstLLAddr(lladdr=OURS_TEXT)
    )

    assert outcome(ETHERNET / NETWORK / QUESTION / OPTION) == bytes(expected)


def test_a_machine_that_tries_to_obtain_the_address_hears_of_the_owner_through_all_nodes() -> None:
    expected = (
        Ether(src=OURS_TEXT, dst="33:33:00:00:00:01")
        / IPv6(src="fd00:42::1:2", dst="ff02::1", hlim=255)
        / ICMPv6ND_NA(R=0, S=0, O=1, tgt="fd00:42::1:2")
        / ICMPv6NDOptDstLLAddr(lladdr=OURS_TEXT)
    )

    assert outcome(ETHERNET / IPv6(src="::", dst=GROUP, hlim=255) / QUESTION) == bytes(expected)


def test_a_unicast_question_without_option_goes_back_where_it_came_from() -> None:
    reply = outcome(
        Ether(src=CLIENT_TEXT, dst=OURS_TEXT) / IPv6(src="fd00::3", dst="fd00:42::1:2", hlim=255) / QUESTION
    )

    assert reply[:6] == CLIENT


def with_wrong_checksum() -> Packet:
    return ETHERNET / NETWORK / ICMPv6ND_NS(tgt="fd00:42::1:2", cksum=0x1234)


def with_options(options: bytes) -> Packet:
    return ETHERNET / NETWORK / QUESTION / Raw(options)


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        pytest.param(Raw(b""), Drop.TRUNCATED, id="empty"),
        pytest.param(Raw(bytes(ETHERNET / NETWORK / QUESTION)[:60]), Drop.TRUNCATED, id="half a message"),
        pytest.param(ETHERNET / NETWORK / QUESTION / Raw(bytes(1600)), Drop.OVERSIZED, id="longer than Ethernet"),
        pytest.param(
            Ether(src=CLIENT_TEXT, dst=GROUP_MAC) / Dot1Q(vlan=7) / NETWORK / QUESTION, Drop.VLAN_TAGGED, id="802.1Q"
        ),
        pytest.param(
            Ether(src=CLIENT_TEXT, dst=GROUP_MAC, type=0x0800) / Raw(bytes(80)), Drop.OTHER_PROTOCOL, id="IPv4"
        ),
        pytest.param(ETHERNET / NETWORK / ICMPv6EchoRequest(data=bytes(40)), Drop.OTHER_PROTOCOL, id="ping"),
        pytest.param(ETHERNET / NETWORK / IPv6ExtHdrHopByHop() / QUESTION, Drop.OTHER_PROTOCOL, id="extension header"),
        pytest.param(
            ETHERNET / IPv6(src="fd00::3", dst=GROUP, hlim=254) / QUESTION, Drop.WRONG_HOP_LIMIT, id="crossed a router"
        ),
        pytest.param(ETHERNET / NETWORK / ICMPv6ND_NS(code=1, tgt="fd00:42::1:2"), Drop.WRONG_FORMAT, id="code 1"),
        pytest.param(ETHERNET / NETWORK / ICMPv6ND_NS(tgt="ff02::1"), Drop.WRONG_FORMAT, id="multicast target"),
        pytest.param(with_wrong_checksum(), Drop.BAD_CHECKSUM, id="checksum"),
        pytest.param(
            ETHERNET / IPv6(src="ff02::1", dst=GROUP, hlim=255) / QUESTION, Drop.BAD_SENDER, id="multicast source"
        ),
        pytest.param(ETHERNET / IPv6(src="::1", dst=GROUP, hlim=255) / QUESTION, Drop.BAD_SENDER, id="loopback source"),
        pytest.param(with_options(b"\x01\x00" + bytes(6)), Drop.BAD_OPTION, id="option of length zero"),
        pytest.param(with_options(b"\x01\x02" + bytes(6)), Drop.BAD_OPTION, id="option beyond the end"),
        pytest.param(
            ETHERNET / IPv6(src="::", dst=GROUP, hlim=255) / QUESTION / OPTION,
            Drop.BAD_OPTION,
            id="MAC of the unspecified",
        ),
        pytest.param(
            ETHERNET / IPv6(src="::", dst="fd00:42::1:2", hlim=255) / QUESTION,
            Drop.WRONG_DESTINATION,
            id="unicast from ::",
        ),
        pytest.param(
            ETHERNET / IPv6(src="fd00::3", dst="ff02::1:ff00:9", hlim=255) / QUESTION,
            Drop.WRONG_DESTINATION,
            id="another group",
        ),
        pytest.param(
            Ether(src=CLIENT_TEXT, dst="02:00:00:00:10:02") / NETWORK / QUESTION,
            Drop.WRONG_DESTINATION,
            id="another machine's frame",
        ),
        pytest.param(ETHERNET / NETWORK / ICMPv6ND_NS(tgt="fd00:42::2:2"), Drop.WRONG_DESTINATION, id="wrong group"),
        pytest.param(
            ETHERNET / IPv6(src="fd00::3", dst="ff02::1:ff02:2", hlim=255) / ICMPv6ND_NS(tgt="fd00:42::2:2"),
            Drop.FOREIGN_ADDRESS,
            id="not our address",
        ),
        pytest.param(Ether(src=OURS_TEXT, dst=GROUP_MAC) / NETWORK / QUESTION, Drop.OWN_FRAME, id="looped back"),
        pytest.param(
            ETHERNET / IPv6(src="fd00:42::1:2", dst=GROUP, hlim=255) / QUESTION,
            Drop.CONFLICT,
            id="asks with our address",
        ),
        pytest.param(
            ETHERNET / IPv6(src="fd00::3", dst="ff02::1", hlim=255) / ICMPv6ND_NA(S=0, tgt="fd00:42::1:2"),
            Drop.CONFLICT,
            id="advertises our address",
        ),
        pytest.param(
            ETHERNET / IPv6(src="fd00::3", dst="ff02::1", hlim=255) / ICMPv6ND_NA(S=0, tgt="fd00:42::9"),
            Drop.NOT_A_QUESTION,
            id="advertises its own",
        ),
        pytest.param(
            ETHERNET / IPv6(src="fd00::3", dst="ff02::1", hlim=255) / ICMPv6ND_NA(S=1, tgt="fd00:42::9"),
            Drop.WRONG_FORMAT,
            id="solicited to everybody",
        ),
    ],
)
def test_what_is_no_question_to_us_is_dropped_for_its_reason(packet: Packet, reason: Drop) -> None:
    assert outcome(packet) is reason


@pytest.mark.parametrize(
    ("packet", "claimed"),
    [
        pytest.param(
            ETHERNET
            / IPv6(src="fd00::3", dst="ff02::1", hlim=255)
            / ICMPv6ND_NA(S=0, tgt="fd00:42::1:2")
            / ICMPv6NDOptDstLLAddr(lladdr="02:00:00:00:00:99"),
            Claim(VIP, bytes.fromhex("020000000099")),
            id="advertisement",
        ),
        pytest.param(
            ETHERNET / IPv6(src="::", dst=GROUP, hlim=255) / QUESTION, Claim(VIP, CLIENT, is_probe=True), id="probe"
        ),
        pytest.param(
            ETHERNET / NETWORK / QUESTION / OPTION, Claim(IPv6Address("fd00::3").packed, CLIENT), id="solicitation"
        ),
        pytest.param(Ether(src=OURS_TEXT, dst=GROUP_MAC) / NETWORK / QUESTION, None, id="our own"),
        pytest.param(with_wrong_checksum(), None, id="broken"),
    ],
)
def test_a_message_claims_an_address(packet: Packet, claimed: Claim | None) -> None:
    assert ndp.claim(bytes(packet), OURS) == claimed


def test_a_probe_is_the_solicitation_of_duplicate_address_detection() -> None:
    question = ndp.probe(templates().solicitation, VIP, OURS)

    assert question == bytes(Ether(src=OURS_TEXT, dst=GROUP_MAC) / IPv6(src="::", dst=GROUP, hlim=255) / QUESTION)
