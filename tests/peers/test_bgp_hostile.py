"""Peers that misbehave over real TCP: silent, chattering nonsense, slow, half-closed; others must not notice."""

import contextlib
import random
import socket
import struct
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from bgp_wire import peer_open
from fix_netns import eventually
from routers import NODE4, NODE6, ROUTER4, ROUTER6, BgpLab, Speaker, peer_config, prefixes, stays

from suite.bgp.export import RouteAttributes
from suite.bgp.message import KEEPALIVE, MessageReader, MessageType, encode
from suite.bgp.prefix import IPV4, IPV6, Prefix

pytestmark = [pytest.mark.peer, pytest.mark.net]

VECTORS = Path(__file__).parents[1] / "vectors" / "bgp"
HELLO = encode(peer_open(asn=64512, identifier=ROUTER4))


@pytest.fixture
def speaker(bgplab: BgpLab) -> Iterator[Speaker]:
    with bgplab.speaker() as made:
        yield made


@contextlib.contextmanager
def router(bgplab: BgpLab) -> Iterator[socket.socket]:
    """A listening socket on the router's port 179."""
    with bgplab.router.entered():
        listening = socket.create_server((ROUTER4, 179))
    with listening:
        listening.settimeout(10)
        yield listening


def read_until_closed(connection: socket.socket) -> list[tuple[MessageType, bytes]]:
    """Every message until the other side closes, ten seconds at most; a reset is a close."""
    connection.settimeout(10)
    reader, found = MessageReader(), []
    with contextlib.suppress(ConnectionResetError):
        while octets := connection.recv(65536):
            found += reader.feed(octets)
    return found


def test_garbage_is_answered_with_a_notification_that_arrives(bgplab: BgpLab, speaker: Speaker) -> None:
    with router(bgplab) as listening:
        speaker.peer(peer_config())
        connection, _ = listening.accept()
        with connection:
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" * 3)

            assert read_until_closed(connection)[-1] == (MessageType.NOTIFICATION, b"\x01\x01")


def test_a_peer_that_never_says_hello_is_given_up_and_tried_again(bgplab: BgpLab, speaker: Speaker) -> None:
    with router(bgplab) as listening:
        peer = speaker.peer(peer_config())
        first, _ = listening.accept()
        with first:
            assert eventually(lambda: speaker.state(peer) == "OpenSent")
            first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        second, _ = listening.accept()  # after the reset
        second.close()


def test_a_peer_that_falls_silent_is_told_that_the_hold_time_ended(bgplab: BgpLab, speaker: Speaker) -> None:
    with router(bgplab) as listening:
        speaker.peer(peer_config(hold_time=3))
        connection, _ = listening.accept()
        with connection:
            connection.sendall(HELLO + KEEPALIVE)

            assert read_until_closed(connection)[-1] == (MessageType.NOTIFICATION, b"\x04\x00")


@pytest.mark.parametrize(
    ("said", "state"),
    [(b"", "OpenSent"), (HELLO, "OpenConfirm"), (HELLO + KEEPALIVE, "Established")],
    ids=["OpenSent", "OpenConfirm", "Established"],
)
def test_a_peer_that_resets_in_each_state_is_asked_again(
    bgplab: BgpLab, speaker: Speaker, said: bytes, state: str
) -> None:
    with router(bgplab) as listening:
        peer = speaker.peer(peer_config())
        connection, _ = listening.accept()
        connection.sendall(said)
        assert eventually(lambda: speaker.state(peer) == state)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

        again, _ = listening.accept()
        again.close()


def test_damaged_recordings_of_real_routers_never_stop_the_speaker(bgplab: BgpLab, speaker: Speaker) -> None:
    chance = random.Random(1)
    streams = [
        bytes.fromhex("".join(line for line in path.read_text().splitlines() if line[0] != "#"))
        for path in sorted(VECTORS.glob("*.hex"))
    ]
    with router(bgplab) as listening:
        peer = speaker.peer(peer_config(idle_hold_time=0.01, idle_hold_max=0.01))
        for number in range(40):
            connection, _ = listening.accept()
            with connection:
                stream = bytearray(streams[number % len(streams)])
                for _ in range(chance.randrange(1, 6)):
                    stream[chance.randrange(len(stream))] = chance.randrange(256)
                connection.sendall(stream)
                connection.shutdown(socket.SHUT_WR)
                read_until_closed(connection)

        last, _ = listening.accept()
        with last:
            last.sendall(HELLO + KEEPALIVE)
            assert speaker.is_up(peer)


def test_a_peer_that_reads_nothing_stalls_only_itself(bgplab: BgpLab, speaker: Speaker) -> None:
    many = {Prefix.parse(f"10.{n >> 8}.{n & 255}.0/24"): RouteAttributes(med=n) for n in range(20_000)}
    with router(bgplab) as listening:
        slow = speaker.peer(peer_config(hold_time=90))
        connection, _ = listening.accept()
        with connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(HELLO + KEEPALIVE)
            assert speaker.is_up(slow)

            speaker.call(slow.announce, many)

            assert speaker.call(slow.status).pending > 0
            quick = speaker.peer(peer_config(hold_time=90))
            other, _ = listening.accept()
            with other:
                other.sendall(HELLO + KEEPALIVE)
                assert speaker.is_up(quick)


