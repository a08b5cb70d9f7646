"""Figures of the whole program at a cluster: `suite run` as a process, our API server in another, questions over UDP.

    python tests/bench/cluster/bench_program.py [--services N]

cold      N Services are there when the program starts: until all are leased and patched, until all are answered by DNS, and
          the requests that each of them cost the API server
created   one more Service: until its status is patched, and until its name is answered
config    the ConfigMap is applied again with a pool that a Service waits for: until its status is patched

KUBECONFIG and SUITE_REAL_CLUSTER=1 take the real cluster they name (namespaces ``default`` and ``metallb-system``); requests
are counted by our own server only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))

import dns.message
import yaml
from bench_cluster import body, create, created, family, milliseconds, resident
from fix_cluster import connected
from suite_running import free_port

from suite.cluster.connection import ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from suite.cluster.kubernetes import KubernetesConnection

ROOT = Path(__file__).parents[3]
SERVICES = "/api/v1/namespaces/default/services"
CONFIG_MAPS = "/api/v1/namespaces/metallb-system/configmaps"
ROUNDS = 50
PATIENCE = 240.0


def config_map(*pools: str) -> dict[str, Any]:
    """MetalLB's ConfigMap; 65,536 addresses for everybody, and a small pool for each name of ``pools``."""
    named = [{"name": each, "auto-assign": False} for each in pools]
    spans = [{"name": "default"}, *named]
    places = [{**each, "protocol": "layer2", "addresses": [f"10.{64 + at}.0.0/16"]} for at, each in enumerate(spans)]
    metadata = {"name": "config", "namespace": "metallb-system"}
    text = json.dumps({"address-pools": places})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"config": text}}


