"""Records as people read them, in the canonical order of names (RFC 4034 section 6.1), whole or a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from suite.dns.name import canonical_key, to_text
from suite.dns.presentation import rdata_text
from suite.dns.rrtype import type_to_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from suite.dns.zone import Zone


@dataclass(frozen=True, slots=True)
class Record:
    """One record in presentation form."""

    zone: str
    name: str
    ttl: int
    type: str
    data: str


def records(zone: Zone, owners: Iterable[bytes] | None = None) -> Iterator[Record]:
    """The records of a zone, or of these folded names of it."""
    for owner in sorted(zone.nodes.keys(), key=canonical_key) if owners is None else owners:
        node = zone.nodes.get(owner)
        for rrset in node.rrsets if node is not None else ():
            for rdata in rrset.rdatas:
                data = rdata_text(rrset.rtype, rdata)
                yield Record(to_text(zone.origin), to_text(rrset.name), rrset.ttl, type_to_text(rrset.rtype), data)


def page(
    zones: Iterable[Zone], limit: int, *, name: bytes = b"", after: bytes = b"", rtype: str = ""
) -> tuple[list[Record], bytes | None]:
    """The first ``limit`` records or more, so that no name is cut apart, and the name to go on behind (None at the end).

    Names are folded.  One that stands in several zones (at a delegation, as a zone of one label) is told of each, together.
    """
    found: list[Record] = []
    told = after
    for owner, places in _named(zones, name) if name else _behind(zones, after):
        if len(found) >= limit:
            return found, told
        found += [each for zone in places for each in records(zone, [owner]) if rtype in {"", each.type}]
        told = owner
    return found, None


def _named(zones: Iterable[Zone], name: bytes) -> Iterator[tuple[bytes, list[Zone]]]:
    yield name, list(zones)


def _behind(zones: Iterable[Zone], after: bytes) -> Iterator[tuple[bytes, list[Zone]]]:
    """Every name behind ``after`` with the zones that hold it, in order."""
    start = canonical_key(after) if after else ()
    names = [(canonical_key(owner), owner, zone) for zone in zones for owner in zone.nodes.keys()]  # noqa: SIM118 - not a dict
    ordered = sorted((each for each in names if each[0] > start), key=lambda each: (each[0], each[2].origin))
    for _, group in groupby(ordered, key=itemgetter(0)):
        same = list(group)
        yield same[0][1], [zone for *_, zone in same]
