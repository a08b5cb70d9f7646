"""The HTTP application: paths, and nothing else.

Every answer names the snapshot it was made from in the headers Suite-Epoch and Suite-Revision, and
errors are ``{"error": ..., "fix": ...}``.  Importing this module imports the web framework.
"""

from datetime import datetime
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from suite import __version__
from suite.metrics.registry import exposition
from suite.model.address import Address
from suite.model.event import Action
from suite.model.lease import Lease, LeaseState
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot
from suite.web.announcements import add_announcements
from suite.web.asking import ERRORS, Limit, Moment, Number, current, database, read_address, read_ref, utc
from suite.web.backend import Backend
from suite.web.bgp import add_bgp
from suite.web.documents import (
    EventDocument,
    LeaseDocument,
    LeasePage,
    PlanDocument,
    PoolDocument,
    ReadyDocument,
    ReservationDocument,
    StatusDocument,
    event_document,
    lease_document,
    lease_page,
    pool_documents,
    reservation_documents,
    status_document,
)
from suite.web.door import Door
from suite.web.feed import add_feed
from suite.web.gauges import Gauges, newest_hash
from suite.web.layer2 import add_layer2
from suite.web.names import add_names
from suite.web.orders import add_orders
from suite.web.probes import METRICS, ready_document
from suite.web.services import add_services
from suite.web.zone_versions import add_zone_versions


def application(backend: Backend) -> FastAPI:
    """The API over ``backend``."""
    app = FastAPI(
        title="suite",
        version=__version__,
        summary="Addresses, announcements and names on the metal",
        docs_url=None,  # the page loads scripts from elsewhere; the description is at /v1/openapi.json
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    app.add_exception_handler(StarletteHTTPException, _told)
    app.add_exception_handler(RequestValidationError, _misread)
    _add_health(app, backend)
    _add_state(app, backend)
    _add_history(app, backend)
    add_services(app, backend)
    add_names(app, backend)
    add_announcements(app, backend)
    add_bgp(app, backend)
    add_layer2(app, backend)
    add_feed(app, backend.following)
    add_zone_versions(app, backend.following)
    add_orders(app, backend)
    app.add_middleware(Door, doorkeeper=backend.doorkeeper)
    return app


def _add_health(app: FastAPI, backend: Backend) -> None:
    gauges = Gauges(backend.registry)

    @app.get("/healthz", tags=["health"])
    def healthz() -> dict[str, str]:
        """Whether the process lives."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"], responses={503: {"model": ReadyDocument}})
    def readyz(response: Response) -> ReadyDocument:
        """Whether every role does its work, and why not."""
        document = ready_document(backend.status())
        response.status_code = 200 if document.ready else 503
        return document

    @app.get("/metrics", tags=["health"], response_class=PlainTextResponse)
    def metrics() -> Response:
        """Everything that is counted, in Prometheus' text format."""
        gauges.record(backend.snapshot(), backend.status(), newest_hash(backend.store))
        return Response(exposition(backend.registry), media_type=METRICS)


def _add_state(app: FastAPI, backend: Backend) -> None:
    @app.get("/v1/status", tags=["state"], responses=ERRORS)
    def status() -> StatusDocument:
        """Every role with its revision, and what is wrong."""
        return status_document(backend.status(), backend.snapshot())

    @app.get("/v1/pools", tags=["state"], responses=ERRORS)
    def pools(
        response: Response, after: Annotated[str, Query(max_length=253)] = "", limit: Limit = 1000
    ) -> list[PoolDocument]:
        """Pools by name, and how much of each is used; the next page begins behind the last name."""
        documents = sorted(pool_documents(current(backend, response)), key=lambda each: each.name)
        return [each for each in documents if each.name > after][:limit]

    @app.get("/v1/reservations", tags=["state"], responses=ERRORS)
    def reservations(response: Response, after: str = "", limit: Limit = 1000) -> list[ReservationDocument]:
        """Addresses that operators keep back, in order; the next page begins behind the last one's first address."""
        behind = read_address(after, "after")
        return reservation_documents(current(backend, response), behind)[:limit]

    @app.get("/v1/leases", tags=["state"], responses=ERRORS)
    def leases(
        response: Response,
        pool: str = "",
        state: LeaseState | None = None,
        service: str = "",
        address: str = "",
        at: Moment = None,
        after: str = "",
        limit: Limit = 1000,
    ) -> LeasePage:
        """Open leases, or those that were open at a time, in the order of addresses."""
        snapshot = current(backend, response) if at is None else _past(backend, at)
        found = _leases(snapshot, read_address(address), read_ref(service))
        chosen = [lease for lease in found if (not pool or lease.pool == pool) and state in {None, lease.state}]
        return lease_page(chosen, limit, read_address(after, "after"))

    @app.get("/v1/plan", tags=["state"], responses=ERRORS)
    def plan() -> PlanDocument:
        """The next turn before it happens, and the releases that wait."""
        if backend.plan is None:
            raise HTTPException(503, {"error": "no controller runs here", "fix": "ask an instance with that role"})
        return backend.plan()


def _add_history(app: FastAPI, backend: Backend) -> None:
    @app.get("/v1/history", tags=["audit"], responses=ERRORS)
    def history(
        address: str = "",
        service: str = "",
        at: Moment = None,
        before_id: Number | None = None,
        limit: Limit = 100,
    ) -> list[LeaseDocument]:
        """Lease rows, ended ones too, the newest first."""
        wanted, ref = read_address(address), read_ref(service)
        with database(backend) as store:
            found = store.history(address=wanted, ref=ref, at=utc(at), limit=limit, before_id=before_id)
        return [lease_document(lease) for lease in found]

    @app.get("/v1/events", tags=["audit"], responses=ERRORS)
    def events(
        address: str = "",
        service: str = "",
        action: Action | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: Annotated[Number | None, Query(description="Only revisions above this one")] = None,
        before_revision: Number | None = None,
        before_n: Number = 0,
        limit: Limit = 100,
    ) -> list[EventDocument]:
        """The audit log, the newest first; the next page has the last event's place as before_revision and before_n."""
        before = None if before_revision is None else (before_revision, before_n)
        wanted, ref = read_address(address), read_ref(service)
        with database(backend) as store:
            found = store.events(
                address=wanted,
                ref=ref,
                action=action,
                since=utc(since),
                until=utc(until),
                after=after,
                before=before,
                limit=limit,
            )
        return [event_document(event) for event in found]


def _past(backend: Backend, at: datetime) -> Snapshot:
    with database(backend) as store:
        return store.past(utc(at) or at)


def _leases(snapshot: Snapshot, address: Address | None, ref: ServiceRef | None) -> list[Lease]:
    if address is not None:
        return [lease for lease in snapshot.leases.get(address) or () if ref in {None, lease.ref}]
    if ref is not None:
        return list(snapshot.holdings.get(ref) or ())
    return list(snapshot.open_leases())


async def _told(_request: Request, error: Exception) -> JSONResponse:
    status, detail = getattr(error, "status_code", 500), getattr(error, "detail", "")
    body = detail if isinstance(detail, dict) else {"error": str(detail), "fix": ""}
    return JSONResponse(body, status)


async def _misread(_request: Request, error: Exception) -> JSONResponse:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    parts = [f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in found]
    return JSONResponse({"error": "; ".join(parts), "fix": "see /v1/openapi.json"}, 422)
