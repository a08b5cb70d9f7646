"""Asking the database, or the controller that has it, for the serials of what is about to be served (``versions`` says why).

A database that does not answer stops nothing: then the serial is the revision, as where there are no secondaries, and the
version is asked for when the zone changes next.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from suite.dns.feed import ChangeZone, RemoveZone, ReplaceZone, SetHistory, Update
from suite.dns.journal import Difference
from suite.dns.zone import Zone
from suite.model.zone_version import ZoneVersion
from suite.nameserver.plan import ZonePlanner
from suite.nameserver.versions import Served, history_of, version_of, with_serial
from suite.store.errors import StoreError

PATIENCE = 5.0
"""Seconds for which new content waits for its serial."""
AT_ONCE = 64
"""Zones in one transaction: whoever commits waits for it, and a large pool has thousands of reverse zones."""

_log = logging.getLogger(__name__)


class VersionStore(Protocol):
    """The part of the store that is needed here."""

    def number_zones(self, wanted: Sequence[ZoneVersion]) -> list[ZoneVersion]: ...
    def zone_chain(self, origin: str, serial: int) -> list[ZoneVersion]: ...


class _Numbered(NamedTuple):
    """What the database said about one zone."""

    serial: int
    digest: int
    history: tuple[Difference, ...]


class Numbering:
    """The versions of one server; ``store`` gives the database as soon as there is one."""

    def __init__(self, store: Callable[[], VersionStore | None]) -> None:
        self._store = store
        self._served: dict[bytes, Served] = {}

    def forget(self) -> None:
        """Nobody may transfer zones any more: how they change is not followed."""
        self._served.clear()

    async def numbered(self, updates: Sequence[Update], planner: ZonePlanner, revision: int) -> list[Update]:
        """``updates`` under the serials they must be served with; ``planner`` goes on from these too."""
        store = self._store()
        if store is None:
            return list(updates)
        zones = {origin: planner.zones[origin] for update in updates if (origin := _origin(update, planner))}
        mine = [each for each in updates if isinstance(each, ReplaceZone | ChangeZone) and _origin(each, planner)]
        try:
            async with asyncio.timeout(PATIENCE):
                found = await asyncio.to_thread(self._ask, store, mine, zones, revision) if mine else {}
        except (StoreError, TimeoutError) as error:
            why = error if isinstance(error, StoreError) else f"it did not answer for {PATIENCE:g} s"
            _log.warning("zones are served under serials that the database does not know: %s", why)
            for origin in zones:
                self._served.pop(origin, None)
            return list(updates)
        return [each for update in updates for each in self._applied(update, planner, found)]

    def _ask(
        self,
        store: VersionStore,
        updates: Sequence[ReplaceZone | ChangeZone],
        zones: Mapping[bytes, Zone],
        revision: int,
    ) -> dict[bytes, _Numbered]:
        """What the database says about each zone; in a thread, while nobody else plans."""
        pairs = [(update, zones[_name(update)]) for update in updates]
        made = [version_of(update, self._served.get(zone.origin), zone, revision) for update, zone in pairs]
        wanted_all = [version for version, _ in made]
        given = [
            each for at in range(0, len(made), AT_ONCE) for each in store.number_zones(wanted_all[at : at + AT_ONCE])
        ]
        found: dict[bytes, _Numbered] = {}
        for (_, zone), (wanted, digest), version in zip(pairs, made, given, strict=True):
            is_own_step = wanted.old_serial in {version.old_serial, version.serial}
            chain = () if is_own_step else history_of(store.zone_chain(version.origin, version.serial))
            found[zone.origin] = _Numbered(version.serial, digest, chain)
        return found

    def _applied(self, update: Update, planner: ZonePlanner, found: Mapping[bytes, _Numbered]) -> list[Update]:
        """An update as it is told, and what others know of the way there."""
        if isinstance(update, RemoveZone):
            self._served.pop(update.origin.lower(), None)
        number = found.get(_origin(update, planner))
        if number is None or not isinstance(update, ReplaceZone | ChangeZone):
            return [update]
        numbered, zone = with_serial(update, planner.zones[_name(update)], number.serial)
        planner.renumber(zone)
        self._served[zone.origin] = Served(zone, number.digest)
        return [numbered, SetHistory(zone.origin, number.history)] if number.history else [numbered]


def _name(update: ReplaceZone | ChangeZone) -> bytes:
    """The folded name of the zone that an update makes or changes."""
    return update.zone.origin if isinstance(update, ReplaceZone) else update.origin.lower()


def _origin(update: Update, planner: ZonePlanner) -> bytes:
    """The zone that an update makes or changes, if secondaries may follow it; empty otherwise."""
    if not isinstance(update, ReplaceZone | ChangeZone):
        return b""
    origin = _name(update)
    return origin if planner.is_configured(origin) else b""
