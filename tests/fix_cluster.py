"""Sources of Services for tests: one body runs against every source there is.

``Told`` takes the batches a source delivers and keeps the picture they add up to, so that a test waits for a state
instead of counting batches.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from apiserver.app import Api
from apiserver.server import Running, running

from suite.cluster.cluster_source import ClusterSource
from suite.cluster.connection import ApiError
from suite.cluster.kubernetes import KubernetesConnection, connect
from suite.cluster.memory import MemoryCluster
from suite.cluster.source import Batch, Source, Teller
from suite.cluster.writer import StatusWriter
from suite.config.document import Document
from suite.model.node import Namespace, Node
from suite.model.problem import Problem
from suite.model.service import Endpoints, Service, ServiceRef

INSTANCE = "test"
"""Who says what is said, in Events."""
DEADLINE = 10.0
"""Seconds a test waits for what should be there in milliseconds."""


class Told:
    """What a source has said so far, added up."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.services: dict[ServiceRef, Service] = {}
        self.endpoints: dict[ServiceRef, Endpoints] = {}
        self.nodes: dict[str, Node] = {}
        self.namespaces: dict[str, Namespace] = {}
        self.problems: tuple[Problem, ...] = ()
        self.documents: tuple[Document, ...] | None = None
        self._news = asyncio.Event()

    async def deliver(self, batch: Batch) -> None:
        self.batches.append(batch)
        if batch.is_full:
            for picture in (self.services, self.endpoints, self.nodes, self.namespaces):
                picture.clear()
        self.services |= {service.ref: service for service in batch.services}
        self.endpoints |= {each.ref: each for each in batch.endpoints}
        self.nodes |= {node.name: node for node in batch.nodes}
        self.namespaces |= {namespace.name: namespace for namespace in batch.namespaces}
        for ref in batch.services_gone:
            del self.services[ref]
        for ref in batch.endpoints_gone:
            del self.endpoints[ref]
        for name in batch.nodes_gone:
            del self.nodes[name]
        for name in batch.namespaces_gone:
            del self.namespaces[name]
        self.problems = batch.problems
        self.documents = self.documents if batch.documents is None else batch.documents
        self._news.set()

    @property
    def names(self) -> set[str]:
        return {str(ref) for ref in self.services}

    async def until(self, fact: Callable[["Told"], object]) -> None:
        """Wait until ``fact`` holds."""
        async with asyncio.timeout(DEADLINE):
            while not fact(self):
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def listening(source: Source) -> AsyncIterator[Told]:
    """A running source, after its first full batch."""
    told = Told()
    task = asyncio.create_task(source.run(told.deliver))
    try:
        full = asyncio.create_task(told.until(lambda so_far: any(batch.is_full for batch in so_far.batches)))
        await asyncio.wait({task, full}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            full.cancel()
            await task
        await full
        yield told
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class World:
    """A cluster a test acts on: in memory, our API server, or a real one."""

    def __init__(self, source: Source, teller: Teller) -> None:
        self.source = source
        self.teller = teller

    async def put(self, body: dict[str, Any]) -> None:
        raise NotImplementedError

    async def delete(self, kind: str, name: str) -> None:
        raise NotImplementedError

    async def look(self, kind: str, name: str) -> dict[str, Any]:
        raise NotImplementedError

    async def events(self, name: str) -> list[dict[str, Any]]:
        raise NotImplementedError

    async def until(self, name: str, fact: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Wait until a fact holds of a Service's object."""
        async with asyncio.timeout(DEADLINE):
            while not fact(found := await self.look("Service", name)):  # noqa: ASYNC110 - a real cluster sets no event
                await asyncio.sleep(0.01)
        return found


class MemoryWorld(World):
    def __init__(self) -> None:
        self.cluster = MemoryCluster(in_cluster=True)
        super().__init__(self.cluster, self.cluster)

    async def put(self, body: dict[str, Any]) -> None:
        if body["kind"] == "Service":  # what a server fills in
            body = {**body, "spec": {"clusterIPs": ["10.96.0.1"], **body["spec"]}}
        self.cluster.put(body)

    async def delete(self, kind: str, name: str) -> None:
        self.cluster.delete(kind, name)

    async def look(self, kind: str, name: str) -> dict[str, Any]:
        return self.cluster.get(kind, name)

    async def events(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.cluster.events.values() if event["involvedObject"]["name"] == name]


class ServerWorld(World):
    """Through HTTP and the official client, as in production."""

    server: Running

    def __init__(self, connection: KubernetesConnection) -> None:
        self.connection = connection
        self._made: dict[tuple[str, str], None] = {}
        source = ClusterSource(connection)
        self.writer = StatusWriter(connection, source, instance=INSTANCE, now=lambda: datetime.now(UTC))
        super().__init__(source, self.writer)

    def _path(self, kind: str, name: str = "") -> str:
        if kind == "Node":
            return f"/api/v1/nodes/{name}".rstrip("/")
        root = "/apis/discovery.k8s.io/v1" if kind == "EndpointSlice" else "/api/v1"
        return f"{root}/namespaces/default/{kind.lower()}s/{name}".rstrip("/")

    async def put(self, body: dict[str, Any]) -> None:
        try:
            await self.connection.create(self._path(body["kind"]), body)
            self._made[body["kind"], body["metadata"]["name"]] = None
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            await self.connection.patch(self._path(body["kind"], body["metadata"]["name"]), body)

    async def delete(self, kind: str, name: str) -> None:
        await self.connection._request("DELETE", self._path(kind, name))

    async def clear(self) -> None:
        """Delete what was made here and is still there, and what was said of it; what was there before stays."""
        for kind, name in reversed(self._made):
            for event in await self.events(name):
                if event.get("reportingInstance") == INSTANCE:
                    await self.connection.delete(f"/api/v1/namespaces/default/events/{event['metadata']['name']}")
            try:
                await self.delete(kind, name)
            except ApiError as error:
                if error.status != 404:
                    raise

    async def look(self, kind: str, name: str) -> dict[str, Any]:
        return await self.connection.get(self._path(kind, name))

    async def events(self, name: str) -> list[dict[str, Any]]:
        query = {"fieldSelector": f"involvedObject.name={name}"}
        listed = await self.connection.get("/api/v1/namespaces/default/events", query)
        return list(listed["items"])


@asynccontextmanager
async def memory_world() -> AsyncIterator[World]:
    yield MemoryWorld()


@asynccontextmanager
async def server_world(api: Api | None = None) -> AsyncIterator[ServerWorld]:
    with TemporaryDirectory() as directory:
        async with running(api) as server, connected(server.kubeconfig(Path(directory))) as connection:
            world = ServerWorld(connection)
            world.server = server
            async with background(world.writer.run()):
                yield world


@asynccontextmanager
async def real_world() -> AsyncIterator[ServerWorld]:
    """The cluster KUBECONFIG names; its namespace default is used, and left as it was."""
    async with connected(Path(os.environ["KUBECONFIG"])) as connection:
        world = ServerWorld(connection)
        try:
            async with background(world.writer.run()):
                yield world
        finally:
            await world.clear()


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[KubernetesConnection]:
    connection = await connect(str(kubeconfig))
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
