"""The part of the API about Services: the list of them, and one with the chain that explains its addresses."""

from dataclasses import dataclass
from heapq import nsmallest
from typing import Annotated

from fastapi import FastAPI, Query, Response

from suite.model.explain import explain
from suite.model.service import Service, ServiceRef
from suite.model.snapshot import Snapshot
from suite.web.asking import ERRORS, Limit, current, read_ref
from suite.web.backend import Backend
from suite.web.documents import ServiceDocument, service_document
from suite.web.elsewhere import live_of

Addressed = Annotated[bool | None, Query(description="Only those with an address, or only those that wait for one")]


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A Service and what it got; `/v1/services/NAMESPACE/NAME` has the whole chain."""

    service: str
    type: str
    ports: tuple[str, ...]
    load_balancer_class: str
    addresses: tuple[str, ...]
    pool: str
    reason: str
    """Why it has no address, or not all that it asks for; a word of the reasons that Events and metrics carry too."""
    message: str


@dataclass(frozen=True, slots=True)
class ServicePage:
    """Services by namespace and name; ``next`` is the one to go on behind, None at the end."""

    services: tuple[ServiceRow, ...]
    next: str | None


def add_services(app: FastAPI, backend: Backend) -> None:
    """``/v1/services`` and ``/v1/services/{namespace}/{name}``."""

    @app.get("/v1/services", tags=["state"], responses=ERRORS)
    def services(
        response: Response, namespace: str = "", addressed: Addressed = None, after: str = "", limit: Limit = 1000
    ) -> ServicePage:
        """Services that ask for an address, or have one, in the order of namespace and name."""
        snapshot, behind = current(backend, response), read_ref(after, "after")
        chosen = [
            ref
            for ref, service in snapshot.services.items()
            if _is_meant(snapshot, service, addressed)
            and namespace in {"", ref.namespace}
            and (behind is None or ref > behind)
        ]
        rows = nsmallest(limit + 1, chosen)
        following = str(rows[limit - 1]) if len(rows) > limit else None
        return ServicePage(tuple(_row(snapshot, ref) for ref in rows[:limit]), following)

    @app.get("/v1/services/{namespace}/{name}", tags=["state"], responses={404: {"model": ServiceDocument}, **ERRORS})
    def service(namespace: str, name: str, response: Response) -> ServiceDocument:
        """A Service and the chain from it to its answer; 404 with the same document when nobody knows it."""
        snapshot = current(backend, response)
        ref = ServiceRef(namespace, name)
        if ref not in snapshot.services:
            response.status_code = 404
        return service_document(snapshot, explain(snapshot, ref, live_of(backend, snapshot.bound(ref))))


def _is_meant(snapshot: Snapshot, service: Service, addressed: bool | None) -> bool:
    has_address = bool(snapshot.bound(service.ref))
    return (service.wants_address or has_address) and addressed in {None, has_address}


def _row(snapshot: Snapshot, ref: ServiceRef) -> ServiceRow:
    service, leases, refusal = snapshot.services[ref], snapshot.bound(ref), snapshot.refusals.get(ref)
    return ServiceRow(
        service=str(ref),
        type=str(service.type),
        ports=tuple(map(str, service.ports)),
        load_balancer_class=service.load_balancer_class,
        addresses=tuple(str(lease.address) for lease in leases),
        pool=leases[0].pool if leases else "",
        reason=refusal.reason.value if refusal else "",
        message=refusal.message if refusal else "",
    )
