"""Several batches of one source as one: what is said later counts.  And everything that is known as one batch."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from suite.cluster.source import Batch
from suite.model.service import Service, ServiceRef
from suite.model.snapshot import Snapshot

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def merged(earlier: Batch, later: Batch) -> Batch:
    """What both say together; a full batch makes everything before it void."""
    if later.is_full or earlier == Batch():
        return later
    services, services_gone = _merged(
        earlier.services, later.services, earlier.services_gone, later.services_gone, lambda each: each.ref
    )
    endpoints, endpoints_gone = _merged(
        earlier.endpoints, later.endpoints, earlier.endpoints_gone, later.endpoints_gone, lambda each: each.ref
    )
    nodes, nodes_gone = _merged(
        earlier.nodes, later.nodes, earlier.nodes_gone, later.nodes_gone, lambda each: each.name
    )
    namespaces, namespaces_gone = _merged(
        earlier.namespaces, later.namespaces, earlier.namespaces_gone, later.namespaces_gone, lambda each: each.name
    )
    return replace(
        later,
        services=services,
        services_gone=services_gone,
        endpoints=endpoints,
        endpoints_gone=endpoints_gone,
        nodes=nodes,
        nodes_gone=nodes_gone,
        namespaces=namespaces,
        namespaces_gone=namespaces_gone,
        documents=earlier.documents if later.documents is None else later.documents,
        is_full=earlier.is_full,
    )


def _merged(
    earlier: Iterable[V], later: Iterable[V], gone_earlier: Iterable[K], gone_later: Iterable[K], key: Callable[[V], K]
) -> tuple[tuple[V, ...], tuple[K, ...]]:
    said: dict[K, V | None] = {key(value): value for value in earlier}
    said.update(dict.fromkeys(gone_earlier))
    said.update({key(value): value for value in later})
    said.update(dict.fromkeys(gone_later))
    present = tuple(value for value in said.values() if value is not None)
    return present, tuple(each for each, value in said.items() if value is None)


def everything(snapshot: Snapshot, pending: Mapping[ServiceRef, Service | None]) -> Batch:
    """A full batch of what is in the database, and of the changes that still wait; None where a Service is gone."""
    services = dict(snapshot.services.items())
    for ref, service in pending.items():
        if service is None:
            services.pop(ref, None)
        else:
            services[ref] = service
    return Batch(
        services=tuple(services.values()),
        endpoints=tuple(snapshot.endpoints.values()),
        nodes=tuple(snapshot.nodes.values()),
        namespaces=tuple(snapshot.namespaces.values()),
        is_full=True,
    )
