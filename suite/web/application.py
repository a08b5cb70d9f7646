"""The HTTP application: paths, and nothing else.

Every answer names the snapshot it was made from in the headers Suite-Epoch and Suite-Revision, and
errors are ``{"error": ..., "fix": ...}``.  Importing this module imports the web framework.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from suite import __version__
from suite.metrics.registry import exposition
from suite.model.address import Address, parse_address
from suite.model.event import Action
from suite.model.explain import explain
from suite.model.lease import Lease, LeaseState
from suite.model.service import ServiceRef, parse_ref
from suite.model.snapshot import Snapshot
from suite.store.errors import StoreError, Unavailable
from suite.web.backend import Backend
from suite.web.bgp import add_bgp
from suite.web.documents import (
    ErrorDocument,
    EventDocument,
    LeaseDocument,
    LeasePage,
    PlanDocument,
    PoolDocument,
    ReadyDocument,
    ReservationDocument,
    ServiceDocument,
    StatusDocument,
    event_document,
    lease_document,
    lease_page,
    pool_documents,
    reservation_documents,
    service_document,
    status_document,
)
from suite.web.door import Door
from suite.web.elsewhere import live_of
from suite.web.feed import add_feed
from suite.web.gauges import Gauges, newest_hash
from suite.web.layer2 import add_layer2
from suite.web.orders import add_orders
from suite.web.probes import METRICS, ready_document

if TYPE_CHECKING:
    from suite.store.store import Store

MOST_ROWS = 10_000
"""How many rows one answer holds at most."""

ERRORS: dict[int | str, dict[str, Any]] = {422: {"model": ErrorDocument}, 503: {"model": ErrorDocument}}
"""How questions that cannot be read, and answers that are not there yet, are told."""

Number = Annotated[int, Query(ge=0, le=(1 << 63) - 1)]
"""An id or a revision: what the database's columns hold."""
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="How many rows at most")]


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
    add_bgp(app, backend)
    add_layer2(app, backend)
    add_feed(app, backend.following)
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
    def pools(response: Response) -> list[PoolDocument]:
        """Pools and how much of each is used."""
        return pool_documents(_current(backend, response))

    @app.get("/v1/reservations", tags=["state"], responses=ERRORS)
    def reservations(response: Response) -> list[ReservationDocument]:
        """Addresses that operators keep back."""
        return reservation_documents(_current(backend, response))

    @app.get("/v1/leases", tags=["state"], responses=ERRORS)
    def leases(
        response: Response,
        pool: str = "",
        state: LeaseState | None = None,
        service: str = "",
        address: str = "",
        after: str = "",
        limit: Limit = 1000,
    ) -> LeasePage:
        """Open leases, in the order of addresses."""
        snapshot = _current(backend, response)
        found = _leases(snapshot, _address(address, "address"), _ref(service))
        chosen = [lease for lease in found if (not pool or lease.pool == pool) and state in {None, lease.state}]
        return lease_page(chosen, limit, _address(after, "after"))

    @app.get("/v1/services/{namespace}/{name}", tags=["state"], responses={404: {"model": ServiceDocument}, **ERRORS})
    def service(namespace: str, name: str, response: Response) -> ServiceDocument:
        """A Service and the chain from it to its answer; 404 with the same document when nobody knows it."""
        snapshot = _current(backend, response)
        ref = ServiceRef(namespace, name)
        if ref not in snapshot.services:
            response.status_code = 404
        return service_document(snapshot, explain(snapshot, ref, live_of(backend, snapshot.bound(ref))))

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
        at: Annotated[datetime | None, Query(description="ISO 8601; with it, who had it at that time")] = None,
        before_id: Number | None = None,
        limit: Limit = 100,
    ) -> list[LeaseDocument]:
        """Lease rows, ended ones too, the newest first."""
        wanted, ref = _address(address, "address"), _ref(service)
        with _history(backend) as store:
            found = store.history(address=wanted, ref=ref, at=_utc(at), limit=limit, before_id=before_id)
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
        wanted, ref = _address(address, "address"), _ref(service)
        with _history(backend) as store:
            found = store.events(
                address=wanted,
                ref=ref,
                action=action,
                since=_utc(since),
                until=_utc(until),
                after=after,
                before=before,
                limit=limit,
            )
        return [event_document(event) for event in found]


@contextmanager
def _history(backend: Backend) -> "Iterator[Store]":
    """The database; that there is none, or that it is away, is told as 503, a question it refuses as 422."""
    if backend.store is None:
        raise HTTPException(503, {"error": "this instance has no database", "fix": "ask one that has"})
    try:
        yield backend.store
    except StoreError as error:
        status = 503 if isinstance(error, Unavailable) else 422
        raise HTTPException(status, {"error": error.what, "fix": error.fix}) from error


def _utc(moment: datetime | None) -> datetime | None:
    """A time without a zone is UTC."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _current(backend: Backend, response: Response) -> Snapshot:
    snapshot = backend.snapshot()
    if not snapshot.is_complete:
        raise HTTPException(503, {"error": "there is no complete snapshot yet", "fix": "look at /readyz"})
    response.headers["Suite-Epoch"] = snapshot.epoch
    response.headers["Suite-Revision"] = str(snapshot.revision)
    return snapshot


def _leases(snapshot: Snapshot, address: Address | None, ref: ServiceRef | None) -> list[Lease]:
    if address is not None:
        return [lease for lease in snapshot.leases.get(address) or () if ref in {None, lease.ref}]
    if ref is not None:
        return list(snapshot.holdings.get(ref) or ())
    return list(snapshot.open_leases())


def _address(text: str, name: str) -> Address | None:
    try:
        return parse_address(text) if text else None
    except ValueError as error:
        raise HTTPException(422, {"error": f"{name}: {error}", "fix": "write an IPv4 or IPv6 address"}) from None


def _ref(text: str) -> ServiceRef | None:
    try:
        return parse_ref(text) if text else None
    except ValueError as error:
        raise HTTPException(422, {"error": f"service: {error}", "fix": "write NAMESPACE/NAME"}) from None


async def _told(_request: Request, error: Exception) -> JSONResponse:
    status, detail = getattr(error, "status_code", 500), getattr(error, "detail", "")
    body = detail if isinstance(detail, dict) else {"error": str(detail), "fix": ""}
    return JSONResponse(body, status)


async def _misread(_request: Request, error: Exception) -> JSONResponse:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    parts = [f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in found]
    return JSONResponse({"error": "; ".join(parts), "fix": "see /v1/openapi.json"}, 422)
