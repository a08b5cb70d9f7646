"""A zone file's records as static records of the database.  Pure: what is taken, and what is refused and why."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

from suite.dns import name, rrtype
from suite.dns.rdata import format_rdata
from suite.dns.zonefile import Reading
from suite.model.changes import Changes
from suite.model.configuration import StaticRecord
from suite.model.event import Action, Actor, Event
from suite.model.reverse import is_reverse, meant_classless
from suite.model.snapshot import Snapshot
from suite.nameserver.losers import said
from suite.nameserver.plan import ZonePlanner, scheme_of
from suite.nameserver.records import Rank, Scheme

_APEX = frozenset({rrtype.SOA, rrtype.NS, rrtype.CNAME, rrtype.DNAME})
"""What the suite itself says at the apex of its zones, or nobody may."""
_CUTS = frozenset({rrtype.NS, rrtype.DNAME})


@dataclass(frozen=True, slots=True)
class Import:
    """What an import comes to: the changes, and the refused lines with their reasons."""

    changes: Changes
    refused: tuple[str, ...] = ()
    known: int = 0
    """Records that were there already."""
    kept: frozenset[StaticRecord] = field(default=frozenset(), repr=False)
    """Everything the file holds and that is not refused."""


def imported(snapshot: Snapshot, reading: Reading, actor: Actor, reason: str = "") -> Import:
    """Add the records of a zone file to those of the database."""
    refused = [f"line {each.line}: {each.text}: {each.reason}" for each in reading.refused]
    taken: dict[StaticRecord, None] = {}
    types, scheme = _types(snapshot), scheme_of(snapshot.configuration)
    holders = _Holders(snapshot, scheme)
    for rrset in reading.rrsets:
        for rdata in rrset.rdatas:
            text = format_rdata(rrset.rtype, rdata)
            record = StaticRecord(name.to_text(rrset.name), rrtype.type_to_text(rrset.rtype), text, rrset.ttl)
            objection = _objection(scheme, record, rrset.name.lower(), rrset.rtype, rdata)
            if record not in snapshot.records:
                objection = objection or _clash(types.setdefault(rrset.name.lower(), set()), rrset.rtype)
                objection = objection or holders.objection(rrset.name.lower(), rrset.rtype)
            if objection:
                refused.append(f"{record.name} {record.ttl} {record.type} {record.value}: {objection}")
            else:
                types.setdefault(rrset.name.lower(), set()).add(rrset.rtype)
                taken[record] = None
    fresh = tuple(record for record in taken if record not in snapshot.records)
    events = tuple(_event(Action.NAME_ADDED, record, actor, reason) for record in fresh)
    return Import(Changes(records=fresh, events=events), tuple(refused), len(taken) - len(fresh), frozenset(taken))


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


def _objection(scheme: Scheme, record: StaticRecord, owner: bytes, rtype: int, rdata: bytes) -> str:
    """Why a record cannot be taken; empty when it can."""
    zone = scheme.around(owner)
    if zone is None:
        return _outside(scheme, record.name)
    if owner == zone and rtype in _APEX:
        return f"the suite makes the {record.type} record of its zones itself" if rtype in {
            rrtype.SOA, rrtype.NS
        } else f"the name of a zone has no {record.type}"  # fmt: skip
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
        hidden = planner.would_hide(origin, owner) if rtype in _CUTS and owner != origin else ""
        return f"it would hide {hidden}" if hidden else ""

    def _planned(self) -> ZonePlanner:
        """The names of the snapshot, looked at when the first record needs it."""
        if self._planner is None:
            self._planner = ZonePlanner()
            self._planner.plan(self._snapshot)
        return self._planner


def _clash(there: set[int], rtype: int) -> str:
    """RFC 1034 section 3.6.2: a name with a CNAME has nothing else."""
    if there - {rtype} and rrtype.CNAME in {rtype, *there}:
        return "a name with a CNAME has no other records"
    if rtype == rrtype.CNAME and there:
        return "a name has one CNAME"
    return ""


def _types(snapshot: Snapshot) -> dict[bytes, set[int]]:
    """Types that static records of the database have already, by folded name."""
    found: dict[bytes, set[int]] = {}
    records: Iterable[StaticRecord] = snapshot.records.keys()
    for record in records:
        found.setdefault(name.from_text(record.name).lower(), set()).add(rrtype.type_from_text(record.type))
    return found


def _event(action: Action, record: StaticRecord, actor: Actor, reason: str) -> Event:
    said = {"name": record.name, "ttl": record.ttl, "type": record.type, "value": record.value}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    before, after = (text, "") if action is Action.NAME_REMOVED else ("", text)
    return Event(action, actor=actor, reason=reason, before=before, after=after)
