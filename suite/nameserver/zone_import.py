"""A zone file's records as static records of the database.  Pure: what is taken, and what is refused and why."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import NamedTuple, TypeAlias

from suite.dns import name, rrtype
from suite.dns.coexistence import CUTS, Coexistence
from suite.dns.rdata import format_rdata
from suite.dns.rrset import RRset
from suite.dns.zonefile import Reading
from suite.model.changes import Changes
from suite.model.configuration import StaticRecord
from suite.model.event import Action, Actor, Event
from suite.model.reverse import is_reverse, meant_classless
from suite.model.snapshot import Snapshot
from suite.nameserver.losers import said
from suite.nameserver.plan import ZonePlanner, scheme_of
from suite.nameserver.records import Rank, Scheme, wanted_by_host, wanted_by_record

_APEX = frozenset({rrtype.SOA, rrtype.NS, rrtype.CNAME, rrtype.DNAME})
"""What the suite itself says at the apex of its zones, or nobody may."""
Key: TypeAlias = tuple[bytes, int, bytes]
"""Folded name, type and data."""


@dataclass(frozen=True, slots=True)
class Import:
    """What an import comes to: the changes, and the refused lines with their reasons."""

    changes: Changes
    refused: tuple[str, ...] = ()
    known: int = 0
    """Records that were there already."""
    renewed: int = 0
    """Records that were there with another TTL."""
    kept: frozenset[StaticRecord] = field(default=frozenset(), repr=False)
    """Everything the file holds and that is not refused."""


def imported(snapshot: Snapshot, reading: Reading, actor: Actor, reason: str = "") -> Import:
    """Add the records of a zone file to those of the database; a set that is there already takes the TTL of the file."""
    scheme = scheme_of(snapshot.configuration)
    holders, static = _Holders(snapshot, scheme), _Static(snapshot, scheme)
    refused = [(each.line, f"{each.text}: {each.reason}") for each in reading.refused]
    rows = [_Row(rrset, rdata) for rrset in reading.rrsets for rdata in rrset.rdatas]
    for row in rows:
        static.beside.expect(row.owner, row.rtype, row.rdata)
    taken: set[Key] = set()
    for row in sorted(rows, key=lambda row: row.rtype not in CUTS):
        objection = _objection(scheme, row)
        if row.key not in static.rows:
            objection = objection or static.objection(row) or holders.objection(row.owner, row.rtype)
        if objection:
            refused.append((reading.lines.get(row.key, 0), f"{_text(row.record)}: {objection}"))
        else:
            static.take(row)
            taken.add(row.key)
    kept = tuple(row for row in rows if row.key in taken)
    told = tuple(f"line {line}: {text}" for line, text in sorted(refused))
    return Import(
        _changes(kept, static, actor, reason), told, *_known(kept, static), frozenset(row.record for row in kept)
    )


class _Row(NamedTuple):
    """One record of the file."""

    rrset: RRset
    rdata: bytes

    @property
    def owner(self) -> bytes:
        return self.rrset.name.lower()

    @property
    def rtype(self) -> int:
        return self.rrset.rtype

    @property
    def key(self) -> Key:
        return self.owner, self.rtype, self.rdata

    @property
    def record(self) -> StaticRecord:
        rrset, text = self.rrset, format_rdata(self.rtype, self.rdata)
        return StaticRecord(name.to_text(rrset.name), rrtype.type_to_text(rrset.rtype), text, rrset.ttl)


class _Static:
    """The static names that there are: rows of the database, and what the configuration says."""

    def __init__(self, snapshot: Snapshot, scheme: Scheme) -> None:
        self._scheme = scheme
        self.rows: dict[Key, list[StaticRecord]] = {}
        self._sets: dict[tuple[bytes, int], list[StaticRecord]] = {}
        self.beside = Coexistence()
        for record in snapshot.records.keys():  # noqa: SIM118 - a persistent map
            for each in wanted_by_record(record, scheme).records:
                self.rows.setdefault((each.owner.lower(), each.rtype, each.rdata), []).append(record)
                self._sets.setdefault((each.owner.lower(), each.rtype), []).append(record)
        for key in self.rows:
            self._add(*key)
        for written in scheme.configuration.dns.records:
            for each in wanted_by_record(written, scheme).records:
                self._add(each.owner.lower(), each.rtype, each.rdata, "dns.records of the configuration")
        for host in scheme.configuration.dns.hosts:
            for each in wanted_by_host(host, snapshot, scheme).records:
                self._add(each.owner.lower(), each.rtype, each.rdata, f"static host {host.name}")

    def objection(self, row: _Row) -> str:
        """Why a record cannot stand beside the others; empty when it can."""
        return self.beside.objection(*row.key)

    def take(self, row: _Row) -> None:
        """Let a record of the file stand."""
        if row.key not in self.rows:
            self._add(*row.key)

    def outdated(self, row: _Row) -> list[StaticRecord]:
        """The rows of a set that have another TTL than the file gives it (RFC 2181 section 5.2: a set has one)."""
        return [record for record in self._sets.get(row.key[:2], ()) if record.ttl != row.rrset.ttl]

    def _add(self, owner: bytes, rtype: int, rdata: bytes, who: str = "") -> None:
        self.beside.add(owner, rtype, rdata, who, is_apex=self._scheme.around(owner) == owner)


def _changes(kept: Iterable[_Row], static: _Static, actor: Actor, reason: str) -> Changes:
    """What is new, and the rows that another TTL replaces."""
    first = {row.key[:2]: row for row in reversed(tuple(kept))}
    older = {record: row.rrset.ttl for row in first.values() for record in static.outdated(row)}
    renewed = {record: replace(record, ttl=ttl) for record, ttl in older.items()}
    fresh = tuple(row.record for row in kept if row.key not in static.rows)
    events = [_event(Action.NAME_ADDED, record, actor, reason) for record in fresh]
    events += [_event(Action.NAME_ADDED, new, actor, reason, old) for old, new in renewed.items()]
    records = tuple(dict.fromkeys((*fresh, *renewed.values())))
    return Changes(records=records, records_gone=tuple(renewed), events=tuple(events))


def _known(kept: Iterable[_Row], static: _Static) -> tuple[int, int]:
    """How many records were there already just so, and how many with another TTL."""
    there = [row for row in kept if row.key in static.rows]
    same = sum(any(record.ttl == row.rrset.ttl for record in static.rows[row.key]) for row in there)
    return same, len(there) - same


def removed(snapshot: Snapshot, owner: bytes, rtype: int | None, actor: Actor, reason: str = "") -> Changes:
    """Take a name's static records out of the database, only those of ``rtype`` when given."""
    gone = tuple(
        record
        for record in snapshot.records.keys()  # noqa: SIM118 - a persistent map
        if name.from_text(record.name).lower() == owner.lower() and rtype in {None, rrtype.type_from_text(record.type)}
    )
    return Changes(
        records_gone=gone, events=tuple(_event(Action.NAME_REMOVED, record, actor, reason) for record in gone)
    )


