"""Memory and idle CPU of the pods as `deploy/` starts them: a controller with the feed, and a node's speaker that follows it.

    python tests/bench/cluster/bench_pods.py [--services N]

Our API server is a process of its own and has N Services, each with an EndpointSlice of two endpoints, and two Nodes.  The
speaker is in a network namespace, without a database, and announces all N addresses; that takes root.  A pod's figures
are those of all its processes: proportional megabytes (PSS: what several share counts once), resident ones (RSS: what each of
them has, shared or not), and their share of a core in ten seconds in which nothing happens.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))

from bench_cluster import body
from bench_program import SERVICES, apply, config_map, patched
from fix_cluster import connected
from suite_running import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from suite.cluster.kubernetes import KubernetesConnection

ROOT = Path(__file__).parents[3]
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
NODES = ("bench", "other")
PROBE = "127.0.0.1:17953"
PATIENCE = 20.0
"""Seconds without one more announcement."""
REST, WATCHED = 30.0, 10.0
"""Seconds after the last announcement until the pods are looked at, and for how long."""
CONTROLLER_GOAL, SPEAKER_GOAL, IDLE_GOAL = 250.0, 120.0, 2.0
"""Megabytes, megabytes and percent of a core."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a pod takes: megabytes, and seconds of CPU so far."""

    shared: float
    resident: float
    seconds: float
    processes: int


def figures(pid: int) -> Figures:
    """Those of a process and of all below it."""
    every = family(pid)
    return Figures(
        sum(megabytes(each, "Pss") for each in every),
        sum(megabytes(each, "Rss") for each in every),
        sum(seconds(each) for each in every),
        len(every),
    )


def family(pid: int) -> list[int]:
    """A process and all below it, whichever of its threads started them."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for task in tasks for child in (task / "children").read_text(encoding="ascii").split()]
    return [pid, *(each for child in children for each in family(child))]


def megabytes(pid: int, what: str) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:")) / 1000


def seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def endpoint_slice(number: int) -> dict[str, Any]:
    """Two endpoints of a Service, one on each Node."""
    endpoints = [
        {"addresses": [f"10.{244 + at}.{number // 250}.{1 + number % 250}"], "nodeName": node}
        | {"conditions": {"ready": True, "serving": True, "terminating": False}}
        for at, node in enumerate(NODES)
    ]
    name = f"bench-{number}"
    metadata = {"name": f"{name}-abcde", "labels": {"kubernetes.io/service-name": name}}
    named = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata}
    return {**named, "addressType": "IPv4", "endpoints": endpoints, "ports": [{"port": 8080, "protocol": "TCP"}]}


async def fill(connection: KubernetesConnection, count: int) -> None:
    for at, name in enumerate(NODES):
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
        addresses = [{"type": "InternalIP", "address": f"10.64.255.{1 + at}"}]
        conditions = [{"type": "Ready", "status": "True"}]
        await connection.create("/api/v1/nodes", {**node, "status": {"addresses": addresses, "conditions": conditions}})
    numbers = iter(range(count))

    async def take() -> None:
        for number in numbers:
            await connection.create(SERVICES, body(number))
            await connection.create(SLICES, endpoint_slice(number))

    await asyncio.gather(*(take() for _ in range(16)))
    await apply(connection, config_map())


@contextmanager
def wire() -> Iterator[str]:
    """A network namespace with a link to here and an address of the pool; its name.  Here is 10.63.255.1."""
    name = f"bench-{os.getpid()}"
    there = ("netns", "exec", name, "ip")
    ip("netns", "add", name)
    try:
        ip("link", "add", name, "type", "veth", "peer", "name", "lan0", "netns", name)
        ip("addr", "add", "10.63.255.1/30", "dev", name)
        ip("link", "set", name, "up")
        for words in ("link set lo up", "addr add 10.63.255.2/30 dev lan0", "addr add 10.64.255.1/16 dev lan0"):
            ip(*there, *words.split())
        ip(*there, "link", "set", "lan0", "up")
        yield name
    finally:
        ip("netns", "del", name)


def ip(*words: str) -> None:
    subprocess.run(("ip", *words), check=True, stdin=subprocess.DEVNULL)


@contextmanager
def pod(folder: Path, name: str, *words: str, where: tuple[str, ...] = ()) -> Iterator[int]:
    """A running suite with a state directory and a log of its own; its process."""
    command = (*where, sys.executable, "-m", "suite", "run", "--node", NODES[0], "--state", str(folder / name), *words)
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def follower(folder: Path, feed: str) -> tuple[str, ...]:
    """What a speaker's pod is started with, its token and the authority's certificate made."""

    def token(*words: str) -> str:
        command = (sys.executable, "-m", "suite", "token", *words, "--state", str(folder / "controller"))
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    (folder / "token").write_text(token("create", "--role", "speaker", "--node", NODES[0]))
    (folder / "authority.pem").write_text(token("authority"))
    proof = ("--token-file", str(folder / "token"), "--authority", str(folder / "authority.pem"))
    return ("--role", "speaker", "--follow", f"https://{feed}", *proof, "--probe-listen", PROBE)


async def announced(log: Path, count: int) -> int:
    """How many addresses the speaker announces, when it is all of them or no more come (it leaves out a network's own)."""
    found, since = 0, monotonic()
    while found < count and monotonic() - since < PATIENCE:
        await asyncio.sleep(1)
        now = await asyncio.to_thread(announcements, log)
        found, since = now, since if now == found else monotonic()
    return found


def announcements(log: Path) -> int:
    return log.read_text().count(" is announced on ")


def tell(name: str, before: Figures, after: Figures, goal: float) -> None:
    idle = 100 * (after.seconds - before.seconds) / WATCHED
    is_met = after.resident <= goal and idle <= IDLE_GOAL
    print(
        f"pods: {name}: {after.shared:.0f} MB PSS, {after.resident:.0f} MB RSS in {after.processes} processes, "
        f"idle {idle:.2f}% of a core (goals {goal:g} MB and {IDLE_GOAL:g}%: {'met' if is_met else 'missed'})"
    )


async def measure(kubeconfig: Path, count: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(dir=Path.cwd())))
        where = ("ip", "netns", "exec", stack.enter_context(wire()))
        feed = f"10.63.255.1:{free_port()}"
        (folder / "suite.yaml").write_text(f"web: {{feed-listen: {feed}}}\n")
        words = ("--role", "controller", "--role", "web", "--config", str(folder / "suite.yaml"))
        words += ("--kubeconfig", str(kubeconfig), "--probe-listen", f"127.0.0.1:{free_port()}")
        async with connected(kubeconfig) as connection:
            await fill(connection, count)
            controller = stack.enter_context(pod(folder, "controller", *words))
            await patched(connection, count)
        speaker = stack.enter_context(pod(folder, "speaker", *follower(folder, feed), where=where))
        found = await announced(folder / "speaker.log", count)
        await asyncio.sleep(REST)
        before = figures(controller), figures(speaker)
        await asyncio.sleep(WATCHED)
        print(f"pods: {count:,} Services with two endpoints each, {found:,} of their addresses announced")
        tell("controller and web", before[0], figures(controller), CONTROLLER_GOAL)
        tell("speaker that follows", before[1], figures(speaker), SPEAKER_GOAL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=5000)
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("pods: not measured, network namespaces need root")
        return
    command, tests = [sys.executable, "-m", "apiserver"], Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=tests, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        asyncio.run(measure(Path(server.stdout.readline().strip()), options.services))


if __name__ == "__main__":
    main()
