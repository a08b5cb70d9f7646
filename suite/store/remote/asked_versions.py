"""The serials of zones on a machine that follows a controller: asked of the controller, kept on the disk for when it is away.

A follower may see two commits as one step where another sees two.  So whoever makes new content of a zone first has its
serial from the controller's database (``store.zone_versions``), and the others serve the same content under the same one;
with it goes the difference, for those that did not make that step.  What was given is kept (``kept_versions``), so a
restart while the controller is away serves what it served, under the serials it had.  Content that is new then (a newer
release, say) is numbered from the disk alone, and asked for when the zone changes next.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from http import HTTPMethod
from typing import Any
from urllib.parse import urlencode

from suite.model.zone_version import LONGEST, ROOM, SPACE, ZoneVersion
from suite.store import rows
from suite.store.errors import Unavailable
from suite.store.remote.client import Client, Remote, Unreachable
from suite.store.remote.kept_versions import KeptVersions

PATH = "/v1/zone-versions"
PATIENCE = 3.0
"""Seconds that an answer may take: new content waits for it."""

_log = logging.getLogger(__name__)


class AskedVersions:
    """The versions of the zones of one follower; for any thread.

    ``is_heard`` tells whether the controller answers at all: while it does not, nothing waits for it.
    """

    def __init__(self, remote: Remote, kept: KeptVersions, is_heard: Callable[[], bool]) -> None:
        self._client = Client(remote)
        self._kept = kept
        self._is_heard = is_heard
        self._busy = threading.Lock()

    def number_zones(self, wanted: Sequence[ZoneVersion]) -> list[ZoneVersion]:
        """Each version with the serial it must be served under.

        Raises:
            Unavailable: neither the controller nor the disk took them.
        """
        sent = [replace(each, difference=each.difference if len(each.difference) <= LONGEST else "") for each in wanted]
        given: list[ZoneVersion] = []
        if self._is_heard():
            try:
                for batch in _batches(sent):
                    document = {"wanted": [asdict(each) for each in batch]}
                    given += _matching(batch, self._asked(HTTPMethod.POST, PATH, document))
            except Unreachable as error:
                _log.warning("zones are numbered by this machine alone: %s", error)
        given += self._kept.number_zones(wanted[len(given) :]) if len(given) < len(wanted) else []
        self._keep(sent, given)
        return given

    def zone_chain(self, origin: str, serial: int) -> list[ZoneVersion]:
        """The versions that lead to a serial step by step, oldest first, as far as they are known."""
        if self._is_heard():
            try:
                found = self._asked(HTTPMethod.GET, f"{PATH}?{urlencode({'origin': origin, 'serial': serial})}", None)
            except Unreachable as error:
                _log.debug("the versions of %s before are not known: %s", origin, error)
            else:
                return found
        return self._kept.zone_chain(origin, serial)

    def close(self) -> None:
        """Ask for nothing more."""
        self._client.interrupt()

    def _asked(self, method: str, target: str, document: object) -> list[ZoneVersion]:
        """The versions of an answer; one after the other."""
        if not self._busy.acquire(timeout=PATIENCE):
            raise Unreachable("it still owes an answer")
        try:
            answer = self._client.told(method, target, document, PATIENCE)
        finally:
            self._busy.release()
        try:
            versions = answer["versions"] if isinstance(answer, dict) else None
            found: list[ZoneVersion] = rows.adapter(list[ZoneVersion]).validate_python(versions)
        except (KeyError, ValueError) as error:
            raise Unreachable("its answer is no list of versions of zones") from error
        return found

    def _keep(self, sent: Iterable[ZoneVersion], given: Iterable[ZoneVersion]) -> None:
        """For the time when the controller is away; the step is the one that was made here."""
        pairs = zip(sent, given, strict=True)
        told = [replace(mine, serial=each.serial) for mine, each in pairs if each.serial != mine.old_serial]
        try:
            self._kept.learn(told)
        except Unavailable as error:
            _log.warning("the serials of zones are not kept: %s", error)


def _batches(wanted: Sequence[ZoneVersion]) -> Iterator[list[ZoneVersion]]:
    """As many as may travel together."""
    batch: list[ZoneVersion] = []
    room = ROOM
    for each in wanted:
        if batch and room < len(each.difference):
            yield batch
            batch, room = [], ROOM
        batch.append(each)
        room -= len(each.difference)
    if batch:
        yield batch


def _matching(wanted: Sequence[ZoneVersion], given: list[ZoneVersion]) -> list[ZoneVersion]:
    """What was given, if it answers what was asked."""

    def content(version: ZoneVersion) -> Any:
        return version.origin, version.digest

    if list(map(content, wanted)) != list(map(content, given)) or not all(0 <= each.serial < SPACE for each in given):
        raise Unreachable("it answered something else than it was asked")
    if any(
        map(_goes_back, wanted, given)
    ):  # a database that was restored or begun anew knows less than the secondaries
        raise Unreachable("its serials are behind those that are served")
    return given


def _goes_back(wanted: ZoneVersion, given: ZoneVersion) -> bool:
    """Whether the serial would come before the one that is served now (RFC 1982 section 3.2)."""
    return wanted.old_serial is not None and (given.serial - wanted.old_serial) % SPACE >= SPACE // 2
