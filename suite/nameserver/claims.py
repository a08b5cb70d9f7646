"""Claims: who asks for which name, and with which records.  Pure.

A table that a :class:`plan.ZonePlanner` keeps.  Where a Service has its canonical name and what stands below it to itself,
or the name of its pointer, the claims stand folded, as the zone itself will hold them (``dns.nodes``): the octets alone
tell whose they are.  That is nearly every name of a large zone, and a tenth of the memory.
"""

from collections.abc import Container, Iterator
from typing import Any, TypeAlias

from suite.dns import name, nodes, rrtype
from suite.nameserver.records import Rank, Record

Source: TypeAlias = tuple[str, str, str]
"""Kind (service, host, record, label, zone), then what names it."""
Owner: TypeAlias = tuple[bytes, bytes]
"""Zone and owner name, both folded."""
Claims: TypeAlias = dict[Source, list[Record]]
Touched: TypeAlias = dict[bytes, set[bytes]]
"""Folded owner names by folded zone."""

_STATIC = frozenset({"host", "record"})
_FOLDABLE = frozenset({rrtype.A, rrtype.AAAA, rrtype.PTR})


class ClaimTable:
    """Claims by zone and owner name, both folded in letters."""

    __slots__ = ("_apart", "_below", "_zones")

    def __init__(self) -> None:
        self._zones: dict[bytes, dict[bytes, bytes | Claims]] = {}
        self._apart: dict[Owner, bytes] = {}
        """What stood folded for several names of a Service until somebody else asked for one of them."""
        self._below: set[bytes] = set()
        """Names below which somebody asks for names as those of ports are."""

    def at(self, zone: bytes, owner: bytes) -> Claims:
        """Who asks for a name; not to be changed."""
        here = self._zones.get(zone, _NONE)
        found = here.get(owner)
        if isinstance(found, dict):
            return found
        place = nodes.holder(owner) if found is None else owner
        folded = here.get(place)
        if not isinstance(folded, bytes):
            return {}
        source, records = _unfolded(zone, place, folded)
        mine = [record for record in records if record.owner == owner]
        return {source: mine} if mine else {}

    def of(self, source: Source, zone: bytes, owner: bytes) -> list[Record]:
        """What one source asks for at a name."""
        return self.at(zone, owner).get(source, [])

    def of_plain(self, source: Source, zone: bytes, canonical: bytes) -> list[Record]:
        """What a Service that was put with :meth:`add_folded` asks for at its canonical name and below."""
        folded = self._apart.get((zone, canonical)) or self._zones.get(zone, _NONE).get(canonical)
        if isinstance(folded, bytes):
            return _unfolded(zone, canonical, folded)[1]
        return self.of(source, zone, canonical)

    def owners(self, zone: bytes) -> Iterator[bytes]:
        """All names of a zone that somebody asks for, and those between that stand folded."""
        for owner, here in self._zones.get(zone, _NONE).items():
            yield from nodes.spread(owner, here) if isinstance(here, bytes) else (owner,)

    def folded(self, zone: bytes) -> dict[bytes, bytes]:
        """The names of a zone whose claims stand folded, with their nodes."""
        return {owner: here for owner, here in self._zones.get(zone, _NONE).items() if isinstance(here, bytes)}

    def unfolded(self, zone: bytes) -> list[bytes]:
        """The other names of a zone."""
        return [owner for owner, here in self._zones.get(zone, _NONE).items() if not isinstance(here, bytes)]

    def add(self, source: Source, record: Record) -> None:
        """Let a source ask for a record."""
        owner = record.owner.lower()
        here = self._zones.setdefault(record.zone, {})
        if owner not in here and _is_foldable(source, record):
            here[owner] = nodes.head(record.rtype, record.ttl, leased=True) + record.rdata
            return
        if above := nodes.holder(owner):
            self._below.add(above)
        self._take_apart(record.zone, owner)
        _append(here, source, record)

    def add_folded(self, zone: bytes, owner: bytes, node: bytes) -> None:
        """Let a Service ask for what a folded node holds: at its canonical name and below, or at that of its pointer."""
        if owner not in self._below and self._zones.setdefault(zone, {}).setdefault(owner, node) is node:
            return
        source, records = _unfolded(zone, owner, node)
        for record in records:
            self.add(source, record)
        if len(records) > 1:
            self._apart[zone, owner] = node

    def remove(self, source: Source, zone: bytes, owner: bytes) -> None:
        """Let a source ask for nothing more at a name."""
        self._take_apart(zone, owner)
        if (zone, owner) in self._apart and source == _service_at(owner):
            del self._apart[zone, owner]
        here = self._zones[zone]
        claims = self.at(zone, owner)
        claims.pop(source, None)
        if not claims:
            here.pop(owner, None)

    def _take_apart(self, zone: bytes, owner: bytes) -> None:
        """Let what stands folded at a name, or above it and holds it, stand name by name."""
        here = self._zones[zone]
        for place in (owner, nodes.holder(owner)):
            folded = here.get(place)
            if isinstance(folded, bytes):
                source, records = _unfolded(zone, place, folded)
                del here[place]
                for record in records:
                    _append(here, source, record)
                if len(records) > 1:
                    self._apart[zone, place] = folded

    def differing(self, before: "ClaimTable", served: Container[bytes]) -> Touched:
        """The names with other claims than before; of a zone that is not served yet only its own, for all of it is new."""
        found: Touched = {}
        theirs = before._zones  # noqa: SLF001 - another table
        for zone in self._zones.keys() | theirs.keys():
            if zone not in served:
                found[zone] = {zone}
                continue
            now, then = self._zones.get(zone, _NONE), theirs.get(zone, _NONE)
            owners = {owner for owner, claims in now.items() if then.get(owner) != claims}
            owners.update(owner for owner in then if owner not in now)
            folded = ((owner, here) for owner in owners for here in (now.get(owner), then.get(owner)))
            below = [nodes.spread(owner, here) for owner, here in folded if isinstance(here, bytes)]
            if owners:
                found[zone] = owners.union(*below)
        return found


