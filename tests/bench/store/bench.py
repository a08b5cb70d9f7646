"""Figures of the store on both databases, each beside its yardstick measured in the same run on the same disk.

    python tests/bench/store/bench.py [--only sqlite|postgres] [--folder DIR] [--leases N]

one        one durable allocation (lease, event, Service) against a bare INSERT + COMMIT of one small row
many       10,000 new leases with events and Services in one commit against a bare executemany of 10,000 lease rows
leases     read() with 100,000 leases and no Service against one SELECT of the leases into Python rows
start      the same with as many Services, against one SELECT of each; both leave values folded until somebody asks, and
           the bench of allocations says what asking costs
refresh    one change seen by a follower that holds 100,000 leases
idle       bytes an open store that waits wrote to disk in 10 s

The targets (at most 3, 15, 3 times, under 300 MB, and 0 bytes) are goals, not tests: a busy machine moves them.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).parents[3]), str(Path(__file__).parents[2])]

from fix_db import DatabaseUnderTest, private_server

from suite.model.changes import Changes
from suite.model.event import Action, Event
from suite.model.lease import Lease, LeaseState
from suite.model.service import Port, Service, ServiceRef, ServiceType
from suite.store import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from suite.store.store import Store

FIRST = int(IPv4Address("10.0.0.0"))
PORTS = (Port(80, "TCP", "http", "8080"), Port(443, "TCP", "https", "8443"))
LABELS = (("app.kubernetes.io/name", "coffee"), ("tier", "front"))


def lease(number: int, now: datetime) -> Lease:
    ref = ServiceRef(f"team-{number % 50}", f"service-{number}")
    return Lease(IPv4Address(FIRST + number), ref, "pool", LeaseState.BOUND, str(ref), now, ports=PORTS)


def service(ref: ServiceRef) -> Service:
    return Service(ref, f"uid-{ref.name}", ServiceType.LOAD_BALANCER, ports=PORTS, labels=LABELS, selector=LABELS)


def allocation(numbers: range) -> Changes:
    now = datetime.now(UTC)
    opened = tuple(lease(number, now) for number in numbers)
    return Changes(
        opened=opened,
        services=tuple(service(each.ref) for each in opened),
        events=tuple(Event(Action.ALLOCATED, each.ref, each.address, "pool", "first free address") for each in opened),
    )


def seconds(act: Callable[[], object]) -> float:
    gc.collect()
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def row(name: str, measured: list[float], bare: list[float], target: float) -> None:
    ours, theirs = statistics.median(measured), statistics.median(bare)
    verdict = f"within {target:g}" if ours <= target * theirs else f"OVER {target:g}"
    goal = "no goal" if math.isinf(target) else verdict
    print(f"  {name:8} {ours * 1e3:9.2f} ms   bare {theirs * 1e3:9.2f} ms   x{ours / theirs:5.2f}  {goal}")


# ---- one durable allocation ---------------------------------------------------------------------------------------


def bare_commits(db: DatabaseUnderTest) -> Iterator[float]:
    """INSERT + COMMIT of one row by the bare driver at the store's durability; SQLite: in a file of its own beside."""
    beside = replace(db, path=db.path.with_name("bare.db")) if db.path else db
    with beside.plain() as connection:
        if db.path:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE bare (id BIGINT PRIMARY KEY, a TEXT, b TEXT)")
        insert = f"INSERT INTO bare VALUES ({', '.join(['?' if db.path else '%s'] * 3)})"
        for number in itertools.count():
            began = time.perf_counter()
            connection.execute("BEGIN")
            connection.execute(insert, (number, "10.0.42.0", "default/coffee"))
            connection.execute("COMMIT")
            yield time.perf_counter() - began


def bench_one(db: DatabaseUnderTest, store: Store, rounds: int = 300) -> None:
    """Alternating, so that whatever else the machine does falls on both."""
    snapshot = store.read()
    ours, bare, yardstick = [], [], bare_commits(db)
    for number in range(rounds):
        changes = allocation(range(1_000_000 + number, 1_000_001 + number))
        began = time.perf_counter()
        snapshot = store.commit(changes, snapshot, now=datetime.now(UTC))
        ours.append(time.perf_counter() - began)
        bare.append(next(yardstick))
    yardstick.close()
    row("one", ours[20:], bare[20:], 3)


# ---- many at once -------------------------------------------------------------------------------------------------


def bench_many(db: DatabaseUnderTest, store: Store, count: int = 10_000, rounds: int = 5) -> None:
    snapshot = store.read()
    ours, bare = [], []
    for turn in range(rounds):
        changes = allocation(range(turn * count, (turn + 1) * count))
        began = time.perf_counter()
        snapshot = store.commit(changes, snapshot, now=datetime.now(UTC))
        ours.append(time.perf_counter() - began)
        bare.append(bare_leases(db, store, count, 5_000_000 + turn * count))
    row("many", ours, bare, 15)


