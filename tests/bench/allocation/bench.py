"""What an allocation costs from wish to durable lease: planner and store together, beside yardsticks of the same run.

    python tests/bench/allocation/bench.py [--only sqlite|postgres] [--folder DIR]

one        one Service: planned, committed, indexed; against a bare INSERT + COMMIT of one small row
last       planning the last free address of a /16, against planning the first
wide       planning an address of an IPv6 /64 that has 100,000 leases, against an empty one
many       10,000 Services at once, one commit; against a bare executemany of 10,000 lease rows
ready      a start with 100,000 leases and their Services: everything read and indexed, so that the next turn can be planned;
           against one SELECT of the leases into Python rows
start      the same, and a first full turn over what the source lists, which is what the database knows

asked      `ready`, and every lease and Service asked for once: what a start leaves folded costs this much later (no goal)

Each of the last three is measured in a fresh process, imports apart, and so is its yardstick; both leave the collector as
Python sets it.  Memory is the most that such a process had: at the end of `ready`, and at the end of `start`, when it holds
100,000 Services a second time, because a source has its own.

Goals: at most 3, 1.5, 1.1 (the same), 15, 3 and 3 times, and 300 MB.  They are not tests: a busy machine moves them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[3]), str(HERE.parents[2]), str(HERE.parents[1] / "store")]

from bench import bare_commits, bare_leases, lease, row, seconds, service
from fix_db import DatabaseUnderTest, private_server

from suite.cluster.source import Batch
from suite.controller.plan import Planner
from suite.ipam.allocation import Terms, allocate
from suite.ipam.ledger import Ledger
from suite.ipam.reservations import KeptBack
from suite.model.address import parse_range
from suite.model.configuration import Configuration
from suite.model.lease import Lease, LeaseState
from suite.model.pool import Pool
from suite.model.service import Service, ServiceRef
from suite.store import rows

if TYPE_CHECKING:
    from suite.store.store import Store

POOL = Pool("pool", (parse_range("10.0.0.0/8"),))
CONFIGURATION = Configuration((POOL,), digest="bench")


def now() -> datetime:
    return datetime.now(UTC)


class Bench:
    """A planner that follows its store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.snapshot = store.read()
        self.planner = Planner(self.snapshot)

    def turn(self, batch: Batch, configuration: Configuration | None = None) -> None:
        changes = self.planner.turn(batch, now(), configuration)
        if changes:
            self.snapshot = self.store.commit(changes, self.snapshot, now=now())
        self.planner.committed(self.snapshot)


def wish(number: int, group: str = "one") -> Batch:
    return Batch(services=(service(ServiceRef(group, f"service-{number}")),))


def bench_one(db: DatabaseUnderTest, store: Store, rounds: int = 300) -> None:
    bench = Bench(store)
    bench.turn(Batch(is_full=True), CONFIGURATION)
    bare, ours, theirs = bare_commits(db), [], []
    for number in range(rounds):
        began = time.perf_counter()
        bench.turn(wish(number))
        ours.append(time.perf_counter() - began)
        theirs.append(next(bare))
    bare.close()
    row("one", ours[20:], theirs[20:], 3)


def bench_many(db: DatabaseUnderTest, store: Store, count: int = 10_000, rounds: int = 5) -> None:
    bench = Bench(store)
    bench.turn(Batch(), CONFIGURATION)
    ours, theirs = [], []
    for number in range(rounds):
        batch = Batch(services=tuple(service(ServiceRef(f"many-{number}", f"s{each}")) for each in range(count)))
        ours.append(seconds(partial(bench.turn, batch)))
        theirs.append(bare_leases(db, store, count, 1_000_000 + number * count))
        bench = Bench(store)
    row("many", ours, theirs, 15)


def terms(pool: Pool, leases: list[Lease]) -> Terms:
    return Terms((pool,), Ledger(leases), KeptBack((), (pool,)), lambda _: None)


def planning(pool: Pool, leases: list[Lease], families: tuple[int, ...]) -> list[float]:
    """Seconds of one choice, 2,000 times; without the collector's walk that `seconds` makes before each."""
    from dataclasses import replace

    where = terms(pool, leases)
    asking = replace(service(ServiceRef("asks", "once")), families=families)
    measured = []
    for _ in range(2_000):
        began = time.perf_counter()
        allocate(asking, where)
        measured.append(time.perf_counter() - began)
    return measured


