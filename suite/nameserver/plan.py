"""From snapshots to zones: who gets which name, and what that changes.  Pure.

Everybody who asks for records is a *source*: a Service, a static host, a static record, a zone itself.  For each owner
name the best claim wins (its rank, then the revision it was committed with, then the source's name), and the loser is
told who holds the name; only reverse names are shared.  The plan keeps what every source asked for, so one changed Service costs one changed Service;
:meth:`ZonePlanner.plan` without ``touched`` looks at all of them and comes to the same (a property test proves it).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from suite.dns import name, rrtype
from suite.dns.feed import ChangeZone, RemoveZone, ReplaceZone, SetState, Update
from suite.dns.rrset import RRset, soa_with_serial
from suite.dns.zone import Zone, ZoneError
from suite.model.configuration import Configuration
from suite.model.refusal import Reason, Refusal
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot
from suite.nameserver.apex import apex_of
from suite.nameserver.records import (
    Record,
    Scheme,
    Wanted,
    is_published,
    single_aliases,
    single_labels,
    wanted_by_host,
    wanted_by_label,
    wanted_by_record,
    wanted_by_service,
)
from suite.nameserver.reverse import ReverseZones
from suite.nameserver.versions import next_serial

Source = tuple[str, str, str]
"""Kind (service, host, record, label, zone), then what names it."""
Owner = tuple[bytes, bytes]
"""Zone and owner name, both folded."""

_NOTHING = Wanted()
NEVER_GRANTED = frozenset({"wpad", "isatap", "localhost"})
"""Names that make clients do something by themselves; only the configuration may publish them."""
_CUTS = frozenset({rrtype.NS, rrtype.DNAME})
_APEX = frozenset({rrtype.SOA, rrtype.NS, rrtype.CNAME})
"""What only the zone itself may say at its apex, or nobody."""


@dataclass(frozen=True, slots=True)
class ZonePlan:
    """What to tell the server."""

    updates: tuple[Update, ...]
    refused: dict[ServiceRef, tuple[Refusal, ...]]
    """Services some of whose names belong to others now; replaced as a whole each time."""


class ZonePlanner:
    """The zones of a series of snapshots."""

    def __init__(self) -> None:
        self._snapshot = Snapshot()
        self._scheme = scheme_of(Configuration())
        self._wanted: dict[Source, Wanted] = {}
        self._claims: dict[Owner, dict[Source, list[Record]]] = {}
        self._zones: dict[bytes, Zone] = {}
        self._notes: dict[Owner, str] = {}
        self._lost: dict[Owner, tuple[tuple[Source, Source], ...]] = {}
        self._labels: dict[str, set[Source]] = {}
        """Names of one label, and the sources that lead somewhere under them."""
        # What follows repeats the above by another key, so that one change never costs a walk over everything.
        self._owners: dict[bytes, set[bytes]] = {}
        self._labels_of: dict[Source, set[str]] = {}
        self._labels_touched: set[str] = set()
        self._cut_owners: dict[Source, set[Owner]] = {}
        self._own_refusals: dict[ServiceRef, tuple[Refusal, ...]] = {}

    @property
    def zones(self) -> dict[bytes, Zone]:
        """The zones as last planned, by folded origin."""
        return self._zones

    @property
    def snapshot(self) -> Snapshot:
        """What was planned last."""
        return self._snapshot

    def plan(self, snapshot: Snapshot, touched: Iterable[ServiceRef] | None = None) -> ZonePlan:
        """What ``snapshot`` changes; ``touched`` names the Services that differ from the last one, None for any."""
        is_anew = (
            snapshot.configuration is not self._snapshot.configuration or snapshot.records is not self._snapshot.records
        )
        is_anew = is_anew or snapshot.epoch != self._snapshot.epoch
        self._snapshot = snapshot
        if is_anew:
            self._scheme = scheme_of(snapshot.configuration)
            touched = None
        refs = None if touched is None else set(touched)
        sources = self._everything() if refs is None else self._of(refs)
        touched_owners: set[Owner] = set()
        for source, wanted in sources.items():
            touched_owners |= self._put(source, wanted)
        if refs is None:
            for source in [each for each in self._wanted if each not in sources and each[0] != "label"]:
                touched_owners |= self._put(source, Wanted())
        if refs is None:
            self._labels_touched |= {source[1] for source in self._wanted if source[0] == "label"}
        for source, wanted in self._label_zones(touched_owners).items():
            touched_owners |= self._put(source, wanted)
        updates = self._compile(touched_owners)
        return ZonePlan((*updates, SetState(ready=snapshot.is_complete, stale=False)), self._refusals())

    def _everything(self) -> dict[Source, Wanted]:
        """What every source asks for now."""
        configuration, scheme = self._snapshot.configuration, self._scheme
        sources: dict[Source, Wanted] = {}
        for ref, service in self._snapshot.services.items():
            if is_published(service):
                sources[_service(ref)] = wanted_by_service(service, self._snapshot, scheme)
        for host in configuration.dns.hosts:
            sources["host", host.name, ""] = wanted_by_host(host, self._snapshot, scheme)
        for record in (*configuration.dns.records, *self._snapshot.records.keys()):
            source = ("record", record.name.lower().rstrip("."), "")
            sources[source] = _joined(sources.get(source), wanted_by_record(record, scheme))
        served = (*scheme.zones, *(zone.origin for zone in scheme.reverse.zones if configuration.dns.reverse))
        for origin in served:
            sources["zone", name.to_text(origin), ""] = apex_of(origin, self._snapshot)
        self._find_labels()
        return sources

    def _of(self, refs: set[ServiceRef]) -> dict[Source, Wanted]:
        """What the sources that depend on these Services ask for now."""
        sources: dict[Source, Wanted] = {}
        snapshot, scheme = self._snapshot, self._scheme
        for ref in refs:
            service = snapshot.services.get(ref)
            source = _service(ref)
            sources[source] = wanted_by_service(service, snapshot, scheme) if service else Wanted()
            self._relabel(source, single_labels(service) if service and is_published(service) else [])
        for host in snapshot.configuration.dns.hosts:
            if host.service in refs:
                sources["host", host.name, ""] = wanted_by_host(host, snapshot, scheme)
        return sources

    def _find_labels(self) -> None:
        """Look at everybody's names of one label anew."""
        gone = set(self._labels_of)
        for ref, service in self._snapshot.services.items():
            if (service.hostnames or service.routed) and is_published(service):
                self._relabel(_service(ref), single_labels(service))
                gone.discard(_service(ref))
        for host in self._snapshot.configuration.dns.hosts:
            self._relabel(("host", host.name, ""), single_aliases(host, self._scheme))
            gone.discard(("host", host.name, ""))
        for source in gone:
            self._relabel(source, [])
        self._labels_touched = set(self._labels)

    def _relabel(self, source: Source, texts: list[str]) -> None:
        wanted = {_label(text) for text in texts if _may_be_zone(_label(text), self._scheme)}
        before = self._labels_of.pop(source, set())
        self._labels_touched |= before | wanted
        for label in before - wanted:
            self._labels[label].discard(source)
        for label in wanted:
            self._labels.setdefault(label, set()).add(source)
        if wanted:
            self._labels_of[source] = wanted

    def _label_zones(self, touched: set[Owner]) -> dict[Source, Wanted]:
        """Zones of one name that may have changed: each says what its name says inside the other zones."""
        looked_at = set(self._labels_touched)
        if self._labels:
            looked_at |= {label for owner in touched if (label := self._label_at(owner))}
        self._labels_touched = set()
        sources: dict[Source, Wanted] = {}
        for label in looked_at:
            if not self._labels.get(label):
                self._labels.pop(label, None)
                sources["label", label, ""] = Wanted()
                continue
            inside = [(origin, _label_zone(label)[:-1] + origin) for origin in self._scheme.zones]
            claims = [self._claims[owner] for owner in inside if owner in self._claims]
            records = [record for each in claims for record in each[_winner(each)]]
            apex = apex_of(_label_zone(label), self._snapshot)
            sources["label", label, ""] = _joined(apex, wanted_by_label(label.encode(), records))
        return sources

    def _label_at(self, owner: Owner) -> str:
        """The label of a name directly below its zone; empty where that is no name of one label here."""
        first = owner[1][1 : 1 + owner[1][0]]
        if len(owner[1]) != 1 + len(first) + len(owner[0]):
            return ""
        label = first.decode(errors="replace")
        return label if label in self._labels else ""

    def _put(self, source: Source, wanted: Wanted) -> set[Owner]:
        """Note what a source asks for from now on; the owners whose records may change by it."""
        before = self._wanted.get(source, _NOTHING)
        if before == wanted:
            return set()
        owners: set[Owner] = set()
        for record in before.records:
            owner = (record.zone, record.owner.lower())
            if owner not in owners:
                owners.add(owner)
                claims = self._claims[owner]
                del claims[source]
                if not claims:
                    del self._claims[owner]
                    self._owners[owner[0]].discard(owner[1])
        for record in wanted.records:
            owner = (record.zone, record.owner.lower())
            owners.add(owner)
            self._claims.setdefault(owner, {}).setdefault(source, []).append(record)
            self._owners.setdefault(owner[0], set()).add(owner[1])
        for zone, owner_name, _ in before.notes:
            self._notes.pop((zone, owner_name), None)
        for zone, owner_name, text in wanted.notes:
            self._notes[zone, owner_name] = text
        self._index(source, wanted)
        return owners

    def _index(self, source: Source, wanted: Wanted) -> None:
        if wanted.records or wanted.refusals:
            self._wanted[source] = wanted
        else:
            self._wanted.pop(source, None)
        if source[0] == "service" and (wanted.refusals or self._own_refusals):
            self._own_refusals.pop(ServiceRef(*source[1:]), None)
            if wanted.refusals:
                self._own_refusals[ServiceRef(*source[1:])] = wanted.refusals
        if source[0] == "record":
            cuts = {(record.zone, record.owner.lower()) for record in wanted.records if record.rtype in _CUTS}
            self._cut_owners.pop(source, None)
            if cuts:
                self._cut_owners[source] = cuts

    def _compile(self, owners: set[Owner]) -> list[Update]:
        """Zone by zone, the record sets that differ from what is served."""
        owners |= self._cuts()
        by_zone: dict[bytes, list[Owner]] = {}
        for owner in owners:
            by_zone.setdefault(owner[0], []).append(owner)
        updates: list[Update] = []
        for origin, changed in by_zone.items():
            zone = self._zones.get(origin)
            if self._apex_source(origin) not in self._wanted:
                if zone is not None:
                    del self._zones[origin]
                    updates.append(RemoveZone(origin))
            elif zone is None:
                updates += self._new_zone(origin)
            else:
                updates += self._changed_zone(zone, changed)
        return updates

    def _apex_source(self, origin: bytes) -> Source:
        """Who makes the zone exist: the configuration, or the one name that it is."""
        zone = ("zone", name.to_text(origin), "")
        return zone if zone in self._wanted else ("label", origin[1:-1].decode(errors="replace"), "")

    def claims_on(self, origin: bytes, owner: bytes) -> tuple[tuple[Source, Record], ...]:
        """Who asks for a folded name in a zone, the winner first, each with its best record."""
        claims = self._claims.get((origin, owner), {})
        best = {source: min(records, key=_strength) for source, records in claims.items()}
        return tuple(sorted(best.items(), key=lambda item: (_strength(item[1]), item[0])))

    def is_configured(self, origin: bytes) -> bool:
        """Whether the configuration makes the zone, not a name of one label."""
        return self._apex_source(origin)[0] == "zone"

    def renumber(self, zone: Zone) -> None:
        """Go on from this version of a zone: its content is that of the plan, its serial that of the database."""
        self._zones[zone.origin] = zone

    def _new_zone(self, origin: bytes) -> list[Update]:
        owners = [(origin, owner) for owner in self._owners.get(origin, ())]
        rrsets = [rrset for owner in owners for rrset in self._rrsets(owner)]
        notes = {owner[1]: self._notes[owner] for owner in owners if owner in self._notes}
        try:
            zone = Zone.build(origin, rrsets, notes)
        except ZoneError:  # somebody's static records break a rule: keep theirs out, and only theirs
            zone = Zone.build(origin, _sets(self._claims[origin, origin][self._apex_source(origin)]), notes)
            for owner in owners:
                zone = _grown(zone, self._rrsets(owner))
        self._zones[origin] = zone.with_changes((), self._snapshot.revision)
        return [ReplaceZone(self._zones[origin])]

    def _changed_zone(self, zone: Zone, owners: list[Owner]) -> list[Update]:
        changes = [rrset for owner in owners for rrset in self._difference(zone, owner)]
        notes = {
            owner[1]: self._notes.get(owner) for owner in owners if zone.notes.get(owner[1]) != self._notes.get(owner)
        }
        if not changes and not notes:
            return []
        serial = next_serial(zone.serial, self._snapshot.revision) if changes else zone.serial
        try:
            changed = zone.with_changes(changes, serial, notes)
        except ZoneError:
            changed, legal = zone.with_changes((), serial, notes), []
            for owner in owners:
                mine = self._difference(zone, owner)
                grown = _grown(changed, mine)
                if grown is not changed:
                    legal += mine
                changed = grown
            changes = legal
        self._zones[zone.origin] = changed
        return [ChangeZone(zone.origin, tuple(changes), serial, notes)]

    def _difference(self, zone: Zone, owner: Owner) -> list[RRset]:
        """Record sets of one owner that differ from ``zone``; an empty one for each that is no longer there."""
        node = zone.get(owner[1])
        served = {rrset.rtype: rrset for rrset in node.rrsets} if node else {}
        wanted = {rrset.rtype: rrset for rrset in self._rrsets(owner)}
        changes = [rrset for rtype, rrset in wanted.items() if rtype not in served or not _same(served[rtype], rrset)]
        return changes + [RRset(owner[1], rtype, 0, ()) for rtype in served.keys() - wanted.keys()]

    def _rrsets(self, owner: Owner) -> list[RRset]:
        """The record sets that the winner of a name gets; in a reverse zone everybody's."""
        claims = self._claims.get(owner)
        self._lost.pop(owner, None)
        if not claims:
            return []
        if len(claims) == 1:  # as nearly always, so in few steps
            (records,) = claims.values()
            if len(records) == 1 and records[0].rtype not in _CUTS:
                return [_set(records[0])]
        apex = claims.get(self._apex_source(owner[0])) if owner[0] == owner[1] else None
        if apex is not None and len(claims) > 1:  # what the zone needs, and beside it the best claim to its name
            rest = {source: records for source, records in claims.items() if records is not apex}
            records = apex + [record for record in rest[_winner(rest)] if record.rtype not in _APEX]
        elif len(claims) == 1:
            (records,) = claims.values()
        elif next(iter(claims.values()))[0].rtype == rrtype.PTR:
            records = [record for each in claims.values() for record in each]
        else:
            winner = _winner(claims)
            self._lost[owner] = tuple((loser, winner) for loser in claims if loser != winner)
            records = claims[winner]
        if self._occludes(owner, records):
            records = [record for record in records if record.rtype not in _CUTS or owner[0] == owner[1]]
        return _sets(records)

    def _cuts(self) -> set[Owner]:
        """Owners with a delegation or DNAME: whether they may stand depends on what others have below them."""
        return set().union(*self._cut_owners.values())

    def _occludes(self, owner: Owner, records: list[Record]) -> bool:
        """Whether a delegation or DNAME here would hide a name that somebody else has below it."""
        if owner[0] == owner[1] or not any(record.rtype in _CUTS for record in records):
            return False
        return any(
            other != owner[1]
            and name.is_below(other, owner[1])
            and any(source[0] != "record" for source in self._claims[owner[0], other])
            for other in self._owners.get(owner[0], ())
        )

    def _refusals(self) -> dict[ServiceRef, tuple[Refusal, ...]]:
        refused: dict[ServiceRef, list[Refusal]] = {}
        for ref, own in self._own_refusals.items():
            refused[ref] = list(own)
        for owner, losers in self._lost.items():
            for loser, winner in losers:
                if loser[0] == "service":
                    holder = "/".join(part for part in winner[1:] if part)
                    message = f"{name.to_text(owner[1])} belongs to {winner[0]} {holder}"
                    refused.setdefault(ServiceRef(*loser[1:]), []).append(Refusal(Reason.NAME_TAKEN, message))
        return {ref: tuple(each) for ref, each in refused.items()}


