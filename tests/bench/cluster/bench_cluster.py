"""Figures of the sources: a directory of manifests, and a cluster (our API server in a process of its own, or a real one).

    python tests/bench/cluster/bench_cluster.py [--only files|cluster] [--services N]

files     10,000 Services in one file and in 10,000 files: time to the first full batch, to a change, idle CPU
cluster   Service created until its status is patched, through controller and SQLite (synchronous=FULL), beside the bare
          round trips and commits it is made of; N Services at a cold start: all leased and patched; requests per
          Service; idle CPU and memory with N Services
speaker   as root, after the cluster's: the memory of a speaker that follows the database; `bench_pods.py` has the pods'

KUBECONFIG and SUITE_REAL_CLUSTER=1 take the real cluster they name (namespace ``default``).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from fix_cluster import Told, background, connected, listening

from suite.cluster.cluster_source import ClusterSource
from suite.cluster.files import FileSource
from suite.cluster.status import outcomes_of
from suite.cluster.writer import StatusWriter
from suite.config.document import read_text
from suite.config.loading import load
from suite.controller.loop import Controller
from suite.metrics.names import new_registry
from suite.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from suite.cluster.kubernetes import KubernetesConnection
    from suite.model.publication import Publication

ROOT = Path(__file__).parents[3]
MANIFEST = """\
apiVersion: v1
kind: Service
metadata:
  name: coffee-{number}
  labels: {{app: coffee}}
  annotations:
    metallb.io/address-pool: default
spec:
  type: LoadBalancer
  selector:
    app: coffee
  ports:
  - name: http
    port: 8080
    targetPort: api
    protocol: TCP
"""
CONFIG = "address-pools:\n- {name: default, protocol: layer2, addresses: [10.64.0.0/16]}\n"


def memory() -> float:
    """Resident megabytes now."""
    text = Path("/proc/self/statm").read_text(encoding="ascii")
    return int(text.split()[1]) * resource.getpagesize() / 1e6


async def idle(seconds: float) -> float:
    """Percent of a core while nothing happens."""
    before = time.process_time()
    await asyncio.sleep(seconds)
    return 100 * (time.process_time() - before) / seconds


def milliseconds(measured: list[float]) -> str:
    ordered = sorted(1000 * each for each in measured)
    return f"p50 {statistics.median(ordered):.1f} ms, p99 {ordered[int(len(ordered) * 0.99)]:.1f} ms"


# --- Files


async def files(count: int) -> None:
    for layout in ("one file", f"{count:,} files"):
        with TemporaryDirectory(dir=Path.cwd()) as name:
            directory = Path(name)
            texts = [MANIFEST.format(number=number) for number in range(count)]
            if layout == "one file":
                (directory / "all.yaml").write_text("---\n".join(texts))
            else:
                for number, text in enumerate(texts):
                    (directory / f"{number}.yaml").write_text(text)
            began = time.perf_counter()
            async with listening(FileSource(directory)) as told:
                first = time.perf_counter() - began
                changes = [await changed(directory, told, count + extra) for extra in range(20)]
                print(
                    f"files, {layout}: first batch {first:.2f} s, change told {milliseconds(changes)}, "
                    f"idle {await idle(5):.2f}% of a core, {memory():.0f} MB"
                )


async def changed(directory: Path, told: Told, number: int) -> float:
    await asyncio.sleep(0.15)
    began = time.perf_counter()
    (directory / f"new-{number}.yaml").write_text(MANIFEST.format(number=number))
    await told.until(lambda told: len(told.services) == number + 1)
    return time.perf_counter() - began


# --- Cluster


class Stack:
    """Source, controller, store and writer, as a process runs them."""

    def __init__(self, connection: KubernetesConnection, directory: Path) -> None:
        self.connection = connection
        self.store = open_store(f"sqlite:///{directory}/suite.db")
        self.source = ClusterSource(connection)
        self.controller = Controller(self.store, self.tell, new_registry(), "bench", self.now)
        self.writer = StatusWriter(
            connection, self.source, instance="bench", now=self.now, may_write=self.controller.may_write
        )

    @staticmethod
    def now() -> datetime:
        return datetime.now(UTC)

    async def tell(self, publication: Publication) -> None:
        self.writer.tell(outcomes_of(publication.snapshot, publication.touched))

    async def run(self) -> None:
        await self.controller.load()
        outcome = load(read_text(CONFIG, "bench"), strict=True)
        await self.controller.configure(outcome.configuration, outcome.problems)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.controller.run())
            tasks.create_task(self.writer.run())
            tasks.create_task(self.source.run(self.controller.hear))

    async def addressed(self) -> int:
        found, query = 0, {"limit": "1000"}
        while True:
            page = await self.connection.get("/api/v1/services", query)
            found += sum(
                1 for item in page["items"] if (item.get("status") or {}).get("loadBalancer", {}).get("ingress")
            )
            if not page["metadata"].get("continue"):
                return found
            query["continue"] = page["metadata"]["continue"]


def body(number: int) -> dict[str, object]:
    spec = {"type": "LoadBalancer", "ports": [{"port": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"bench-{number}"}, "spec": spec}


async def create(connection: KubernetesConnection, numbers: Iterator[int]) -> None:
    for number in numbers:
        await connection.create("/api/v1/namespaces/default/services", body(number))


async def cluster(kubeconfig: Path, count: int) -> None:
    with TemporaryDirectory(dir=Path.cwd()) as name:
        async with connected(kubeconfig) as connection:
            numbers = iter(range(count))
            await asyncio.gather(*(create(connection, numbers) for _ in range(16)))
            stack = Stack(connection, Path(name))
            began = time.perf_counter()
            async with background(stack.run()):
                while not stack.writer.is_settled or await stack.addressed() < count:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
                cold = time.perf_counter() - began
                events = len((await connection.get("/api/v1/events"))["items"])
                print(f"cluster: {count:,} Services leased and patched {cold:.1f} s after a cold start")
                print(f"cluster: {events / count:.2f} Events per Service, {memory():.0f} MB")
                await asyncio.sleep(5)
                print(f"cluster: idle with {count:,} Services {await idle(10):.2f}% of a core")
                trips, commits = await bare_trips(connection), bare_commits(Path(name))
                await speaker(Path(name), count)
                latencies = [await created(connection, count + extra) for extra in range(100)]
                print(f"cluster: created -> status patched {milliseconds(latencies)}")
                bound = 2 * statistics.median(trips) + 3 * statistics.median(commits)
                print(
                    f"cluster: bare round trip {milliseconds(trips)}; bare commit {milliseconds(commits)}; "
                    f"two trips + three commits + 10 ms = {1000 * bound + 10:.1f} ms"
                )


SPEAK = (
    "ip link set lo up && ip link add lan0 type veth peer name lan1 && ip link set lan1 up"
    " && ip addr add 10.64.255.1/16 dev lan0 && ip link set lan0 up"
    ' && exec "$0" -m suite run --role speaker --node bench --database "sqlite:///$1/suite.db" --state "$1/speaker"'
)


async def speaker(directory: Path, count: int) -> None:
    """Memory of the program with the role speaker alone, its time-critical process included, in a network of its own."""
    if os.geteuid() != 0:
        print("speaker: not measured, network namespaces need root")
        return
    command = ("unshare", "-n", "sh", "-c", SPEAK, sys.executable, str(directory))
    with (directory / "speaker.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=log, stderr=log)
    try:
        await asyncio.sleep(20)
        if process.returncode is not None:
            raise SystemExit("the speaker ended: " + (directory / "speaker.log").read_text()[-500:])
        announced = (directory / "speaker.log").read_text().count(" is announced on ")
        sizes = [resident(pid) for pid in family(process.pid)]
        print(
            f"speaker: {announced:,} of {count:,} addresses announced, {sum(sizes):.0f} MB in {len(sizes)} processes "
            f"({', '.join(f'{size:.0f}' for size in sizes)})"
        )
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def family(pid: int) -> list[int]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(each for child in children for each in family(int(child)))]


def resident(pid: int) -> float:
    """Proportional megabytes of one process: what several share counts once."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000


