"""The move from MetalLB on a LAN: our speakers are silent beside its, and take each address over on the same node.

MetalLB's speakers are stand-ins that answer ARP as it does; the suite is the program, a process for each pod.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from apiserver.app import Api
from deploy_files import chart
from deployed import PATIENCE, answerers, api_server, start_pod
from fix_netns import Namespace, NetLab, eventually, require_tools
from project_files import ROOT

sys.path.insert(0, str(Path(__file__).parents[1] / "lab"))

import metallb_speaker
from metallb_speaker import elected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fix_db import DatabaseUnderTest

pytestmark = [pytest.mark.net, pytest.mark.peer, pytest.mark.postgres]

NODES = {"node1": "10.0.10.1", "node2": "10.0.10.2"}
SERVICES = {"coffee": "10.0.42.7", "tea": "10.0.42.10"}
"""MetalLB's election gives one to each node."""
METALLB, OURS = "metallb-system", "suite-system"
URL = "postgresql://suite@postgres.example/suite"


def named(kind: str, name: str, namespace: str = METALLB, version: str = "v1", **rest: object) -> dict[str, object]:
    metadata = {"name": name, "namespace": namespace, "labels": rest.pop("labels", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def cluster(settings: str) -> Api:
    """MetalLB and the suite on both nodes, and Services that MetalLB gave their addresses."""
    api = Api()
    api.install_metallb()
    api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OURS}})
    api.put(named("IPAddressPool", "default", version="metallb.io/v1beta1", spec={"addresses": ["10.0.42.0/24"]}))
    api.put(named("L2Advertisement", "lan", version="metallb.io/v1beta1", spec={}))
    for kind, component in (("DaemonSet", "speaker"), ("Deployment", "controller")):
        template = {"metadata": {"labels": {"app": "metallb", "component": component}}}
        api.put(named(kind, component, version="apps/v1", spec={"replicas": 1, "template": template}))
    api.put(named("ConfigMap", "suite", OURS, data={"suite.yaml": settings}))
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    for node, address in NODES.items():
        status = {"addresses": [{"type": "InternalIP", "address": address}]}
        api.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}, "status": status})
        spec, ours = {"nodeName": node}, {"app.kubernetes.io/name": "suite"}
        api.put(named("Pod", f"speaker-{node}", labels={"component": "speaker"}, spec=spec))
        api.put(named("Pod", f"suite-{node}", OURS, labels=ours, spec=spec, status=ready))
    for name, address in SERVICES.items():
        status = {"loadBalancer": {"ingress": [{"ip": address}]}}
        spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
        api.put(named("Service", name, "default", spec=spec, status=status))
    return api


@dataclass(frozen=True)
class Lan:
    """Two nodes, each with a speaker of MetalLB's kind and a pod of the suite; and a laptop."""

    nodes: dict[str, Namespace]
    laptop: Namespace
    api: Api
    kubeconfig: Path
    speakers: dict[str, subprocess.Popen[str]]
    logs: dict[str, Path]

    def owners(self) -> dict[str, str]:
        """Which node answers for each Service's address; empty where it is not exactly one."""
        macs = {node.mac(): name for name, node in self.nodes.items()}
        found = {name: answerers(self.laptop, address) for name, address in SERVICES.items()}
        return {name: macs[min(each)] if len(each) == 1 else "" for name, each in found.items()}

    def are_ours(self) -> bool:
        """Whether the suite has taken every address over."""
        bodies = [self.api.look("services", name)["status"] for name in SERVICES]
        return all(body.get("conditions", [{}])[0].get("status") == "True" for body in bodies)

    def announced(self) -> int:
        """How often one of our speakers said that it announces an address."""
        return sum(path.read_text().count(" is announced on ") for path in self.logs.values())

    def migrate(self, folder: Path) -> subprocess.Popen[str]:
        command = ("-m", "suite", "migrate-from-metallb", "--go", "--interface=eth0", "--timeout=40")
        where = (f"--kubeconfig={self.kubeconfig}", f"--save={folder}/saved")
        with (folder / "migration").open("w") as said:
            env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/usr/sbin:/bin"}
            return self.laptop.spawn(sys.executable, "-P", *command, *where, stdout=said, stderr=said, env=env)

    def end_pods(self) -> None:
        """What the cluster does when a DaemonSet is gone: pod by pod, the process ends, then the object."""
        server = re.search(r"http://[^\"]+", self.kubeconfig.read_text())
        assert server
        for node, speaker in self.speakers.items():
            speaker.kill()
            path = f"{server[0]}/api/v1/namespaces/{METALLB}/pods/speaker-{node}"
            self.laptop.must("curl", "-sSf", "-X", "DELETE", path)


@pytest.fixture
def lan(netlab: NetLab, postgres_db: DatabaseUnderTest, tmp_path: Path) -> Iterator[Lan]:
    require_tools("arping", "curl")
    switch = netlab.bridge("lan")
    nodes = {name: netlab.namespace(name) for name in NODES}
    laptop = netlab.namespace("laptop")
    switch.plug(laptop, addresses=["10.0.10.9/16"])
    for name, node in nodes.items():
        switch.plug(node, addresses=[f"{NODES[name]}/16"])
    (tmp_path / "database.password").write_text("not asked for\n")
    (tmp_path / "heartbeat.key").write_text("of the fleet\n")
    places = {URL: postgres_db.url, "/etc/suite-secrets": str(tmp_path)}
    manifests = chart(database="postgres")
    settings = manifests["ConfigMap", "suite"]["data"]["suite.yaml"] + "kubernetes: {stand-by-for: metallb}\n"
    api = cluster(settings)
    with api_server(api, {**nodes, "laptop": laptop}, tmp_path) as found:
        speakers = {name: _speaker(node, name) for name, node in nodes.items()}
        pods = [
            start_pod(node, manifests["DaemonSet", "suite"], settings, places, found[name], tmp_path / name)
            for name, node in nodes.items()
        ]
        logs = {name: tmp_path / name / "log" for name in nodes}
        yield Lan(nodes, laptop, api, found["laptop"], speakers, logs)
        for pod in pods:
            pod.terminate()
        for pod in pods:
            pod.wait(20)


def _speaker(node: Namespace, name: str) -> subprocess.Popen[str]:
    own = [address for address in SERVICES.values() if elected(address, list(NODES)) == name]
    return node.spawn(sys.executable, metallb_speaker.__file__, "eth0", *own)


@pytest.mark.timeout(150)
def test_each_address_is_taken_over_on_its_node_when_metallbs_last_speaker_leaves(lan: Lan, tmp_path: Path) -> None:
    before = {name: elected(address, list(NODES)) for name, address in SERVICES.items()}
    assert eventually(lan.are_ours, PATIENCE, 0.1)
    assert lan.owners() == before
    assert lan.announced() == 0

    migration = lan.migrate(tmp_path)
    assert eventually(lambda: not lan.api.every("daemonsets"), PATIENCE)
    lan.end_pods()
    code = migration.wait(PATIENCE)

    said = (tmp_path / "migration").read_text()
    assert code == 0, said
    assert lan.owners() == before
    assert lan.announced() >= len(SERVICES)  # two nodes may claim one for some milliseconds, until both know of it
    assert re.search(r"longest time without an answer to ARP: \d+\.\d\d s \(10\.0\.42\.\d+\); 2 addresses", said), said
