"""How long answers take, and what may not delay or crowd them: each figure beside its goal, of interleaved rounds.

    tests/bench/dns/bench_delay.py [--only half,changes,large,odd,share,flood,counting] [--rounds 5] [--seconds 2]

half      p99 at half of what the servers manage, beside NSD (goal: at most 1.5 times)
changes   p99 at 2,000 queries a second while 50 changes a second commit (2 ms), and without changes, and NSD's
large     one name changed of 100,000: CPU time of the worker's step that applies it, in which nobody is answered (5 ms);
          the same where each is a Service with two named ports
odd       unusual packets: a second (5,000), and the p99 of 2,000 plain queries a second meanwhile
share     two workers at one port: CPU time of the busier one (65 %), and CPU time per answer beside one worker (1.1 times)
flood     growth of memory in a flood of random names
counting  what counting costs of the batch loop's CPU time (5 %)

Delays are those of the quietest round, the median of the rounds in brackets: neighbours on a shared machine only add.
The servers run on CPU 0 and dnsperf on CPU 1, but for `share`. Needs what bench_dns.py needs.
"""

from __future__ import annotations

import argparse
import gc
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[3]), str(Path(__file__).parent)]

import bench_dns
from bench_dns import CLIENT_CPU, PORTS, Server, start, write_inputs

from suite.dns import nodes
from suite.dns.catalogue import Zones
from suite.dns.fastpath import Compiled
from suite.dns.feed import ChangeZone, ReplaceZone, SetState, encode, pack, unpack
from suite.dns.name import from_text
from suite.dns.rdata import parse_rdata
from suite.dns.ready import Ready
from suite.dns.rrset import RRset
from suite.dns.settings import Settings
from suite.dns.udp import BATCH, Endpoint, open_socket
from suite.dns.worker import obey_update
from suite.dns.zone import Zone
from suite.dns.zonefile import read

CALM = 2_000
ODD_RATE = 5_000
ORIGIN = from_text("service.")
_DELAY = re.compile(r"^> \S+ .* (\d+\.\d+)$", re.MULTILINE)


def dnsperf(server: Server, *options: str, cpus: str = CLIENT_CPU) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["taskset", "-c", cpus, "dnsperf", "-s", "127.0.0.1", "-p", str(PORTS[server.name]), "-T", "1", "-t", "2", *options],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def rate(run: subprocess.Popen[str]) -> float:
    return float(re.findall(r"Queries per second:\s+([\d.]+)", run.communicate()[0])[0])


