"""Two controllers by mistake, with a database each: one decides, the other waits until the first is gone."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from apiserver.app import Api, Fault
from apiserver.server import Running, running
from cluster_stack import Stack, address, config_map, service, until
from fix_cluster import background, connected

from suite.cluster.guard import Guard
from suite.model.configuration import KubernetesSettings
from suite.model.service import ServiceRef

LEASE = ServiceRef("default", "suite")
GUARDED = KubernetesSettings(guard_lease=LEASE)


def play(tmp_path: Path, api: Api, scenario: Callable[[Running, Callable[[str], Stack]], Awaitable[None]]) -> None:
    async def story() -> None:
        async with running(api) as server:
            kubeconfig = server.kubeconfig(tmp_path)

            def stack(database: str) -> Stack:
                return Stack(kubeconfig, f"sqlite:///{tmp_path}/{database}.db", database, GUARDED)

            await scenario(server, stack)

    asyncio.run(story())


def holder(api: Api) -> str:
    leases = api.every("leases")
    return str(leases[0]["spec"]["holderIdentity"]) if leases else ""


def test_the_second_with_another_database_decides_nothing_and_says_why(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def scenario(_: Running, stack: Callable[[str], Stack]) -> None:
        first, second = stack("a"), stack("b")
        async with background(first.run()):
            await until(lambda: holder(api))
            async with background(second.run()):
                api.put(service())
                await until(lambda: address(api) == "10.0.42.0")
                await until(lambda: "stop one of the two controllers" in second.cluster.hindrance)
                assert not second.controller.snapshot.holdings
                assert second.cluster.hindrance in second.controller.not_ready()

    play(tmp_path, api, scenario)


def test_the_next_life_on_the_same_database_goes_on_at_once(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def scenario(_: Running, stack: Callable[[str], Stack]) -> None:
        async with background(stack("a").run()):
            await until(lambda: holder(api))
        before = holder(api)
        async with background(stack("a").run()):
            api.put(service())
            await until(lambda: address(api) == "10.0.42.0")
        assert holder(api) == before

    play(tmp_path, api, scenario)


def test_a_server_that_is_away_takes_the_lease_from_nobody(tmp_path):
    api = Api()

    async def story() -> None:
        async with running(api) as server, connected(server.kubeconfig(tmp_path)) as connection:
            guard = Guard(connection, LEASE, "database a", now=lambda: datetime.now(UTC), interval=0.02)
            async with background(guard.run()):
                await until(lambda: holder(api))
                api.faults.append(Fault("(get|patch) leases", times=1000, status=503))
                await until(lambda: api.faults[0].times < 990)
                assert (guard.trouble, guard.is_fresh) == ("", True)

    asyncio.run(story())
