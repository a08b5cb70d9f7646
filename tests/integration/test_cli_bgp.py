"""``suite bgp routes`` against a database, without a suite that runs: what every node announces, and to whom."""

import json

import pytest
from click.testing import CliRunner

from suite.cli.program import program
from suite.config.document import read_text
from suite.config.loading import load
from suite.model.address import parse_address
from suite.model.changes import Changes
from suite.model.lease import Lease, LeaseState
from suite.model.service import Service, ServiceRef, ServiceType
from suite.store import open_store

CONFIGURATION = """\
address-pools:
- {name: home, protocol: bgp, addresses: [10.10.10.0/24, 2001:db8:10::/64], bgp-advertisements: [{peers: [gateway]}]}
- {name: rack, protocol: bgp, addresses: [10.20.20.0/24], bgp-advertisements: [{peers: [spine], localpref: 250}]}
peers:
- {name: gateway, peer-address: 192.168.1.1, peer-asn: 64512, my-asn: 64512}
- {name: spine, peer-address: 10.9.0.1, peer-asn: 64512, my-asn: 64512}
nodes: [{name: compute1, addresses: [10.9.0.11]}, {name: compute2, addresses: [10.9.0.12]}]
"""
COFFEE, BOARD = ServiceRef("default", "coffee"), ServiceRef("default", "board")


@pytest.fixture
def suite(tmp_path):
    """The command line on a database with a Service for each of two routers, on two nodes."""
    store = open_store(f"sqlite:///{tmp_path / 'suite.db'}")
    snapshot = store.read()
    leases = tuple(
        Lease(parse_address(address), ref, pool, LeaseState.BOUND, f"service:{ref}", snapshot.at)
        for ref, address, pool in (
            (COFFEE, "10.10.10.10", "home"),
            (COFFEE, "2001:db8:10::10", "home"),
            (BOARD, "10.20.20.20", "rack"),
        )
    )
    services = tuple(Service(ref, type=ServiceType.LOAD_BALANCER) for ref in (COFFEE, BOARD))
    loaded = load(read_text(CONFIGURATION))
    assert loaded.configuration, loaded.problems
    store.commit(
        Changes(opened=leases, services=services, configuration=loaded.configuration), snapshot, now=snapshot.at
    )
    store.close()

    def run(*words):
        return CliRunner().invoke(program, ["bgp", "routes", *words, "--state", str(tmp_path)])

    return run


def shown(result):
    """Prefix, node and peer of each row."""
    return [(each["prefix"], each["node"], each["peer"]) for each in json.loads(result.stdout)]


def test_every_route_of_every_node_is_shown_with_its_peer_if_the_session_carries_its_family(suite):
    assert shown(suite("-o", "json")) == [
        ("10.10.10.10/32", "compute1", "gateway"),
        ("10.10.10.10/32", "compute2", "gateway"),
        ("10.20.20.20/32", "compute1", "spine"),
        ("10.20.20.20/32", "compute2", "spine"),
    ]


def test_the_routes_to_one_peer_are_shown_alone(suite):
    assert shown(suite("--peer", "spine", "-o", "json")) == [
        ("10.20.20.20/32", "compute1", "spine"),
        ("10.20.20.20/32", "compute2", "spine"),
    ]


def test_what_is_said_of_a_route_is_shown_with_it(suite):
    row = json.loads(suite("--peer", "spine", "-o", "json").stdout)[0]

    assert (row["next_hop"], row["local_pref"], row["services"]) == ("10.9.0.11", 250, ["default/board"])


def test_an_address_that_a_peer_is_not_told_is_announced_by_nobody_to_it(suite):
    result = suite("10.10.10.10", "--peer", "spine")

    assert (result.exit_code, result.stderr) == (1, "nobody announces 10.10.10.10\n")


def test_the_best_path_is_predicted_for_the_router_that_was_asked_for(suite):
    said = suite("10.20.20.20", "--peer", "spine").stdout

    assert "The router spine has 2 path(s) to 10.20.20.20/32" in said
    assert "10.9.0.11 is best: lowest router identifier" in said


def test_a_peer_that_does_not_exist_is_named_with_those_that_do(suite):
    result = suite("--peer", "spin")

    assert result.exit_code == 4
    assert "no peer is called 'spin'" in result.stderr
    assert "there are: gateway, spine" in result.stderr
