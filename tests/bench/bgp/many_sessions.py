"""100 sessions of 1,000 prefixes in one process: memory, and how fast one change reaches everybody.

    python tests/bench/bgp/many_sessions.py [--sessions 100] [--prefixes 1000]

The sessions are the speaker's own, over loopback TCP to a second process of simple receivers, so that only our side is
measured: its resident memory, the time from a snapshot with one more Service until the last receiver has read the UPDATE,
and the time a day of timers takes in the core.
"""

import argparse
import asyncio
import random
import resource
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_address
from pathlib import Path

from rpds import HashTrieMap

sys.path[:0] = [str(Path(__file__).resolve().parents[3]), str(Path(__file__).resolve().parents[2])]

from bgp_wire import Lone, config

from suite.bgp.capability import FourOctetAs, Multiprotocol
from suite.bgp.fsm import State
from suite.bgp.message import KEEPALIVE, MessageReader, MessageType, encode
from suite.bgp.open import Open
from suite.bgp.prefix import IPV4
from suite.config.document import read_text
from suite.config.loading import load
from suite.metrics.names import new_registry
from suite.model.lease import Lease, LeaseState
from suite.model.node import Node
from suite.model.peer import Peer as ConfiguredPeer
from suite.model.service import Service, ServiceRef, ServiceType
from suite.model.snapshot import Snapshot
from suite.speaker.neighbours import neighbour
from suite.speaker.paths import Paths
from suite.speaker.plan import plan, replan
from suite.speaker.sessions import Sessions

DAY = 86_400


class Receiver(asyncio.Protocol):
    """A peer that says hello and counts UPDATEs."""

    def __init__(self, report: asyncio.Queue[float]) -> None:
        self._report = report
        self._reader = MessageReader()

    def connection_made(self, transport: asyncio.Transport) -> None:
        hello = Open(64512, 90, IPv4Address("10.9.0.1"), (FourOctetAs(64512), Multiprotocol(IPV4)))
        transport.write(encode(hello) + KEEPALIVE)

    def data_received(self, octets: bytes) -> None:
        for kind, body in self._reader.feed(octets):
            if kind is MessageType.UPDATE:
                self._report.put_nowait(len(body))


async def receive(port: int, marker: int) -> None:
    """Serve, and print the clock whenever `marker` connections have read an UPDATE of one prefix."""
    report: asyncio.Queue[float] = asyncio.Queue()
    server = await asyncio.get_running_loop().create_server(lambda: Receiver(report), "127.0.0.1", port)
    print("ready", flush=True)
    small = 0
    async with server:
        while True:
            small += await report.get() < 60
            if small == marker:
                small = 0
                print(time.monotonic(), flush=True)


CONFIGURATION = load(read_text("address-pools: [{name: bgp, protocol: bgp, addresses: [10.0.0.0/8]}]")).configuration


def snapshot_of(count: int) -> Snapshot:
    """So many Services, each with an address."""
    refs = [ServiceRef("default", f"service{number}") for number in range(count)]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    leases = [Lease(ip_address(0x0A000000 + n), ref, "bgp", LeaseState.BOUND, "", now) for n, ref in enumerate(refs)]
    return Snapshot(
        configuration=CONFIGURATION,
        services=HashTrieMap({ref: Service(ref, type=ServiceType.LOAD_BALANCER) for ref in refs}),
        leases=HashTrieMap({lease.address: (lease,) for lease in leases}),
        holdings=HashTrieMap({lease.ref: (lease,) for lease in leases}),
    )


async def measure(sessions: int, prefixes: int, port: int, output: asyncio.StreamReader) -> None:
    """The speaker's own sessions, from the plan of a snapshot on."""
    node = Node("node1", addresses=(ip_address("10.0.0.1"),))
    peer = ConfiguredPeer("gateway", 64513, 64512, address=ip_address("127.0.0.1"), port=port)
    made = [neighbour(replace(peer, name=f"gateway{number}"), node, ()) for number in range(sessions)]
    ours = Sessions(random.Random(1).random, new_registry(), Paths(lambda _order: None))
    known = plan(snapshot_of(prefixes), "node1")
    await ours.follow(made, known)
    while not all(each.announced == prefixes and not each.pending for each in ours.status().values()):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    print(f"memory: {resident():.0f} MB resident with {sessions} sessions of {prefixes} prefixes (goal: 150)")

    times = []
    for number in range(prefixes, prefixes + 7):
        snapshot = snapshot_of(number + 1)
        began = time.monotonic()
        known = replan(known, snapshot, "node1", [ServiceRef("default", f"service{number}")])
        await ours.follow(made, known)
        times.append((float(await output.readline()) - began) * 1000)
    said = f"{sorted(times)[3]:.1f} ms from the snapshot until the last of {sessions} peers has it"
    print(f"one changed Service: {said} (goal: 50; median of 7, worst {max(times):.1f})")
    await ours.stop()


def resident() -> float:
    with Path("/proc/self/status").open(encoding="ascii") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def day_of_timers(lones: list[Lone]) -> float:
    """Seconds the core takes for a day of idle sessions (hold time 90 s), side by side: our timers, octets and the peers'."""
    began, beat = time.perf_counter(), 30.0
    while beat < DAY:
        for lone in lones:
            session, link = lone.session, lone.link
            while (due := session.next_timer()) < beat:
                session.handle_timer(due)
                session.bytes_to_send(link, due)
            session.receive(link, KEEPALIVE, beat)
        beat += 30.0
    took = time.perf_counter() - began
    assert all(lone.session.state is State.ESTABLISHED for lone in lones)
    return took


def measure_timers(sessions: int) -> None:
    """One session by itself, before and after many together: neighbours on the machine vary."""

    def established(count: int) -> list[Lone]:
        return [Lone(config()).establish() for _ in range(count)]

    ones = [day_of_timers(established(1)) for _ in range(10)]
    many = day_of_timers(established(sessions))
    one = statistics.median([*ones, *(day_of_timers(established(1)) for _ in range(10))])
    print(f"a day of timers: {one * 1000:.0f} ms for one session (goal: 100)")
    said = f"{many * 1000:.0f} ms for {sessions} sessions side by side (goal: {100 * sessions})"
    print(f"a day of timers: {said}, {many / one:.0f} times one")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--prefixes", type=int, default=1000)
    parser.add_argument("--receive", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.receive:
        await receive(arguments.receive, arguments.sessions)
        return
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    own = [sys.executable, __file__, "--receive", str(port), "--sessions", str(arguments.sessions)]
    process = await asyncio.create_subprocess_exec(*own, stdout=subprocess.PIPE)
    try:
        await process.stdout.readline()
        await measure(arguments.sessions, arguments.prefixes, port, process.stdout)
    finally:
        process.kill()
        await process.wait()
    measure_timers(arguments.sessions)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process: {peak:.0f} MB")


if __name__ == "__main__":
    asyncio.run(main())