def _objection(scheme: Scheme, row: _Row) -> str:
    """Why a record cannot be taken whatever else there is; empty when it can."""
    (owner, rtype, rdata), kind = row.key, rrtype.type_to_text(row.rtype)
    zone = scheme.around(owner)
    if zone is None:
        return _outside(scheme, name.to_text(row.rrset.name))
    if owner == zone and rtype in _APEX:
        return f"the suite makes the {kind} record of its zones itself" if rtype in {
            rrtype.SOA, rrtype.NS
        } else f"the name of a zone has no {kind}"  # fmt: skip
    if rtype == rrtype.SOA:
        return "a SOA record stands at the name of a zone only"
    if rtype in {rrtype.A, rrtype.AAAA}:
        pool = scheme.configuration.pool_of(ip_address(rdata))
        if pool is not None and ip_address(rdata) in pool:
            return f"the address belongs to pool {pool.name} and may be leased to anybody; name the Service instead"
    return ""


def _outside(scheme: Scheme, text: str) -> str:
    """Why a name of none of our zones is not taken, and what was meant."""
    if not is_reverse(text):
        return "its name lies in none of dns.zones"
    if not scheme.configuration.dns.reverse:
        return "its name lies in none of dns.zones, and those of the pools in reverse are not served (dns.reverse)"
    meant = meant_classless(text, scheme.configuration.pools)
    return f"its name lies in none of dns.zones and in the reverse zone of no pool{meant and '; '}{meant}"


class _Holders:
    """Who has names already that a static record would not get, or would hide."""

    def __init__(self, snapshot: Snapshot, scheme: Scheme) -> None:
        self._snapshot = snapshot
        self._scheme = scheme
        self._planner: ZonePlanner | None = None

    def objection(self, owner: bytes, rtype: int) -> str:
        """Why somebody else's name is in the way; empty when none is."""
        origin = self._scheme.around(owner)
        if origin is None:
            return ""
        planner = self._planned()
        before = (source for source, record in planner.claims_on(origin, owner) if record.rank < Rank.CONFIGURED)
        holder = next((source for source in before if owner != origin or source[0] != "zone"), None)
        if holder is not None:
            return f"the name belongs to {said(holder)}"
        hidden = planner.would_hide(origin, owner) if rtype in CUTS and owner != origin else ""
        return f"it would hide {hidden}" if hidden else ""

    def _planned(self) -> ZonePlanner:
        """The names of the snapshot, looked at when the first record needs it."""
        if self._planner is None:
            self._planner = ZonePlanner()
            self._planner.plan(self._snapshot)
        return self._planner


def _text(record: StaticRecord) -> str:
    return f"{record.name} {record.ttl} {record.type} {record.value}"


def _event(
    action: Action, record: StaticRecord, actor: Actor, reason: str, replaced: StaticRecord | None = None
) -> Event:
    before = _document(record if action is Action.NAME_REMOVED else replaced)
    after = _document(None if action is Action.NAME_REMOVED else record)
    return Event(action, actor=actor, reason=reason, before=before, after=after)


def _document(record: StaticRecord | None) -> str:
    if record is None:
        return ""
    said = {"name": record.name, "ttl": record.ttl, "type": record.type, "value": record.value}
    return json.dumps(said, sort_keys=True, separators=(",", ":"))