def p99(run: subprocess.Popen[str]) -> float:
    """Milliseconds that 99 of 100 answers took at most."""
    delays = sorted(map(float, _DELAY.findall(run.communicate()[0])))
    return delays[len(delays) * 99 // 100] * 1e3


def shown(delays: list[float]) -> str:
    return f"{min(delays):.3f} ms ({statistics.median(delays):.3f})"


def say(name: str, text: str, goal: str, *, is_met: bool) -> None:
    print(f"{name:9}{text}; goal {goal}: {'met' if is_met else 'NOT MET'}", flush=True)


def half(folder: Path, options: argparse.Namespace) -> None:
    servers = [start(name, folder) for name in ("suite", "nsd")]
    plain, found = str(folder / "plain"), {"suite": [], "nsd": []}
    try:
        full = [rate(dnsperf(server, "-d", plain, "-c", "8", "-q", "100", "-l", "2")) for server in servers]
        load = min(full) / 2
        for _ in range(options.rounds):
            for server in servers:
                run = dnsperf(server, "-d", plain, "-c", "8", "-Q", f"{load:.0f}", "-l", str(options.seconds), "-v")
                found[server.name].append(p99(run))
    finally:
        end(servers)
    ours, theirs = (min(found[name]) for name in ("suite", "nsd"))
    text = f"p99 {shown(found['suite'])} at {load:,.0f}/s, NSD {shown(found['nsd'])}: {ours / theirs:.2f} times"
    say("half", text, "1.5 times", is_met=ours <= 1.5 * theirs)


def changes(folder: Path, options: argparse.Namespace) -> None:
    servers = {"calm": start("suite", folder), "nsd": start("nsd", folder)}
    bench_dns.PORTS["changing"] = PORTS["suite"] + 50
    bench_dns.COMMANDS["changing"] = lambda work, port: [*bench_dns.COMMANDS["suite"](work, port), "--changes", "50"]
    servers["changing"] = start("changing", folder)
    found: dict[str, list[float]] = {name: [] for name in servers}
    try:
        for _ in range(options.rounds):
            for name, server in servers.items():
                run = dnsperf(server, "-d", str(folder / "plain"), "-Q", str(CALM), "-l", str(options.seconds), "-v")
                found[name].append(p99(run))
    finally:
        end(list(servers.values()))
    changing, calm, nsd = (shown(found[name]) for name in ("changing", "calm", "nsd"))
    text = f"p99 {changing} at {CALM:,}/s with 50 changes a second, {calm} without, NSD {nsd}"
    say("changes", text, "2 ms, the median", is_met=statistics.median(found["changing"]) < 2)


def odd(folder: Path, options: argparse.Namespace) -> None:
    rng = random.Random(3)
    with (folder / "odd").open("wb") as out:
        for _ in range(20_000):
            packet = odd_packet(rng)
            out.write(len(packet).to_bytes(2) + packet)
    server = start("suite", folder)
    unusual, plain = ("-B", "-d", str(folder / "odd")), ("-d", str(folder / "plain"))
    rates, alone, beside = [], [], []
    try:
        for _ in range(options.rounds):
            spent = server.cpu_seconds()
            found = rate(dnsperf(server, *unusual, "-q", "100", "-l", str(options.seconds)))
            rates.append(found * options.seconds / (server.cpu_seconds() - spent))
            calm = *plain, "-Q", str(CALM), "-l", str(options.seconds), "-v"
            alone.append(p99(dnsperf(server, *calm)))
            noise = dnsperf(server, *unusual, "-Q", str(ODD_RATE), "-l", str(options.seconds + 0.5))
            beside.append(p99(dnsperf(server, *calm)))
            noise.communicate()
    finally:
        end([server])
    say(
        "odd", f"{statistics.median(rates):,.0f} unusual packets per CPU second", "5,000", is_met=min(rates) >= ODD_RATE
    )
    ours, calm_p99 = statistics.median(beside), statistics.median(alone)
    print(
        f"         p99 of plain queries {ours:.3f} ms beside {ODD_RATE:,} unusual a second, {calm_p99:.3f} ms without"
    )


def odd_packet(rng: random.Random) -> bytes:
    """One of: a rare type, ANY, class CHAOS, an unknown option, EDNS version 1, another opcode, a name outside."""
    name = b"\4svc" + b"%d" % rng.randrange(10) + b"\3ns" + b"%d" % rng.randrange(10) + b"\7service\0"
    head, tail = rng.randbytes(2) + b"\1\0\0\1\0\0\0\0\0", b""
    kind = rng.randrange(7)
    rtype, rclass = (b"\xff\1", b"\0\1") if kind == 0 else (b"\0\xff", b"\0\1") if kind == 1 else (b"\0\1", b"\0\1")
    if kind == 2:
        name, rtype, rclass = b"\7version\4bind\0", b"\0\x10", b"\0\3"
    elif kind == 3:
        tail = b"\0\0\x29\4\xd0\0\0\0\0\0\x08\0\x63\0\4abcd"
    elif kind == 4:
        tail = b"\0\0\x29\4\xd0\0\1\0\0\0\0"
    elif kind == 5:
        head = head[:2] + b"\x28" + head[3:]
    elif kind == 6:
        name = b"\3www\7example\0"
    return head + bytes([bool(tail)]) + name + rtype + rclass + tail


def share(folder: Path, options: argparse.Namespace) -> None:
    """All CPUs for everybody: the kernel deals 64 clients out to the two sockets."""
    servers = []
    for count in (1, 2):
        name = f"workers{count}"
        bench_dns.PORTS[name] = PORTS["suite"] + 60 + count
        bench_dns.COMMANDS[name] = lambda work, port, count=count: [
            *bench_dns.COMMANDS["suite"](work, port), "--workers", str(count)
        ]  # fmt: skip
        servers.append(start(name, folder))
    costs: dict[str, list[float]] = {server.name: [] for server in servers}
    busiest = []
    try:
        for server in servers:
            subprocess.run(
                ["taskset", "-a", "-p", "-c", "0,1", str(server.process.pid)], stdout=subprocess.DEVNULL, check=True
            )
            for pid in bench_dns._tree(server.process.pid):
                subprocess.run(["taskset", "-p", "-c", "0,1", str(pid)], stdout=subprocess.DEVNULL, check=True)
        for _ in range(options.rounds):
            for server in servers:
                before = {pid: bench_dns._ticks(pid) for pid in bench_dns._tree(server.process.pid)}
                run = dnsperf(
                    server,
                    "-d",
                    str(folder / "plain"),
                    "-c",
                    "64",
                    "-q",
                    "1000",
                    "-l",
                    str(options.seconds),
                    cpus="0,1",
                )
                answered = rate(run) * options.seconds
                spent = sorted(bench_dns._ticks(pid) - ticks for pid, ticks in before.items())
                costs[server.name].append(sum(spent) / answered)
                if server.name == "workers2":
                    busiest.append(spent[-1] / (spent[-1] + spent[-2]))
    finally:
        end(servers)
    one, two = (statistics.median(each) for each in costs.values())
    text = f"the busier of two workers has {statistics.median(busiest):.0%}, an answer costs {two / one:.2f} times one worker's"
    say("share", text, "65 %, 1.1 times", is_met=statistics.median(busiest) <= 0.65 and two <= 1.1 * one)


def flood(folder: Path, options: argparse.Namespace) -> None:
    """What the server holds after the first flood is what it holds after the last."""
    server = start("suite", folder)
    lengths = []
    try:
        dnsperf(server, "-d", str(folder / "plain"), "-q", "100", "-l", "3").communicate()
        for number in range(options.rounds):
            names = (f"r{number}-{index}.ns{index % 50}.service A\n" for index in range(600_000))
            (folder / "names").write_text("".join(names))  # never one that was asked before
            dnsperf(
                server, "-d", str(folder / "names"), "-n", "1", "-q", "100", "-l", str(options.seconds)
            ).communicate()
            lengths.append(sum(_resident(pid) for pid in bench_dns._tree(server.process.pid)))
    finally:
        end([server])
    grown = lengths[-1] - lengths[0]
    text = f"{lengths[0]:,} kB after the first flood, {grown:+,} kB after {options.rounds}"
    say("flood", text, "none (under 1 %)", is_met=grown < lengths[0] / 100)


def _resident(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0


def large(_: Path, __: argparse.Namespace) -> None:
    soa = RRset(ORIGIN, 6, 30, (parse_rdata(6, "ns.service. host.service. 1 2 3 4 5"),))
    names = [from_text(f"svc{number}.ns{number % 50}.service.") for number in range(100_000)]
    sets = (RRset(name, 1, 30, (number.to_bytes(4),)) for number, name in enumerate(names))
    _one_changes("names", names, Zone.build(ORIGIN, [soa, *sets]))
    ports = nodes.port(b"_http", b"_tcp", 80) + nodes.port(b"_https", b"_tcp", 443)
    services = {name: nodes.service_head(30, 4) + n.to_bytes(4) + ports for n, name in enumerate(names)}
    _one_changes("Services with two ports", names, Zone.build(ORIGIN, [soa], folded=services))


def _one_changes(what: str, names: list[bytes], zone: Zone) -> None:
    answers = Compiled(Zones(), Settings(), lambda: int(time.time()))
    obey_update(answers, unpack(pack([ReplaceZone(zone), SetState(ready=True, stale=False)])))
    rng, took = random.Random(5), []
    for name in names[:60_000]:  # what has been asked is what a change must forget
        answers.full(b"\0\1\1\0\0\1\0\0\0\0\0\0" + name + b"\0\x1c\0\1", b"\x7f\0\0\1")
    for serial in range(2, 402):
        for name in rng.sample(names, 200):
            answers.full(b"\0\1\1\0\0\1\0\0\0\0\0\0" + name + rng.choice((b"\0\1\0\1", b"\0\x1c\0\1")), b"\x7f\0\0\1")
        rows = pack([ChangeZone(ORIGIN, (RRset(rng.choice(names), 1, 30, (serial.to_bytes(4),)),), serial)])
        encode(rows)
        began = time.thread_time()
        obey_update(answers, unpack(rows))
        took.append((time.thread_time() - began) * 1e3)
    took.sort()
    text = f"one of 100,000 {what} changed in {statistics.median(took):.3f} ms of CPU time, at most {took[-1]:.3f} ms in 400 changes"
    say("large", text, "5 ms", is_met=took[-1] < 5)


class _Uncounted(Ready):
    """Cards that nobody counts."""

    __slots__ = ()

    def drain(self, counts: list[int]) -> None:
        del counts
        self.tally.clear()


def counting(folder: Path, options: argparse.Namespace) -> None:
    """The loop alone, with the counting of cards and without what is done about a tally; the slice of it stays in."""
    questions = [line.split() for line in (folder / "plain").read_text().splitlines()[:20_000]]
    packets = [
        b"\0\1\1\0\0\1\0\0\0\0\0\0" + from_text(name + ".") + (b"\0\1" if rtype == "A" else b"\0\x1c") + b"\0\1"
        for name, rtype in questions
    ]
    costs: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(options.rounds):
        for is_counted, found in costs.items():
            found.append(_loop(packets, folder, is_counted=is_counted))
    counted, bare = statistics.median(costs[True]), statistics.median(costs[False])
    text = f"{counted:.0f} ns of CPU time an answer in the batch loop, {bare:.0f} ns without counting: {counted / bare - 1:+.1%}"
    say("counting", text, "5 %", is_met=counted <= 1.05 * bare)


def _loop(packets: list[bytes], folder: Path, *, is_counted: bool) -> float:
    zone = Zone.build(ORIGIN, read((folder / "service.zone").read_text(), ORIGIN).rrsets)
    answers = Compiled(Zones.of([zone]), Settings(), lambda: int(time.time()))
    if not is_counted:
        answers.ready = _Uncounted()
    spent, batches = 0.0, [packets[at : at + BATCH] for at in range(0, len(packets) - BATCH, BATCH)] * 3
    with open_socket("127.0.0.1", 0) as sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(sock.getsockname())
        client.setblocking(False)
        endpoint = Endpoint(sock)
        gc.collect()
        for number, batch in enumerate(batches):
            for packet in batch:
                client.send(packet)
            began = time.thread_time()
            endpoint.serve(answers)
            if number * 3 >= len(batches):
                spent += time.thread_time() - began
            for _ in batch:
                client.recv(512)
    return spent / (len(batches) * 2 // 3 * BATCH) * 1e9


def end(servers: list[Server]) -> None:
    for server in servers:
        server.process.send_signal(signal.SIGTERM)
    for server in servers:
        server.process.wait(10)


FIGURES = {
    "half": half,
    "changes": changes,
    "large": large,
    "odd": odd,
    "share": share,
    "flood": flood,
    "counting": counting,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(FIGURES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    for name in options.only.split(","):
        with tempfile.TemporaryDirectory(prefix="bench-delay-") as text:
            folder = Path(text)
            folder.chmod(0o755)
            write_inputs(folder)
            FIGURES[name](folder, options)


if __name__ == "__main__":
    main()