def scheme_of(configuration: Configuration) -> Scheme:
    """What names are made of under ``configuration``."""
    zones = tuple(name.from_text(text).lower() for text in configuration.dns.zones)
    pool_zones = {
        pool.name: name.from_text(pool.zone.rstrip(".") + ".").lower() for pool in configuration.pools if pool.zone
    }
    every = tuple(dict.fromkeys((*zones, *pool_zones.values())))
    grants = configuration.dns.claims

    def may_claim(inside: str, namespace: str) -> bool:
        if inside in NEVER_GRANTED:
            return False
        return any(
            any(fnmatchcase(inside, pattern.lower()) for pattern in grant.names)
            and any(fnmatchcase(namespace, pattern) for pattern in grant.namespaces)
            for grant in grants
        )

    return Scheme(configuration, every, pool_zones, ReverseZones(configuration.pools), may_claim)


def _service(ref: ServiceRef) -> Source:
    return ("service", ref.namespace, ref.name)


def _label(text: str) -> str:
    return text.rstrip(".").lower()


def _label_zone(label: str) -> bytes:
    return bytes([len(label)]) + label.encode() + name.ROOT


def _may_be_zone(label: str, scheme: Scheme) -> bool:
    """A label of 1 to 63 octets that is no zone of ours already and that the configuration may give away."""
    if not 0 < len(label.encode()) <= 63 or label in NEVER_GRANTED:
        return False
    return _label_zone(label) not in scheme.zones


