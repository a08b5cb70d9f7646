"""How soon a commit is in the answers of processes that did not make it: the goal is 10 ms, 99 times of 100.

    ./suite.sh bench visibility        python tests/bench/dns/bench_visibility.py [--changes N] [--only KIND]

postgres   two suites on one PostgreSQL; this process commits a record, as `suite dns import` does
sqlite     the same with one suite, on SQLite
followers  two nameservers on one PostgreSQL with 5,000 Services; this process commits as a controller does that gives a
           Service another address

The DNS servers are asked all the time from the moment the commit returns. Loopback only, no speaker.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from fix_db import private_server

from suite.cluster.source import Batch
from suite.controller.plan import Planner
from suite.model.address import parse_range
from suite.model.changes import Changes, Closing
from suite.model.configuration import Configuration, StaticRecord
from suite.model.pool import Pool
from suite.model.service import Port, Service, ServiceRef, ServiceType
from suite.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from suite.model.snapshot import Snapshot

CONFIGURATION = "address-pools: [{name: default, protocol: layer2, addresses: [10.0.42.0/24]}]\n"
ROLES = ("controller", "nameserver")
RECORD = "visible.service"
SERVICES = 5_000
SERVICE = ServiceRef("default", "service-0")
FOLLOWED = f"{SERVICE.name}.{SERVICE.namespace}.service"
KINDS = ("postgres", "sqlite", "followers")
GOAL_MS = 10.0


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def question(name: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


class Server:
    """A running suite and a socket that asks it."""

    def __init__(self, folder: Path, url: str, stack: ExitStack, name: str, roles: Sequence[str]) -> None:
        folder.mkdir()
        self.question = question(name)
        (folder / "suite.yaml").write_text(CONFIGURATION)
        (folder / "manifests").mkdir()
        self.port = free_port()
        command = [sys.executable, "-m", "suite", "run", "--config", folder / "suite.yaml", "--state", folder / "state"]
        command += [
            "--manifests",
            folder / "manifests",
            "--database",
            url,
            "--dns-listen",
            f"127.0.0.1:{self.port}",
            *(word for role in roles for word in ("--role", role)),
        ]
        log = stack.enter_context((folder / "log").open("wb"))
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        stack.callback(process.wait, 20)
        stack.callback(process.terminate)
        self.sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.sock.settimeout(0.2)
        self.sock.connect(("127.0.0.1", self.port))

    def says(self, address: bytes) -> bool:
        try:
            self.sock.send(self.question)
            reply = self.sock.recv(512)
        except OSError:
            return False
        return bool(reply[7]) and reply.endswith(address)


def written(snapshot: Snapshot, address: IPv4Address) -> Changes:
    """As an operator does: a record in place of the one before."""
    return Changes(
        records=(StaticRecord(f"{RECORD}.", "A", str(address)),), records_gone=tuple(snapshot.records.keys())
    )


def moved(snapshot: Snapshot, address: IPv4Address) -> Changes:
    """As a controller does: a lease in place of the one before."""
    (lease,) = snapshot.bound(SERVICE)
    return Changes(closed=(Closing(lease, "moved"),), opened=(replace(lease, id=0, address=address),))


def fill(url: str) -> None:
    """Services with an address each, as the first turn of a controller leaves them."""
    refs = (SERVICE._replace(name=f"service-{number}") for number in range(SERVICES))
    services = tuple(Service(ref, f"uid-{ref.name}", ServiceType.LOAD_BALANCER, ports=(Port(80),)) for ref in refs)
    configuration = Configuration((Pool("pool", (parse_range("10.0.0.0/8"),)),), digest="bench")
    with closing(open_store(url)) as store:
        snapshot = store.read()
        changes = Planner(snapshot).turn(Batch(services=services, is_full=True), datetime.now(UTC), configuration)
        store.commit(changes, snapshot, now=datetime.now(UTC))


def measure(
    servers: Sequence[Server], url: str, changes: int, act: Callable[[Snapshot, IPv4Address], Changes]
) -> list[list[float]]:
    """Milliseconds from the commit's return until each server says so."""
    taken: list[list[float]] = [[] for _ in servers]
    with closing(open_store(url)) as store:
        snapshot = store.read()
        for number in range(-5, changes):  # the first ones warm up
            address = IPv4Address("10.250.0.0") + 10 + number
            snapshot = store.refresh(snapshot)
            snapshot = store.commit(act(snapshot, address), snapshot, now=datetime.now(UTC))
            begin = time.perf_counter()
            waiting = dict(enumerate(servers))
            while waiting:
                for index, server in list(waiting.items()):
                    if server.says(address.packed):
                        del waiting[index]
                        if number >= 0:
                            taken[index].append((time.perf_counter() - begin) * 1000)
                time.sleep(0.0003)  # a client that never rests would take the server's core
                if time.perf_counter() - begin > 20:
                    sys.exit("a commit was not seen for 20 s")
            time.sleep(0.01 + 0.03 * (number % 7) / 7)  # not in step with anybody's looks
    return taken


def bench(kind: str, changes: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="suite-visible-", dir="/var/tmp")))
        if kind == "sqlite":
            url, count = f"sqlite:///{folder}/suite.db", 1
        else:
            url, count = stack.enter_context(private_server("/var/tmp")).url("postgres"), 2
        act, name, roles = (moved, FOLLOWED, ROLES[1:]) if kind == "followers" else (written, RECORD, ROLES)
        if kind == "followers":
            fill(url)
        else:
            open_store(url).close()
        servers = [Server(folder / f"suite{number}", url, stack, name, roles) for number in range(count)]
        deadline = time.monotonic() + 30
        while not all(server.says(b"") or _is_up(server) for server in servers):
            if time.monotonic() > deadline:
                sys.exit("the suites did not start")
            time.sleep(0.1)
        for number, taken in enumerate(measure(servers, url, changes, act)):
            taken.sort()
            worst = taken[min(len(taken) - 1, int(len(taken) * 0.99))]
            state = "ok" if worst <= GOAL_MS else f"over {GOAL_MS:g}"
            print(
                f"{kind:<9} server {number}: median {statistics.median(taken):5.2f} ms  p99 {worst:6.2f} ms  "
                f"worst {taken[-1]:6.2f} ms  of {len(taken)}  ({state})"
            )


def _is_up(server: Server) -> bool:
    """Whether it denies the name, which it does not before its first snapshot."""
    try:
        server.sock.send(server.question)
        return server.sock.recv(512)[3] & 15 == 3
    except OSError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--only", choices=KINDS)
    options = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for kind in (options.only,) if options.only else KINDS:
        bench(kind, options.changes)


if __name__ == "__main__":
    main()
