"""How soon a commit is in the answers of processes that did not make it: the goal is 10 ms, 99 times of 100.

    ./suite.sh bench visibility        python tests/bench/dns/bench_visibility.py [--changes N]

This process commits a record, as `suite dns import` does; the DNS servers of running suites are asked all the time from
the moment the commit returns. `postgres` has two suites on one database, `sqlite` one. Loopback only, no speaker.
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
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from fix_db import private_server

from suite.model.changes import Changes
from suite.model.configuration import StaticRecord
from suite.store import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIGURATION = "address-pools: [{name: default, protocol: layer2, addresses: [10.0.42.0/24]}]\n"
ROLES = ("--role", "controller", "--role", "nameserver")
NAME = "visible.service"
GOAL_MS = 10.0


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def question() -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in NAME.split("."))
    return struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


class Server:
    """A running suite and a socket that asks it."""

    def __init__(self, folder: Path, url: str, stack: ExitStack) -> None:
        folder.mkdir()
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
            *ROLES,
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
            self.sock.send(question())
            reply = self.sock.recv(512)
        except OSError:
            return False
        return bool(reply[7]) and reply.endswith(address)


def measure(servers: Sequence[Server], url: str, changes: int) -> list[list[float]]:
    """Milliseconds from the commit's return until each server says so."""
    taken: list[list[float]] = [[] for _ in servers]
    with closing(open_store(url)) as store:
        snapshot, before = store.read(), None
        for number in range(-5, changes):  # the first ones warm up
            octets = bytes([192, 0, 2 + (number & 255) // 250, 1 + number % 250])
            record = StaticRecord(f"{NAME}.", "A", ".".join(map(str, octets)))
            gone = (before,) if before else ()
            snapshot = store.refresh(snapshot)
            snapshot = store.commit(Changes(records=(record,), records_gone=gone), snapshot, now=datetime.now(UTC))
            begin, before = time.perf_counter(), record
            waiting = dict(enumerate(servers))
            while waiting:
                for index, server in list(waiting.items()):
                    if server.says(octets):
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
        if kind == "postgres":
            server = stack.enter_context(private_server("/var/tmp"))
            url, count = server.url("postgres"), 2
        else:
            url, count = f"sqlite:///{folder}/suite.db", 1
        open_store(url).close()
        servers = [Server(folder / f"suite{number}", url, stack) for number in range(count)]
        deadline = time.monotonic() + 30
        while not all(server.says(b"") or _is_up(server) for server in servers):
            if time.monotonic() > deadline:
                sys.exit("the suites did not start")
            time.sleep(0.1)
        for number, taken in enumerate(measure(servers, url, changes)):
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
        server.sock.send(question())
        return server.sock.recv(512)[3] & 15 == 3
    except OSError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--only", choices=("postgres", "sqlite"))
    options = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for kind in (options.only,) if options.only else ("postgres", "sqlite"):
        bench(kind, options.changes)


if __name__ == "__main__":
    main()
