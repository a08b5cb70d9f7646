"""TCP (RFC 7766): pipelining, odd segments, limits, and clients that mean no good."""

from __future__ import annotations

import socket
import time

import dns.message
import dns.query
import pytest
from dns_running import receive, running

from suite.dns.catalogue import Zones
from suite.dns.name import from_text
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.settings import Settings, Transfers
from suite.dns.tcp import Limits
from suite.dns.zone import Zone

ORIGIN = from_text("service.")
TAIL = b"\3web\7service\0\0\1\0\1"
TRANSFERS = Settings(transfers=Transfers(networks=((b"\x7f\0\0\0", 8),)))
PATIENCE = 5.0


def query(ident: int) -> bytes:
    return ident.to_bytes(2) + b"\0\0\0\1\0\0\0\0\0\0" + TAIL


def framed(*packets: bytes) -> bytes:
    return b"".join(len(packet).to_bytes(2) + packet for packet in packets)


def zones(*more: RRset) -> Zones:
    soa = RRset(ORIGIN, 6, 30, (parse_rdata(6, "ns.service. host.service. 1 2 3 4 5"),))
    return Zones.of([Zone.build(ORIGIN, [soa, RRset(from_text("web.service."), 1, 30, (b"\x0a\0\0\1",)), *more])])


@pytest.fixture(scope="module")
def server():
    with running(zones(), processes=False) as here:
        yield here


@pytest.fixture(scope="module")
def large() -> Zones:
    """A zone whose transfer fills every buffer."""
    data = tuple(bytes([200]) + number.to_bytes(2) + b"x" * 198 for number in range(300))
    return zones(*(RRset(from_text(f"n{number}.service."), 16, 30, data) for number in range(100)))


@pytest.fixture(scope="module")
def hasty(large: Zones):
    """A server with short patience and few connections."""
    limits = Limits(connections=8, per_client=6, idle=0.6, write=0.6)
    with running(large, TRANSFERS, processes=False, limits=limits) as here:
        yield here


def ends(sock: socket.socket) -> bool:
    """Tell whether the server closes the connection before long."""
    sock.settimeout(PATIENCE)
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def test_twenty_queries_in_one_segment_get_twenty_answers(server):
    with server.connect() as sock:
        sock.sendall(framed(*(query(number) for number in range(20))))

        answers = [receive(sock) for _ in range(20)]

    assert {int.from_bytes(answer[:2]) for answer in answers} == set(range(20))


def test_a_query_in_single_octets_is_answered(server):
    with server.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in framed(query(7)):
            sock.sendall(bytes([octet]))

        assert receive(sock)[:2] == b"\0\7"


def test_one_connection_serves_query_after_query(server):
    with server.connect() as sock:
        for number in range(5):
            sock.sendall(framed(query(number)))

            assert receive(sock)[:2] == number.to_bytes(2)


def test_a_half_closed_client_still_gets_its_answer(server):
    with server.connect() as sock:
        sock.sendall(framed(query(7)))
        sock.shutdown(socket.SHUT_WR)

        assert receive(sock)[:2] == b"\0\7"
        assert ends(sock)


@pytest.mark.parametrize("octets", [b"\0\0", b"\0\1x", b"\0\x0b" + bytes(11)], ids=["zero", "one", "eleven"])
def test_a_length_below_a_header_closes_the_connection(server, octets):
    with server.connect() as sock:
        sock.sendall(octets)

        assert ends(sock)


def test_length_and_message_leave_in_one_segment(server):
    with server.connect() as sock:
        sock.sendall(framed(query(7)))

        assert len(sock.recv(2048)) > 2


def test_a_hundred_connections_at_once(server):
    socks = [server.connect() for _ in range(100)]
    try:
        for number, sock in enumerate(socks):
            sock.sendall(framed(query(number)))

        assert [receive(sock)[1] for sock in socks] == list(range(100))
    finally:
        for sock in socks:
            sock.close()


def test_an_idle_connection_is_closed(hasty):
    with hasty.connect() as sock:
        assert ends(sock)


def test_a_message_that_drips_in_does_not_hold_the_connection(hasty):
    started = time.monotonic()
    with hasty.connect() as sock:
        try:
            for octet in framed(query(7)) * 20:
                sock.sendall(bytes([octet]))
                time.sleep(0.1)
        except (ConnectionResetError, BrokenPipeError):
            pass

    assert time.monotonic() - started < PATIENCE


def test_a_client_that_never_reads_its_transfer_is_dropped(hasty):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with sock:
        sock.connect(hasty.address())
        sock.sendall(framed(dns.message.make_query("service.", "AXFR").to_wire()))
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and not is_dead(sock):
            time.sleep(0.05)

        assert is_dead(sock)


def is_dead(sock: socket.socket) -> bool:
    """Tell whether the kernel knows that the peer reset or closed, without reading what waits (TCP_INFO's state)."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != 1


def test_others_are_served_while_a_client_does_not_read(hasty):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with sock, hasty.connect() as other:
        sock.connect(hasty.address())
        sock.sendall(framed(dns.message.make_query("service.", "AXFR").to_wire()))
        other.sendall(framed(query(7)))

        assert receive(other)[:2] == b"\0\7"


def test_one_client_gets_no_more_than_its_share_of_connections(hasty):
    socks = [hasty.connect() for _ in range(7)]
    try:
        assert ends(socks[6])
    finally:
        for sock in socks:
            sock.close()


def test_a_transfer_comes_whole(patient):
    host, port = patient.address()

    answers = list(dns.query.xfr(host, "service.", port=port, lifetime=60, relativize=False))

    assert sum(len(rrset) for message in answers for rrset in message.answer) == 3 + 100 * 300


def transfer_of(ident: int) -> bytes:
    return dns.message.make_query("service.", "AXFR", id=ident).to_wire()


def idents(sock: socket.socket) -> list[int]:
    """The IDs of all messages that come until the server closes."""
    found = []
    while (message := receive(sock)) is not None:
        found.append(int.from_bytes(message[:2]))
    return found


@pytest.fixture(scope="module")
def patient(large: Zones):
    with running(large, TRANSFERS, processes=False) as here:
        yield here


@pytest.fixture
def reader(patient):
    """A connection whose small receive buffer leaves most of a transfer at the server."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.settimeout(PATIENCE)
        sock.connect(patient.address())
        yield sock


def test_a_question_overtakes_a_transfer_that_began_before_it(reader):
    reader.sendall(framed(transfer_of(1)))
    assert receive(reader)[:2] == b"\0\1"
    reader.sendall(framed(query(7)))
    reader.shutdown(socket.SHUT_WR)

    order = idents(reader)

    assert 7 in order[:-1]
    assert 300 < order.count(1) < 450


def test_two_transfers_of_one_connection_run_side_by_side(reader):
    reader.sendall(framed(transfer_of(1), transfer_of(2)))

    order = {int.from_bytes(receive(reader)[:2]) for _ in range(4)}

    assert order == {1, 2}


def test_a_half_closed_client_gets_its_transfer_whole(reader):
    reader.sendall(framed(query(7), transfer_of(1)))
    reader.shutdown(socket.SHUT_WR)

    order = idents(reader)

    assert order[0] == 7
    assert 300 < order.count(1) < 450


def test_keepalive_that_was_not_asked_for_is_not_told(server):
    reply = server.tcp(query(7))

    assert dns.message.from_wire(reply).options == ()
