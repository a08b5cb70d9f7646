"""TCP clients that mean no good, from a network of their own: half-open and vanished ones, drippers, hoarders of memory."""

from __future__ import annotations

import re
import socket
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fix_netns import NetLab, eventually, network, require_tools

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from fix_netns import Namespace

pytestmark = [pytest.mark.peer, pytest.mark.net]

IDLE = 2.0
PER_CLIENT = 100
SERVE = """
import sys, time
sys.path[:0] = ["tests"]
from dns_running import running
from suite.dns.catalogue import Zones
from suite.dns.name import from_text
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.tcp import Limits
from suite.dns.zone import Zone
origin = from_text("service.")
soa = RRset(origin, 6, 30, (parse_rdata(6, "ns.service. host.service. 1 2 3 4 5"),))
zone = Zone.build(origin, [soa, RRset(from_text("web.service."), 1, 30, (b"\\x0a\\0\\0\\1",))])
with running(Zones.of([zone]), listen=[("10.9.0.1", 53)], limits=Limits(idle=float(sys.argv[1]))):
    print("ready", flush=True)
    time.sleep(600)
"""

SYNS = """
import random, socket, struct, sys
def summed(octets):
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
target = socket.inet_aton("10.9.0.1")
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
    for number in range(int(sys.argv[1])):
        source = bytes([10, 9, 1 + number // 250 % 200, 1 + number % 250])
        tcp = struct.pack("!HHIIBBHHH", 1024 + number % 60000, 53, random.getrandbits(32), 0, 5 << 4, 2, 64240, 0, 0)
        total = summed(source + target + struct.pack("!HH", 6, len(tcp)) + tcp)
        tcp = tcp[:16] + struct.pack("!H", total) + tcp[18:]
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, source, target)
        raw.sendto(ip + tcp, ("10.9.0.1", 0))
"""

QUESTION = b"\0\7\0\0\0\1\0\0\0\0\0\0\3web\7service\0\0\1\0\1"
PIPELINED = 2 << 20
"""Octets of questions that a client offers which never reads."""
MOST_HELD = 600_000
"""Octets that a connection may cost: one read of the event loop (256 KiB), a message, and answers that wait (128 KiB).  105,000 to 446,000 were
measured, and 2,300,000 without a pause in reading."""
FRAMED = len(QUESTION).to_bytes(2) + QUESTION


@pytest.fixture(scope="module")
def lan() -> Iterator[tuple[NetLab, Namespace, Namespace, subprocess.Popen[str]]]:
    """A server, and a client with ten addresses."""
    require_tools("ip", "ss")
    with network() as lab:
        switch, server, client = lab.bridge("lan"), lab.namespace("server"), lab.namespace("client")
        switch.plug(server, addresses=["10.9.0.1/16"])
        switch.plug(client, addresses=[f"10.9.0.{number}/16" for number in range(10, 20)])
        process = server.spawn(sys.executable, "-c", SERVE, str(IDLE))
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield lab, server, client, process


def connected(client: Namespace, count: int, stack: ExitStack) -> list[socket.socket]:
    """Connections from as many addresses as the limit for one client makes necessary."""
    found = []
    with client.entered():
        for number in range(count):
            sock = stack.enter_context(socket.socket())
            sock.bind((f"10.9.0.{10 + number // PER_CLIENT}", 0))
            sock.settimeout(10)
            sock.connect(("10.9.0.1", 53))
            found.append(sock)
    return found


def is_served(client: Namespace) -> bool:
    """Whether somebody else is answered over TCP just now."""
    with ExitStack() as stack:
        with client.entered():
            sock = stack.enter_context(socket.socket())
        sock.settimeout(5)
        with client.entered():
            sock.bind(("10.9.0.19", 0))
        try:
            sock.connect(("10.9.0.1", 53))
            sock.sendall(FRAMED)
            return sock.recv(512)[-4:] == b"\x0a\0\0\1"
        except OSError:
            return False


def states(server: Namespace, state: str) -> int:
    """How many connections of the server's port are in a state of ss(8)."""
    return len(server.must("ss", "-Hnt", "state", state, "sport", "=", ":53").splitlines())


def memory(process: subprocess.Popen[str]) -> int:
    """Octets that the TCP worker holds."""
    children = [
        int(pid) for file in Path(f"/proc/{process.pid}/task").glob("*/children") for pid in file.read_text().split()
    ]
    (worker,) = (pid for pid in children if b"\0tcp\0" in Path(f"/proc/{pid}/cmdline").read_bytes())
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{worker}/status").read_text())
    assert found is not None
    return int(found[1]) << 10


def test_thousands_of_half_open_connections_keep_nobody_out(
    lan: tuple[NetLab, Namespace, Namespace, subprocess.Popen[str]],
) -> None:
    _, server, client, process = lan
    before = memory(process)
    done = client.python("-c", SYNS, "5000")
    assert done.returncode == 0, done.stderr

    half_open = states(server, "syn-recv")

    assert half_open > 100
    assert is_served(client)
    assert memory(process) - before < 4 << 20  # they are the kernel's, and bounded by the backlog


def test_those_who_drip_are_closed_in_time_and_others_served_meanwhile(
    lan: tuple[NetLab, Namespace, Namespace, subprocess.Popen[str]],
) -> None:
    _, server, client, _ = lan
    with ExitStack() as stack:
        socks = connected(client, 700, stack)
        answered = []
        for octet in FRAMED[:3]:
            for sock in socks:
                with suppress(ConnectionError):  # its time may be over already
                    sock.send(bytes([octet]))
            answered.append(is_served(client))

        assert answered == [True, True, True]
        assert eventually(lambda: states(server, "established") == 0, 10 * IDLE, 0.1)


def test_clients_that_vanish_without_a_word_are_forgotten(
    lan: tuple[NetLab, Namespace, Namespace, subprocess.Popen[str]],
) -> None:
    _, server, client, _ = lan
    with ExitStack() as stack:
        connected(client, 200, stack)
        client.down()
        try:
            assert eventually(lambda: states(server, "established") == 0, 10 * IDLE, 0.1)
        finally:
            client.up()

    assert eventually(lambda: is_served(client), 20, 0.2)


def test_the_memory_of_clients_that_ask_and_ask_and_never_read_is_bounded(
    lan: tuple[NetLab, Namespace, Namespace, subprocess.Popen[str]],
) -> None:
    _, _, client, process = lan
    assert eventually(lambda: is_served(client), 20, 0.2)
    before, count = memory(process), 100
    with ExitStack() as stack:
        offered = pipelined(connected(client, count, stack))
        assert is_served(client)
        held = memory(process) - before

    assert sum(offered) > count * MOST_HELD, offered
    assert held < count * MOST_HELD, held  # so 600 MB at the limit of 1,000 connections


def pipelined(socks: list[socket.socket]) -> list[int]:
    """Octets of questions that each client gets rid of while it reads no answer, until none gets rid of more."""
    octets, sent = FRAMED * (PIPELINED // len(FRAMED) + 1), [0] * len(socks)

    def is_moving() -> bool:
        before = sum(sent)
        for number, sock in enumerate(socks):
            with suppress(BlockingIOError, ConnectionError):  # one that reads nothing for long is reset
                sent[number] += sock.send(octets[sent[number] : PIPELINED], socket.MSG_DONTWAIT)
        return sum(sent) > before

    while eventually(is_moving, 0.3, 0.02):
        pass
    return sent
