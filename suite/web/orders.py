"""The part of the API that changes something: reservations, and pools that give no new leases.

Every order needs a token with the scope ``write`` (or comes over the unix socket), says why, and says of what it believes
that it is so: If-Match with the ETag that a question gave, or If-None-Match with ``*`` for what is not there yet.  An order
about something that has changed meanwhile changes nothing (412).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Protocol, TypeVar

from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from pydantic import Field

from suite.model.address import Address, parse_address
from suite.model.event import Actor
from suite.model.lease import Reservation
from suite.model.refusal import Refusal
from suite.model.service import parse_ref
from suite.model.snapshot import Snapshot
from suite.model.token import Scope
from suite.store.errors import StoreError
from suite.web.access import LOCAL, Caller
from suite.web.backend import Backend
from suite.web.documents import ErrorDocument, ReservationDocument, reservation_document
from suite.web.door import CALLER

ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"model": ErrorDocument} for code in (401, 403, 404, 409, 411, 412, 413, 422, 428, 503)
}
NOT_THERE = frozenset({"PoolUnknown", "NotFound"})
Why = Annotated[str, Field(min_length=1, max_length=200)]
Guard = Callable[[Snapshot], None]
T = TypeVar("T")


class Orders(Protocol):
    """Who carries orders out; each gives the refusal, or None when it is done."""

    def snapshot(self) -> Snapshot: ...
    def reserve(self, wanted: Reservation, actor: Actor, reason: str, guard: Guard) -> Refusal | None: ...
    def unreserve(self, address: Address, actor: Actor, reason: str, guard: Guard) -> Refusal | None: ...
    def drain(self, pool: str, actor: Actor, reason: str, guard: Guard, *, is_draining: bool) -> Refusal | None: ...


@dataclass(frozen=True, slots=True)
class ReservationOrder:
    """What an address is kept for, and why."""

    reason: Why
    name: Annotated[str, Field(max_length=600)] = ""
    """namespace/name of a Service, existing or not; nobody's where it is empty."""
    note: Annotated[str, Field(max_length=200)] = ""
    last: Annotated[str, Field(max_length=100)] = ""
    """The last address of a block that nobody gets."""


@dataclass(frozen=True, slots=True)
class DrainingDocument:
    """Whether a pool gives no new leases."""

    draining: bool