def _joined(one: Wanted | None, other: Wanted) -> Wanted:
    if one is None:
        return other
    return Wanted(one.records + other.records, one.notes + other.notes, one.refusals + other.refusals)


def _winner(claims: dict[Source, list[Record]]) -> Source:
    """The best claim to a name: what stands highest in :class:`Rank`, among equals what was committed first."""
    return min(claims, key=lambda source: (min(map(_strength, claims[source])), source))


def _strength(record: Record) -> tuple[int, int]:
    return record.rank, record.since


def _set(record: Record) -> RRset:
    return RRset(record.owner, record.rtype, record.ttl, (record.rdata,), record.is_leased)


def _sets(records: Iterable[Record]) -> list[RRset]:
    """Records of one owner as record sets: one TTL, the smallest asked for (RFC 2181 section 5.2), no duplicates."""
    grouped: dict[int, list[Record]] = {}
    for record in records:
        grouped.setdefault(record.rtype, []).append(record)
    return [
        RRset(
            members[0].owner,
            rtype,
            min(record.ttl for record in members),
            tuple(sorted({record.rdata for record in members})),
            any(record.is_leased for record in members),
        )
        for rtype, members in grouped.items()
    ]


def _same(served: RRset, wanted: RRset) -> bool:
    """Whether two record sets say the same; the serial of a SOA is the zone's own."""
    if wanted.rtype != rrtype.SOA:
        return served == wanted
    return replace(served, rdatas=(soa_with_serial(served.rdatas[0], 0),)) == replace(
        wanted, rdatas=(soa_with_serial(wanted.rdatas[0], 0),)
    )


def _grown(zone: Zone, changes: list[RRset]) -> Zone:
    """``zone`` with ``changes``, or as it was when they break a rule."""
    try:
        return zone.with_changes(changes)
    except ZoneError:
        return zone
