"""The form with PostgreSQL: two controllers on one database, speakers and nameservers that follow whichever is there, all measured."""

import re
from pathlib import Path

import pytest
from deploy_files import Objects, chart
from deployed import PATIENCE, Cluster, cluster, load_balancer, run_everything
from fix_db import DatabaseUnderTest
from fix_netns import NetLab, eventually

pytestmark = [pytest.mark.net, pytest.mark.postgres]

NODES = {"node1": "10.0.10.1", "node2": "10.0.10.2"}
COFFEE, NAMESERVER = "10.0.42.0", "10.0.42.53"
URL = "postgresql://suite@postgres.example/suite"


def manifests(database: DatabaseUnderTest) -> Objects:
    """Those of the chart with PostgreSQL, for a server that is reached through a socket of this machine."""
    made = chart(database="postgres", monitoring__enabled=True)
    settings = made["ConfigMap", "suite"]["data"]
    assert URL in settings["suite.yaml"]
    settings["suite.yaml"] = settings["suite.yaml"].replace(URL, database.url)
    return made


def is_served(found: Cluster) -> bool:
    return bool(found.owner(COFFEE)) and found.names("coffee.default.service", NAMESERVER) == COFFEE


def leader(found: Cluster) -> str:
    """The controller that leads, by its own counts; empty while none does."""
    return next((name for name in ("controller", "controller-1") if _leads(found, name)), "")


def _leads(found: Cluster, name: str) -> bool:
    url = f"http://{found.addresses[name]}:17953/metrics"
    return "\nsuite_controller_leader 1.0\n" in found.laptop.run("curl", "-s", "--max-time", "2", url).stdout


def measured(found: Cluster) -> set[str]:
    """The roles whose counts are to be had from another machine, as Prometheus asks for them."""
    places = {**found.addresses, **{f"speaker-{name}": address for name, address in NODES.items()}}
    pages = [
        found.laptop.run("curl", "-s", "--max-time", "2", f"http://{places[pod]}:17953/metrics").stdout
        for pod in found.pods
    ]
    return {
        role for page in pages for role in re.findall(r'^suite_revision\{role="([a-z]+)"\} [1-9]', page, re.MULTILINE)
    }


def test_a_controller_dies_and_then_a_node_and_each_has_a_successor(
    netlab: NetLab, postgres_db: DatabaseUnderTest, tmp_path: Path
) -> None:
    postgres_db.server.folder.chmod(0o711)  # the way to the socket, for a user who is not its own
    reached = {str(postgres_db.server.folder): postgres_db.server.folder}
    secrets = {"suite": {"database.password": "not asked for\n"}}
    with cluster(netlab, tmp_path, manifests(postgres_db), NODES, reached=reached) as found:
        run_everything(found, controllers=2, secrets=secrets)
        assert eventually(found.are_ready, PATIENCE, 0.1), found.logs()
        assert eventually(lambda: is_served(found), PATIENCE, 0.1), found.logs()

        assert measured(found) == {"controller", "nameserver", "speaker", "web"}

        first = leader(found)
        [other] = {"controller", "controller-1"} - {first}
        found.kill(first)
        found.serve_feed(other)
        found.api.put(load_balancer("tea"))

        assert eventually(lambda: leader(found) == other, PATIENCE, 0.1), found.logs()
        assert eventually(lambda: found.names("tea.default.service", NAMESERVER), PATIENCE, 0.1), found.logs()

        owner = found.owner(COFFEE)
        [successor] = NODES.keys() - {owner}
        found.nodes[owner].down()

        assert eventually(lambda: found.owner(COFFEE) == successor, PATIENCE, 0.1), found.logs()
        assert eventually(lambda: is_served(found), PATIENCE, 0.1), found.logs()