@dataclass(frozen=True, slots=True)
class DrainingOrder:
    """Whether a pool is to give no new leases, and why."""

    draining: bool
    reason: Why


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the one who orders believes to be so."""

    if_match: str
    if_none_match: str

    def require(self, found: str) -> None:
        """Refuse what is not so; ``found`` is the ETag of what there is, empty for nothing."""
        if not self.if_match and not self.if_none_match:
            fix = "send If-Match with the ETag of the last answer, or If-None-Match: *"
            raise _error(428, "an order says what it believes to be so", fix)
        wants_none = self.if_none_match.strip() == "*"
        is_so = not found if wants_none else bool(found) and self.if_match.strip() in {found, "*"}
        if not is_so:
            raise _error(412, "it is not so any more; nothing was changed", "ask again and decide anew")


def expectation(if_match: Annotated[str, Header()] = "", if_none_match: Annotated[str, Header()] = "") -> Expectation:
    """From the headers of a request."""
    return Expectation(if_match, if_none_match)


Believed = Annotated[Expectation, Depends(expectation)]


def add_orders(app: FastAPI, backend: Backend) -> None:
    """``/v1/reservations/{address}`` and ``/v1/pools/{name}/draining``."""

    @app.get("/v1/reservations/{address}", tags=["orders"], responses=ERRORS)
    def reservation(address: str, response: Response) -> ReservationDocument:
        """An operator's reservation of one address, or of the block that begins with it, with its ETag."""
        found = backend.snapshot().reservations.get(_address(address))
        if found is None:
            raise _error(404, f"{address} is not reserved by an operator", "see /v1/reservations")
        return _tagged(response, reservation_document(found))

    @app.put("/v1/reservations/{address}", tags=["orders"], responses=ERRORS)
    def reserve(
        address: str, order: ReservationOrder, request: Request, response: Response, believed: Believed
    ) -> ReservationDocument:
        """Keep an address, or a block, for a name or for nobody."""
        orders, actor, wanted = _orders(backend), _actor(request), _wanted(address, order)
        with _told():
            refusal = orders.reserve(
                wanted, actor, order.reason, lambda snapshot: believed.require(_tag_of(snapshot, wanted.address))
            )
        _refuse(refusal)
        return _tagged(response, reservation_document(wanted))

    @app.delete("/v1/reservations/{address}", tags=["orders"], status_code=204, responses=ERRORS)
    def unreserve(
        address: str,
        request: Request,
        believed: Believed,
        reason: Annotated[str, Query(min_length=1, max_length=200, description="Why, for the audit log")],
    ) -> Response:
        """Give a reserved address, or the block that begins with it, back to its pool."""
        orders, actor, place = _orders(backend), _actor(request), _address(address)
        with _told():
            refusal = orders.unreserve(
                place, actor, reason, lambda snapshot: believed.require(_tag_of(snapshot, place))
            )
        _refuse(refusal)
        return Response(status_code=204)

    @app.get("/v1/pools/{name}/draining", tags=["orders"], responses=ERRORS)
    def draining(name: str, response: Response) -> DrainingDocument:
        """Whether an operator lets a pool give no new leases, with the ETag."""
        return _tagged(response, _draining(backend.snapshot(), name))

    @app.put("/v1/pools/{name}/draining", tags=["orders"], responses=ERRORS)
    def drain(
        name: str, order: DrainingOrder, request: Request, response: Response, believed: Believed
    ) -> DrainingDocument:
        """Let a pool give no new leases, or give some again; those that exist stay."""
        orders, actor = _orders(backend), _actor(request)
        with _told():
            refusal = orders.drain(
                name, actor, order.reason, lambda snapshot: believed.require(_tag(_draining(snapshot, name))),
                is_draining=order.draining,
            )  # fmt: skip
        _refuse(refusal)
        return _tagged(response, DrainingDocument(order.draining))


def _draining(snapshot: Snapshot, name: str) -> DrainingDocument:
    if snapshot.configuration.pool(name) is None and name not in snapshot.drained:
        raise _error(404, f"there is no pool {name[:100]!r}", "see /v1/pools")
    return DrainingDocument(name in snapshot.drained)


def _wanted(address: str, order: ReservationOrder) -> Reservation:
    try:
        ref = parse_ref(order.name) if order.name else None
        last = parse_address(order.last) if order.last else None
    except ValueError as error:
        raise _error(422, str(error)) from None
    first = _address(address)
    if last is not None and (last.version != first.version or int(last) < int(first)):
        raise _error(422, f"a block goes from {first} upwards, not to {last}")
    return Reservation(first, ref, order.note, last=last)


def _tag_of(snapshot: Snapshot, address: Address) -> str:
    found = snapshot.reservations.get(address)
    return "" if found is None else _tag(reservation_document(found))


def _tag(document: object) -> str:
    """The ETag of a document: the same words, the same tag, on every instance."""
    return f'"{sha256(repr(document).encode()).hexdigest()[:32]}"'


def _tagged(response: Response, document: T) -> T:
    response.headers["ETag"] = _tag(document)
    return document


def _orders(backend: Backend) -> Orders:
    if backend.orders is None:
        raise _error(503, "this instance has no database to write to", "ask one that has")
    return backend.orders


def _actor(request: Request) -> Actor:
    """Who orders, for the log."""
    caller = request.scope.get(CALLER)
    if not isinstance(caller, Caller):
        raise _error(401, "a bearer token is needed", "make one with `suite token create --scope write`")
    if Scope.WRITE not in caller.scopes:
        raise _error(403, "this token orders nothing", "make one with `suite token create --scope write`")
    return Actor("operator", "local") if caller is LOCAL else Actor("token", caller.name)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise _error(503, error.what, error.fix) from error


def _refuse(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise _error(404 if refusal.reason.value in NOT_THERE else 409, refusal.message, "nothing was changed")


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise _error(422, str(error), "write an IPv4 or IPv6 address") from None


def _error(status: int, error: str, fix: str = "") -> HTTPException:
    return HTTPException(status, {"error": error, "fix": fix})
