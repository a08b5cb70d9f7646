"""TCP (RFC 7766): pipelining, odd segments, limits, and clients that mean no good."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack

import dns.edns
import dns.message
import dns.query
import pytest
from dns_running import receive, running

from suite.dns.catalogue import Zones
from suite.dns.feed import ChangeZone
from suite.dns.name import from_text
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.settings import Settings, Transfers
from suite.dns.tcp import Limits
from suite.dns.zone import Zone

ORIGIN = from_text("service.")
TAIL = b"\3web\7service\0\0\1\0\1"
TRANSFERS = Settings(transfers=Transfers(networks=((b"\x7f\0\0\0", 8), (bytes(15) + b"\1", 128))))
PATIENCE = 5.0
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


@pytest.fixture(params=[4, 6], ids=["IPv4", "IPv6"])
def version(request):
    return request.param


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


def is_answered(sock: socket.socket) -> bool:
    """Tell whether the server takes a question, or turned the connection away."""
    try:
        sock.sendall(framed(query(7)))
        return receive(sock) is not None
    except (ConnectionResetError, BrokenPipeError):
        return False


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


def test_length_and_message_leave_in_one_segment(server, version):
    with server.connect(version) as sock:
        sock.sendall(framed(query(7)))

        assert len(sock.recv(2048)) > 2


def test_a_hundred_connections_at_once(server, version):
    socks = [server.connect(version) for _ in range(100)]
    try:
        for number, sock in enumerate(socks):
            sock.sendall(framed(query(number)))

        assert [receive(sock)[1] for sock in socks] == list(range(100))
    finally:
        for sock in socks:
            sock.close()


def test_an_idle_connection_is_closed(hasty, version):
    with hasty.connect(version) as sock:
        assert ends(sock)


def test_a_message_that_drips_in_does_not_hold_the_connection(hasty, version):
    started = time.monotonic()
    with hasty.connect(version) as sock:
        try:
            for octet in framed(query(7)) * 20:
                sock.sendall(bytes([octet]))
                time.sleep(0.1)
        except (ConnectionResetError, BrokenPipeError):
            pass

    assert time.monotonic() - started < PATIENCE


def test_a_client_that_never_reads_its_transfer_is_dropped(hasty, version):
    sock = socket.socket(FAMILIES[version])
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with sock:
        sock.connect(hasty.address(version))
        sock.sendall(framed(dns.message.make_query("service.", "AXFR").to_wire()))
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and not is_dead(sock):
            time.sleep(0.05)

        assert is_dead(sock)


def is_dead(sock: socket.socket) -> bool:
    """Tell whether the kernel knows that the peer reset or closed, without reading what waits (TCP_INFO's state)."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != 1


def test_others_are_served_while_a_client_does_not_read(hasty, version):
    sock = socket.socket(FAMILIES[version])
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with sock, hasty.connect(version) as other:
        sock.connect(hasty.address(version))
        sock.sendall(framed(dns.message.make_query("service.", "AXFR").to_wire()))
        other.sendall(framed(query(7)))

        assert receive(other)[:2] == b"\0\7"


def test_one_client_gets_no_more_than_its_share_of_connections(hasty, version):
    socks = [hasty.connect(version) for _ in range(7)]
    try:
        assert ends(socks[6])
    finally:
        for sock in socks:
            sock.close()


def served_of(place: tuple[str, int], sources: list[str]) -> list[bool]:
    """Which of so many connections at once, from these addresses one after the other, are answered."""
    with ExitStack() as opened:
        socks = [
            opened.enter_context(socket.create_connection(place, PATIENCE, source_address=(each, 0)))
            for each in sources
        ]
        return [is_answered(sock) for sock in socks]


def test_where_all_connections_are_taken_a_newcomer_gets_that_of_who_has_most(hasty):
    sources = ["127.0.0.1"] * 6 + ["127.0.0.2"] * 3
    deadline = time.monotonic() + PATIENCE
    while (served := served_of(hasty.address(), sources)) != [False] + [True] * 8 and time.monotonic() < deadline:
        time.sleep(0.1)  # connections of the tests before this one may still be open

    assert served == [False] + [True] * 8


def test_who_asks_one_question_is_answered_before_ten_thousand_slow_ones_of_another_client():
    slow = (
        query(1)[:12] + b"\1a" * 110 + b"\7service\0\x12\x34\0\1"
    )  # a deep name and a rare type: nothing is kept ready
    with running(zones(), processes=False) as here, ExitStack() as opened:
        for _ in range(40):
            opened.enter_context(here.connect()).sendall(framed(*[slow] * 250))
        other = opened.enter_context(socket.create_connection(here.address(), 60, source_address=("127.0.0.2", 0)))
        other.sendall(framed(query(7)))
        receive(other)

        answered = sum(count for name, count in here.run(here.server.counts()).items() if name.startswith("tcp"))

    assert answered < 10_000


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


def test_a_transfer_is_of_one_version_though_the_zone_changes_meanwhile(patient, reader):
    late = from_text("late.service.")
    reader.sendall(framed(transfer_of(1)))
    assert receive(reader)[:2] == b"\0\1"
    patient.publish(ChangeZone(ORIGIN, (RRset(late, 1, 30, (b"\x0a\0\0\x09",)),), 2), revision=2)
    reader.shutdown(socket.SHUT_WR)

    rest = []
    while (message := receive(reader)) is not None:
        rest.append(message)
    patient.publish(ChangeZone(ORIGIN, (RRset(late, 1, 0, ()),), 3), revision=3)

    assert 300 < len(rest) < 450
    assert not any(b"\4late" in message for message in rest)
    soa = dns.message.from_wire(rest[-1], xfr=True, one_rr_per_rrset=True).answer[-1]
    assert soa[0].serial == 1


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


@pytest.fixture(scope="module")
def crowded():
    """A server whose sixteen connections are soon taken."""
    with running(zones(), processes=False, limits=Limits(connections=16, idle=7.5)) as here:
        yield here


@pytest.mark.parametrize(
    ("connections", "tenths"), [(1, 75), (12, 75), (13, 20), (15, 20), (16, 0)], ids=["one", "12", "13", "15", "all"]
)
def test_keepalive_tells_the_idle_limit_in_force(crowded, version, connections, tenths):
    asked = dns.message.make_query("web.service.", "A", options=[dns.edns.GenericOption(dns.edns.KEEPALIVE, b"")])
    deadline = time.monotonic() + PATIENCE
    while (told := told_of_last(crowded, version, connections, asked)) != tenths and time.monotonic() < deadline:
        time.sleep(0.05)  # connections of the tests before this one may still be open

    assert told == tenths


def told_of_last(server, version: int, connections: int, asked: dns.message.Message) -> int | None:
    """Tenths of seconds that the last of so many connections is told; None when it is turned away."""
    with ExitStack() as opened:
        socks = [opened.enter_context(server.connect(version)) for _ in range(connections)]
        for sock in socks[:-1]:
            if not is_answered(sock):
                return None
        try:
            socks[-1].sendall(framed(asked.to_wire()))
            reply = receive(socks[-1])
        except ConnectionError:
            return None
        (option,) = dns.message.from_wire(reply).options if reply else (None,)
        return None if option is None else int.from_bytes(option.to_wire())