def bare_leases(db: DatabaseUnderTest, store: Store, count: int, first: int) -> float:
    """executemany of lease rows by the bare driver into the real table, guards and all, and COMMIT; then undone."""
    now = datetime.now(UTC)
    with store.database.reading() as tx:
        values = [rows.lease_row(lease(first + n, now), tx.time_in) for n in range(count)]
    values = [(first + n, *each[1:-1], 1) for n, each in enumerate(values)]
    marks = ", ".join(["?" if db.path else "%s"] * len(rows.LEASE_TYPES))
    with db.plain() as connection:
        if db.path:
            connection.execute("PRAGMA synchronous = FULL")
        began = time.perf_counter()
        connection.execute("BEGIN")
        connection.cursor().executemany(f"INSERT INTO {rows.LEASE_INTO} VALUES ({marks})", values)
        connection.execute("COMMIT")
        return time.perf_counter() - began


# ---- start --------------------------------------------------------------------------------------------------------


def bench_start(db: DatabaseUnderTest, store: Store, leases: int, rounds: int = 5) -> None:
    fill(store, leases)
    compare("start", db, store, ("SELECT * FROM lease WHERE valid_to IS NULL", "SELECT * FROM service"), rounds)
    code = (
        "import resource, sys; from suite.store import open_store; store = open_store(sys.argv[1]);"
        "snapshot = store.read(); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peak = int(subprocess.run([sys.executable, "-c", code, db.url], capture_output=True, check=True).stdout) / 1024
    print(f"  memory   {peak:9.0f} MB   peak of a process that opens and reads; target under 300 MB")
    db.execute("CREATE TABLE put_away AS SELECT * FROM service")
    db.execute("DELETE FROM service")
    compare("leases", db, store, ("SELECT * FROM lease WHERE valid_to IS NULL",), rounds)
    db.execute("INSERT INTO service SELECT * FROM put_away")
    db.execute("DROP TABLE put_away")


def compare(name: str, db: DatabaseUnderTest, store: Store, selects: tuple[str, ...], rounds: int) -> None:
    ours, bare = [], []
    for _ in range(rounds):
        bare.append(sum(seconds(lambda select=select: db.rows(select)) for select in selects))
        ours.append(seconds(store.read))
    row(name, ours, bare, 3)


def fill(store: Store, leases: int, step: int = 10_000) -> None:
    snapshot = store.read()
    for first in range(0, leases, step):
        changes = allocation(range(2_000_000 + first, 2_000_000 + min(first + step, leases)))
        snapshot = store.commit(changes, snapshot, now=datetime.now(UTC))


def bench_refresh(store: Store, rounds: int = 50) -> None:
    old = store.read()
    measured = []
    snapshot = old
    for number in range(rounds):
        snapshot = store.commit(
            allocation(range(3_000_000 + number, 3_000_001 + number)), snapshot, now=datetime.now(UTC)
        )
        began = time.perf_counter()
        old = store.refresh(old)
        measured.append(time.perf_counter() - began)
    print(f"  refresh  {statistics.median(measured) * 1e3:9.2f} ms   one new lease for a follower")


def bench_idle(store: Store, span: float = 10.0) -> None:
    snapshot = store.read()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_oublock
    store.news(lambda: snapshot, span)
    written = (resource.getrusage(resource.RUSAGE_SELF).ru_oublock - before) * 512
    print(f"  idle     {written:9d} bytes written by the process in {span:g} s of waiting")


# ---- the run ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    only: str
    folder: str
    leases: int


def run(db: DatabaseUnderTest, options: Options) -> None:
    began = time.perf_counter()
    store = db.open()
    print(f"{db.kind}: a fresh database in {(time.perf_counter() - began) * 1e3:.0f} ms")
    bench_one(db, store)
    bench_many(db, store)
    store.close()
    db.reset()
    store = db.open()
    bench_start(db, store, options.leases)
    bench_refresh(store)
    bench_idle(store)
    store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", choices=("", "sqlite", "postgres"))
    parser.add_argument("--folder", default="/var/tmp", help="a folder on the disk to measure")
    parser.add_argument("--leases", type=int, default=100_000)
    options = Options(**vars(parser.parse_args()))
    if options.only != "postgres":
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            path = Path(folder) / "suite.db"
            run(DatabaseUnderTest("sqlite", f"sqlite:///{path}", path=path), options)
    if options.only != "sqlite":
        with private_server(options.folder) as server:
            run(DatabaseUnderTest("postgres", server.url("postgres"), server=server), options)


if __name__ == "__main__":
    main()
