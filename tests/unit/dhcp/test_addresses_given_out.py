"""Which addresses a DHCP server gives out is overheard from broadcasts, and nothing else is believed."""

from ipaddress import ip_address

import pytest

from suite.l2.dhcp import Given, given
from suite.l2.packet_filter import dhcp, run

SERVER = "c0a80101"


def frame(*, port=68, yiaddr="00000000", options="", protocol="11", header="45"):
    """An Ethernet frame with a DHCP message; options are hexadecimal."""
    ip = f"{header}000000000000004{0:01x}{protocol}0000{SERVER}ffffffff"
    udp = f"0043{port:04x}00000000"
    bootp = "02010600" + "00" * 8 + "00000000" + yiaddr + "00" * 8 + "00" * 208 + "63825363"
    return bytes.fromhex("ffffffffffff" + "020000000001" + "0800" + ip + udp + bootp + options + "ff")


OFFER, ACK, REQUEST = "350102", "350105", "350103"
FROM = f"3604{SERVER}"
WANTED = "32040a002a07"


@pytest.mark.parametrize("kind", [OFFER, ACK])
def test_what_a_server_offers_or_grants_is_heard(kind):
    heard = given(frame(yiaddr="0a002a07", options=kind + FROM))

    assert heard == Given(ip_address("10.0.42.7"), ip_address("192.168.1.1"))


def test_a_client_that_takes_an_offer_names_address_and_server():
    heard = given(frame(port=67, options=REQUEST + WANTED + FROM))

    assert heard == Given(ip_address("10.0.42.7"), ip_address("192.168.1.1"))


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(frame(port=67, options=REQUEST + WANTED), id="a client that only hopes for its old address"),
        pytest.param(frame(yiaddr="0a002a07", options="350106" + FROM), id="a refusal"),
        pytest.param(frame(options=ACK + FROM), id="an answer to INFORM, without an address"),
        pytest.param(frame(yiaddr="0a002a07", options=OFFER, protocol="06"), id="TCP"),
        pytest.param(frame(yiaddr="0a002a07", options=OFFER, header="46"), id="IP options"),
        pytest.param(frame(yiaddr="0a002a07", options=OFFER)[:281], id="cut short"),
        pytest.param(frame(port=67, options=REQUEST + FROM + "32020a00"), id="an address of two bytes"),
        pytest.param(frame(port=67, options=REQUEST + FROM + "32ff0a002a07"), id="an option longer than the frame"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_nothing_else_tells_of_an_address(said):
    assert given(said) is None


def test_padding_is_skipped_and_the_first_of_two_counts():
    heard = given(frame(yiaddr="0a002a07", options="0000" + OFFER + FROM + "3604c0a80102"))

    assert heard.server == ip_address("192.168.1.1")


def test_the_kernel_lets_only_dhcp_through():
    program = dhcp()

    assert run(program, frame(options=OFFER))
    assert run(program, frame(port=67))
    assert not run(program, frame(port=53))
    assert not run(program, frame(protocol="06"))
    assert not run(program, frame(header="46"))
    assert not run(program, frame(), packet_type=3)
