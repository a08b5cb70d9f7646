"""The move from MetalLB on a LAN: our speakers are silent beside its, and take each address over on the same node.

MetalLB's speakers are stand-ins that answer ARP and Neighbor Discovery as it does; the suite is install.yaml's pods, a process for each.
"""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from apiserver.app import Api
from deploy_files import Objects
from deployed import PATIENCE, Cluster, answerers, run_everything
from deployed import cluster as cluster_of
from fix_netns import Namespace, NetLab, eventually, require_tools
from kustomization import variant
from project_files import ROOT

sys.path.insert(0, str(Path(__file__).parents[1] / "lab"))

import metallb_speaker
from metallb_speaker import elected

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.net, pytest.mark.peer]

NODES = {"node1": "10.0.10.1", "node2": "10.0.10.2"}
SERVICES = {"coffee": "10.0.42.7", "tea": "10.0.42.10"}
"""MetalLB's election gives one to each node."""
SIX = "fd00:42::7"
"""The other address of coffee."""
LINKS = {"node1": "fd00:42::1", "node2": "fd00:42::2", "laptop": "fd00:42::9"}
METALLB, OURS = "metallb-system", "suite-system"
TAKEN_OVER = 5.0
"""Seconds within which ours answer after the event that MetalLB's last speaker is gone. The goal is 1 s, which the benchmark measures on a
quiet machine; on a busy one this still tells acting on the event from asking again, which nobody does within minutes."""


def named(kind: str, name: str, namespace: str = METALLB, version: str = "v1", **rest: object) -> dict[str, object]:
    metadata = {"name": name, "namespace": namespace, "labels": rest.pop("labels", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def cluster(settings: str) -> Api:
    """MetalLB and the suite on both nodes, and Services that MetalLB gave their addresses."""
    api = Api()
    api.install_metallb()
    api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OURS}})
    api.put(
        named(
            "IPAddressPool",
            "default",
            version="metallb.io/v1beta1",
            spec={"addresses": ["10.0.42.0/24", "fd00:42::/120"]},
        )
    )
    api.put(named("L2Advertisement", "lan", version="metallb.io/v1beta1", spec={}))
    for kind, component in (("DaemonSet", "speaker"), ("Deployment", "controller")):
        template = {"metadata": {"labels": {"app": "metallb", "component": component}}}
        api.put(named(kind, component, version="apps/v1", spec={"replicas": 1, "template": template}))
    api.put(named("ConfigMap", "suite", OURS, data={"suite.yaml": settings}))
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    for node, address in NODES.items():
        status = {"addresses": [{"type": "InternalIP", "address": address}]}
        api.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}, "status": status})
        spec = {"nodeName": node}
        ours = {"app.kubernetes.io/name": "suite", "app.kubernetes.io/component": "speaker"}
        api.put(named("Pod", f"speaker-{node}", labels={"component": "speaker"}, spec=spec))
        api.put(named("Pod", f"suite-{node}", OURS, labels=ours, spec=spec, status=ready))
    for name, address in SERVICES.items():
        both = [address, SIX] if name == "coffee" else [address]
        status = {"loadBalancer": {"ingress": [{"ip": each} for each in both]}}
        policy = "RequireDualStack" if name == "coffee" else "SingleStack"
        spec = {"type": "LoadBalancer", "ports": [{"port": 80}], "ipFamilyPolicy": policy}
        api.put(named("Service", name, "default", spec=spec, status=status))
    return api


def standing_by() -> Objects:
    """The objects of the page about the move; a node that starts late is trusted at once."""
    found = copy.deepcopy(variant("beside MetalLB"))
    settings = found["ConfigMap", "suite"]["data"]
    settings["suite.yaml"] += "---\nl2: {rejoin-delay: 0}\n"
    return found


