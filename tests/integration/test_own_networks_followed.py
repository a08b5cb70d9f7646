"""The rate limit spares the networks that the interfaces of this machine have now, not those they had at the start."""

from __future__ import annotations

import asyncio
import logging
import time
from ipaddress import IPv4Interface, ip_address, ip_network

import pytest
from zone_worlds import snapshot_of

from suite.l2.rtnetlink import Interface
from suite.metrics.names import new_registry
from suite.model.address import Network
from suite.model.configuration import DnsSettings, Listen, RateLimit
from suite.model.publication import Publication
from suite.nameserver.loop import Nameserver
from suite.nameserver.own_networks import OwnNetworks

FIRST, SECOND = ip_network("203.0.113.0/24"), ip_network("198.51.100.0/24")


class Machine:
    """Interfaces as a test sets them; ``trouble`` keeps them from being read."""

    def __init__(self) -> None:
        self.addresses = ["203.0.113.5/24"]
        self.news: list[str] = []
        self.trouble = ""

    def opened(self) -> Machine:
        if self.trouble:
            raise OSError(self.trouble)
        return self

    def by_name(self) -> dict[str, Interface]:
        found = frozenset(map(IPv4Interface, self.addresses))
        return {"eth0": Interface(2, "eth0", b"\2\0\0\0\0\1", 1, addresses=found)}

    def changes(self) -> list[str]:
        if self.trouble:
            raise OSError(self.trouble)
        news, self.news = self.news, []
        return news

    def close(self) -> None:
        pass

    def add(self, address: str) -> None:
        self.addresses.append(address)
        self.news.append(address)


def server_on(machine: Machine) -> Nameserver:
    listen = (Listen(ip_address("127.0.0.1"), 0),)
    return Nameserver(DnsSettings(listen=listen), "node", time.monotonic, new_registry(), OwnNetworks(machine.opened))


def test_an_address_that_came_later_is_spared_too() -> None:
    machine = Machine()
    server = server_on(machine)

    async def run() -> list[tuple[Network, ...]]:
        await server.follow(Publication(snapshot_of()))
        before = server.spared
        machine.add("198.51.100.5/24")
        await server.look_at_networks()
        return [before, server.spared]

    assert asyncio.run(run()) == [(FIRST,), (SECOND, FIRST)]


def test_nothing_is_spared_where_the_configuration_says_so() -> None:
    machine = Machine()
    server = server_on(machine)

    async def run() -> None:
        await server.follow(Publication(snapshot_of(rate_limit=RateLimit(exempt_local=False))))
        machine.add("198.51.100.5/24")
        await server.look_at_networks()

    asyncio.run(run())
    assert server.spared == ()


def test_networks_that_cannot_be_read_stay_as_they_were_and_each_trouble_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    machine = Machine()
    networks = OwnNetworks(machine.opened)
    seen = {networks.read()}
    with caplog.at_level(logging.WARNING):
        for trouble in ("no buffers", "no buffers", "no files", "", "no files"):
            machine.trouble = trouble
            seen.add(networks.read())

    assert seen == {(FIRST,)}
    assert [message.rpartition(": ")[2] for message in caplog.messages] == ["no buffers", "no files", "no files"]


def test_the_kernel_is_heard() -> None:
    networks = OwnNetworks()
    looks = [networks.is_outdated(), ip_network("127.0.0.0/8") in networks.read()]
    networks.close()

    assert looks == [True, True]
