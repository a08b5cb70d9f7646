"""Frames of a LAN in words for people."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6ND_NS, IPv6
from scapy.layers.l2 import Ether

from suite.l2 import arp, ndp
from suite.l2.describe import describe
from suite.l2.frames import templates

MAC = bytes.fromhex("020000001001")
VIP4, VIP6 = ip_address("10.0.42.0").packed, ip_address("fd00:42::1").packed
PREPARED = ndp.prepare(templates().advertisement, VIP6, MAC)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (arp.probe(templates().arp, VIP4, MAC), "probe for 10.0.42.0"),
        (arp.announcements(templates().arp, VIP4, MAC)[0], "02:00:00:00:10:01 announces: 10.0.42.0 is here"),
        (
            MAC + arp.prepare(templates().arp, VIP4, MAC) + MAC + bytes(4),
            "02:00:00:00:10:01 answers: 10.0.42.0 is here",
        ),
        (ndp.probe(templates().solicitation, VIP6, MAC), "probe for fd00:42::1"),
        (ndp.announcement(PREPARED), "02:00:00:00:10:01 announces: fd00:42::1 is here"),
        (
            bytes(Ether() / IPv6(src="fd00::3", dst="ff02::1") / ICMPv6ND_NS(tgt="fd00::4")),
            "fd00::3 asks who has fd00::4",
        ),
        (
            bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(dport=53)),
            "Ether / IP / UDP 10.0.0.1:domain > 10.0.0.2:domain",
        ),
        (b"short", "5 bytes, too short for Ethernet"),
    ],
    ids=["probe", "announcement", "answer", "IPv6 probe", "IPv6 announcement", "solicitation", "anything", "noise"],
)
def test_a_frame_is_put_into_words(frame: bytes, words: str) -> None:
    assert describe(frame).text == words
