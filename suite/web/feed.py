"""The part of the API for machines that follow: the feed, their reports, and the certificate they pin."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse

from suite import __version__
from suite.model.address import parse_address
from suite.model.announcement import Announcement
from suite.model.peering import SessionState
from suite.model.token import FEED_SCOPES, Scope
from suite.store.errors import StoreError
from suite.store.remote.lines import FORMAT, Position, read_position
from suite.store.remote.standing import read_standing
from suite.web.access import Caller
from suite.web.documents import ErrorDocument
from suite.web.door import CALLER
from suite.web.following import Following, is_outdated

LONGEST_WAIT = 20.0
"""Seconds that a follower may wait for news; connections that do not get on for longer are closed."""
MEDIA_TYPE = "application/x-ndjson"
PEM = "application/x-pem-file"
MOST_REPORTS = 1000
MOST_TEXT = 253
"""Characters of a node's, interface's or peer's name, or of a reason."""
EARLIEST = 1970
HIGHEST_ASN = 2**32 - 1
"""RFC 6793: AS numbers have four octets."""
DENIED: dict[int | str, dict[str, Any]] = {
    code: {"model": ErrorDocument} for code in (401, 403, 404, 406, 411, 413, 422, 503)
}
SNAPSHOT: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {}}},
    304: {"description": "Not newer"},
    **DENIED,
}
AUTHORITY: dict[int | str, dict[str, Any]] = {200: {"content": {PEM: {}}}, 404: {"model": ErrorDocument}}


@dataclass(frozen=True, slots=True)
class ReportDocument:
    """What one speaker saw or does, at one time; what it announces is always told whole."""

    serial: str
    node: str
    at: datetime
    announced: tuple[Announcement, ...] | None = None
    sessions: tuple[SessionState, ...] | None = None
    declined: tuple[tuple[str, str], ...] = ()
    """Addresses and the MACs of the strangers that have them."""


@dataclass(frozen=True, slots=True)
class ReportsDocument:
    """Reports in the order they were made."""

    reports: tuple[ReportDocument, ...] = ()
    clean: tuple[str, ...] = field(default=())
    """Free addresses that nobody answers for just now."""


def add_feed(app: FastAPI, following: Following | None) -> None:
    """``/v1/snapshot``, ``/v1/reports`` and ``/v1/authority``."""

    @app.get("/v1/snapshot", tags=["feed"], response_class=Response, responses=SNAPSHOT)
    async def snapshot(
        request: Request,
        after: Annotated[str, Query(description="EPOCH:REVISION that is known; If-None-Match says the same")] = "",
        wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for news")] = 0.0,
        if_none_match: Annotated[str, Header()] = "",
        suite_feed: Annotated[int, Header(ge=1, le=1000)] = FORMAT,
        suite_roles: Annotated[str, Header(description="How the roles of the follower stand, as JSON")] = "",
    ) -> Response:
        """What changed since, or everything, as lines of JSON; 304 when nothing did within the wait."""
        caller = caller_of(request)
        scopes = caller.scopes & FEED_SCOPES
        if not scopes:
            raise refusal(403, "this token is for no feed", "make one with `suite token create --role ...`")
        if suite_feed != FORMAT:
            raise refusal(406, f"this controller ({__version__}) speaks feed {FORMAT}, not {suite_feed}", "upgrade")
        found = required(following)
        _hear(found, caller, suite_roles)
        position = read_position(after or if_none_match)
        if not await _is_news(found, position, wait):
            return Response(status_code=304, headers={"ETag": f'"{position}"'})
        return await _answer(found, position, scopes)

    @app.post("/v1/reports", tags=["feed"], status_code=204, responses=DENIED)
    async def reports(request: Request, document: ReportsDocument) -> Response:
        """Take down what a speaker reports; the same report again changes nothing."""
        caller = caller_of(request)
        if Scope.SPEAKER not in caller.scopes:
            raise refusal(403, "this token is for no speaker", "make one with `suite token create --role speaker`")
        if len(document.reports) > MOST_REPORTS:
            raise refusal(422, f"at most {MOST_REPORTS} reports travel together")
        for report in document.reports:
            _judge(report, caller)
        clean = [_parsed(text) for text in document.clean[:MOST_REPORTS]]
        found = required(following)
        for report in document.reports:
            await _take(found, report)
        for address in clean:
            found.probed(address)
        return Response(status_code=204)

    @app.get("/v1/authority", tags=["feed"], response_class=Response, responses=AUTHORITY)
    def authority() -> Response:
        """The certificate of this suite's authority, in PEM; whoever fetches it compares its fingerprint."""
        certificate = following.authority() if following is not None else ""
        if not certificate:
            raise refusal(404, "this suite has no authority yet", "set web.feed-listen")
        return Response(certificate, media_type=PEM)


