"""Both manifests in a cluster of three nodes: the pod, started as install.yaml says, gives address, owner and name."""

from collections.abc import Iterator

import pytest
from deploy_files import installed
from deployed import PATIENCE, answerers, api_server, cluster, name_of, start_pod
from fix_netns import Namespace, eventually, missing_for_networks, network, require_tools

pytestmark = pytest.mark.net

NODES = {"node1": "10.0.10.1", "node2": "10.0.10.2", "node3": "10.0.10.3"}
COFFEE, NAMESERVER = "10.0.42.0", "10.0.42.53"


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    """A laptop on the network of node1, where the pod runs."""
    if reason := missing_for_networks():
        pytest.skip(reason)
    require_tools("arping", "dig")
    folder = tmp_path_factory.mktemp("pod")
    with network() as lab:
        node, laptop = lab.namespace("node1"), lab.namespace("laptop")
        lab.veth(node, laptop, left=[f"{NODES['node1']}/16"], right=["10.0.10.9/16"])
        with api_server(cluster(NODES), {"node1": node}, folder) as kubeconfigs:
            settings = installed()["ConfigMap", "suite"]["data"]["suite.yaml"]
            pod = start_pod(node, installed()["Deployment", "suite"], settings, {}, kubeconfigs["node1"], folder)
            yield laptop
            pod.terminate()
            pod.wait(20)


def test_the_service_gets_the_first_address_and_the_node_with_the_pod_answers_for_it(laptop: Namespace) -> None:
    assert eventually(lambda: answerers(laptop, COFFEE), PATIENCE, 0.1)


def test_the_service_has_a_name(laptop: Namespace) -> None:
    assert eventually(
        lambda: name_of(laptop, NODES["node1"], "coffee.default.service") == COFFEE, within=PATIENCE, every=0.1
    )


def test_the_nameserver_has_the_address_reserved_for_it(laptop: Namespace) -> None:
    assert eventually(lambda: answerers(laptop, NAMESERVER), PATIENCE, 0.1)


def test_an_address_that_nobody_leased_is_nobodys(laptop: Namespace) -> None:
    assert answerers(laptop, "10.0.42.99") == set()


def test_the_zones_own_nameserver_is_at_that_address(laptop: Namespace) -> None:
    assert eventually(lambda: name_of(laptop, NODES["node1"], "ns.service") == NAMESERVER, within=PATIENCE, every=0.1)
