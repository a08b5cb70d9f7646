"""Who has an address? What is answered, and what is dropped for which reason (RFC 826, RFC 5227)."""

import pytest

from suite.l2 import arp
from suite.l2.drop import Drop
from suite.l2.frames import templates

OURS = bytes.fromhex("020000001001")
CLIENT = bytes.fromhex("0200000c0103")
BROADCAST = "ffffffffffff"
VIP = bytes([10, 0, 42, 0])
REPLIES = {VIP: arp.prepare(templates().arp, VIP, OURS)}

# From 10.0.1.3 (02:00:00:0c:01:03): who has 10.0.42.0?
HEADER = "0806 0001 0800 06 04 0001"
BODY = "0200000c0103 0a000103 000000000000 0a002a00"


def frame(destination: str = BROADCAST, source: str = "0200000c0103", header: str = HEADER, body: str = BODY) -> bytes:
    return bytes.fromhex(destination + source + header + body)


def outcome(question: bytes) -> bytes | Drop:
    return arp.answer(question, REPLIES, OURS)


def test_the_owner_answers_the_asker_alone() -> None:
    reply = outcome(frame())

    assert reply == bytes.fromhex(
        "0200000c0103 020000001001 0806 0001 0800 06 04 0002020000001001 0a002a000200000c0103 0a000103"
    )


def test_a_unicast_question_is_answered() -> None:
    assert isinstance(outcome(frame(destination="020000001001")), bytes)


def test_padding_up_to_the_shortest_ethernet_frame_does_no_harm() -> None:
    assert outcome(frame() + bytes(18)) == outcome(frame())


def test_a_probe_from_nobody_is_answered_so_that_the_prober_learns_of_the_owner() -> None:
    reply = outcome(frame(body="0200000c0103 00000000 000000000000 0a002a00"))

    assert reply[22:32] + reply[32:42] == OURS + VIP + CLIENT + bytes(4)


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        pytest.param(b"", Drop.TRUNCATED, id="empty"),
        pytest.param(frame()[:41], Drop.TRUNCATED, id="one byte short"),
        pytest.param(frame() + bytes(1500), Drop.OVERSIZED, id="longer than Ethernet"),
        pytest.param(frame(header="8100 002a" + HEADER), Drop.VLAN_TAGGED, id="802.1Q"),
        pytest.param(frame(header="88a8 002a" + HEADER), Drop.VLAN_TAGGED, id="802.1ad"),
        pytest.param(frame(header="0800 0001 0800 06 04 0001"), Drop.OTHER_PROTOCOL, id="IPv4"),
        pytest.param(frame(header="0806 0006 0800 06 04 0001"), Drop.WRONG_HARDWARE, id="token ring"),
        pytest.param(frame(header="0806 0001 86dd 06 04 0001"), Drop.WRONG_FORMAT, id="protocol IPv6"),
        pytest.param(frame(header="0806 0001 0800 08 04 0001"), Drop.WRONG_FORMAT, id="long MACs"),
        pytest.param(frame(header="0806 0001 0800 06 10 0001"), Drop.WRONG_FORMAT, id="long addresses"),
        pytest.param(frame(header="0806 0001 0800 06 04 0003"), Drop.WRONG_FORMAT, id="reverse request"),
        pytest.param(frame(header="0806 0001 0800 06 04 0002"), Drop.NOT_A_QUESTION, id="reply"),
        pytest.param(frame(destination="020000001002"), Drop.WRONG_DESTINATION, id="another machine's frame"),
        pytest.param(frame(destination="01005e000001"), Drop.WRONG_DESTINATION, id="multicast frame"),
        pytest.param(
            frame(body="0200000c0103 0a000103 000000000000 0a002a01"), Drop.FOREIGN_ADDRESS, id="not our address"
        ),
        pytest.param(frame(body="0200000c0103 0a002a00 000000000000 0a002a00"), Drop.CONFLICT, id="gratuitous, ours"),
        pytest.param(
            frame(body="0200000c0103 0a002a01 000000000000 0a002a01"), Drop.FOREIGN_ADDRESS, id="gratuitous, theirs"
        ),
        pytest.param(frame(body="020000001001 0a000103 000000000000 0a002a00"), Drop.OWN_FRAME, id="looped back"),
        pytest.param(frame(body="0300000c0103 0a000103 000000000000 0a002a00"), Drop.BAD_SENDER, id="multicast sender"),
        pytest.param(frame(body="000000000000 0a000103 000000000000 0a002a00"), Drop.BAD_SENDER, id="nobody's MAC"),
        pytest.param(frame(body="0200000c0103 7f000001 000000000000 0a002a00"), Drop.BAD_SENDER, id="loopback sender"),
        pytest.param(frame(body="0200000c0103 e0000001 000000000000 0a002a00"), Drop.BAD_SENDER, id="class D sender"),
    ],
)
def test_what_is_no_question_to_us_is_dropped_for_its_reason(question: bytes, reason: Drop) -> None:
    assert outcome(question) is reason


@pytest.mark.parametrize(
    ("body", "claimed"),
    [
        pytest.param(
            "0200000c0103 0a002a00 000000000000 0a002a00", arp.Claim(VIP, CLIENT, is_probe=False), id="announcement"
        ),
        pytest.param("0200000c0103 00000000 000000000000 0a002a00", arp.Claim(VIP, CLIENT, is_probe=True), id="probe"),
        pytest.param("020000001001 0a002a00 000000000000 0a002a00", None, id="our own"),
        pytest.param("0300000c0103 0a002a00 000000000000 0a002a00", None, id="multicast MAC"),
    ],
)
def test_a_frame_claims_the_address_of_its_sender(body: str, claimed: arp.Claim | None) -> None:
    assert arp.claim(frame(body=body), OURS) == claimed
