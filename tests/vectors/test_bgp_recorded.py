"""What real routers said (tests/vectors/bgp/*.hex, each with its origin) reads as what it meant, and writes back."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from suite.bgp.capability import ExtendedNextHop, FourOctetAs, GracefulRestart, Multiprotocol
from suite.bgp.fsm import State
from suite.bgp.message import Dialect, Keepalive, Message, MessageReader, decode, encode
from suite.bgp.negotiation import SessionConfig
from suite.bgp.prefix import IPV4, IPV6
from suite.bgp.session import Session
from suite.bgp.status import Connect

FOLDER = Path(__file__).parent / "bgp"
ROUTERS = sorted(path.stem for path in FOLDER.glob("*.hex"))
DIALECT = Dialect(families=frozenset({IPV4, IPV6}))


def octets(router: str) -> list[bytes]:
    lines = (FOLDER / f"{router}.hex").read_text(encoding="ascii").splitlines()
    return [bytes.fromhex(line) for line in lines if not line.startswith("#")]


def messages(router: str) -> list[Message]:
    reader = MessageReader()
    return [decode(kind, body, DIALECT) for message in octets(router) for kind, body in reader.feed(message)]


@pytest.mark.parametrize("router", ROUTERS)
def test_the_origin_is_named(router: str) -> None:
    assert (FOLDER / f"{router}.hex").read_text(encoding="ascii").startswith("# origin: ")


@pytest.mark.parametrize("router", ROUTERS)
def test_a_router_introduces_itself(router: str) -> None:
    hello, alive, *_ = messages(router)

    assert (hello.asn, str(hello.identifier), alive) == (64512, "10.9.0.1", Keepalive())
    assert {FourOctetAs(64512), Multiprotocol(IPV4)} <= set(hello.capabilities)


RESTART_TIMES = {"bird": [120], "frr": [120], "gobgp": [], "exabgp": []}
EXTENDED = {"bird": [], "frr": [], "gobgp": [((IPV4, 2),)], "exabgp": []}


@pytest.mark.parametrize("router", ROUTERS)
def test_capabilities_of_a_router_are_understood(router: str) -> None:
    capabilities = messages(router)[0].capabilities

    assert [c.time for c in capabilities if isinstance(c, GracefulRestart)] == RESTART_TIMES[router]
    assert [c.pairs for c in capabilities if isinstance(c, ExtendedNextHop)] == EXTENDED[router]


@pytest.mark.parametrize("router", ROUTERS)
def test_a_route_of_a_router_reads_with_its_communities(router: str) -> None:
    first = next(message for message in messages(router) if getattr(message, "prefixes", ()))

    assert [str(prefix) for prefix in first.prefixes] == ["10.20.0.0/16"]
    assert first.attributes.as_path[0].numbers == (64512,)
    assert str(first.attributes.next_hop) == "10.9.0.1"
    assert (first.attributes.communities, first.attributes.large_communities) == ((0xFC000007,), ((64512, 1, 2),))


@pytest.mark.parametrize("router", ["bird", "exabgp", "frr"])
def test_an_ipv6_route_of_a_router_reads_with_its_next_hop(router: str) -> None:
    [reach] = [message.reach for message in messages(router) if getattr(message, "reach", None)]

    assert [str(prefix) for prefix in reach.prefixes] == ["2001:db8:20::/48"]
    assert str(reach.next_hops[0]) == "2001:db8:9::1"


@pytest.mark.parametrize("router", ["bird", "exabgp", "frr"])
def test_the_ends_of_the_first_routes_are_seen(router: str) -> None:
    marks = [message.end_of_rib for message in messages(router) if hasattr(message, "end_of_rib")]

    assert [mark for mark in marks if mark is not None] == [IPV4, IPV6]


@pytest.mark.parametrize("router", ROUTERS)
def test_nothing_a_router_said_was_a_fault(router: str) -> None:
    assert not [message.faults for message in messages(router) if getattr(message, "faults", ())]


@pytest.mark.parametrize("router", ROUTERS)
def test_messages_mean_the_same_when_written_by_us(router: str) -> None:
    reader = MessageReader()

    again = [decode(kind, body, DIALECT) for m in messages(router) for kind, body in reader.feed(encode(m))]

    assert again == messages(router)


@pytest.mark.parametrize("router", ROUTERS)
def test_a_session_comes_up_with_a_recording_and_counts_its_routes(router: str) -> None:
    config = SessionConfig(64513, 64512, IPv4Address("10.9.0.2"), frozenset({IPV4, IPV6}))
    session = Session(config, lambda: 0.5)
    session.start(0.0)
    link = session.next_event()
    assert isinstance(link, Connect)
    session.connected(link.link, IPv4Address("10.9.0.2"), IPv4Address("10.9.0.1"), 0.0)

    session.receive(link.link, b"".join(octets(router)), 0.0)

    assert session.state is State.ESTABLISHED
    assert session.status().counters["prefixes_received"] >= 1
