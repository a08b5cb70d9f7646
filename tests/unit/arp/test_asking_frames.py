"""Questions that measure a LAN are such as the owners of addresses answer, and only their answers count."""

from ipaddress import ip_address

import pytest
from scapy.layers.inet6 import ICMPv6ND_NS
from scapy.layers.l2 import ARP, Ether

from suite.l2 import arp, ndp
from suite.l2.asking import answered, question
from suite.l2.frames import templates

ASKER, OWNER = bytes.fromhex("020000000009"), bytes.fromhex("020000000001")
V4, V6 = (ip_address(text).packed for text in ("10.0.42.7", "fd00:42::7"))
SOURCE4, SOURCE6 = (ip_address(text).packed for text in ("10.0.10.9", "fe80::9"))


def test_an_ipv4_question_reads_as_arp():
    frame = Ether(question(ASKER, SOURCE4, V4))

    assert (frame.dst, frame[ARP].psrc, frame[ARP].pdst, frame[ARP].op) == (
        "ff:ff:ff:ff:ff:ff",
        "10.0.10.9",
        "10.0.42.7",
        1,
    )


def test_an_ipv6_question_reads_as_a_solicitation_with_a_right_checksum():
    octets = question(ASKER, SOURCE6, V6)
    frame = Ether(octets)

    assert (frame.dst, frame[ICMPv6ND_NS].tgt, ndp.invalid(octets)) == ("33:33:ff:00:00:07", "fd00:42::7", None)


@pytest.mark.parametrize(("source", "target"), [(SOURCE4, V4), (SOURCE6, V6)], ids=["arp", "ndp"])
def test_the_answer_of_an_owner_is_heard(source, target):
    made = templates()
    if len(target) == 4:
        reply = arp.answer(question(ASKER, source, target), {target: arp.prepare(made.arp, target, OWNER)}, OWNER)
    else:
        replies = {target: ndp.prepare(made.advertisement, target, OWNER)}
        reply = ndp.answer(question(ASKER, source, target), replies, OWNER)

    assert isinstance(reply, bytes)
    assert answered(reply) == target


@pytest.mark.parametrize(
    "frame",
    [question(ASKER, SOURCE4, V4), question(ASKER, SOURCE6, V6), b"", bytes(60), bytes(12) + b"\x86\xdd" + bytes(40)],
    ids=["request", "solicitation", "empty", "zeros", "cut"],
)
def test_no_other_frame_is_an_answer(frame):
    assert answered(frame) == b""