def bench_choice() -> None:
    """Pure figures, the same for both databases."""
    small = Pool("pool", (parse_range("10.0.0.0/16"),))
    full = [lease(number, now()) for number in range(65_535)]
    row("last", planning(small, full, (4,)), planning(small, [], (4,)), 1.5)
    wide = Pool("pool", (parse_range("fd00::/64"),))
    first = int(IPv6Address("fd00::"))
    many = [
        Lease(
            IPv6Address(first + number), ServiceRef("six", f"s{number}"), "pool", LeaseState.BOUND, f"g{number}", now()
        )
        for number in range(100_000)
    ]
    row("wide", planning(wide, many, (6,)), planning(wide, [], (6,)), 1.1)


def fill(store: Store, count: int, step: int = 10_000) -> None:
    bench = Bench(store)
    bench.turn(Batch(is_full=True), CONFIGURATION)
    for first in range(0, count, step):
        names = range(first, first + step)
        bench.turn(Batch(services=tuple(service(ServiceRef(f"team-{n % 50}", f"service-{n}")) for n in names)))


def bench_start(db: DatabaseUnderTest, store: Store, count: int = 100_000, rounds: int = 5) -> None:
    fill(store, count)
    bare, ready, start, asked = [], [], [], []
    for _ in range(rounds):
        bare.append(in_a_fresh_process("bare", db)["seconds"])
        ours = in_a_fresh_process("start", db)
        ready.append(ours["ready"])
        start.append(ours["ready"] + ours["turn"])
        asked.append(in_a_fresh_process("asked", db)["seconds"])
    row("ready", ready, bare, 3)
    row("start", start, bare, 3)
    row("asked", asked, bare, math.inf)
    print(
        f"  memory   {ours['MB when ready']} MB ready, {ours['MB at last']} MB with the source's own Services (goal 300)"
    )


def in_a_fresh_process(what: str, db: DatabaseUnderTest) -> dict[str, float]:
    command = [sys.executable, str(HERE), "--measure", what, db.url]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def measure(what: str, url: str) -> dict[str, float]:
    """Runs in the fresh process."""
    return {"bare": measure_bare, "start": measure_start, "asked": measure_asked}[what](url)


def measure_asked(url: str) -> dict[str, float]:
    from suite.store import open_store

    with open_store(url, create=False) as store:
        began = time.perf_counter()
        snapshot = Planner(store.read()).snapshot
        for everything in (snapshot.services, snapshot.leases, snapshot.holdings):
            assert len(list(everything.values())) == len(everything)
        return {"seconds": time.perf_counter() - began}


def measure_bare(url: str) -> dict[str, float]:
    import sqlite3

    import psycopg

    path = url.removeprefix("sqlite:///")
    with contextlib.closing(psycopg.connect(url) if path == url else sqlite3.connect(path)) as connection:
        began = time.perf_counter()
        connection.execute("SELECT * FROM lease").fetchall()
        return {"seconds": time.perf_counter() - began}


def measure_start(url: str) -> dict[str, float]:
    from suite.store import open_store

    with open_store(url, create=False) as store:
        began = time.perf_counter()
        planner = Planner(store.read())
        ready = time.perf_counter() - began
        found = {"ready": ready, "MB when ready": most_memory()}
        listing = Batch(services=tuple(listed(ref) for ref in planner.snapshot.services), is_full=True)
        began = time.perf_counter()
        assert not planner.turn(listing, now(), CONFIGURATION)
        return {**found, "turn": time.perf_counter() - began, "MB at last": most_memory()}


def listed(ref: ServiceRef) -> Service:
    """A Service as a source makes it: nothing in it is shared with another."""
    made: Service = rows.adapter(Service).validate_json(rows.dump(Service, service(ref)))
    return made


def most_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def run(db: DatabaseUnderTest) -> None:
    print(f"-- {db.kind}")
    store = db.open()
    bench_one(db, store)
    bench_many(db, store)
    db.reset()
    bench_start(db, db.open())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("sqlite", "postgres"))
    parser.add_argument("--folder", default="/var/tmp", help="where the databases lie; not on tmpfs")
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*options.measure)))
        return
    bench_choice()
    if options.only != "postgres":
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            path = Path(folder) / "suite.db"
            run(DatabaseUnderTest("sqlite", f"sqlite:///{path}", path=path))
    if options.only != "sqlite":
        with private_server(options.folder) as server:
            run(DatabaseUnderTest("postgres", server.url("postgres"), server=server))


if __name__ == "__main__":
    main()
