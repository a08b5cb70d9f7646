"""`suite l2 watch` shows what neighbours say to each other and nothing else."""

import pytest

from suite.l2.listening import is_neighbourly

ETHERNET = bytes(12)
IPV6_ICMP = b"\x86\xdd" + bytes(6) + b"\x3a\xff" + bytes(32)


@pytest.mark.parametrize("frame", [b"\x08\x06" + bytes(28), IPV6_ICMP + b"\x87", IPV6_ICMP + b"\x88"])
def test_arp_and_neighbour_discovery_are_shown(frame):
    assert is_neighbourly(ETHERNET + frame)


@pytest.mark.parametrize("frame", [b"", b"\x08\x00" + bytes(40), IPV6_ICMP + b"\x80", IPV6_ICMP[:-1]])
def test_other_traffic_and_cut_off_frames_are_not(frame):
    assert not is_neighbourly(ETHERNET + frame)
