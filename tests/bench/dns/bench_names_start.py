"""How long names take from the database to the first answer, for 100,000 Services: the goal is 4 times one SELECT of the rows.

    tests/bench/dns/bench_names_start.py [--names 100000] [--rounds 3]

In a fresh process each time, all modules imported and the DNS processes started before the clock runs: the snapshot is
read from SQLite, the zones are made (an A and a PTR record for each Service) and every worker has them. Beside it stands
one SELECT of the leases and one of the Services into Python rows. All is CPU time, which a busy machine bends least; that
of each worker, which takes the same names in meanwhile, stands beside it. Memory is the most each process had (goal: 200 MB).
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
from contextlib import closing
from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_address
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from suite.cluster.source import Batch
from suite.controller.plan import Planner
from suite.metrics.names import new_registry
from suite.model.address import parse_range
from suite.model.configuration import Configuration, DnsSettings, Listen
from suite.model.pool import Pool
from suite.model.publication import Publication
from suite.model.service import Port, Service, ServiceRef, ServiceType
from suite.nameserver.loop import Nameserver
from suite.store import open_store

CONFIGURATION = Configuration((Pool("pool", (parse_range("10.0.0.0/8"),)),), digest="bench")
STEP = 10_000
TIMES, MEGABYTES = 4, 200


def fill(url: str, count: int) -> None:
    """Let the controller's plan lease an address for each Service."""
    with open_store(url) as store:
        snapshot = store.read()
        planner = Planner(snapshot)
        for batch in (Batch(is_full=True), *(wished(first) for first in range(0, count, STEP))):
            changes = planner.turn(batch, datetime.now(UTC), None if snapshot.configuration.digest else CONFIGURATION)
            if changes:
                snapshot = store.commit(changes, snapshot, now=datetime.now(UTC))
            planner.committed(snapshot)


def wished(first: int) -> Batch:
    refs = (ServiceRef(f"team-{number % 50}", f"service-{number}") for number in range(first, first + STEP))
    return Batch(
        services=tuple(Service(r, f"uid-{r.name}", ServiceType.LOAD_BALANCER, ports=(Port(80),)) for r in refs)
    )


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
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        what, url = options.measure
        print(json.dumps({"seconds": select(url)} if what == "bare" else asyncio.run(start(url))))
        return
    with tempfile.TemporaryDirectory(prefix="bench-names-", dir="/var/tmp") as folder:
        url = f"sqlite:///{folder}/names.sqlite3"
        fill(url, options.names)
        bare, ours = [], []
        for _ in range(options.rounds):
            bare.append(in_a_fresh_process("bare", url)["seconds"])
            ours.append(in_a_fresh_process("start", url))
    rows, read, names, spent, size, worker = (
        statistics.median(each) for each in (bare, *([one[key] for one in ours] for key in ours[0]))
    )
    print(
        f"CPU time: SELECT {rows:.2f} s; read {read:.2f} s, names {names:.2f} s: {(read + names) / rows:.1f} times in all"
        f" (goal {TIMES}); each worker {spent:.2f} s"
    )
    print(f"memory {size:.0f} MB with the snapshot, {worker:.0f} MB a worker (goal {MEGABYTES})")


if __name__ == "__main__":
    main()
