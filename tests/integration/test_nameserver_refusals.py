"""Whoever does not get a name: status, log and metrics say so, and say who has it."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from ipaddress import ip_address

import pytest
from zone_worlds import load_balancer, snapshot_of

from suite.metrics import names
from suite.metrics.names import new_registry
from suite.metrics.registry import Registry
from suite.model.configuration import DnsSettings, Listen, StaticRecord
from suite.model.publication import Publication
from suite.nameserver.loop import NAMED, Nameserver

COFFEE = load_balancer("coffee")
CUT = StaticRecord("default", "NS", "ns.elsewhere.example.")
REFUSED = snapshot_of(
    COFFEE,
    load_balancer("evil/thief", hostnames=("coffee.default",)),
    leases={"coffee": "10.0.42.0", "evil/thief": "10.0.42.1"},
    records=(CUT,),
)
TOLD = (
    "evil/thief: coffee.default.service. belongs to service default/coffee",
    "static record default: the delegation of default.service. would hide coffee.default.service. of service default/coffee",
)


@pytest.fixture
def registry() -> Registry:
    return new_registry()


@pytest.fixture
def server(registry) -> Nameserver:
    """One that nobody can ask: it plans, and tells."""
    return Nameserver(DnsSettings(listen=(Listen(ip_address("127.0.0.1"), 0),)), "node", time.monotonic, registry)


def follow(server: Nameserver, *snapshots) -> None:
    async def run() -> None:
        for snapshot in snapshots:
            await server.follow(Publication(snapshot))

    asyncio.run(run())


def test_status_log_and_metrics_say_who_has_the_name(server, registry, caplog):
    with caplog.at_level(logging.WARNING):
        follow(server, REFUSED)

    assert server.instance().notes == TOLD
    assert tuple(caplog.messages) == TOLD
    assert registry.value(names.DNS_REFUSED_NAMES, "NameTaken") == 2


def test_the_log_says_it_once(server, caplog):
    with caplog.at_level(logging.WARNING):
        follow(server, REFUSED, replace(REFUSED, revision=8), replace(REFUSED, revision=9))

    assert tuple(caplog.messages) == TOLD


def test_what_is_refused_no_longer_is_gone_everywhere(server, registry):
    follow(server, REFUSED, replace(snapshot_of(COFFEE), revision=8))

    assert server.instance().notes == ()
    assert registry.value(names.DNS_REFUSED_NAMES, "NameTaken") == 0


def test_many_refusals_do_not_fill_the_log(server, caplog):
    thieves = [load_balancer(f"evil/thief{number}", hostnames=("coffee.default",)) for number in range(100)]

    with caplog.at_level(logging.WARNING):
        follow(server, snapshot_of(COFFEE, *thieves))

    assert len(caplog.messages) == NAMED + 1
    assert caplog.messages[-1] == "80 more names are refused; `suite status` has them all"
    assert len(server.instance().notes) == 100
