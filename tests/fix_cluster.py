"""Sources of Services for tests: one body runs against every source there is.

``Told`` takes the batches a source delivers and keeps the picture they add up to, so that a test waits for a state
instead of counting batches.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from suite.cluster.source import Batch, Source
from suite.model.node import Namespace, Node
from suite.model.problem import Problem
from suite.model.service import Endpoints, Service, ServiceRef

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
