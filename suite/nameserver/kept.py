"""Zones as they were served last: what a serial stands for, so that a restart neither repeats nor reuses one.  Pure.

A secondary believes the serial: content that differs under a serial it has seen never reaches it.  Serials are
revisions of the database, and equal revisions make equal zones, until a newer release of this program makes something
else of them.  So a server with secondaries writes down its zones and the latest differences; after a restart equal
content keeps its serial, other content gets a higher one, and the difference between the two is served too.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from suite.dns.journal import Difference, between
from suite.dns.rrset import RRset
from suite.dns.transfer import is_newer
from suite.dns.zone import Zone

FORMAT = 1


class KeptError(ValueError):
    """What was written down cannot be read; it is as if there were nothing."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One zone and the differences that led to it, oldest first."""

    zone: Zone
    differences: tuple[Difference, ...] = ()


def next_serial(serial: int, revision: int) -> int:
    """The serial after ``serial``: the revision, unless that is not above it (RFC 1982)."""
    return revision & 0xFFFFFFFF if is_newer(revision & 0xFFFFFFFF, serial) else (serial + 1) & 0xFFFFFFFF


def resumed(kept: Kept, planned: Zone, revision: int) -> Kept:
    """``planned`` with the serial that follows from what was served before, and the differences up to it."""
    change = between(kept.zone, planned.with_changes((), kept.zone.serial))
    has_other_soa = change.old_soa != change.new_soa
    if not change.removed and not change.added and not has_other_soa:
        return Kept(planned.with_changes((), kept.zone.serial), kept.differences)
    zone = planned.with_changes((), next_serial(kept.zone.serial, revision))
    return Kept(zone, (*kept.differences, between(kept.zone, zone)))


def lines_of(zones: Iterable[Zone], differences: Mapping[bytes, tuple[Difference, ...]]) -> Iterator[str]:
    """A line for each record set and difference, in JSON with octets in hex."""
    count = 0
    for zone in zones:
        yield json.dumps(["zone", zone.origin.hex(), FORMAT])
        for rrset in zone.rrsets():
            yield json.dumps(["set", *_row(rrset)])
        for each in differences.get(zone.origin, ()):
            sets = [[_row(rrset) for rrset in part] for part in (each.removed, each.added)]
            yield json.dumps(["difference", _row(each.old_soa), _row(each.new_soa), *sets])
        count += 1
    yield json.dumps(["end", count])


def read(lines: Iterable[str]) -> dict[bytes, Kept]:
    """The inverse of :func:`lines_of`, by folded origin.

    Raises:
        KeptError: a line is broken, the last one is missing, or it was written in another format.
    """
    found: dict[bytes, tuple[list[RRset], list[Difference]]] = {}
    sets: list[RRset] = []
    differences: list[Difference] = []
    is_whole = False
    try:
        for line in lines:
            kind, *row = json.loads(line)
            if kind == "zone":
                sets, differences = [], []
                found[_octets_of_zone(*row)] = sets, differences
            elif kind == "set":
                sets.append(_rrset(*row))
            elif kind == "difference":
                differences.append(_difference(*row))
            else:
                is_whole = kind == "end" and row == [len(found)]
        zones = {origin: Kept(Zone.build(origin, here), tuple(steps)) for origin, (here, steps) in found.items()}
    except (ValueError, TypeError, IndexError) as error:
        raise KeptError(f"a line is broken: {error}") from None
    if not is_whole:
        raise KeptError("the end is missing")
    return zones


def _octets_of_zone(origin: str, number: int) -> bytes:
    if number != FORMAT:
        raise KeptError(f"format {number} is not known here")
    return bytes.fromhex(origin)


def _row(rrset: RRset) -> list[Any]:
    return [rrset.name.hex(), rrset.rtype, rrset.ttl, [rdata.hex() for rdata in rrset.rdatas], rrset.leased]


def _rrset(owner: str, rtype: int, ttl: int, rdatas: list[str], leased: bool) -> RRset:
    return RRset(bytes.fromhex(owner), rtype, ttl, tuple(map(bytes.fromhex, rdatas)), leased)


def _difference(old_soa: list[Any], new_soa: list[Any], removed: list[Any], added: list[Any]) -> Difference:
    sets = (tuple(_rrset(*row) for row in rows) for rows in (removed, added))
    return Difference(_rrset(*old_soa), _rrset(*new_soa), *sets)
