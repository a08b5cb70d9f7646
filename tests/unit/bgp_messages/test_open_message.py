"""OPEN and its capabilities, in wire form, and what is refused (RFC 4271 section 6.2, RFC 5492, RFC 9072)."""

from ipaddress import IPv4Address

import pytest

from suite.bgp.capability import (
    EnhancedRouteRefresh,
    ExtendedNextHop,
    FourOctetAs,
    GracefulRestart,
    Multiprotocol,
    RouteRefresh,
    UnknownCapability,
)
from suite.bgp.notification import ProtocolError
from suite.bgp.open import Open, decode_open, encode_open
from suite.bgp.prefix import IPV4, IPV6

ROUTER = IPv4Address("10.9.0.1")
FIXED = "04fc00005a0a090001"


CAPABILITIES = [
    pytest.param(Multiprotocol(IPV6), "010400020001", id="multiprotocol"),
    pytest.param(RouteRefresh(), "0200", id="route refresh"),
    pytest.param(EnhancedRouteRefresh(), "4600", id="enhanced route refresh"),
    pytest.param(ExtendedNextHop(((IPV4, 2),)), "0506000100010002", id="extended next hop"),
    pytest.param(GracefulRestart(120, ((IPV4, True),), restarting=True), "4006807800010180", id="graceful restart"),
    pytest.param(GracefulRestart(0), "40020000", id="graceful restart, helper only"),
    pytest.param(FourOctetAs(4200000001), "4104fa56ea01", id="four-octet AS"),
    pytest.param(UnknownCapability(73, b"\x04name"), "4905046e616d65", id="FQDN, unknown here"),
    pytest.param(UnknownCapability(1, b"\x00\x01\x00"), "0103000100", id="multiprotocol of a wrong length"),
]


@pytest.mark.parametrize(("capability", "octets"), CAPABILITIES)
def test_each_capability_reads_and_writes_its_wire_form(capability: object, octets: str) -> None:
    message = Open(64512, 90, ROUTER, (capability,))
    size = len(octets) // 2

    body = bytes.fromhex(f"{FIXED}{size + 2:02x}02{size:02x}{octets}")

    assert encode_open(message).hex() == body.hex()
    decoded = decode_open(body)
    assert decoded.capabilities == (capability,)


def test_without_capabilities_there_are_no_parameters() -> None:
    assert encode_open(Open(64512, 90, ROUTER)).hex() == FIXED + "00"


def test_a_number_above_65535_stands_as_as_trans_beside_its_capability() -> None:
    body = encode_open(Open(4200000001, 90, ROUTER, (FourOctetAs(4200000001),)))

    assert body[1:3].hex() == "5ba0"
    assert decode_open(body).asn == 4200000001


def test_one_parameter_per_capability_reads_like_one_for_all() -> None:
    body = bytes.fromhex(FIXED + "0a" + "02020200" + "0204" + "4102fc00")

    assert decode_open(body).capabilities == (RouteRefresh(), UnknownCapability(65, b"\xfc\x00"))


def test_more_than_255_octets_of_parameters_use_the_extended_lengths() -> None:
    many = tuple(UnknownCapability(200 + n, bytes(100)) for n in range(5))

    body = encode_open(Open(64512, 90, ROUTER, many))

    assert body[9:13].hex() == "ffff0201"
    assert decode_open(body).capabilities == many


REFUSED = [
    pytest.param("03fc00005a0a09000100", "2/1:0004", id="version 3"),
    pytest.param("040000005a0a09000100", "2/2:", id="AS 0"),
    pytest.param("045ba0005a0a09000108020641040000" + "0000", "2/2:", id="AS 0 in four octets"),
    pytest.param("04fc0000010a09000100", "2/6:", id="hold time 1"),
    pytest.param("04fc0000020a09000100", "2/6:", id="hold time 2"),
    pytest.param("04fc00005a0000000000", "2/3:", id="identifier 0"),
    pytest.param("04fc00005a0a09000102" + "0100", "2/4:", id="authentication, withdrawn parameter"),
    pytest.param("04fc00005a0a09000103" + "0200", "2/0:", id="parameters cut off"),
    pytest.param("04fc00005a0a09000102" + "0205", "2/0:", id="parameter longer than the message"),
    pytest.param("04fc00005a0a09000104" + "02020105", "2/0:", id="capability longer than its parameter"),
    pytest.param("04fc00005a0a09000103" + "020141", "2/0:", id="capability without a length"),
    pytest.param("04fc00005a0a090001ff" + "ff00", "2/0:", id="extended lengths cut off"),
]


@pytest.mark.parametrize(("body", "answer"), REFUSED)
def test_a_faulty_open_is_refused_with_its_notification(body: str, answer: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        decode_open(bytes.fromhex(body))

    sent = refused.value.notification
    assert f"{sent.code}/{sent.subcode}:{sent.data.hex()}" == answer


def test_a_restart_time_that_does_not_fit_is_no_capability() -> None:
    with pytest.raises(ValueError, match="4096 s does not fit 12 bits"):
        GracefulRestart(4096)
