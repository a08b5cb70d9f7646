"""Claims: who asks for which name, and with which records.  Pure.

A table that a :class:`plan.ZonePlanner` keeps.  Where a Service has a name to itself and asks there for one record (the
address at its canonical name, the pointer back), the claim stands folded, as the zone itself will hold it (``dns.nodes``):
the octets alone tell whose it is.  That is nearly every name of a large zone, and a tenth of the memory.
"""

from collections.abc import Container, KeysView
from typing import TypeAlias

from suite.dns import name, nodes, rrtype
from suite.nameserver.records import Rank, Record

Source: TypeAlias = tuple[str, str, str]
"""Kind (service, host, record, label, zone), then what names it."""
Owner: TypeAlias = tuple[bytes, bytes]
"""Zone and owner name, both folded."""
Claims: TypeAlias = dict[Source, list[Record]]
Touched: TypeAlias = dict[bytes, set[bytes]]
"""Folded owner names by folded zone."""

_FOLDABLE = frozenset({rrtype.A, rrtype.AAAA, rrtype.PTR})


class ClaimTable:
    """Claims by zone and owner name, both folded in letters."""

    __slots__ = ("_zones",)

    def __init__(self) -> None:
        self._zones: dict[bytes, dict[bytes, bytes | Claims]] = {}

    def at(self, zone: bytes, owner: bytes) -> Claims:
        """Who asks for a name; not to be changed."""
        found = self._zones.get(zone, _NONE).get(owner)
        if isinstance(found, bytes):
            record = _unfolded(zone, owner, found)
            return {source_of(record): [record]}
        return found or {}

    def of(self, source: Source, zone: bytes, owner: bytes) -> list[Record]:
        """What one source asks for at a name."""
        return self.at(zone, owner).get(source, [])

    def sole(self, zone: bytes, owner: bytes) -> bytes | None:
        """The node at a name that one Service has to itself, where the claim stands folded."""
        found = self._zones.get(zone, _NONE).get(owner)
        return found if isinstance(found, bytes) else None

    def owners(self, zone: bytes) -> KeysView[bytes]:
        """All names of a zone that somebody asks for."""
        return self._zones.get(zone, _NONE).keys()

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
        found = here.get(owner)
        if found is None and _is_foldable(source, record):
            here[owner] = nodes.head(record.rtype, record.ttl, leased=True) + record.rdata
            return
        if not isinstance(found, dict):
            found = here[owner] = self.at(record.zone, owner)
        found.setdefault(source, []).append(record)

    def add_folded(self, zone: bytes, owner: bytes, node: bytes) -> None:
        """Let a Service ask for the one record of a folded node at its own name, or that of its pointer."""
        if self._zones.setdefault(zone, {}).setdefault(owner, node) is not node:
            record = _unfolded(zone, owner, node)
            self.add(source_of(record), record)

    def remove(self, source: Source, zone: bytes, owner: bytes) -> None:
        """Let a source ask for nothing more at a name."""
        here = self._zones[zone]
        claims = self.at(zone, owner)
        claims.pop(source, None)
        if not claims:
            here.pop(owner, None)
        else:
            here[owner] = claims

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
            if owners:
                found[zone] = owners
        return found


_NONE: dict[bytes, bytes | Claims] = {}


def winner(claims: Claims) -> Source:
    """The best claim to a name: what stands highest in :class:`Rank`, among equals what was committed first."""
    return min(claims, key=lambda source: (min(map(strength, claims[source])), source))


def strength(record: Record) -> tuple[int, int]:
    """What decides between two claims; the lower one wins."""
    return record.rank, record.since


def holders(claims: Claims) -> list[Source]:
    """Who gets a name: the best claim, and at an address that several Services lease each of them with its pointer."""
    best = winner(claims)
    if not _is_leased_pointer(claims[best]):
        return [best]
    others = (source for source in claims if source != best and _is_leased_pointer(claims[source]))
    return [best, *sorted(others)]


def _is_leased_pointer(records: list[Record]) -> bool:
    return any(record.rtype == rrtype.PTR and record.is_leased for record in records)


def source_of(record: Record) -> Source:
    """Whose folded claim a record is: its owner, or what it points to, begins with the Service's name and namespace."""
    first, second, *_ = name.labels(record.rdata if record.rtype == rrtype.PTR else record.owner)
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


def _unfolded(zone: bytes, owner: bytes, node: bytes) -> Record:
    (rrset,) = nodes.unfold(owner, node).rrsets
    return Record(zone, owner, rrset.rtype, rrset.ttl, rrset.rdatas[0], rrset.leased)
