"""How a peer is reached, as socket options; no socket is made here."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from bgp_wire import config

from suite.bgp.peer_config import PeerConfig
from suite.bgp.socket_option import device_option, floor_option, md5_option, session_options

V4, V6 = IPv4Address("10.9.0.1"), IPv6Address("2001:db8::1")


def peer(address: object = V4, **changes: object) -> PeerConfig:
    return PeerConfig(config(), address, **changes)


def test_by_default_the_system_chooses_the_ttl() -> None:
    assert list(peer().options()) == [(6, 1, 1), (0, 1, 0xC0)]


def test_a_ttl_is_set_for_each_family() -> None:
    assert (0, 2, 4) in peer(ttl=4).options()
    assert (41, 16, 4) in peer(V6, ttl=4).options()


def test_ttl_security_sends_255_and_takes_only_what_is_near() -> None:
    v4 = list(session_options(V4, ttl=None, security_hops=1))
    v6 = list(session_options(V6, ttl=None, security_hops=3))

    assert (v4[2:], v6[2:]) == ([(0, 2, 255), (0, 21, 255)], [(41, 16, 255), (41, 73, 253)])


def test_what_a_listening_socket_hears_may_be_limited_to_what_is_near() -> None:
    assert (floor_option(4, 1), floor_option(6, 2), floor_option(4, None)) == ((0, 21, 255), (41, 73, 254), (0, 21, 0))


def test_a_device_is_a_name_with_a_zero_behind() -> None:
    assert device_option("eth0") == (1, 25, b"eth0\0")
    assert device_option("eth0") in peer(device="eth0").options()


def test_an_md5_key_names_the_peer_and_the_key() -> None:
    level, number, value = md5_option(V4, "secret")

    assert (level, number, len(value)) == (6, 14, 216)
    assert value[:8] == b"\x02\x00\x00\x00" + V4.packed
    assert value[128:142] == b"\0\0" + b"\x06\0" + b"\0\0\0\0" + b"secret"


def test_an_md5_key_for_an_ipv6_peer() -> None:
    _, _, value = md5_option(V6, "secret")

    assert value[:24] == b"\x0a\x00\x00\x00" + bytes(4) + V6.packed


def test_a_long_md5_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 80 octets"):
        md5_option(V4, "x" * 81)


@pytest.mark.parametrize(
    "wrong",
    [{"port": 0}, {"source": V6}, {"password": ""}, {"password": "x" * 81}, {"ttl": 256}, {"security_hops": 0}],
    ids=["port", "source", "empty password", "long password", "ttl", "hops"],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"port|families|password|TTL"):
        peer(**wrong)


def test_equal_settings_are_equal() -> None:
    assert peer(ttl=3) == peer(ttl=3)
