"""The example with two addresses for names: what the network is told of both."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import pytest
from deploy_files import DEPLOY

from suite.config.document import read_text
from suite.config.loading import load
from suite.dns import rrtype
from suite.model.address import parse_address
from suite.model.configuration import Configuration
from suite.model.node import Node
from suite.model.snapshot import Snapshot
from suite.nameserver.apex import apex_of
from suite.speaker.router_config import Router, router_of
from suite.speaker.router_frr import frr

EXAMPLES = DEPLOY / "examples"


def read(name: str) -> Configuration:
    outcome = load(read_text((EXAMPLES / name).read_text(encoding="utf-8"), name))
    assert outcome.configuration is not None
    return outcome.configuration


@cache
def forwarder_lines() -> list[str]:
    """What the router of the sample's peer is told about DNS."""
    sample, two = read("suite.yaml"), read("two-nameservers.yaml")
    node = Node("node1", labels=(("story", "dashboard"),), addresses=(parse_address("192.168.1.2"),))
    configuration = replace(sample, dns=replace(sample.dns, addresses=two.dns.addresses))
    router = router_of(configuration, [node], sample.peers[0], ("service.",))
    assert isinstance(router, Router), router
    return next(part.text for part in frr(router) if part.name == "dns").splitlines()


@pytest.mark.parametrize("address", ["10.0.42.53", "10.0.42.54"])
def test_the_routers_forwarder_is_given_each_of_them(address: str):
    assert f"server=/service/{address}" in forwarder_lines()


def test_the_nodes_own_addresses_are_not_given_then():
    assert [line for line in forwarder_lines() if "192.168.1.2" in line] == []


def test_the_zones_name_server_has_both():
    snapshot = Snapshot("e", 1, datetime(2026, 1, 1, tzinfo=UTC), read("two-nameservers.yaml"))

    records = apex_of(b"\x07service\x00", snapshot).records

    assert [each.rdata for each in records if each.rtype == rrtype.A] == [
        bytes((10, 0, 42, 53)),
        bytes((10, 0, 42, 54)),
    ]
