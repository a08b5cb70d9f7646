"""Nodes that run what the manifests say, without a cluster: the API server is ours, the containers are processes.

Each node is a network namespace and finds the API server, one for all, on its own loopback.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING

from apiserver.app import Api
from apiserver.server import Running
from deploy_files import DEPLOY, Object, installed, objects
from project_files import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from fix_netns import Namespace

PATIENCE = 40.0


def cluster(nodes: Mapping[str, str]) -> Api:
    """What is in a cluster with these nodes after both manifests were applied, and a Service `coffee`."""
    api = Api()
    for name, address in nodes.items():
        status = {"addresses": [{"type": "InternalIP", "address": address}]}
        api.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status})
    api.put(installed()["Namespace", "suite-system"])
    api.put(installed()["Service", "suite-dns"])
    api.put(_slice("suite-system", "suite-dns", nodes))
    api.put(objects((DEPLOY / "manifests/config.yaml").read_text(encoding="utf-8"))["ConfigMap", "config"])
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
    api.put({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "coffee"}, "spec": spec})
    return api


def _slice(namespace: str, service: str, nodes: Mapping[str, str]) -> Object:
    conditions = {"ready": True}
    endpoints = [{"addresses": [nodes[each]], "nodeName": each, "conditions": conditions} for each in nodes]
    metadata = {"name": f"{service}-1", "namespace": namespace, "labels": {"kubernetes.io/service-name": service}}
    kind = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4"}
    return {**kind, "metadata": metadata, "endpoints": endpoints, "ports": [{"name": "dns-udp", "port": 1053}]}


@contextmanager
def api_server(api: Api, nodes: Mapping[str, Namespace], folder: Path) -> Iterator[dict[str, Path]]:
    """The server in a thread of its own, with a socket on every node; a kubeconfig for each."""
    started, done = threading.Event(), threading.Event()
    kubeconfigs: dict[str, Path] = {}

    async def serve() -> None:
        async with AsyncExitStack() as servers:
            for name, node in nodes.items():
                (folder / name).mkdir()
                with node.entered():
                    server = Running(api)
                await server.start()
                servers.push_async_callback(server.stop)
                kubeconfigs[name] = server.kubeconfig(folder / name)
            started.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert started.wait(PATIENCE)
        yield kubeconfigs
    finally:
        done.set()
        thread.join()


def start_pod(
    node: Namespace, workload: Object, settings: str, places: Mapping[str, str], kubeconfig: Path, folder: Path
) -> subprocess.Popen[str]:
    """The container of a workload as a process: its arguments, with our `places` for the paths that are mounted.

    Its settings and its log are `suite.yaml` and `log` in `folder`.
    """
    [container] = workload["spec"]["template"]["spec"]["containers"]
    (folder / "suite.yaml").write_text(_moved(settings, places), encoding="utf-8")
    mounted = {"/etc/suite/suite.yaml": str(folder / "suite.yaml"), "/var/lib/suite": str(folder / "state"), **places}
    arguments = [_moved(each, mounted) for each in container["args"]]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "NODE_NAME": node.name}
    command = (sys.executable, "-P", "-m", "suite", *arguments, f"--kubeconfig={kubeconfig}")
    with (folder / "log").open("w") as log:
        return node.spawn(*command, stdout=log, stderr=subprocess.STDOUT, env=environment)


def answerers(client: Namespace, address: str) -> set[str]:
    """The MACs of all who answer ARP for an address; a second is enough for each to be heard."""
    lines = client.run("arping", "-c1", "-w1", "-i", "eth0", address).stdout.splitlines()
    return {line.split("from ")[1].split()[0] for line in lines if f"({address})" in line and "from " in line}


def name_of(client: Namespace, server: str, name: str) -> str:
    """The address that a pod's own port says a name has; empty for none."""
    return client.run("dig", "+short", "+time=1", "+tries=1", "-p", "1053", f"@{server}", name).stdout.strip()


def _moved(text: str, places: Mapping[str, str]) -> str:
    for there, here in places.items():
        text = text.replace(there, here)
    return text
