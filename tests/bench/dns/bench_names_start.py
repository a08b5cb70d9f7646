"""How long names take from the database to the first answer, for 100,000 Services: the goal is 4 times one SELECT of the rows.

    tests/bench/dns/bench_names_start.py [--names 100000] [--rounds 3] [--mix plain,ports,dual,hostnames]

plain      one port without a name, one IPv4 address: an A and a PTR record for each Service
ports      two named ports with node ports, as Kubernetes makes them: two SRV records more
dual       an address of each family: an AAAA and a PTR record more
hostnames  a name of its own beside the canonical one: an A record more

In a fresh process each time, all modules imported and the DNS processes started before the clock runs: the snapshot is
read from SQLite, the zones are made and every worker has them. Beside it stands one SELECT of the leases and one of the
Services into Python rows. All is CPU time, which a busy machine bends least; that of each worker, which takes the same
names in meanwhile, stands beside it. Memory is the most each process had (goal: 200 MB).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from suite.cluster.source import Batch
from suite.controller.plan import Planner
from suite.metrics.names import new_registry
from suite.model.address import parse_range
from suite.model.configuration import Configuration, DnsSettings, Listen
from suite.model.pool import Pool
from suite.model.publication import Publication
from suite.model.service import FamilyPolicy, Port, Service, ServiceRef, ServiceType
from suite.nameserver.loop import Nameserver
from suite.store import open_store

RANGES = (parse_range("10.0.0.0/8"), parse_range("fd00::/108"))
CONFIGURATION = Configuration((Pool("pool", RANGES),), digest="bench")
STEP = 10_000
TIMES, MEGABYTES = 4, 200


def fill(url: str, count: int, mix: str) -> None:
    """Let the controller's plan lease addresses for each Service."""
    with open_store(url) as store:
        snapshot = store.read()
        planner = Planner(snapshot)
        for batch in (Batch(is_full=True), *(wished(first, mix) for first in range(0, count, STEP))):
            changes = planner.turn(batch, datetime.now(UTC), None if snapshot.configuration.digest else CONFIGURATION)
            if changes:
                snapshot = store.commit(changes, snapshot, now=datetime.now(UTC))
            planner.committed(snapshot)


def wished(first: int, mix: str) -> Batch:
    return Batch(services=tuple(MIXES[mix](number) for number in range(first, first + STEP)))


def service(number: int, *ports: Port, **wishes: Any) -> Service:
    ref = ServiceRef(f"team-{number % 50}", f"service-{number}")
    return Service(ref, f"uid-{ref.name}", ServiceType.LOAD_BALANCER, ports=ports or (Port(80),), **wishes)


MIXES: dict[str, Callable[[int], Service]] = {
    "plain": service,
    "ports": lambda number: service(
        number,
        Port(80, name="http", target="8080", node_port=30_000 + number % 2_700),
        Port(443, name="https", target="8443", node_port=30_001 + number % 2_700),
    ),
    "dual": lambda number: service(number, families=(4, 6), family_policy=FamilyPolicy.REQUIRE_DUAL),
    "hostnames": lambda number: service(number, hostnames=(f"shop-{number}.apps",)),
}


def select(url: str) -> float:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        began = time.process_time()
        connection.execute("SELECT * FROM lease").fetchall()
        connection.execute("SELECT * FROM service").fetchall()
        return time.process_time() - began


async def start(url: str) -> dict[str, float]:
    settings = DnsSettings(listen=(Listen(ip_address("127.0.0.1"), 0),))
    server = Nameserver(settings, "node", time.monotonic, new_registry())
    await server.open()
    await server._server.publish((), 0)  # the workers are there
    workers = [link.body.pid for link in server._server._links]
    before = sum(map(ticks, workers))
    with open_store(url, create=False) as store:
        began = time.process_time()
        snapshot = store.read()
        read = time.process_time()
        await server.follow(Publication(snapshot, None))
        done = time.process_time()
    spent = (sum(map(ticks, workers)) - before) / os.sysconf("SC_CLK_TCK")
    assert ip_address(IPv4Address("10.0.0.1")) in server.answers()["service-1.team-1.service."]
    sizes = {"MB": most("self"), "MB of a worker": max(map(most, workers))}
    await server.stop()
    return {"read": read - began, "names": done - read, "worker": spent / len(workers)} | sizes


def ticks(pid: int) -> int:
    """CPU time of a process in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def most(pid: int | str) -> float:
    """The most memory a process ever had, in MB; what `getrusage` says begins with that of the process it came from."""
    (found,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found) / 1024


def in_a_fresh_process(what: str, url: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", what, url]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mix", default=",".join(MIXES), metavar=f"{{{','.join(MIXES)}}},..")
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        what, url = options.measure
        print(json.dumps({"seconds": select(url)} if what == "bare" else asyncio.run(start(url))))
        return
    for mix in options.mix.split(","):
        compare(mix, options.names, options.rounds)


def compare(mix: str, count: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-names-", dir="/var/tmp") as folder:
        url = f"sqlite:///{folder}/names.sqlite3"
        fill(url, count, mix)
        bare, ours = [], []
        for _ in range(rounds):
            bare.append(in_a_fresh_process("bare", url)["seconds"])
            ours.append(in_a_fresh_process("start", url))
    rows, read, names, spent, size, worker = (
        statistics.median(each) for each in (bare, *([one[key] for one in ours] for key in ours[0]))
    )
    print(
        f"{mix}: CPU time: SELECT {rows:.2f} s; read {read:.2f} s, names {names:.2f} s:"
        f" {(read + names) / rows:.1f} times in all (goal {TIMES}); each worker {spent:.2f} s"
    )
    print(f"{mix}: memory {size:.0f} MB with the snapshot, {worker:.0f} MB a worker (goal {MEGABYTES})", flush=True)


if __name__ == "__main__":
    main()
