"""What a source says now, compared with what the snapshot holds: only the difference goes on."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import TypeVar

from suite.cluster.source import Batch
from suite.model.node import Namespace, Node
from suite.model.persistent import PersistentMap, differing
from suite.model.service import Endpoints, Service, ServiceRef
from suite.model.snapshot import Snapshot

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Delta:
    """What is really new or gone; an object that is said again unchanged is in neither."""

    services: tuple[Service, ...] = ()
    services_gone: tuple[ServiceRef, ...] = ()
    endpoints: tuple[Endpoints, ...] = ()
    endpoints_gone: tuple[ServiceRef, ...] = ()
    nodes: tuple[Node, ...] = ()
    nodes_gone: tuple[str, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    namespaces_gone: tuple[str, ...] = ()


def delta_of(batch: Batch, snapshot: Snapshot) -> Delta:
    """The difference that ``batch`` makes to ``snapshot``; in a full batch, what it does not name is gone."""
    services = {service.ref: service for service in batch.services}
    endpoints = {each.ref: each for each in batch.endpoints}
    nodes = {node.name: node for node in batch.nodes}
    namespaces = {namespace.name: namespace for namespace in batch.namespaces}
    return Delta(
        tuple(_claiming(each, snapshot) for each in differing(snapshot.services, services)),
        _gone(services, batch.services_gone, snapshot.services, is_full=batch.is_full),
        tuple(differing(snapshot.endpoints, endpoints)),
        _gone(endpoints, batch.endpoints_gone, snapshot.endpoints, is_full=batch.is_full),
        tuple(differing(snapshot.nodes, nodes)),
        _gone(nodes, batch.nodes_gone, snapshot.nodes, is_full=batch.is_full),
        tuple(differing(snapshot.namespaces, namespaces)),
        _gone(namespaces, batch.namespaces_gone, snapshot.namespaces, is_full=batch.is_full),
    )


def _claiming(service: Service, snapshot: Snapshot) -> Service:
    """``service`` with the revision since which it asks for each name: that of the commit that is being planned.

    Turns follow each other, so of two claims the one committed first has the lower number, which every replica reads
    and a restart keeps.  Another writer's commit in between makes the real number higher, but never swaps two.
    """
    if not service.hostnames and not service.routed:
        return service
    known = snapshot.services.get(service.ref)
    held = {text: known.asks_since(text) for text in known.wished_names} if known else {}
    claimed = tuple((text, held.get(text, snapshot.revision + 1)) for text in service.wished_names)
    return replace(service, claimed=claimed)


def _gone(said: dict[K, V], gone: tuple[K, ...], known: PersistentMap[K, V], *, is_full: bool) -> tuple[K, ...]:
    if is_full:
        return tuple([key for key in known if key not in said])
    return tuple(key for key in gone if key in known and key not in said)