def _hear(following: Following, caller: Caller, roles: str) -> None:
    """Note how a follower stands; a token for one node tells of no other."""
    standing = read_standing(roles) if roles else None
    if standing is not None and caller.node in {"", standing.node}:
        following.followers.hear(standing, datetime.now(UTC), time.monotonic())


async def _is_news(following: Following, position: Position | None, wait: float) -> bool:
    """Whether there is something to tell, at the latest after ``wait`` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait
    while not following.feed.is_news(position):
        if trouble := following.origin.trouble:
            raise refusal(503, trouble)
        left = deadline - loop.time()
        if left <= 0 or not await following.news.wait(left):
            if position is None:
                raise refusal(503, "there is no complete snapshot yet", "look at /readyz")
            return following.feed.is_news(position)
    return True


async def _answer(following: Following, position: Position | None, scopes: frozenset[Scope]) -> Response:
    try:
        content: Iterator[bytes] = await asyncio.to_thread(following.feed.answer, position, scopes)
    except StoreError as error:
        raise refusal(503, error.what, error.fix) from error
    return StreamingResponse(content, media_type=MEDIA_TYPE, headers={"Suite-Feed": str(FORMAT)})


def _judge(report: ReportDocument, caller: Caller) -> None:
    """Refuse what nobody may say or mean, before anything of the batch is taken down."""
    number = report.serial.rpartition("-")[2]
    if not report.node or not (number.isascii() and number.isdigit()) or not len(number) < len(report.serial) <= 100:
        raise refusal(422, "a report has a node and a serial NONCE-NUMBER")
    if report.at.year < EARLIEST:
        raise refusal(422, f"a report of the year {report.at.year} tells of nothing here")
    texts = [report.node, report.serial, *(mac for _, mac in report.declined)]
    told_values: tuple[Announcement | SessionState, ...] = (*(report.announced or ()), *(report.sessions or ()))
    for each in told_values:
        texts += [value for value in astuple(each) if isinstance(value, str)]
    if not all(text.isprintable() and len(text) <= MOST_TEXT for text in texts):
        raise refusal(422, f"names have at most {MOST_TEXT} printable characters")
    if caller.node not in {"", report.node}:
        raise refusal(403, f"this token reports for {caller.node}, not for {report.node}")
    told = {each.node for each in report.announced or ()} | {each.node for each in report.sessions or ()}
    if told - {report.node}:
        raise refusal(422, f"a report of {report.node} tells of another node")
    if not all(0 <= (each.asn or 0) <= HIGHEST_ASN for each in report.sessions or ()):
        raise refusal(422, f"AS numbers go from 0 to {HIGHEST_ASN}")
    for address, _ in report.declined:
        _parsed(address)


async def _take(following: Following, report: ReportDocument) -> None:
    """Take one report down.

    Raises:
        HTTPException: the database is away; the follower keeps the report.
    """
    at = report.at if report.at.tzinfo else report.at.replace(tzinfo=UTC)
    at = min(at, datetime.now(UTC))  # a machine whose clock is ahead of ours tells of now
    store = following.store
    try:
        if report.announced is not None:
            announced = frozenset(report.announced)
            await asyncio.to_thread(store.take_report, report.node, report.serial, announced, at=at)
        if report.sessions is not None:
            sessions = frozenset(report.sessions)
            await asyncio.to_thread(store.take_sessions, report.node, report.serial, sessions, at=at)
        for text, mac in report.declined:
            await _decline(following, report, _parsed(text), mac, at)
    except StoreError as error:
        raise refusal(503, error.what, error.fix) from error


async def _decline(following: Following, report: ReportDocument, address: Any, mac: str, at: datetime) -> None:
    """A stranger was found, at somebody's address or at one that comes next."""
    leases = following.origin.snapshot.leases.get(address) or ()
    if is_outdated(leases, at, datetime.now(UTC)):
        return
    await following.origin.decline(address, mac[:100], report.node)
    if following.origin.trouble:
        raise refusal(503, following.origin.trouble)


def _parsed(text: str) -> Any:
    try:
        return parse_address(text)
    except ValueError as error:
        raise refusal(422, str(error)) from None


def caller_of(request: Request) -> Caller:
    """Who asks, as the door found out.

    Raises:
        HTTPException: nobody had to say who it is, and here one has to.
    """
    found = request.scope.get(CALLER)
    if not isinstance(found, Caller):
        raise refusal(401, "a bearer token is needed", "make one with `suite token create`")
    return found


def required(following: Following | None) -> Following:
    """What followers are served from.

    Raises:
        HTTPException: this instance serves none.
    """
    if following is None:
        raise refusal(503, "this instance has no database to tell from", "follow one that has")
    return following


def refusal(status: int, error: str, fix: str = "") -> HTTPException:
    """An answer that says what is wrong and how to mend it."""
    return HTTPException(status, {"error": error, "fix": fix})
