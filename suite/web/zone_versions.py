"""The part of the API that gives nameservers without a database the serials of their zones (``store.zone_versions``).

A token for a nameserver may write here, so what it says is believed as little as possible: only zones that the
configuration makes have versions, serials stay near the revisions, and whoever takes a difference from here checks that
it leads from one digest to the next (``nameserver.versions``).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import FastAPI, Query, Request

from suite.dns import name
from suite.model.configuration import Configuration
from suite.model.reverse import reverse_origins
from suite.model.snapshot import Snapshot
from suite.model.token import Scope
from suite.model.zone_version import LONGEST, SPACE, ZoneVersion
from suite.store.errors import StoreError
from suite.web.feed import DENIED, caller_of, refusal, required
from suite.web.following import Following

MOST = 64
"""Zones that are numbered together: whoever commits waits for it."""
AHEAD = 1 << 16
"""How far a serial may be above its revision, and a revision above the one known here: another instance may know more."""
_DIGEST = re.compile("[0-9a-f]{32}")
_TEXT = re.compile("[ -~]*")


@dataclass(frozen=True, slots=True)
class WantedVersionsDocument:
    """New contents of zones, each to be served under a serial."""

    wanted: tuple[ZoneVersion, ...]


@dataclass(frozen=True, slots=True)
class VersionsDocument:
    """Versions of zones."""

    versions: tuple[ZoneVersion, ...]


def add_zone_versions(app: FastAPI, following: Following | None) -> None:
    """``/v1/zone-versions``."""
    zones = _Zones()

    @app.post("/v1/zone-versions", tags=["feed"], responses=DENIED)
    def number_zones(request: Request, document: WantedVersionsDocument) -> VersionsDocument:
        """Give new contents of zones their serials; known content has the one it had, on every nameserver."""
        found = _allowed(request, following)
        wanted = _judged(document.wanted, found.origin.snapshot, zones)
        try:
            given = found.store.number_zones(wanted)
        except StoreError as error:
            raise refusal(503, error.what, error.fix) from error
        return VersionsDocument(tuple(replace(each, difference="") for each in given))

    @app.get("/v1/zone-versions", tags=["feed"], responses=DENIED)
    def zone_versions(
        request: Request,
        origin: Annotated[
            str, Query(max_length=1024, description="The zone in small letters, with its dot at the end")
        ],
        serial: Annotated[int, Query(ge=0, lt=SPACE, description="Where the versions lead")],
    ) -> VersionsDocument:
        """The versions that lead to a serial of a zone, the oldest first, each with what changed."""
        found = _allowed(request, following)
        if origin not in zones.of(found.origin.snapshot.configuration):
            raise refusal(422, "that is no zone of the configuration")
        try:
            return VersionsDocument(tuple(found.store.zone_chain(origin, serial)))
        except StoreError as error:
            raise refusal(503, error.what, error.fix) from error


class _Zones:
    """The names of the zones that may be transferred, found once for each configuration."""

    def __init__(self) -> None:
        self._known: tuple[Configuration | None, frozenset[str]] = (None, frozenset())

    def of(self, configuration: Configuration) -> frozenset[str]:
        """As text in small letters, with the dot at the end."""
        known, origins = self._known
        if known is not configuration:
            written = (*configuration.dns.zones, *(pool.zone for pool in configuration.pools if pool.zone))
            forward = {name.to_text(name.from_text(f"{text.rstrip('.')}.").lower()) for text in written}
            origins = reverse_origins(configuration.pools) | forward
            self._known = configuration, origins
        return origins


def _allowed(request: Request, following: Following | None) -> Following:
    if Scope.NAMESERVER not in caller_of(request).scopes:
        raise refusal(403, "this token is for no nameserver", "make one with `suite token create --role nameserver`")
    return required(following)


def _judged(wanted: Sequence[ZoneVersion], snapshot: Snapshot, zones: _Zones) -> list[ZoneVersion]:
    """What was sent, if it may be.

    Raises:
        HTTPException: it may not.
    """
    if len(wanted) > MOST:
        raise refusal(422, f"at most {MOST} zones are numbered together")
    origins = zones.of(snapshot.configuration)
    for each in wanted:
        if each.origin not in origins:
            raise refusal(422, "that is no zone of the configuration")
        if not 0 < each.revision <= snapshot.revision + AHEAD:
            raise refusal(422, f"revision {each.revision} is not one of this database")
        if not (0 <= each.serial < SPACE and 0 <= (each.old_serial or 0) < SPACE and _DIGEST.fullmatch(each.digest)):
            raise refusal(422, "serials are below 2^32, and a digest has 32 hexadecimal digits")
        if len(each.difference) > LONGEST or not _TEXT.fullmatch(each.difference):
            raise refusal(422, f"a difference has at most {LONGEST} characters of JSON")
    return [_near(each) for each in wanted]


def _near(version: ZoneVersion) -> ZoneVersion:
    """With its revision as serial, where it asks for one that is too far above."""
    revision = version.revision % SPACE
    return version if (version.serial - revision) % SPACE < AHEAD else replace(version, serial=revision)
