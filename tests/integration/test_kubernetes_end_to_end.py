"""From a Service in a cluster to its lease in the database and its address in its status, and through the faults between.

The real client, controller and SQLite; only the API server is ours.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from apiserver.app import Api
from apiserver.server import Running, running
from fix_cluster import DEADLINE, background

from suite.cluster.kubernetes_cluster import KubernetesCluster
from suite.cluster.source import Batch
from suite.cluster.status import outcomes_of
from suite.config.loading import load
from suite.controller.loop import Controller
from suite.metrics.names import new_registry
from suite.model.publication import Publication
from suite.model.service import ServiceRef
from suite.store import open_store

COFFEE = ServiceRef("default", "coffee")
READ = ("services", "endpointslices", "nodes", "namespaces", "configmaps")


def service(name: str = "coffee", **more: object) -> dict[str, Any]:
    spec = {"type": "LoadBalancer", "ports": [{"port": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec, **more}


def config_map(*addresses: str) -> dict[str, Any]:
    text = "address-pools:\n" + "".join(
        f"- {{name: pool{at}, protocol: layer2, addresses: [{each}]}}\n" for at, each in enumerate(addresses)
    )
    metadata = {"name": "config", "namespace": "metallb-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"config": text}}


class Stack:
    """Controller, store and cluster as one process runs them."""

    def __init__(self, kubeconfig: Path, database: Path, instance: str = "a") -> None:
        self.store = open_store(f"sqlite:///{database}")
        self.controller = Controller(self.store, self.tell, new_registry(), instance, lambda: datetime.now(UTC))
        self.cluster = KubernetesCluster(
            str(kubeconfig),
            instance=instance,
            now=lambda: datetime.now(UTC),
            may_write=lambda: self.controller.is_leading,
        )

    async def tell(self, publication: Publication) -> None:
        self.cluster.tell(outcomes_of(publication.snapshot, publication.touched))

    async def hear(self, batch: Batch) -> None:
        if batch.documents is not None:
            outcome = load(list(batch.documents), strict=False)
            await self.controller.configure(outcome.configuration, outcome.problems)
            self.cluster.complain(outcome.problems)
        await self.controller.hear(batch)

    async def run(self) -> None:
        await self.controller.load()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.controller.run())
                tasks.create_task(self.cluster.run(self.hear))
        finally:
            self.store.close()


def play(tmp_path: Path, api: Api, *scenarios: Callable[[Running, Stack], Awaitable[None]]) -> None:
    """One life of the process after the other, on the same database and the same cluster."""

    async def story() -> None:
        async with running(api) as server:
            for scenario in scenarios:
                stack = Stack(server.kubeconfig(tmp_path), tmp_path / "suite.db")
                async with background(stack.run()):
                    await scenario(server, stack)

    asyncio.run(story())


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not fact():  # noqa: ASYNC110 - the server sets no event
            await asyncio.sleep(0.01)


def address(api: Api, name: str = "coffee") -> str:
    ingress = api.look("services", name).get("status", {}).get("loadBalancer", {}).get("ingress") or [{"ip": ""}]
    return str(ingress[0]["ip"])


def events(api: Api) -> set[tuple[str, str]]:
    return {(event["reason"], event["message"]) for event in api.every("events")}


def test_a_service_gets_an_address_a_lease_and_an_event(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def life(_: Running, stack: Stack) -> None:
        api.put(service())
        await until(lambda: address(api) == "10.0.42.0")
        assert [lease.address for lease in stack.controller.snapshot.bound(COFFEE)] == [ip_address("10.0.42.0")]
        await until(lambda: ("IPAllocated", 'Assigned IP "10.0.42.0"') in events(api))

    play(tmp_path, api, life)


def test_addresses_in_statuses_are_adopted_before_any_is_given_away(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/30"))
    api.put(service("a-newcomer"))
    api.put(service("coffee", status={"loadBalancer": {"ingress": [{"ip": "10.0.42.0"}]}}))

    async def life(_: Running, __: Stack) -> None:
        await until(lambda: address(api, "a-newcomer") == "10.0.42.1")
        assert address(api) == "10.0.42.0"

    play(tmp_path, api, life)


def test_a_service_deleted_while_nobody_watched_gives_its_lease_up(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def first(_: Running, __: Stack) -> None:
        api.put(service())
        await until(lambda: address(api))

    async def second(_: Running, stack: Stack) -> None:
        await until(lambda: [lease.state for lease in stack.controller.snapshot.holdings.get(COFFEE) or ()] == ["held"])

    async def between(_: Running, __: Stack) -> None:
        api.delete("services", "coffee")

    play(tmp_path, api, first, between, second)


def test_a_service_made_again_gets_its_address_back(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def life(_: Running, stack: Stack) -> None:
        for name in ("coffee", "tea"):
            api.put(service(name))
            await until(lambda name=name: address(api, name))
        api.delete("services", "coffee")
        await until(lambda: not stack.controller.snapshot.bound(COFFEE))
        api.put(service())
        await until(lambda: address(api) == "10.0.42.0")

    play(tmp_path, api, life)


def test_a_server_that_is_away_changes_no_lease(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def life(server: Running, stack: Stack) -> None:
        api.put(service())
        await until(lambda: address(api))
        revision = stack.controller.snapshot.revision
        await server.stop()
        await asyncio.sleep(0.5)
        assert stack.controller.snapshot.revision == revision
        await server.start()
        api.put(service("tea"))
        await until(lambda: address(api, "tea"))

    play(tmp_path, api, life)


def test_a_pool_that_moves_moves_the_address_and_says_so(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def life(_: Running, __: Stack) -> None:
        api.put(service())
        await until(lambda: address(api) == "10.0.42.0")
        api.put(config_map("10.0.43.0/24"))
        await until(lambda: address(api) == "10.0.43.0")
        await until(lambda: {"ClearAssignment", "IPAllocated"} <= {reason for reason, _ in events(api)})

    play(tmp_path, api, life)


def test_a_bad_config_map_changes_nothing_and_is_told_at_the_config_map(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def life(_: Running, __: Stack) -> None:
        api.put(service())
        await until(lambda: address(api) == "10.0.42.0")
        api.put(config_map("10.0.42.0/24", "nonsense"))
        await until(lambda: any("address-pools[1].addresses[0]" in message for _, message in events(api)))
        api.put(service("tea"))
        await until(lambda: address(api, "tea") == "10.0.42.1")

    play(tmp_path, api, life)


def test_an_exhausted_pool_is_a_condition_with_its_reason(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/32"))

    async def life(_: Running, __: Stack) -> None:
        api.put(service())
        await until(lambda: address(api))
        api.put(service("tea"))
        await until(lambda: api.look("services", "tea").get("status", {}).get("conditions"))
        [condition] = api.look("services", "tea")["status"]["conditions"]
        assert (condition["status"], condition["reason"]) == ("False", "PoolExhausted")

    play(tmp_path, api, life)


def test_our_own_status_writes_cost_no_commit(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def life(_: Running, stack: Stack) -> None:
        api.put(service())
        await until(lambda: api.look("services", "coffee")["metadata"].get("annotations"))
        settled = stack.controller.snapshot.revision
        api.put(service("tea"))
        await until(lambda: api.look("services", "tea")["metadata"].get("annotations"))
        assert stack.controller.snapshot.revision == settled + 1

    play(tmp_path, api, life)


def test_the_rights_it_needs_are_these(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def life(_: Running, __: Stack) -> None:
        api.put(service())
        await until(lambda: api.look("services", "coffee")["metadata"].get("annotations"))
        api.put(config_map("nonsense"))
        await until(lambda: len(events(api)) == 2)
        api.put({**service(), "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}})
        await until(lambda: address(api) == "10.0.42.0" and len(events(api)) == 3)
        api.put({**service(), "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}})
        await until(lambda: ("patch", "events") in {(call.verb, call.resource) for call in api.calls})

    play(tmp_path, api, life)

    assert {(call.verb, call.resource) for call in api.calls} - {("get", "services")} == {
        *((verb, kind) for kind in READ for verb in ("list", "watch")),
        ("patch", "services"),
        ("patch", "services/status"),
        ("create", "events"),
        ("get", "events"),
        ("patch", "events"),
    }
