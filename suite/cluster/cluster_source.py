"""A cluster as a source: Services and what belongs to them, and the configuration that stands in it.

Nothing is delivered before every collection a turn depends on has been listed completely once; afterwards each batch
is what changed.  Configuration is read from MetalLB's ConfigMap and from its custom resources, where there are any; a
ConfigMap that is deleted leaves its last content in force.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from typing import Any

from suite.cluster.connection import ApiError, Connection, Lost
from suite.cluster.convert import Key, convert
from suite.cluster.inventory import Inventory
from suite.cluster.kinds import Family, always, optional, secrets, served
from suite.cluster.reflector import Collection, Reflector
from suite.cluster.rivals import Rivals
from suite.cluster.routing import KINDS as ROUTING_KINDS
from suite.cluster.routing import Routing
from suite.cluster.source import Batch, Deliver
from suite.cluster.status import Standing, standing_of
from suite.config.document import Document, from_object
from suite.model.configuration import KubernetesSettings
from suite.model.node import Node
from suite.model.problem import Problem
from suite.model.service import Service, ServiceRef

MAX_PROBLEMS = 1000
"""Told of the objects; beyond it, more of the same helps nobody."""
ABSENT_INTERVAL = 30.0

_log = logging.getLogger(__name__)


class ClusterSource:
    """The Services of a cluster.

    Args:
        connection: to its API server; it is not closed here.
        settings: what is read beside Services, and where.
        absent_interval: seconds between two looks for custom resources that are not installed.
        beside: the operator's own documents, which may name Secrets of the cluster too; see :meth:`look_again`.
    """

    def __init__(
        self,
        connection: Connection,
        settings: KubernetesSettings | None = None,
        *,
        absent_interval: float = ABSENT_INTERVAL,
        beside: Callable[[], Iterable[Document]] = tuple,
    ) -> None:
        self._connection = connection
        self._settings = settings or KubernetesSettings()
        self._absent_interval = absent_interval
        self._beside = beside
        self._collections = always(self._settings)
        self._families = optional(self._settings)
        self._awaited = {each.place for each in self._collections} | {each.group for each in self._families}
        self._following: dict[Collection, asyncio.Task[None]] = {}
        """The Secrets that are followed."""
        self._has_told_all = False
        self._inventory = Inventory()
        self._routing = Routing()
        self._has_hostnames = bool(settings and settings.hostnames)
        self._rivals = Rivals()
        self._standings: dict[ServiceRef, Standing] = {}
        self._documents: dict[Key, list[Document]] = {}
        self._uids: dict[Key, str] = {}
        self._has_configuration_news = False
        self._has_reference_news = True
        self._object_problems: dict[Key, tuple[Problem, ...]] = {}
        self._troubles: dict[str, Problem] = {}
        self._told_problems: tuple[Problem, ...] = ()
        self._news = asyncio.Event()
        self.on_standing: Callable[[ServiceRef], None] = lambda _: None
        """Called when what a Service's object says of itself has changed."""

    def standing(self, ref: ServiceRef) -> Standing | None:
        """What a Service's object says now; None where there is none."""
        return self._standings.get(ref)

    def uid(self, kind: str, ref: ServiceRef) -> str:
        """The uid of a Service or ConfigMap; empty where it is not known."""
        standing = self._standings.get(ref) if kind == "Service" else None
        return standing.uid if standing else self._uids.get(Key(kind, *ref), "")

    def restate(self, document: dict[str, Any]) -> None:
        """Take a Service as the server answered it, ahead of the watch; an older version than known changes nothing."""
        now = standing_of(document)
        known = self._standings.get(now.ref)
        if known is not None and known.uid == now.uid and not _is_newer(now.resource_version, known.resource_version):
            return
        self._standings[now.ref] = now
        if self._has_hostnames:
            self._routing.serve(now.ref, now.ingress)

    async def run(self, deliver: Deliver) -> None:
        """Deliver everything once all of it is listed, then changes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for collection in self._collections:
                group.create_task(Reflector(self._connection, collection, self).run(), name=collection.place)
            for family in self._families:
                group.create_task(self._follow(family), name=family.group)
            await self._tell(deliver, group)

    def look_again(self) -> None:
        """The documents beside the cluster's have changed."""
        self._has_reference_news = True
        self._news.set()

    async def _tell(self, deliver: Deliver, group: asyncio.TaskGroup) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            self._refer(group)
            problems = self._problems()
            self._route()
            if self._has_told_all:
                batch = self._inventory.changes()
            else:
                self._has_told_all = not self._awaited
                batch = self._inventory.full() if self._has_told_all else None
            # Kinds that were installed just now are listed one by one: pools without their advertisements are no news.
            documents = None if self._awaited else self._configuration_news()
            if batch is not None or documents is not None or problems != self._told_problems:
                self._told_problems = problems
                await deliver(replace(batch or Batch(), documents=documents, problems=problems))

    def _refer(self, group: asyncio.TaskGroup) -> None:
        """Follow the Secrets that are named now, and no others."""
        if not self._has_reference_news:
            return
        self._has_reference_news = False
        found = [document for documents in self._documents.values() for document in documents]
        wanted = secrets(self._settings, [*self._beside(), *found])
        for collection in self._following.keys() - set(wanted):
            self._following.pop(collection).cancel()
            self._awaited.discard(collection.place)
            self._troubles.pop(collection.place, None)
            self._forget(Key("Secret", self._settings.namespace, collection.name))
        for collection in wanted:
            if collection not in self._following:
                self._awaited.add(collection.place)
                reading = Reflector(self._connection, collection, self).run()
                self._following[collection] = group.create_task(reading, name=collection.place)

    def _configuration_news(self) -> tuple[Document, ...] | None:
        if not self._has_configuration_news:
            return None
        self._has_configuration_news = False
        return tuple(document for key in sorted(self._documents) for document in self._documents[key])

    def _problems(self) -> tuple[Problem, ...]:
        of_objects = (problem for key in sorted(self._object_problems) for problem in self._object_problems[key])
        return (*(self._troubles[path] for path in sorted(self._troubles)), *islice(of_objects, MAX_PROBLEMS))

    # --- Audience of the reflectors

    def listed(self, collection: Collection, items: list[dict[str, Any]]) -> None:
        """A complete list: whatever is not in it is gone."""
        there = {_key(collection, item) for item in items}
        for key in self._known(collection.kind):
            if key not in there and collection.name in {"", key.name}:
                self._forget(key)
        for item in items:
            self.changed(collection, item)
        self._awaited.discard(collection.place)
        self._news.set()

    def changed(self, collection: Collection, item: dict[str, Any]) -> None:
        """One object is new or different."""
        key = _key(collection, item)
        if collection.kind in _MODEL_KINDS:
            self._convert(key, item)
        elif collection.kind in ROUTING_KINDS:
            self._routing.put(key, item)
        elif collection.kind == "Pod":
            self._occupy(self._rivals.put(key, item))
        else:
            self._documents[key] = list(from_object(_trimmed(item), str(key)))
            self._uids[key] = str(item["metadata"].get("uid", ""))
            self._object_problems.pop(key, None)
            self._has_configuration_news = self._has_reference_news = True
        self._news.set()

    def deleted(self, collection: Collection, item: dict[str, Any]) -> None:
        """One object is gone."""
        self._forget(_key(collection, item))
        self._news.set()

    def troubled(self, collection: Collection, message: str) -> None:
        """A collection cannot be followed; what is known of it stays."""
        if message and self._has_told_all and collection.kind == "Secret":
            self._awaited.discard(collection.place)  # one that may not be read keeps no other news back
        self._say_trouble(collection.place, message)

    def _say_trouble(self, path: str, message: str) -> None:
        if message:
            self._troubles[path] = Problem("", f"cannot be read: {message}", "cluster.unreachable", path)
        else:
            self._troubles.pop(path, None)
        self._news.set()

    def _convert(self, key: Key, item: dict[str, Any]) -> None:
        converted = convert(item, in_cluster=True)
        if converted is None:
            return
        if converted.problems:
            self._object_problems[key] = tuple(replace(each, source=str(key)) for each in converted.problems)
        else:
            self._object_problems.pop(key, None)
        value = converted.value
        if isinstance(value, Service):
            value = replace(value, routed=self._routing.names(value.ref))
        elif isinstance(value, Node):
            value = replace(value, is_occupied=self._rivals.is_on(value.name))
        if value is not None:
            self._inventory.put(key, value)
        if key.kind == "Service":
            self.restate(item)
            self.on_standing(ServiceRef(key.namespace, key.name))

    def _route(self) -> None:
        """Give the host names that changed to the Services they lead to."""
        for ref in self._routing.changes():
            key = Key("Service", *ref)
            service = self._inventory.value(key)
            if isinstance(service, Service):
                self._inventory.put(key, replace(service, routed=self._routing.names(ref)))

    def _occupy(self, name: str) -> None:
        """A speaker of another load balancer came to a node, or left it."""
        key = Key("Node", "", name)
        node = self._inventory.value(key)
        if isinstance(node, Node):
            self._inventory.put(key, replace(node, is_occupied=self._rivals.is_on(name)))

    def _known(self, kind: str) -> list[Key]:
        if kind in _MODEL_KINDS:
            return self._inventory.keys(kind)
        if kind == "Pod":
            return self._rivals.keys()
        if kind in ROUTING_KINDS:
            return self._routing.keys(kind)
        return [key for key in self._documents if key.kind == kind]

    def _forget(self, key: Key) -> None:
        self._object_problems.pop(key, None)
        if key.kind == "ConfigMap":
            if key in self._documents:
                message = "is deleted; its last content stays in force"
                self._object_problems[key] = (Problem("", message, "config.deleted", str(key), is_warning=True),)
            return
        if key.kind in ROUTING_KINDS:
            self._routing.remove(key)
            return
        if key.kind == "Pod":
            self._occupy(self._rivals.remove(key))
            return
        if self._documents.pop(key, None) is not None:
            self._has_configuration_news = self._has_reference_news = True
        self._inventory.remove(key)
        if key.kind == "Service":
            ref = ServiceRef(key.namespace, key.name)
            self._standings.pop(ref, None)
            self._routing.serve(ref, ())
            self.on_standing(ref)

    # --- Custom resources

    async def _follow(self, family: Family) -> None:
        """Wait until the family's kinds exist, then follow them; those not there are looked for again."""
        path = f"/apis/{family.group}"
        async with asyncio.TaskGroup() as group:
            followed: set[str] = set()
            while len(followed) < len(family.kinds):
                try:
                    found = await served(self._connection, family)
                except (ApiError, Lost) as error:
                    self._say_trouble(path, str(error))
                    await asyncio.sleep(1.0)
                    continue
                self._say_trouble(path, "")
                for collection in found:
                    if collection.kind not in followed:
                        followed.add(collection.kind)
                        self._awaited.add(collection.place)
                        group.create_task(Reflector(self._connection, collection, self).run(), name=collection.place)
                self._awaited.discard(family.group)
                self._news.set()
                await asyncio.sleep(self._absent_interval)


_MODEL_KINDS = frozenset({"Service", "EndpointSlice", "Node", "Namespace"})


def _key(collection: Collection, item: dict[str, Any]) -> Key:
    metadata = item.get("metadata") or {}
    return Key(collection.kind, metadata.get("namespace", ""), metadata.get("name", ""))


def _trimmed(item: dict[str, Any]) -> dict[str, Any]:
    """A configuration object without what the server adds to it."""
    metadata = {key: value for key, value in item["metadata"].items() if key in {"name", "namespace", "labels"}}
    kept = {key: value for key, value in item.items() if key not in {"status", "metadata", "binaryData"}}
    return {**kept, "metadata": metadata}


def _is_newer(version: str, than: str) -> bool:
    """Versions of one object compare as numbers (promised since Kubernetes 1.35, true of etcd before)."""
    return int(version) > int(than) if version.isdigit() and than.isdigit() else version != than
