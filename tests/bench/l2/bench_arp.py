"""ARP: request to reply, and replies per second, ours beside the kernel's on the same veth pair.

    python tests/bench/l2/bench_arp.py            # as root

Two hosts on one cable. The kernel answers for its own address, `suite` for the VIP, in turns, so that both see the same noise
of the machine. Three views, because on a veth pair the kernel answers inside the very system call that asked:

  one thread            no scheduling at all: the cost of the answer itself
  two processes         ours has to be woken up, the kernel has not; `least possible` is a process that decides nothing
  as if two machines    RPS lets each host's core digest what arrives, so the kernel's answer is woken up too

Then a flood of 50,000 requests per second for foreign addresses joins in. Since the asking process, which does as much work for each
exchange as the answering one, has the machine's other core at best, `per processor second` says what ours could answer.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[3])]

from fix_netns import Namespace, NetLab, network

from suite.l2 import arp
from suite.l2.frames import templates
from suite.l2.link import ARP, Answerer, Link, open_socket
from suite.l2.netlink import Interfaces

if TYPE_CHECKING:
    from collections.abc import Callable

KERNEL, VIP, FOREIGN = "10.0.10.1", "10.0.42.0", "10.0.99.99"
ROUNDS, LATENCY_SAMPLES, RATE_SECONDS, IN_FLIGHT = 5, 4000, 0.6, 64
FLOOD_RATE = 50_000
CAPACITY_SECONDS = 2.0

RESPONDER = """
import select, sys
from ipaddress import ip_address
from suite.l2.frames import Templates
from suite.l2.link import Link
from suite.l2.netlink import Interfaces
many = int(sys.argv[1])
templates = Templates.from_text(dict(zip(("arp", "advertisement", "solicitation"), sys.argv[2:5])))
link = Link(Interfaces().by_name()["eth0"], templates)
link.own([ip_address("10.0.42.0"), *(ip_address(0x0A004300 + 2 * number) for number in range(many - 1))])
answerer = link.answerers[0]
poll = select.epoll()
poll.register(answerer.socket.fileno(), select.EPOLLIN)
print("ready", flush=True)
while True:
    poll.poll()
    answerer.serve()
"""


BARE = """
import sys
from ipaddress import ip_address
from suite.l2 import arp
from suite.l2.frames import Templates
from suite.l2.link import Link
from suite.l2.netlink import Interfaces
templates = Templates.from_text(dict(zip(("arp", "advertisement", "solicitation"), sys.argv[1:4])))
link = Link(Interfaces().by_name()["eth0"], templates)
link.own([ip_address("10.0.42.0")])
sock = link.answerers[0].socket
sock.setblocking(True)
print("ready", flush=True)
reply = arp.answer(sock.recv(2048), link.answerers[0].replies, link.interface.mac)
while True:
    sock.send(reply)
    sock.recv(2048)
