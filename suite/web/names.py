"""The part of the API about names: every record of every zone, as it is served or would be."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Response

from suite.dns.listing import Record, page
from suite.dns.name import DomainNameError, from_text, to_text
from suite.web.asking import ERRORS, Limit, current
from suite.web.backend import Backend

Name = Annotated[str, Query(max_length=1024, description="A whole name, with or without the dot at its end")]
Type = Annotated[str, Query(alias="type", max_length=20, description="A, AAAA, SRV, PTR, ...")]


@dataclass(frozen=True, slots=True)
class RecordPage:
    """Records in the order of names; ``next`` is the name to go on behind, None at the end."""

    records: tuple[Record, ...]
    next: str | None


def add_names(app: FastAPI, backend: Backend) -> None:
    """``/v1/dns``."""

    @app.get("/v1/dns", tags=["state"], responses=ERRORS)
    def dns(
        response: Response,
        name: Name = "",
        rtype: Type = "",
        zone: Name = "",
        after: Name = "",
        limit: Limit = 1000,
    ) -> RecordPage:
        """Every record, in the order of names: what this instance serves, or what its snapshot makes where it serves none."""
        owner, origin, behind = _wire(name, "name"), _wire(zone, "zone"), _wire(after, "after")
        current(backend, response)
        zones = [each for each in backend.zones() if origin in {b"", each.origin}]
        found, following = page(zones, limit, name=owner, after=behind, rtype=rtype.upper())
        return RecordPage(tuple(found), None if following is None else to_text(following))


def _wire(text: str, parameter: str) -> bytes:
    """A folded name; no octets where none is given."""
    if not text:
        return b""
    try:
        return from_text(text if text.endswith(".") else f"{text}.").lower()
    except (DomainNameError, ValueError) as error:
        fix = "write coffee.default.service"
        raise HTTPException(422, {"error": f"{parameter}: {error}", "fix": fix}) from None
