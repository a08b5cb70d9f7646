"""``suite drain`` and ``suite undrain`` against a database, without a suite that runs."""

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
from suite.store.store import Store

CONFIGURATION = """\
address-pools:
- {name: lan, protocol: layer2, addresses: [10.0.42.0/24]}
- {name: bgp, protocol: bgp, addresses: [10.10.10.0/24]}
nodes: [{name: compute1}, {name: compute2}]
"""
COFFEE, BOARD = ServiceRef("default", "coffee"), ServiceRef("default", "board")


@pytest.fixture
def suite(tmp_path):
    """The command line on a database with a Service of each protocol on two nodes."""
    store: Store = open_store(f"sqlite:///{tmp_path / 'suite.db'}")
    snapshot = store.read()
    leases = tuple(
        Lease(parse_address(address), ref, pool, LeaseState.BOUND, f"service:{ref}", snapshot.at)
        for ref, address, pool in ((COFFEE, "10.0.42.0", "lan"), (BOARD, "10.10.10.10", "bgp"))
    )
    services = tuple(Service(ref, type=ServiceType.LOAD_BALANCER) for ref in (COFFEE, BOARD))
    changes = Changes(opened=leases, services=services, configuration=load(read_text(CONFIGURATION)).configuration)
    store.commit(changes, snapshot, now=snapshot.at)
    store.close()

    def run(*words):
        return CliRunner().invoke(program, [*words, "--state", str(tmp_path)])

    return run


def test_what_moves_is_shown_and_nothing_changed_by_a_dry_run(suite):
    said = suite("drain", "compute2", "--dry-run").stdout

    assert "10.0.42.0  default/coffee  compute2  compute1" in said
    assert "BGP: 1 prefixes would be withdrawn from the peers of compute2" in said
    assert "node-drained" not in suite("audit", "log").stdout


def test_draining_and_coming_back_are_in_the_log_with_node_and_reason(suite):
    assert suite("drain", "compute2", "--reason", "new kernel").stdout.endswith("compute2 is drained\n")
    assert suite("undrain", "compute2").stdout == "compute2 may announce again\n"

    events = json.loads(suite("audit", "log", "-o", "json").stdout)
    told = {(event["action"], event["node"], event["reason"]) for event in events}
    assert {("node-drained", "compute2", "new kernel"), ("node-undrained", "compute2", "")} <= told


def test_draining_twice_says_so(suite):
    suite("drain", "compute2")

    assert suite("drain", "compute2").stdout.endswith("compute2 was drained before\n")


@pytest.mark.parametrize("verb", ["drain", "undrain"])
def test_a_node_that_does_not_exist_is_named_with_those_that_do(suite, verb):
    result = suite(verb, "compute3")

    assert result.exit_code == 4
    assert "no node is called 'compute3'" in result.stderr
    assert "there are: compute1, compute2" in result.stderr
