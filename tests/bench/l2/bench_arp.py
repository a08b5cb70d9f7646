"""ARP: request to reply, and replies per second, ours beside the kernel's on the same veth pair.

    python tests/bench/l2/bench_arp.py            # as root; prints one table

Two hosts on one cable; the client sends raw ARP requests from one process, the node answers from another. The kernel
answers for its own address, `suite` for the VIP, in turns, so that both see the same noise of the machine. Then the node owns
1,000 addresses, and then a flood of 50,000 requests per second for foreign addresses joins in.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from ipaddress import ip_address
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[3])]

from fix_netns import Namespace, NetLab, network

from suite.l2 import arp
from suite.l2.frames import templates
from suite.l2.link import ARP, Answerer, open_socket

KERNEL, VIP, FOREIGN = "10.0.10.1", "10.0.42.0", "10.0.99.99"
ROUNDS, LATENCY_SAMPLES, RATE_SECONDS, IN_FLIGHT = 5, 4000, 0.6, 64
FLOOD_RATE = 50_000

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


def rounds(client: socket.socket, label: str) -> None:
    """Both answerers in turns; medians of the rounds and the ratio."""
    kernel, ours = ([[], []] for _ in range(2))
    for _ in range(ROUNDS):
        for target, (latencies, rates) in ((KERNEL, kernel), (VIP, ours)):
            latencies.append(latency(client, target))
            rates.append(rate(client, target))
    for at, (what, unit) in enumerate((("request to reply, p50", "us"), ("replies per second", "/s"))):
        theirs, our = statistics.median(kernel[at]), statistics.median(ours[at])
        print(
            f"{label:34} {what:22} kernel {theirs:10.1f} {unit:2}  suite {our:10.1f} {unit:2}  ratio {our / theirs:.2f}"
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


def main() -> None:
    with network() as lab:
        measure(lab)


def measure(lab: NetLab) -> None:
    client, node = lab.namespace("client"), lab.namespace("node")
    lab.veth(client, node, left=["10.0.1.3/16"], right=[f"{KERNEL}/16"])
    node.sysctl(ipv4__conf__all__arp_ignore=1)
    node.ip("address", "add", VIP, "dev", "lo")
    client.ip("link", "set", "eth0", "address", CLIENT_MAC.hex(":"))
    spread(client, 0)
    spread(node, 1)
    socket_in_client = listening(client)
    for addresses in (1, 1000):
        process = responder(node, addresses)
        rounds(socket_in_client, f"{addresses} address(es) owned")
        print(f"{'':34} resident memory of the answering process: {resident(process.pid):.1f} MB")
        if addresses == 1000:
            with client.entered():
                flood(socket_in_client, process)
        process.kill()
        process.wait()
    socket_in_client.close()


CLIENT_MAC = bytes.fromhex("0200000c0103")

if __name__ == "__main__":
    main()