"""


def floor(lab: NetLab) -> None:
    """What no process can fall below here: one that waits in `recv` and sends one and the same reply, nothing between."""
    client, node = hosts(lab, "floor")
    answers = listening(client)
    process = node.spawn(sys.executable, "-c", BARE, *templates().to_text().values())
    assert process.stdout.readline().strip() == "ready"
    rounds(answers, "two processes, the least possible", name="bare")
    process.kill()
    process.wait()
    answers.close()


def responder(node: Namespace, addresses: int) -> subprocess.Popen[str]:
    process = node.spawn(sys.executable, "-c", RESPONDER, str(addresses), *templates().to_text().values())
    assert process.stdout.readline().strip() == "ready", process.stdout.read()
    return process


def question(target: str) -> bytes:
    # From the client's own address and MAC, as its kernel would ask.
    frame = arp.probe(templates().arp, ip_address(target).packed, CLIENT_MAC)
    return frame[:28] + ip_address("10.0.1.3").packed + frame[32:]


def latency(client: socket.socket, target: str) -> float:
    """The median time from request to reply, in microseconds."""
    frame, times = question(target), []
    for _ in range(LATENCY_SAMPLES):
        began = time.perf_counter_ns()
        client.send(frame)
        client.recv(2048)
        times.append(time.perf_counter_ns() - began)
    return statistics.median(times) / 1000


def rate(client: socket.socket, target: str) -> float:
    """Replies per second with a constant number of requests on their way."""
    frame, replies = question(target), 0
    for _ in range(IN_FLIGHT):
        client.send(frame)
    began = now = time.perf_counter()
    while now - began < RATE_SECONDS:
        client.recv(2048)
        client.send(frame)
        replies += 1
        now = time.perf_counter()
    drain(client)
    return replies / (now - began)


def drain(client: socket.socket) -> None:
    time.sleep(0.05)
    client.setblocking(False)
    try:
        while True:
            client.recv(2048)
    except BlockingIOError:
        client.settimeout(2)


def rounds(client: socket.socket, label: str, name: str = "suite") -> None:
    """Both answerers in turns; medians of the rounds and the ratio."""
    kernel, ours = ([[], []] for _ in range(2))
    for _ in range(ROUNDS):
        for target, (latencies, rates) in ((KERNEL, kernel), (VIP, ours)):
            latencies.append(latency(client, target))
            rates.append(rate(client, target))
    for at, (what, unit) in enumerate((("request to reply, p50", "us"), ("replies per second", "/s"))):
        theirs, our = statistics.median(kernel[at]), statistics.median(ours[at])
        print(
            f"{label:34} {what:22} kernel {theirs:10.1f} {unit:2}  {name:5} {our:10.1f} {unit:2}  ratio {our / theirs:.2f}"
        )


def flood(client: socket.socket, process: subprocess.Popen[str]) -> None:
    """Our answers while a second process floods; the share of a core that the responder spends on the flood."""
    quiet = latency(client, VIP)
    pid = os.fork()
    if pid == 0:
        _flood_for(3.0)
        os._exit(0)
    time.sleep(0.3)
    before, began = cpu(process.pid), time.perf_counter()
    time.sleep(1.5)
    share = (cpu(process.pid) - before) / (time.perf_counter() - began)
    loud = latency(client, VIP)
    os.waitpid(pid, 0)
    print(
        f"{'flood of foreign requests':34} p50 quiet {quiet:.1f} us, in the flood {loud:.1f} us; the process used {share:.1%} of a core"
    )


def capacity(client: Namespace, node: Namespace, process: subprocess.Popen[str]) -> None:
    """Requests as fast as they leave, and nobody who waits for replies: how many the answering process sends per second of its own."""
    pid = os.fork()
    if pid == 0:
        with client.entered():
            _ask_without_pause(CAPACITY_SECONDS)
        os._exit(0)
    before, spent = sent_by(node), cpu(process.pid)
    os.waitpid(pid, 0)
    time.sleep(0.1)
    replies, spent = sent_by(node) - before, cpu(process.pid) - spent
    print(
        f"{'requests without a pause':34} replies {replies / CAPACITY_SECONDS:.0f}/s; per processor second {replies / spent:.0f}"
    )


def _ask_without_pause(seconds: float) -> None:
    sender, frame, until = open_socket("eth0", ARP), question(VIP), time.perf_counter() + seconds
    while time.perf_counter() < until:
        for _ in range(100):
            sender.send(frame)


def sent_by(node: Namespace) -> int:
    return int(node.must("cat", "/sys/class/net/eth0/statistics/tx_packets"))


def _flood_for(seconds: float) -> None:
    sender = open_socket("eth0", ARP)
    frame, sent, began = question(FOREIGN), 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        for _ in range(max(0, int(passed * FLOOD_RATE) - sent)):
            sender.send(frame)
            sent += 1
        time.sleep(0.0005)
    print(f"{'':34} {sent / seconds:.0f} foreign requests per second were sent")


def cpu(pid: int) -> float:
    fields = Path("/proc", str(pid), "stat").read_text(encoding="ascii").rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    pages = int(Path("/proc", str(pid), "statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def spread(host: Namespace, core: int) -> None:
    """Frames that arrive here are digested by one core of its own (RPS), as if the hosts were two machines.

    Otherwise a veth pair lets the sender's own system call run the receiver's kernel, which answers before the
    client has had time to wait: no real LAN does that.
    """
    host.must("sh", "-c", f"echo {1 << core:x} > /sys/class/net/eth0/queues/rx-0/rps_cpus")


def listening(client: Namespace) -> socket.socket:
    """A packet socket that hears only the replies to the client, filtered by the same program as ours."""
    with client.entered():
        opened = open_socket("eth0", ARP)
    answerer = Answerer(ARP, opened, CLIENT_MAC, {ip_address("10.0.1.3").packed: b""})
    answerer.admit()
    opened.settimeout(2)
    return opened


def work_alone(lab: NetLab) -> None:
    """Everything in one thread, so that nobody is woken up: what answering itself costs, and what of it is system calls."""
    client, node = hosts(lab, "alone")
    answers = listening(client)
    with node.entered(), closing(Interfaces()) as interfaces:
        link = Link(interfaces.by_name()["eth0"], templates())
        link.own([ip_address(VIP)])
    answerer, sock = link.answerers[0], link.answerers[0].socket
    asked, asked_kernel = question(VIP), question(KERNEL)
    reply = arp.answer(asked, answerer.replies, answerer.mac)

    def by_kernel() -> None:
        answers.send(asked_kernel)
        answers.recv(2048)

    def by_suite() -> None:
        answers.send(asked)
        answerer.serve(1)
        answers.recv(2048)

    def by_system_calls() -> None:
        answers.send(asked)
        sock.recv(2048)
        sock.send(reply)
        answers.recv(2048)

    kernel, suite, calls = (median_of(each) for each in (by_kernel, by_suite, by_system_calls))
    print(f"one thread: kernel {kernel:.1f} us, suite {suite:.1f} us ({suite / kernel:.2f}x),", end=" ")
    print(f"its two system calls without any Python between them {calls:.1f} us ({calls / kernel:.2f}x)")
    answers.close()
    link.close()


def median_of(exchange: Callable[[], None]) -> float:
    times = []
    for _ in range(LATENCY_SAMPLES):
        began = time.perf_counter_ns()
        exchange()
        times.append(time.perf_counter_ns() - began)
    return statistics.median(times) / 1000


def hosts(lab: NetLab, suffix: str) -> tuple[Namespace, Namespace]:
    client, node = lab.namespace(f"client-{suffix}"), lab.namespace(f"node-{suffix}")
    lab.veth(client, node, left=["10.0.1.3/16"], right=[f"{KERNEL}/16"])
    node.sysctl(ipv4__conf__all__arp_ignore=1)
    node.ip("address", "add", VIP, "dev", "lo")
    client.ip("link", "set", "eth0", "address", CLIENT_MAC.hex(":"))
    return client, node


def measure(lab: NetLab, label: str, addresses: int, *, as_machines: bool, with_flood: bool = False) -> None:
    """Client and answerer as two processes."""
    client, node = hosts(lab, f"{addresses}{'m' if as_machines else ''}")
    if as_machines:
        spread(client, 0)
        spread(node, 1)
    answers = listening(client)
    process = responder(node, addresses)
    rounds(answers, label)
    if with_flood:
        print(f"resident memory of the answering process: {resident(process.pid):.1f} MB")
        with client.entered():
            flood(answers, process)
        capacity(client, node, process)
    process.kill()
    process.wait()
    answers.close()


def main() -> None:
    with network() as lab:
        work_alone(lab)
        floor(lab)
        measure(lab, "two processes, 1 address", 1, as_machines=False)
        measure(lab, "two processes, 1,000 addresses", 1000, as_machines=False, with_flood=True)
        measure(lab, "as if two machines, 1 address", 1, as_machines=True)


CLIENT_MAC = bytes.fromhex("0200000c0103")

if __name__ == "__main__":
    main()
