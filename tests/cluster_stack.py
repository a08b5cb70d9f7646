"""Controller, store and cluster as one process runs them, on the API server of the tests; for tests of what comes of it.

def test_something(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def life(server: Running, stack: Stack) -> None:
        api.put(service())
        await until(lambda: address(api) == "10.0.42.0")

    play(tmp_path, api, life)
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from apiserver.server import Running, running
from fix_cluster import DEADLINE, background

from suite.cluster.kubernetes_cluster import KubernetesCluster
from suite.cluster.status import outcomes_of
from suite.config.loading import load
from suite.controller.loop import Controller
from suite.controller.name_complaints import NameComplaints
from suite.controller.sightings import follow_announcements
from suite.metrics.names import new_registry
from suite.model.configuration import KubernetesSettings
from suite.model.service import ServiceRef
from suite.nameserver.refused import RefusedNames
from suite.store import open_store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from apiserver.app import Api

    from suite.cluster.source import Batch
    from suite.model.publication import Publication

COFFEE = ServiceRef("default", "coffee")


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

    def __init__(
        self, kubeconfig: Path, database: str, instance: str = "a", settings: KubernetesSettings | None = None
    ) -> None:
        self.store = open_store(database)
        self.store_outlives_loop = False
        """Whether the test closes it: a thread that PostgreSQL still answers brings its connection back too late."""
        self.controller = Controller(
            self.store,
            self.tell,
            new_registry(),
            instance,
            lambda: datetime.now(UTC),
            hindrance=lambda: self.cluster.hindrance,
        )
        self.cluster = KubernetesCluster(
            str(kubeconfig),
            instance=instance,
            now=lambda: datetime.now(UTC),
            may_write=self.controller.may_write,
            settings=settings,
            epoch=self.store.read().epoch,
        )
        find = RefusedNames(lambda: None).follow
        self.names = NameComplaints(find, lambda problems: self.cluster.complain(problems, "names"))

    @staticmethod
    def now() -> datetime:
        return datetime.now(UTC)

    async def tell(self, publication: Publication) -> None:
        self.cluster.tell(outcomes_of(publication.snapshot, publication.touched))
        self.names.tell(publication)

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
                tasks.create_task(self.names.run())
                tasks.create_task(follow_announcements(self.store, lambda: self.controller.snapshot, self.cluster.note))
        finally:
            if not self.store_outlives_loop:
                self.store.close()


def play(
    tmp_path: Path,
    api: Api,
    *scenarios: Callable[[Running, Stack], Awaitable[None]],
    settings: KubernetesSettings | None = None,
) -> None:
    """One life of the process after the other, on the same database and the same cluster."""

    async def story() -> None:
        async with running(api) as server:
            for scenario in scenarios:
                stack = Stack(server.kubeconfig(tmp_path), f"sqlite:///{tmp_path}/suite.db", settings=settings)
                async with background(stack.run()):
                    await scenario(server, stack)

    asyncio.run(story())


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not fact():  # noqa: ASYNC110 - the server sets no event
            await asyncio.sleep(0.01)


def address(api: Api, name: str = "coffee", namespace: str = "default") -> str:
    ingress = api.look("services", name, namespace).get("status", {}).get("loadBalancer", {}).get("ingress") or [
        {"ip": ""}
    ]
    return str(ingress[0]["ip"])


def events(api: Api) -> set[tuple[str, str]]:
    return {(event["reason"], event["message"]) for event in api.every("events")}