_NONE: dict[bytes, bytes | Claims] = {}


def winner(claims: Claims) -> Source:
    """The best claim to a name: what stands highest in :class:`Rank`, among equals what was committed first."""
    return min(claims, key=lambda source: (min(map(strength, claims[source])), source))


def strength(record: Record) -> tuple[int, int]:
    """What decides between two claims; the lower one wins."""
    return record.rank, record.since


def holders(claims: Claims) -> list[Source]:
    """Who gets a name: the best claim, and with it at an address that several Services lease each of them with its pointer.

    Static hosts and records are one operator's word and stand beside each other; but an alias is alone (RFC 1034 section 3.6.2).
    """
    best = winner(claims)
    if best[0] in _STATIC:
        return [best, *sorted(source for source in claims if source != best and _is_beside(claims, source, best))]
    if not _is_leased_pointer(claims[best]):
        return [best]
    others = (source for source in claims if source != best and _is_leased_pointer(claims[source]))
    return [best, *sorted(others)]


def _is_beside(claims: Claims, source: Source, best: Source) -> bool:
    """Whether a source has a name together with a static host or record that has it."""
    return source[0] in _STATIC and not any(
        record.rtype == rrtype.CNAME for each in (source, best) for record in claims[each]
    )


def _is_leased_pointer(records: list[Record]) -> bool:
    return any(record.rtype == rrtype.PTR and record.is_leased for record in records)


def _append(here: dict[bytes, Any], source: Source, record: Record) -> None:
    here.setdefault(record.owner.lower(), {}).setdefault(source, []).append(record)


def _service_at(canonical: bytes) -> Source:
    """The Service that a canonical name begins with."""
    first, second, *_ = name.labels(canonical)
    return "service", second.decode(), first.decode()


def _is_foldable(source: Source, record: Record) -> bool:
    """Whether a record can be told from its folded node alone."""
    if record.rtype not in _FOLDABLE or not record.is_leased or record.rank is not Rank.CANONICAL or record.since:
        return False
    own = record.rdata if record.rtype == rrtype.PTR else record.owner
    labels = list(name.labels(own))
    return (
        len(labels) > 1
        and record.owner == record.owner.lower()
        and source[0] == "service"
        and [each.encode() for each in (source[2], source[1])] == labels[:2]
    )


def _unfolded(zone: bytes, owner: bytes, folded: bytes) -> tuple[Source, list[Record]]:
    """Whose the claims are that stand folded at a name, at its own canonical name or its pointer's, and what they ask for."""
    sets = [rrset for node in nodes.spread(owner, folded).values() for rrset in node.rrsets]
    source = _service_at(sets[0].rdatas[0] if sets[0].rtype == rrtype.PTR else owner)
    return source, [Record(zone, each.name, each.rtype, each.ttl, each.rdatas[0], each.leased) for each in sets]
