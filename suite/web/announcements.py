"""The part of the API about who announces what, on every node: what the speakers reported into the database."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import FastAPI, Query

from suite.model.announcement import AnnouncementSpan
from suite.model.peering import SessionSpan
from suite.model.status import Status
from suite.web.asking import ERRORS, Limit, Moment, Number, database, read_address, utc
from suite.web.backend import Backend

Mode = Annotated[Literal["", "layer2", "bgp"], Query(description="layer2 or bgp; empty for both")]


@dataclass(frozen=True, slots=True)
class AnnouncementDocument:
    """One node tells the network about one address, on one interface (layer 2) or to one peer (BGP)."""

    id: int
    address: str
    node: str
    mode: str
    interface: str
    peer: str
    mac: str
    prefix: str
    since: datetime
    ended: datetime | None
    end_reason: str
    is_heard: bool
    """Whether the speaker that told of it is there; one that is gone announces nothing, and whoever takes over says so."""


@dataclass(frozen=True, slots=True)
class SessionDocument:
    """One state of one BGP session of one node."""

    node: str
    peer: str
    address: str
    is_up: bool
    asn: int | None
    identifier: str
    why: str
    since: datetime
    ended: datetime | None


def add_announcements(app: FastAPI, backend: Backend) -> None:
    """``/v1/announcements`` and ``/v1/bgp/sessions``."""

    @app.get("/v1/announcements", tags=["state"], responses=ERRORS)
    def announcements(
        address: str = "",
        node: str = "",
        mode: Mode = "",
        at: Moment = None,
        before_id: Number | None = None,
        limit: Limit = 1000,
    ) -> list[AnnouncementDocument]:
        """What every node announces, or did at a time, the newest first; the next page has the last id as before_id."""
        wanted = read_address(address)
        with database(backend) as store:
            found = store.announcing(address=wanted, node=node, mode=mode, at=utc(at), before_id=before_id, limit=limit)
        living = _living(backend.status())
        return [_announcement(each, living) for each in found]

    @app.get("/v1/bgp/sessions", tags=["state"], responses=ERRORS)
    def sessions(node: str = "", peer: str = "", limit: Limit = 100) -> list[SessionDocument]:
        """The BGP sessions of every node, up or down from when until when, the newest first."""
        with database(backend) as store:
            return [_session(each) for each in store.sessions(node=node, peer=peer, limit=limit)]


def _living(status: Status) -> set[str]:
    """The nodes whose speakers are there, in this process and in others."""
    fellows = [each.instance for each in status.fellows if each.gone is None]
    return {each.node for each in (*status.instances, *fellows) if each.role == "speaker"}


def _announcement(span: AnnouncementSpan, living: set[str]) -> AnnouncementDocument:
    told = asdict(span.announcement)
    told["address"] = str(span.announcement.address)
    return AnnouncementDocument(
        id=span.id,
        **told,
        since=span.since,
        ended=span.until,
        end_reason=span.end_reason,
        is_heard=span.announcement.node in living,
    )


def _session(span: SessionSpan) -> SessionDocument:
    return SessionDocument(**asdict(span.state), since=span.since, ended=span.until)