def test_a_flood_of_routes_is_counted_and_dropped(bgplab: BgpLab, speaker: Speaker) -> None:
    attributes = "40010100" + "40020602010000fc00" + "4003040a090001"
    nlri = b"".join(Prefix.parse(f"10.{n >> 8}.{n & 255}.0/24").nlri for n in range(1000))
    body = bytes(2) + b"\0\x14" + bytes.fromhex(attributes) + nlri
    update = b"\xff" * 16 + (19 + len(body)).to_bytes(2) + b"\x02" + body
    with router(bgplab) as listening:
        peer = speaker.peer(peer_config(hold_time=90))
        connection, _ = listening.accept()
        with connection:
            connection.sendall(HELLO + KEEPALIVE + update * 100)

            assert eventually(lambda: speaker.call(peer.status).counters.get("prefixes_received") == 100_000, 20)
            assert len(speaker.call(peer.status).received) == 20


def test_a_stranger_is_turned_away_by_the_listener(bgplab: BgpLab, speaker: Speaker) -> None:
    bgplab.router.ip("address", "add", "10.9.0.66/24", "dev", "eth0")
    speaker.peer(peer_config(passive=True), listen=True)
    with bgplab.router.entered():
        stranger = socket.create_connection((NODE4, 179), timeout=5, source_address=("10.9.0.66", 0))

    with stranger:
        assert read_until_closed(stranger) == []


def connects(bgplab: BgpLab, node: str, ttl: int) -> bool:
    """Whether the router gets a connection whose packets arrive with this TTL, as if from 255 - TTL hops away."""
    level, option = (
        (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) if ":" in node else (socket.IPPROTO_IP, socket.IP_TTL)
    )
    with bgplab.router.entered():
        attempt = socket.socket(socket.AF_INET6 if ":" in node else socket.AF_INET)
    with attempt:
        attempt.settimeout(1)
        attempt.setsockopt(level, option, ttl)
        try:
            attempt.connect((node, 179))
        except TimeoutError:
            return False
        return attempt.recv(4096)[18] == MessageType.OPEN


@pytest.mark.parametrize(("router", "node"), [(ROUTER4, NODE4), (ROUTER6, NODE6)], ids=["IPv4", "IPv6"])
def test_with_ttl_security_nobody_far_away_gets_a_connection(
    bgplab: BgpLab, speaker: Speaker, router: str, node: str
) -> None:
    families = frozenset({IPV6 if ":" in router else IPV4})
    speaker.peer(peer_config(router, passive=True, security_hops=2, families=families), listen=True)

    assert [connects(bgplab, node, ttl) for ttl in (253, 254)] == [False, True]


def test_a_peer_with_many_connections_keeps_one(bgplab: BgpLab, speaker: Speaker) -> None:
    peer = speaker.peer(peer_config(passive=True), listen=True)
    with bgplab.router.entered():
        connections = [socket.create_connection((NODE4, 179), timeout=5) for _ in range(30)]
    last = connections[-1]
    last.sendall(HELLO + KEEPALIVE)

    assert speaker.is_up(peer)
    assert len(peer._session._connections) <= 3
    for connection in connections:
        connection.close()


def test_an_address_that_answers_nothing_costs_nothing_but_attempts(speaker: Speaker) -> None:
    peer = speaker.peer(peer_config("10.9.0.99", connect_retry_time=0.2, idle_hold_time=0.1))

    assert stays(lambda: speaker.state(peer) in {"Connect", "Idle"}, 1)
    assert len(peer._attempts) <= 1


def test_a_router_that_is_not_there_yet_is_found_when_it_comes(bgplab: BgpLab, speaker: Speaker) -> None:
    peer = speaker.peer(peer_config())
    speaker.call(peer.announce, dict.fromkeys(prefixes("10.10.10.10/32"), RouteAttributes()))
    time.sleep(0.5)

    with router(bgplab) as listening:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(HELLO + KEEPALIVE)
            assert speaker.is_up(peer)


def test_the_source_address_is_the_configured_one(bgplab: BgpLab, speaker: Speaker) -> None:
    bgplab.node.ip("address", "add", "10.9.0.77/24", "dev", "eth0")
    with router(bgplab) as listening:
        speaker.peer(peer_config(source=IPv4Address("10.9.0.77")))

        connection, remote = listening.accept()
        connection.close()

    assert remote[0] == "10.9.0.77"


def test_a_session_bound_to_an_interface_uses_it(bgplab: BgpLab, speaker: Speaker) -> None:
    with router(bgplab) as listening:
        peer = speaker.peer(peer_config(device="eth0"))
        connection, _ = listening.accept()
        with connection:
            connection.sendall(HELLO + KEEPALIVE)
            assert speaker.is_up(peer)


def test_a_device_that_is_not_there_is_a_reason_not_a_crash(speaker: Speaker) -> None:
    peer = speaker.peer(peer_config(device="nic9"))

    assert eventually(lambda: speaker.call(peer.status).last_cause is not None)
    assert speaker.call(peer.status).last_cause.text == "connect: no such device"