@dataclass(frozen=True)
class Lan:
    """Two nodes, each with a speaker of MetalLB's kind and one of the suite; and a laptop."""

    found: Cluster
    speakers: dict[str, subprocess.Popen[str]]

    @property
    def laptop(self) -> Namespace:
        return self.found.laptop

    @property
    def nodes(self) -> dict[str, Namespace]:
        return self.found.nodes

    @property
    def api(self) -> Api:
        return self.found.api

    def owners(self) -> dict[str, str]:
        """Which node answers for each Service's address; empty where it is not exactly one."""
        macs = {node.mac(): name for name, node in self.nodes.items()}
        found = {name: answerers(self.laptop, address) for name, address in SERVICES.items()}
        return {name: macs[min(each)] if len(each) == 1 else "" for name, each in found.items()}

    def owner_of_six(self) -> str:
        """The node that answers Neighbor Discovery for coffee's other address; ``ndisc6`` ends with 2 where nobody does."""
        said = self.laptop.run("ndisc6", "-1", "-q", "-w", "1000", SIX, "eth0").stdout.strip()
        return next((name for name, node in self.nodes.items() if node.mac().lower() == said.lower()), "")

    def are_ours(self) -> bool:
        """Whether the suite has taken every address over."""
        bodies = [self.api.look("services", name)["status"] for name in SERVICES]
        return all(body.get("conditions", [{}])[0].get("status") == "True" for body in bodies)

    def know_each_other(self) -> bool:
        """Whether both of our speakers are ready and have heard the other."""
        pods = [pod for name, pod in self.found.pods.items() if name.startswith("speaker")]
        return all(pod.asked("readinessProbe") == 200 and " is heard" in pod.log() for pod in pods)

    def announced(self) -> int:
        """How often one of our speakers said that it announces an address."""
        return self.found.logs().count(" is announced on ")

    def migrate(self, folder: Path) -> subprocess.Popen[str]:
        command = ("-m", "suite", "migrate-from-metallb", "--go", "--interface=eth0", "--timeout=40")
        where = (f"--kubeconfig={self.found.kubeconfig()}", f"--save={folder}/saved")
        with (folder / "migration").open("w") as said:
            env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/usr/sbin:/bin"}
            return self.laptop.spawn(sys.executable, "-P", *command, *where, stdout=said, stderr=said, env=env)

    def end_pods(self) -> None:
        """What the cluster does when a DaemonSet is gone: pod by pod, the process ends, then the object."""
        for node, speaker in self.speakers.items():
            speaker.kill()
            self.api.delete("pods", f"speaker-{node}", METALLB)


@contextmanager
def standing_beside_metallb(lab: NetLab, folder: Path) -> Iterator[Lan]:
    """MetalLB's speakers announce, ours run beside them."""
    require_tools("arping", "ndisc6")
    manifests = standing_by()
    api = cluster(manifests["ConfigMap", "suite"]["data"]["suite.yaml"])
    with cluster_of(lab, folder, manifests, NODES, api) as found:
        for name, machine in {**found.nodes, "laptop": found.laptop}.items():
            machine.ip("address", "add", f"{LINKS[name]}/64", "dev", "eth0", "nodad")
        speakers = {name: _speaker(node, name) for name, node in found.nodes.items()}
        run_everything(found)
        yield Lan(found, speakers)


@pytest.fixture
def lan(netlab: NetLab, tmp_path: Path) -> Iterator[Lan]:
    with standing_beside_metallb(netlab, tmp_path) as found:
        yield found


def moved(lan: Lan, folder: Path) -> str:
    """What the command says of a move that it carries out."""
    migration = lan.migrate(folder)
    assert eventually(lambda: not lan.api.every("daemonsets"), PATIENCE)
    lan.end_pods()
    code = migration.wait(PATIENCE)
    said = (folder / "migration").read_text()
    assert code == 0, said
    return said


def _speaker(node: Namespace, name: str) -> subprocess.Popen[str]:
    own = [address for address in (*SERVICES.values(), SIX) if elected(address, list(NODES)) == name]
    return node.spawn(sys.executable, metallb_speaker.__file__, "eth0", *own)


@pytest.mark.timeout(150)
def test_each_address_is_taken_over_on_its_node_when_metallbs_last_speaker_leaves(lan: Lan, tmp_path: Path) -> None:
    before = {name: elected(address, list(NODES)) for name, address in SERVICES.items()}
    assert eventually(lan.are_ours, PATIENCE, 0.1)
    assert eventually(lan.know_each_other, PATIENCE, 0.1), lan.found.logs()
    assert lan.owners() == before
    assert lan.announced() == 0

    said = moved(lan, tmp_path)

    assert lan.owners() == before
    assert lan.announced() >= len(SERVICES)  # two nodes may claim one for some milliseconds, until both know of it
    assert lan.owner_of_six() == elected(SIX, list(NODES))
    assert re.search(r"answer to Neighbor Discovery: \d+\.\d\d s \(fd00:42::7\); 1 addresses", said), said
    taken_over = re.search(r"ours answered (\d+\.\d\d) s after MetalLB's last speaker was gone", said)
    assert taken_over, said
    assert float(taken_over[1]) < TAKEN_OVER, said
    assert re.search(r"longest time without an answer to ARP: \d+\.\d\d s \(10\.0\.42\.\d+\); 2 addresses", said), said