async def created(connection: KubernetesConnection, number: int) -> float:
    """Seconds from the POST to the watch event with the address, both as a client of the API sees them."""
    path = "/api/v1/namespaces/default/services"
    listed = await connection.get(path, {"limit": "1"})
    query = {"resourceVersion": listed["metadata"]["resourceVersion"], "fieldSelector": f"metadata.name=bench-{number}"}
    began = time.perf_counter()
    await connection.create(path, body(number))
    async for event in connection.watch(path, query):
        if event["object"].get("status", {}).get("loadBalancer", {}).get("ingress"):
            break
    return time.perf_counter() - began


async def bare_trips(connection: KubernetesConnection) -> list[float]:
    measured = []
    for number in range(100):
        began = time.perf_counter()
        await connection.patch(
            "/api/v1/namespaces/default/services/bench-0/status",
            {"status": {"conditions": [{"type": "bench", "status": "True", "message": str(number)}]}},
            strategic=True,
        )
        measured.append(time.perf_counter() - began)
    return measured


def bare_commits(directory: Path) -> list[float]:
    import sqlite3

    database = sqlite3.connect(directory / "bare.db", isolation_level=None)
    database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (a TEXT)")
    measured = []
    for _ in range(200):
        began = time.perf_counter()
        database.execute("INSERT INTO t VALUES ('10.0.42.0')")
        measured.append(time.perf_counter() - began)
    database.close()
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["files", "cluster"], default="")
    parser.add_argument("--services", type=int, default=5000)
    options = parser.parse_args()
    if options.only != "cluster":
        asyncio.run(files(10_000))
    if options.only == "files":
        return
    if os.environ.get("KUBECONFIG") and os.environ.get("SUITE_REAL_CLUSTER"):
        asyncio.run(cluster(Path(os.environ["KUBECONFIG"]), options.services))
        return
    with subprocess.Popen(
        [sys.executable, "-m", "apiserver"],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        asyncio.run(cluster(Path(server.stdout.readline().strip()), options.services))


if __name__ == "__main__":
    main()
