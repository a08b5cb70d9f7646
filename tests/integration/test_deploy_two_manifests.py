"""Both manifests in a cluster of three nodes: the pod, started as install.yaml says, gives address, owner and name.

The API server is ours and there is no kube-proxy, so names are asked at the pod's own port; arguments, settings and
objects are those of the manifests.
"""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from apiserver.app import Api
from apiserver.server import running
from deploy_files import DEPLOY, Object, installed, objects
from fix_netns import Namespace, NetLab, eventually, missing_for_networks, network, require_tools
from project_files import ROOT

pytestmark = pytest.mark.net

PATIENCE = 40.0
NODES = {"node1": "10.0.10.1", "node2": "10.0.10.2", "node3": "10.0.10.3"}
COFFEE, NAMES = "10.0.42.0", "10.0.42.53"


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    """A laptop on the network of node1, where the pod runs."""
    if reason := missing_for_networks():
        pytest.skip(reason)
    require_tools("arping", "dig")
    folder = tmp_path_factory.mktemp("pod")
    with network() as lab:
        node, laptop = _two(lab)
        with _api_server(_cluster(), node, folder) as kubeconfig, _pod(node, kubeconfig, folder):
            yield laptop


def test_the_service_gets_the_first_address_and_one_node_answers_for_it(laptop: Namespace) -> None:
    assert eventually(lambda: _is_announced(laptop, COFFEE), PATIENCE, 0.1)


def test_the_service_has_a_name(laptop: Namespace) -> None:
    asked = ("dig", "+short", "+time=1", "+tries=1", "-p", "1053", f"@{NODES['node1']}", "coffee.default.service")

    assert eventually(lambda: laptop.run(*asked).stdout == f"{COFFEE}\n", PATIENCE, 0.1)


def test_the_nameserver_has_the_address_reserved_for_it(laptop: Namespace) -> None:
    assert eventually(lambda: _is_announced(laptop, NAMES), PATIENCE, 0.1)


def test_an_address_that_nobody_leased_is_nobodys(laptop: Namespace) -> None:
    assert not _is_announced(laptop, "10.0.42.99")


def _is_announced(laptop: Namespace, address: str) -> bool:
    return f"({address})" in laptop.run("arping", "-c1", "-w1", "-i", "eth0", address).stdout


def _two(lab: NetLab) -> tuple[Namespace, Namespace]:
    node, laptop = lab.namespace("node1"), lab.namespace("laptop")
    lab.veth(node, laptop, left=[f"{NODES['node1']}/16"], right=["10.0.10.9/16"])
    return node, laptop


def _cluster() -> Api:
    """What is in the cluster after both manifests were applied."""
    api = Api()
    for name, address in NODES.items():
        status = {"addresses": [{"type": "InternalIP", "address": address}]}
        api.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status})
    api.put(installed()["Namespace", "suite-system"])
    api.put(installed()["Service", "suite-dns"])
    api.put(_slice("suite-system", "suite-dns", "node1"))
    api.put(objects((DEPLOY / "manifests/config.yaml").read_text(encoding="utf-8"))["ConfigMap", "config"])
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
    api.put({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "coffee"}, "spec": spec})
    return api


def _slice(namespace: str, service: str, node: str) -> Object:
    labels = {"kubernetes.io/service-name": service}
    endpoint = {"addresses": [NODES[node]], "nodeName": node, "conditions": {"ready": True}}
    metadata = {"name": f"{service}-1", "namespace": namespace, "labels": labels}
    kind = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4"}
    return {**kind, "metadata": metadata, "endpoints": [endpoint], "ports": [{"name": "dns-udp", "port": 1053}]}


@contextmanager
def _api_server(api: Api, node: Namespace, folder: Path) -> Iterator[Path]:
    """The server in a thread of its own, which alone is inside the node's network."""
    started, done = threading.Event(), threading.Event()

    async def serve() -> None:
        async with running(api) as server:
            server.kubeconfig(folder)
            started.set()
            await asyncio.to_thread(done.wait)

    def inside() -> None:
        with node.entered():
            asyncio.run(serve())

    thread = threading.Thread(target=inside)
    thread.start()
    try:
        assert started.wait(PATIENCE)
        yield folder / "kubeconfig"
    finally:
        done.set()
        thread.join()


@contextmanager
def _pod(node: Namespace, kubeconfig: Path, folder: Path) -> Iterator[None]:
    """The container of install.yaml as a process: its arguments and files, with our paths for the mounted ones."""
    [container] = installed()["Deployment", "suite"]["spec"]["template"]["spec"]["containers"]
    settings = installed()["ConfigMap", "suite"]["data"]["suite.yaml"]
    (folder / "suite.yaml").write_text(settings, encoding="utf-8")
    places = {"/etc/suite/suite.yaml": str(folder / "suite.yaml"), "/var/lib/suite": str(folder / "state")}
    arguments = [_moved(each, places) for each in container["args"]]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "NODE_NAME": "node1"}
    command = (sys.executable, "-P", "-m", "suite", *arguments, f"--kubeconfig={kubeconfig}")
    with (folder / "log").open("w") as log:
        process = node.spawn(*command, stdout=log, stderr=subprocess.STDOUT, env=environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def _moved(argument: str, places: dict[str, str]) -> str:
    option, equals, place = argument.partition("=")
    return f"{option}{equals}{places.get(place, place)}"
