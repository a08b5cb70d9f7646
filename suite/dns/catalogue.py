"""Zones: all the zones a server answers for, as one immutable value, and whether it may answer at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rpds import HashTrieMap

from suite.dns import rrtype
from suite.dns.name import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from suite.dns.zone import Zone


@dataclass(frozen=True, slots=True)
class Zones:
    """A catalogue of zones by folded origin.

    Until `ready` every question is answered SERVFAIL, never NXDOMAIN: a server that does not know its zones yet must
    not deny names. While `stale` the names that carry leased addresses answer SERVFAIL; all others go on.
    """

    by_origin: HashTrieMap[bytes, Zone] = HashTrieMap()  # noqa: RUF009 - immutable
    ready: bool = False
    stale: bool = False

    @classmethod
    def of(cls, zones: Iterable[Zone], *, ready: bool = True, stale: bool = False) -> Zones:
        """Make a catalogue, ready to answer."""
        return cls(HashTrieMap({zone.origin: zone for zone in zones}), ready, stale)

    def with_zone(self, zone: Zone) -> Zones:
        return replace(self, by_origin=self.by_origin.insert(zone.origin, zone))

    def without(self, origin: bytes) -> Zones:
        return replace(self, by_origin=self.by_origin.discard(origin.lower()))

    def get(self, origin: bytes) -> Zone | None:
        """Return the zone with exactly this folded origin."""
        return self.by_origin.get(origin)

    def find(self, key: bytes, qtype: int = rrtype.A) -> Zone | None:
        """Return the zone a folded name lies in: the longest origin wins; a DS stands in the parent (RFC 4035 3.1.4.1)."""
        found = self._nearest(key)
        if qtype == rrtype.DS and found is not None and found.origin == key and key != ROOT:
            return self._nearest(key[1 + key[0] :]) or found
        return found

    def _nearest(self, key: bytes) -> Zone | None:
        by_origin = self.by_origin
        while (zone := by_origin.get(key)) is None:
            if key == ROOT:
                return None
            key = key[1 + key[0] :]
        return zone
