"""What the questions of the API have in common: how they are read, how long an answer is, and what stands in its way."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import HTTPException, Query, Response

from suite.model.address import Address, parse_address
from suite.model.service import ServiceRef, parse_ref
from suite.model.snapshot import Snapshot
from suite.store.errors import StoreError, Unavailable
from suite.web.backend import Backend
from suite.web.documents import ErrorDocument

if TYPE_CHECKING:
    from suite.store.store import Store

MOST_ROWS = 10_000
"""How many rows one answer holds at most."""

ERRORS: dict[int | str, dict[str, Any]] = {422: {"model": ErrorDocument}, 503: {"model": ErrorDocument}}
"""How questions that cannot be read, and answers that are not there yet, are told."""

Number = Annotated[int, Query(ge=0, le=(1 << 63) - 1)]
"""An id or a revision: what the database's columns hold."""
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="How many rows at most")]
Moment = Annotated[datetime | None, Query(description="ISO 8601; with it, how it was at that time")]


def current(backend: Backend, response: Response) -> Snapshot:
    """The snapshot that an answer is made of, named in its headers."""
    snapshot = backend.snapshot()
    if not snapshot.is_complete:
        raise HTTPException(503, {"error": "there is no complete snapshot yet", "fix": "look at /readyz"})
    response.headers["Suite-Epoch"] = snapshot.epoch
    response.headers["Suite-Revision"] = str(snapshot.revision)
    return snapshot


@contextmanager
def database(backend: Backend) -> "Iterator[Store]":
    """The database; that there is none, or that it is away, is told as 503, a question it refuses as 422."""
    if backend.store is None:
        raise HTTPException(503, {"error": "this instance has no database", "fix": "ask one that has"})
    try:
        yield backend.store
    except StoreError as error:
        status = 503 if isinstance(error, Unavailable) else 422
        raise HTTPException(status, {"error": error.what, "fix": error.fix}) from error


def utc(moment: datetime | None) -> datetime | None:
    """A time without a zone is UTC."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def read_address(text: str, name: str = "address") -> Address | None:
    """The address in the parameter ``name``; None where it is empty."""
    try:
        return parse_address(text) if text else None
    except ValueError as error:
        raise HTTPException(422, {"error": f"{name}: {error}", "fix": "write an IPv4 or IPv6 address"}) from None


def read_ref(text: str, name: str = "service") -> ServiceRef | None:
    """The Service in the parameter ``name``; None where it is empty."""
    try:
        return parse_ref(text) if text else None
    except ValueError as error:
        raise HTTPException(422, {"error": f"{name}: {error}", "fix": "write NAMESPACE/NAME"}) from None