class Questions:
    """A stub that asks one server, many names at a time."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect(("127.0.0.1", port))

    async def answered(self, names: list[str], pause: float) -> float:
        """When the last of these was answered with an address (seconds of the monotonic clock)."""
        loop, waiting = asyncio.get_running_loop(), set(names)
        async with asyncio.timeout(PATIENCE):
            while left := len(waiting):
                for number, name in enumerate(sorted(waiting)[:256]):
                    query = dns.message.make_query(name, "A", id=number)
                    with suppress(OSError):
                        await loop.sock_sendall(self._socket, query.to_wire())
                await asyncio.sleep(0.001)
                with suppress(BlockingIOError, ConnectionRefusedError):
                    while True:
                        reply = dns.message.from_wire(self._socket.recv(2048))
                        if reply.answer:
                            waiting.discard(reply.question[0].name.to_text(omit_final_dot=True))
                await asyncio.sleep(0 if len(waiting) < left else pause)
        return time.monotonic()


@asynccontextmanager
async def program(folder: Path, kubeconfig: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    roles = [word for role in ("controller", "nameserver", "web") for word in ("--role", role)]
    where = ["--kubeconfig", str(kubeconfig), "--state", str(folder / "state"), "--dns-listen", f"127.0.0.1:{port}"]
    with (folder / "log").open("w") as log:
        command = (sys.executable, "-m", "suite", "run", "--node", "bench", *where, *roles)
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=log, stderr=log)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def patched(connection: KubernetesConnection, count: int) -> float:
    """When so many Services have an address in their status."""
    async with asyncio.timeout(PATIENCE):
        while await addressed(connection) < count:  # noqa: ASYNC110 - the server sets no event
            await asyncio.sleep(2)
    return time.monotonic()


async def addressed(connection: KubernetesConnection) -> int:
    found, query = 0, {"limit": "1000"}
    while True:
        page = await connection.get(SERVICES, query)
        found += sum(bool((each.get("status") or {}).get("loadBalancer", {}).get("ingress")) for each in page["items"])
        if not page["metadata"].get("continue"):
            return found
        query["continue"] = page["metadata"]["continue"]


def requests(kubeconfig: Path) -> dict[str, int]:
    """What our server was asked so far, by verb and resource; nothing of a real one."""
    server = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))["clusters"][0]["cluster"]["server"]
    if not server.startswith("http://127.0.0.1"):
        return {}
    with urllib.request.urlopen(f"{server}/calls", timeout=10) as answer:
        return dict(json.load(answer))


def per_service(before: dict[str, int], after: dict[str, int], count: int) -> str:
    wanted = ("patch services/status", "patch services", "create events", "patch events", "get services")
    return ", ".join(f"{word} {(after.get(word, 0) - before.get(word, 0)) / count:.2f}" for word in wanted)


async def apply(connection: KubernetesConnection, made: dict[str, Any]) -> None:
    try:
        await connection.create(CONFIG_MAPS, made)
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
        await connection.patch(f"{CONFIG_MAPS}/config", made)


async def resolvable(connection: KubernetesConnection, questions: Questions, number: int) -> tuple[float, float]:
    """Seconds from the POST to the address in the status, and to the answer."""
    began = time.monotonic()
    answering = asyncio.create_task(questions.answered([f"bench-{number}.default.service"], 0.001))
    seconds = await created(connection, number)
    return seconds, await answering - began


async def reconfigured(connection: KubernetesConnection, number: int, pools: list[str]) -> float:
    """Seconds from the ConfigMap with a new pool to the address of the Service that waits for it."""
    name, pool = f"waits-{number}", f"pool-{number}"
    waits = body(number)
    waits["metadata"] = {"name": name, "annotations": {"metallb.io/address-pool": pool}}
    made = await connection.create(SERVICES, waits)
    while not (made.get("status") or {}).get("conditions"):
        await asyncio.sleep(0.02)
        made = await connection.get(f"{SERVICES}/{name}")
    query = {"resourceVersion": made["metadata"]["resourceVersion"], "fieldSelector": f"metadata.name={name}"}
    pools.append(pool)
    began = time.monotonic()
    await apply(connection, config_map(*pools))
    async for event in connection.watch(SERVICES, query):
        if event["object"].get("status", {}).get("loadBalancer", {}).get("ingress"):
            break
    return time.monotonic() - began


async def measure(kubeconfig: Path, count: int) -> None:
    with TemporaryDirectory(dir=Path.cwd()) as name:
        folder, port = Path(name), free_port()
        async with connected(kubeconfig) as connection:
            numbers = iter(range(count))
            await asyncio.gather(*(create(connection, numbers) for _ in range(16)))
            await apply(connection, config_map())
            before, questions, began = requests(kubeconfig), Questions(port), time.monotonic()
            async with program(folder, kubeconfig, port) as process:
                every = [f"bench-{number}.default.service" for number in range(count)]
                last = await asyncio.gather(patched(connection, count), questions.answered(every, 0.2))
                print(
                    f"program: {count:,} Services at a cold start: patched after {last[0] - began:.1f} s, "
                    f"all answered by DNS after {last[1] - began:.1f} s, the start of the program included"
                )
                await asyncio.sleep(3)
                print(f"program: requests per Service: {per_service(before, requests(kubeconfig), count)}")
                sizes = [resident(pid) for pid in family(process.pid)]
                print(f"program: {sum(sizes):.0f} MB in {len(sizes)} processes, {sizes[0]:.0f} of them the controller")
                times = [await resolvable(connection, questions, count + number) for number in range(ROUNDS)]
                print(f"program: created -> status patched {milliseconds([each[0] for each in times])}")
                print(f"program: created -> answered by DNS {milliseconds([each[1] for each in times])}")
                pools: list[str] = []
                acted = [await reconfigured(connection, number, pools) for number in range(10)]
                worst, middle = 1000 * max(acted), 1000 * statistics.median(acted)
                print(
                    f"program: ConfigMap applied again -> status patched p50 {middle:.0f} ms, worst {worst:.0f} ms of 10"
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=5000)
    options = parser.parse_args()
    if os.environ.get("KUBECONFIG") and os.environ.get("SUITE_REAL_CLUSTER"):
        asyncio.run(measure(Path(os.environ["KUBECONFIG"]), options.services))
        return
    command, tests = [sys.executable, "-m", "apiserver"], Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=tests, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        asyncio.run(measure(Path(server.stdout.readline().strip()), options.services))


if __name__ == "__main__":
    main()
