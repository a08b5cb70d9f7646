"""Batches through one UDP socket: each packet of a mixture gets the reference's answer, however it is answered."""

from __future__ import annotations

import socket
import struct

import pytest

from suite.dns.catalogue import Zones
from suite.dns.fastpath import Compiled
from suite.dns.feed import ChangeZone
from suite.dns.name import from_text
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.settings import Context, Settings
from suite.dns.udp import BATCH, Endpoint, open_socket
from suite.dns.wire import respond
from suite.dns.zone import Zone

ORIGIN = from_text("service.")
LONG = "l" * 63 + "." + "m" * 63
SETTINGS = Settings(cookie_secrets=(bytes(16),))
NOW = 1_700_000_000
OPT = bytes.fromhex("00002904d0000000000000")
QUESTIONS = [
    *((name, rtype, opt) for name in ("web.service.", "WEB.Service.", "gone.service.") for rtype in (1, 28) for opt in (b"", OPT)),
    (f"{LONG}.service.", 1, b""), ("web.service.", 255, b""), ("many.service.", 1, OPT), ("elsewhere.example.", 1, b""),
]  # fmt: skip
ODD = [b"\x12", b"\x12\x34\x28\0\0\0\0\0\0\0\0\0", b"\x12\x34\1\0\0\1\0\0\0\0\0\0\3web", bytes(700)]


def _zone() -> Zone:
    soa = RRset(ORIGIN, 6, 30, (parse_rdata(6, "ns.service. host.service. 1 2 3 4 5"),))
    many = RRset(from_text("many.service."), 1, 30, tuple(bytes([10, 0, 1, number]) for number in range(20)))
    return Zone.build(ORIGIN, [soa, many, *(_address(name, 1) for name in ("web.service.", f"{LONG}.service."))])


def _address(name: str, last: int) -> RRset:
    return RRset(from_text(name), 1, 30, (bytes([10, 0, 0, last]),))


def _packets() -> list[bytes]:
    packets = [
        number.to_bytes(2) + b"\1\0\0\1\0\0\0\0\0" + bytes([bool(opt)]) + _wire(name) + bytes([0, rtype, 0, 1]) + opt
        for number, (name, rtype, opt) in enumerate(QUESTIONS)
    ]
    return [*packets[:8], *ODD, *packets[8:]]


def _wire(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")[:-1]) + b"\0"


@pytest.fixture(params=["127.0.0.1", "0.0.0.0", "::1"])
def asked(request):
    """A client and the endpoint it asks."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with open_socket(request.param, 0) as server, socket.socket(family, socket.SOCK_DGRAM) as client:
        client.connect((request.param.replace("0.0.0.0", "127.0.0.1"), server.getsockname()[1]))
        client.setblocking(False)
        yield client, Endpoint(server)


def _asked(client: socket.socket, endpoint: Endpoint, answers: Compiled, packets: list[bytes]) -> list[bytes]:
    for packet in packets:
        client.send(packet)
    while endpoint.serve(answers):
        pass
    replies = []
    while True:
        try:
            replies.append(client.recv(2048))
        except BlockingIOError:
            return replies


def _expected(zones: Zones, packets: list[bytes]) -> list[bytes]:
    context = Context(SETTINGS, b"\x7f\0\0\1", NOW)
    return [reply for packet in packets if (reply := respond(zones, packet, context)) is not None]


def test_every_packet_of_a_mixture_gets_the_reference_answer_the_first_and_the_tenth_time(asked):
    zones = Zones.of([_zone()])
    answers = Compiled(zones, SETTINGS, lambda: NOW)
    packets = _packets()

    for _ in range(10):
        assert sorted(_asked(*asked, answers, packets)) == sorted(_expected(zones, packets))


def test_a_change_between_two_batches_is_in_the_second(asked):
    zones = Zones.of([_zone()])
    answers = Compiled(zones, SETTINGS, lambda: NOW)
    packets = _packets()
    for last in range(2, 6):
        changed = ChangeZone(ORIGIN, (_address("web.service.", last), _address("gone.service.", last)), last)
        answers.apply([changed])

        assert sorted(_asked(*asked, answers, packets)) == sorted(_expected(answers.zones, packets))


def test_what_leaves_as_cards_is_counted_to_the_last_one(asked):
    answers = Compiled(Zones.of([_zone()]), SETTINGS, lambda: NOW)
    web = _packets()[:1]
    for _ in range(3):
        _asked(*asked, answers, web * BATCH)

    assert answers.report()["udp A NOERROR"] == 3 * BATCH


def _from_port_zero(server: socket.socket, packet: bytes) -> None:
    """Send a packet whose answer would go to port 0, which is nobody's."""
    address, port = server.getsockname()[:2]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
        if family == socket.AF_INET6:
            raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_CHECKSUM, 6)
        header = struct.pack("!HHHH", 0, port, 8 + len(packet), 0)
        raw.sendto(header + packet, (address.replace("0.0.0.0", "127.0.0.1"), 0))


def _ports_seen(wire: socket.socket) -> list[tuple[int, int]]:
    """Source and destination of the UDP packets on the loopback interface so far."""
    found = []
    while True:
        try:
            packet = wire.recv(2048)
        except BlockingIOError:
            return found
        at = 40 if packet[0] >> 4 == 6 else 20
        if packet[6 if at == 40 else 9] == socket.IPPROTO_UDP:
            found.append(struct.unpack_from("!HH", packet, at))


@pytest.mark.net
def test_a_question_from_port_zero_goes_unanswered_and_those_beside_it_do_not(asked):
    client, endpoint = asked
    answers, web, odd = Compiled(Zones.of([_zone()]), SETTINGS, lambda: NOW), _packets()[0], ODD[1]
    port = endpoint.sock.getsockname()[1]
    _asked(client, endpoint, answers, [web, web])  # a card is ready
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3)) as wire:
        wire.bind(("lo", 3))
        wire.setblocking(False)
        for packet in (web, odd):
            _from_port_zero(endpoint.sock, packet)
        replies = _asked(client, endpoint, answers, [web])
        seen = _ports_seen(wire)

    assert len(replies) == 1
    assert (0, port) in seen
    assert (port, client.getsockname()[1]) in seen
    assert (port, 0) not in seen
