"""Workers: changes are visible when publish returns, a dead one is replaced, replies leave from the asked address."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import ExitStack, suppress

import pytest
from dns_running import running

from suite.dns.catalogue import Zones
from suite.dns.fastpath import Compiled
from suite.dns.feed import PIECE, ChangeZone, RemoveZone, ReplaceZone, SetState
from suite.dns.name import from_text
from suite.dns.nodes import head
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.settings import Settings, Transfers
from suite.dns.udp import Endpoint, open_socket
from suite.dns.zone import Zone, ZoneError

ORIGIN = from_text("service.")
WEB = from_text("web.service.")
QUERY = b"\x12\x34\0\0\0\1\0\0\0\0\0\0" + WEB + b"\0\1\0\1"
DEADLINE = 5.0
PATIENCE = 60.0
"""Seconds after which a question counts as lost, however busy the machine is."""


def zones(*, ready: bool = True) -> Zones:
    soa = RRset(ORIGIN, 6, 30, (parse_rdata(6, "ns.service. host.service. 1 2 3 4 5"),))
    return Zones.of([Zone.build(ORIGIN, [soa, RRset(WEB, 1, 30, (b"\x0a\0\0\1",), leased=True)])], ready=ready)


def workers(here, kind: str = "udp"):
    return [link for link in here.server._links if link.kind == kind and link.taken]


@pytest.mark.parametrize("processes", [True, False], ids=["processes", "threads"])
def test_a_change_is_visible_to_the_next_query(processes):
    with running(zones(), processes=processes) as here:
        for number in range(2, 40):
            here.publish(
                ChangeZone(ORIGIN, (RRset(WEB, 1, 30, (bytes([10, 0, 0, number]),)),), number), revision=number
            )

            assert here.udp(QUERY)[-4:] == bytes([10, 0, 0, number])
            assert here.tcp(QUERY)[-4:] == bytes([10, 0, 0, number])


def test_before_the_first_zones_every_answer_is_servfail():
    with running(zones(ready=False), processes=False) as here:
        assert here.udp(QUERY)[3] & 0xF == 2


def test_out_of_date_addresses_are_servfail_and_come_back():
    with running(zones(), processes=False) as here:
        here.publish(SetState(ready=True, stale=True), revision=2)
        stale = here.udp(QUERY)[3] & 0xF
        here.publish(SetState(ready=True, stale=False), revision=3)

        assert (stale, here.udp(QUERY)[3] & 0xF) == (2, 0)


@pytest.mark.parametrize("processes", [True, False], ids=["processes", "threads"])
def test_other_settings_hold_from_then_on_for_what_was_compiled_before_too(processes):
    with running(zones(), processes=processes) as here:
        before = here.udp(QUERY)[3] & 0x80, here.tcp(QUERY)[3] & 0x80
        here.loop.call_soon_threadsafe(here.server.configure, Settings(advertise_ra=True))
        here.publish(SetState(ready=True, stale=False), revision=2)

        assert (before, here.udp(QUERY)[3] & 0x80, here.tcp(QUERY)[3] & 0x80) == ((0, 0), 0x80, 0x80)


@pytest.mark.parametrize("rate", [0, 200], ids=["no-limit", "limited"])
def test_the_query_log_has_a_line_for_each_question_while_it_is_on(rate, capfd):
    with running(zones(), processes=False) as here:
        here.udp(QUERY)
        for is_on in (True, False):
            here.loop.call_soon_threadsafe(here.server.configure, Settings(query_log=is_on, rate=rate))
            here.publish(SetState(ready=True, stale=False), revision=2 if is_on else 3)
            here.udp(QUERY)
            here.tcp(QUERY.replace(b"web", b"w\nb"))

    lines = [line.split(" query ")[1] for line in capfd.readouterr().err.splitlines()]
    assert lines == [
        "127.0.0.1 udp web.service. A NOERROR",
        "127.0.0.1 tcp w\\010b.service. A NXDOMAIN",
    ]


def test_a_query_log_that_nobody_reads_loses_lines_and_no_answer():
    _unread, full = os.pipe()
    os.set_blocking(full, False)
    with suppress(BlockingIOError):
        while True:
            os.write(full, bytes(4096))
    os.set_blocking(full, True)
    kept = os.dup(2)
    os.dup2(full, 2)
    try:
        with running(zones(), processes=False) as here:
            here.loop.call_soon_threadsafe(here.server.configure, Settings(query_log=True))
            here.publish(SetState(ready=True, stale=False), revision=2)

            assert here.udp(QUERY)[-4:] == here.tcp(QUERY)[-4:] == b"\x0a\0\0\1"
    finally:
        os.dup2(kept, 2)
        for descriptor in (_unread, full, kept):
            os.close(descriptor)


def test_a_reply_that_is_larger_than_its_slot_stays_here():
    with open_socket("127.0.0.1", 0) as sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(sock.getsockname())
        client.settimeout(DEADLINE)
        answers = Compiled(zones(), Settings(udp_size=4096, identity=b"n" * 200), lambda: 1_700_000_000)
        answers.slow = lambda packet, _: packet[:2] + bytes(5000 if packet[:2] == b"no" else 10)
        endpoint = Endpoint(sock)
        for ident in (b"no", b"ok"):
            client.send(ident + b"\x28" + bytes(9))
        endpoint.serve(answers)

        assert client.recv(9000) == b"ok" + bytes(10)


def test_a_removed_zone_is_refused():
    with running(zones(), processes=False) as here:
        here.publish(RemoveZone(ORIGIN), revision=2)

        assert here.udp(QUERY)[3] & 0xF == 5


def test_a_change_that_breaks_a_rule_changes_nothing():
    with running(zones(), processes=False) as here:
        with pytest.raises(ZoneError):
            here.publish(ChangeZone(ORIGIN, (RRset(WEB, 5, 30, (ORIGIN,)),), 2), revision=2)

        assert here.udp(QUERY)[-4:] == b"\x0a\0\0\1"


def test_a_dead_worker_loses_no_packet_and_the_spare_knows_the_last_change():
    with running(zones(), processes=True) as here:
        here.publish(ChangeZone(ORIGIN, (RRset(WEB, 1, 30, (b"\x0a\0\0\2",)),), 2), revision=2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(DEADLINE)
            sock.connect(here.address())
            os.kill(workers(here)[0].body.pid, signal.SIGKILL)
            for number in range(50):
                sock.send(number.to_bytes(2) + QUERY[2:])

            answers = [sock.recv(512) for _ in range(50)]

    assert [answer[-4:] for answer in answers] == [b"\x0a\0\0\2"] * 50


def test_a_zone_that_travels_in_pieces_is_whole_for_every_worker_the_spare_and_who_comes_later():
    names = [from_text(f"n{number}.large.") for number in range(2 * PIECE + 1)]
    soa = RRset(from_text("large."), 6, 30, (parse_rdata(6, "ns.service. host.service. 1 2 3 4 5"),))
    folded = {name: head(1, 30, leased=True) + number.to_bytes(4) for number, name in enumerate(names)}
    asked = [QUERY[:12] + names[number] + QUERY[-4:] for number in (0, PIECE, 2 * PIECE)]
    expected = [number.to_bytes(4) for number in (0, PIECE, 2 * PIECE)]
    with running(zones(), processes=True) as here:
        here.publish(ReplaceZone(Zone.build(from_text("large."), [soa], folded=folded)), revision=2)

        assert [here.tcp(question)[-4:] for question in asked] == expected
        for _ in range(3):
            assert [here.udp(question)[-4:] for question in asked] == expected
            os.kill(workers(here)[0].body.pid, signal.SIGKILL)


def test_worker_after_worker_may_die():
    with running(zones(), processes=True) as here:
        for number in range(2, 5):
            os.kill(workers(here)[0].body.pid, signal.SIGKILL)
            here.publish(
                ChangeZone(ORIGIN, (RRset(WEB, 1, 30, (bytes([10, 0, 0, number]),)),), number), revision=number
            )

            assert here.udp(QUERY)[-4:] == bytes([10, 0, 0, number])


def test_the_spare_takes_the_place_of_a_dead_tcp_worker_with_the_differences_it_had():
    settings = Settings(transfers=Transfers(networks=((b"\x7f\0\0\0", 8),)))
    soa = b"\xc0\x0c\0\6\0\1\0\0\0\0\0\x16\0\0" + (1).to_bytes(4) + bytes(16)  # of who has serial 1
    ixfr = b"\0\7\0\0\0\1\0\0\0\1\0\0" + ORIGIN + b"\0\xfb\0\1" + soa
    with running(zones(), settings, processes=True) as here:
        here.publish(ChangeZone(ORIGIN, (RRset(WEB, 1, 30, (b"\x0a\0\0\2",)),), 2), revision=2)
        expected, spare = here.tcp(ixfr), next(link.body.pid for link in here.server._links if not link.taken)
        os.kill(workers(here, "tcp")[0].body.pid, signal.SIGKILL)
        deadline = time.monotonic() + DEADLINE
        while workers(here, "tcp")[:1] == [] or workers(here, "tcp")[0].body.pid != spare:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        here.publish(SetState(ready=True, stale=False), revision=3)
        here.run(here.server.visible(3))

        assert here.tcp(QUERY)[-4:] == here.udp(QUERY)[-4:] == b"\x0a\0\0\2"
        assert here.tcp(ixfr) == expected
        assert expected.count(b"\x0a\0\0\1") == expected.count(b"\x0a\0\0\2") == 1


def test_a_tcp_worker_that_stands_still_holds_up_no_publication():
    with running(zones(), processes=True) as here:
        here.run(here.server.visible(1))
        stopped = workers(here, "tcp")[0].body.pid
        os.kill(stopped, signal.SIGSTOP)
        for number in (2, 3):
            here.publish(
                ChangeZone(ORIGIN, (RRset(WEB, 1, 30, (bytes([10, 0, 0, number]),)),), number), revision=number
            )
        answer, seen = here.udp(QUERY)[-4:], here.server.seen
        os.kill(stopped, signal.SIGCONT)
        here.run(here.server.visible(3))

        assert (answer, seen, here.server.seen) == (b"\x0a\0\0\3", 1, 3)


def test_a_signal_to_the_whole_group_leaves_the_end_to_the_server():
    with running(zones(), processes=True) as here:
        pids = [link.body.pid for link in here.server._links]
        for pid in pids:
            os.kill(pid, signal.SIGTERM)

        assert here.udp(QUERY)[-4:] == here.tcp(QUERY)[-4:] == b"\x0a\0\0\1"
        assert [link.body.pid for link in here.server._links] == pids


def test_a_crowded_worker_interrupts_nobody_and_a_calm_one_may_again():
    with running(zones(), processes=True) as here, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        worker, deadline = workers(here)[0].body.pid, time.monotonic() + PATIENCE
        sock.connect(here.address())
        policies = [os.sched_getscheduler(worker)]
        while os.sched_getscheduler(worker) == os.SCHED_OTHER and time.monotonic() < deadline:
            for _ in range(200):
                sock.send(QUERY)
        policies.append(os.sched_getscheduler(worker))
        while os.sched_getscheduler(worker) == os.SCHED_BATCH and time.monotonic() < deadline:
            time.sleep(0.01)
            here.udp(QUERY)
        policies.append(os.sched_getscheduler(worker))

    assert policies == [os.SCHED_OTHER, os.SCHED_BATCH, os.SCHED_OTHER]


def test_two_workers_share_a_port():
    with running(zones(), workers=2, processes=True) as here, ExitStack() as open_ones:
        clients = [open_ones.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(50)]
        for client in clients:
            client.settimeout(PATIENCE)
            client.connect(here.address())
            client.send(QUERY)

        assert {client.recv(512)[-4:] for client in clients} == {b"\x0a\0\0\1"}
        assert here.run(here.server.counts())["udp A NOERROR"] == 50  # each question came to one of them, and once


@pytest.mark.parametrize(("wildcard", "asked"), [("0.0.0.0", "127.1.2.3"), ("::", "::1")])
def test_a_reply_leaves_from_the_address_that_was_asked(wildcard, asked):
    with running(zones(), listen=[(wildcard, 0)], processes=False) as here:
        family = socket.AF_INET6 if ":" in asked else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(DEADLINE)
            sock.sendto(QUERY, (asked, here.server.addresses[0][1]))

            assert sock.recvfrom(512)[1][0] == asked


def test_counters_tell_type_rcode_and_transport():
    with running(zones(), processes=False) as here:
        for _ in range(3):
            here.udp(QUERY)
        here.tcp(QUERY)

        counts = here.run(here.server.counts())

    assert (counts["udp A NOERROR"], counts["tcp A NOERROR"]) == (3, 1)


def shown(reply: bytes) -> str:
    """What the client of a limited server reads: all of it, or only that it shall come back over TCP."""
    return "come back" if reply[2] & 2 else "whole"


def burst(version: int) -> tuple[dict[int, str], str]:
    """What 8 equal questions over UDP bring, by their number, and one over TCP behind them, from a server that allows 2 a second."""
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    settings = Settings(rate=2, slip=2, spares_private=False)
    with running(zones(), settings, processes=False) as here, socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(here.address(version))
        for number in range(8):
            sock.send(number.to_bytes(2) + QUERY[2:])
        sock.send(
            b"\0\x09" + QUERY[2:].replace(b"web", b"not")
        )  # denials have a bucket of their own: this one is answered
        replies = {}
        while 9 not in replies:
            reply = sock.recv(512)
            replies[int.from_bytes(reply[:2])] = shown(reply)
        return replies, shown(here.tcp(QUERY, version))


@pytest.mark.parametrize("version", [4, 6], ids=["IPv4", "IPv6"])
def test_a_client_above_the_rate_hears_half_of_it_truncated_and_comes_back_over_tcp(version):
    second = None
    while second != int(time.time()):  # a new second would allow more
        second = int(time.time())
        over_udp, over_tcp = burst(version)

    assert over_udp == {0: "whole", 1: "whole", 3: "come back", 5: "come back", 7: "come back", 9: "whole"}
    assert over_tcp == "whole"


def test_an_address_in_use_is_an_error_at_start():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        with pytest.raises(OSError, match="in use"), running(zones(), listen=[("127.0.0.1", taken.getsockname()[1])]):
            pass


def test_a_mixture_of_many_packets_is_answered_in_one_batch():
    with running(zones(), processes=False) as here, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE)
        sock.connect(here.address())
        odd = b"\x99\x99\x28\0\0\0\0\0\0\0\0\0"
        for number in range(100):
            sock.send(odd if number % 3 == 0 else number.to_bytes(2) + QUERY[2:])

        answers = [sock.recv(512) for _ in range(100)]

    assert sum(answer[3] & 0xF == 4 for answer in answers) == 34
