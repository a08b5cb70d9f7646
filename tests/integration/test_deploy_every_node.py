"""A pod on every node and one PostgreSQL: one owner for each address, a name from everybody, and a successor."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from deploy_files import chart
from deployed import PATIENCE, answerers, api_server, cluster, name_of, start_pod
from fix_db import DatabaseUnderTest
from fix_netns import Namespace, NetLab, eventually, require_tools

pytestmark = [pytest.mark.net, pytest.mark.postgres]

NODES = {"node1": "10.0.10.1", "node2": "10.0.10.2"}
COFFEE = "10.0.42.0"
URL = "postgresql://suite@postgres.example/suite"


@dataclass(frozen=True)
class Lan:
    """Two nodes with their pods, and a laptop."""

    nodes: dict[str, Namespace]
    pods: dict[str, subprocess.Popen[str]]
    laptop: Namespace

    def owner(self) -> str:
        """The node that answers for coffee; empty unless it is exactly one."""
        answering = answerers(self.laptop, COFFEE)
        found = [name for name, node in self.nodes.items() if node.mac() in answering]
        return found[0] if len(found) == len(answering) == 1 else ""

    def is_named_by(self, node: str) -> bool:
        return name_of(self.laptop, NODES[node], "coffee.default.service") == COFFEE


@pytest.fixture
def lan(netlab: NetLab, postgres_db: DatabaseUnderTest, tmp_path) -> Iterator[Lan]:
    """The DaemonSet of the chart with PostgreSQL, one process for each of its pods."""
    require_tools("arping", "dig")
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
    settings = manifests["ConfigMap", "suite"]["data"]["suite.yaml"]
    with api_server(cluster(NODES), nodes, tmp_path) as found:
        pods = {
            name: start_pod(node, manifests["DaemonSet", "suite"], settings, places, found[name], tmp_path / name)
            for name, node in nodes.items()
        }
        yield Lan(nodes, pods, laptop)
        for pod in pods.values():
            pod.terminate()
        for pod in pods.values():
            pod.wait(20)


def test_one_node_owns_the_address_all_answer_for_the_name_and_the_other_takes_over(lan: Lan) -> None:
    assert eventually(lan.owner, PATIENCE, 0.1)
    for node in NODES:
        assert eventually(lambda node=node: lan.is_named_by(node), PATIENCE, 0.1)
    owner = lan.owner()
    [other] = NODES.keys() - {owner}

    lan.pods[owner].kill()
    lan.nodes[owner].down()

    assert eventually(lambda: lan.owner() == other, PATIENCE, 0.1)
    assert eventually(lambda: lan.is_named_by(other), PATIENCE, 0.1)
