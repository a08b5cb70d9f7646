"""Journal: the latest differences of each zone, for IXFR (RFC 1995). Immutable; what grows too long is forgotten.

A difference is what changed between two served versions, by record sets: those that went and those that came.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rpds import HashTrieMap

from suite.dns import rrtype
from suite.dns.rrset import RRset, soa_serial

if TYPE_CHECKING:
    from collections.abc import Iterable

    from suite.dns.zone import Zone

KEPT = 1_000
"""Differences kept for each zone; a secondary further behind gets the whole zone."""
SETS = 2 * KEPT
"""Record sets that these may hold in any case: each changes one set at least, which is there as it was and as it is."""


@dataclass(frozen=True, slots=True)
class Difference:
    """From one serial to the next: record sets as they were and as they are, the SOA apart."""

    old_soa: RRset
    new_soa: RRset
    removed: tuple[RRset, ...]
    added: tuple[RRset, ...]

    @property
    def sets(self) -> int:
        """How many record sets it holds."""
        return len(self.removed) + len(self.added)

    @property
    def old_serial(self) -> int:
        return soa_serial(self.old_soa.rdatas[0])

    @property
    def new_serial(self) -> int:
        return soa_serial(self.new_soa.rdatas[0])


def difference(old: Zone, new: Zone, changed: Iterable[tuple[bytes, int]]) -> Difference:
    """Compare two versions of a zone at the folded names and types that a change named."""
    removed: list[RRset] = []
    added: list[RRset] = []
    for key, rtype in dict.fromkeys(changed):
        before, after = _at(old, key, rtype), _at(new, key, rtype)
        if before != after and rtype != rrtype.SOA:
            removed += _only(before, after)
            added += _only(after, before)
    return Difference(old.soa, new.soa, tuple(removed), tuple(added))


def between(old: Zone, new: Zone) -> Difference:
    """Compare two whole versions of a zone, as after a restart."""
    names = ((rrset.name.lower(), rrset.rtype) for zone in (old, new) for rrset in zone.rrsets())
    return difference(old, new, names)


def changes(old: Zone, new: Zone) -> tuple[RRset, ...]:
    """Give the record sets that turn the old version into the new one, empty ones for those that went."""
    gone = (rrset for rrset in old.rrsets() if _at(new, rrset.name.lower(), rrset.rtype) is None)
    come = (rrset for rrset in new.rrsets() if _at(old, rrset.name.lower(), rrset.rtype) != rrset)
    return (*(RRset(rrset.name, rrset.rtype, 0, ()) for rrset in gone), *come)


def _at(zone: Zone, key: bytes, rtype: int) -> RRset | None:
    node = zone.get(key)
    return None if node is None else node.get(rtype)


def _only(here: RRset | None, there: RRset | None) -> list[RRset]:
    """Records that stand here and not there; all of them when the TTL or the owner's case differs."""
    if here is None:
        return []
    if there is None or (there.ttl, there.name) != (here.ttl, here.name):
        return [here]
    left = tuple(rdata for rdata in here.rdatas if rdata not in there.rdatas)
    return [RRset(here.name, here.rtype, here.ttl, left)] if left else []


@dataclass(frozen=True, slots=True)
class Journal:
    """Differences by folded origin, oldest first, and how many record sets they hold together."""

    by_origin: HashTrieMap[bytes, tuple[Difference, ...]] = HashTrieMap()  # noqa: RUF009 - immutable
    sets: HashTrieMap[bytes, int] = HashTrieMap()  # noqa: RUF009 - immutable

    def with_difference(self, origin: bytes, entry: Difference, most: int = 0) -> Journal:
        """Append one; a gap in the serials drops what came before it.

        The oldest go while all hold more than `most` record sets (as its zone has names: copying it is cheaper then, RFC 1995
        section 5), or more than `SETS` where that is more.
        """
        old, held = self.by_origin.get(origin, ()), self.sets.get(origin, 0) + entry.sets
        if old and old[-1].new_serial != entry.old_serial:
            old, held = (), entry.sets
        entries, first = (*old, entry), 0
        while first < len(entries) and (len(entries) - first > KEPT or held > max(most, SETS)):
            held -= entries[first].sets
            first += 1
        return Journal(self.by_origin.insert(origin, entries[first:]), self.sets.insert(origin, held))

    def without(self, origin: bytes) -> Journal:
        return Journal(self.by_origin.discard(origin), self.sets.discard(origin))

    def since(self, origin: bytes, have: int, now: int) -> tuple[Difference, ...] | None:
        """Return the differences that lead from one serial to another; None when they are not all here."""
        entries = self.by_origin.get(origin, ())
        if not entries or entries[-1].new_serial != now:
            return None
        for index, entry in enumerate(entries):
            if entry.old_serial == have:
                return entries[index:]
        return None
