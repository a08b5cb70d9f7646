"""From snapshots to zones: who gets which name, and what that changes.  Pure.

Everybody who asks for records is a *source*: a Service, a static host, a static record, a zone itself.  For each owner
name the best claim wins (its rank, then the revision it was committed with, then the source's name), and the loser is
told who holds the name; only Services that share an address share its name in reverse.  The plan keeps what every source
asked for, so one changed Service costs one changed Service; :meth:`ZonePlanner.plan` without ``touched`` begins a new
table of claims and comes to the same (a property test proves it).

What a plain Service asks for (its addresses and ports at its canonical name and below, the pointers back) is kept in the
table of claims alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import reduce
from ipaddress import ip_address

from suite.dns import name, rrtype
from suite.dns.coexistence import CUTS
from suite.dns.feed import ChangeZone, RemoveZone, ReplaceZone, SetState, Update
from suite.dns.rrset import RRset
from suite.dns.zone import Zone, ZoneError
from suite.model.configuration import Configuration
from suite.model.persistent import glances
from suite.model.refusal import Refusal
from suite.model.service import Service, ServiceRef
from suite.model.snapshot import Snapshot
from suite.nameserver.apex import apex_of
from suite.nameserver.claims import Claims, ClaimTable, Owner, Source, Touched, holders, strength, winner
from suite.nameserver.losers import Losers, of_services, of_static, said
from suite.nameserver.occlusion import Cuts, is_cut
from suite.nameserver.plain import placing
from suite.nameserver.record_sets import says_the_same, set_of, sets_of
from suite.nameserver.records import (
    Record,
    Scheme,
    Wanted,
    is_published,
    named_above,
    plain_name,
    single_aliases,
    single_labels,
    wanted_by_host,
    wanted_by_label,
    wanted_by_record,
    wanted_by_service,
)
from suite.nameserver.reverse import ReverseZones
from suite.nameserver.strangers import Strangers
from suite.nameserver.versions import next_serial
from suite.nameserver.written import Written

_NOTHING = Wanted()
NEVER_GRANTED = frozenset({"wpad", "isatap", "localhost"})
"""Names that make clients do something by themselves; only the configuration may publish them."""
_ADDRESS_TYPES = frozenset({rrtype.A, rrtype.AAAA})
_APEX = frozenset({rrtype.SOA, rrtype.NS, rrtype.CNAME})
"""What only the zone itself may say at its apex, or nobody."""


@dataclass(frozen=True, slots=True)
class ZonePlan:
    """What to tell the server."""

    updates: tuple[Update, ...]
    refused: dict[ServiceRef, tuple[Refusal, ...]]
    """Services some of whose names belong to others now; replaced as a whole each time."""
    static: dict[str, tuple[Refusal, ...]]
    """The same of static hosts and records, by how people call them."""


class ZonePlanner:
    """The zones of a series of snapshots."""

    def __init__(self) -> None:
        self._snapshot = Snapshot()
        self._scheme = scheme_of(Configuration())
        self._zones: dict[bytes, Zone] = {}
        self._written = Written()
        self._losers = Losers()
        self._begin()

    def _begin(self) -> None:
        """Nobody asks for anything yet."""
        self._claims = ClaimTable()
        self._wanted: dict[Source, Wanted] = {}
        """What each source asks for, but for Services whose claims all stand folded."""
        self._notes: dict[Owner, dict[Source, str]] = {}
        """What each source says about a name; that of the name's holder is served."""
        self._labels: dict[str, set[Source]] = {}
        """Names of one label, and the sources that lead somewhere under them."""
        # What follows repeats the above by another key, so that one change never costs a walk over everything.
        self._labels_of: dict[Source, set[str]] = {}
        self._labels_touched: set[str] = set()
        self._strangers = Strangers()
        self._cuts = Cuts()
        self._losers.begin()

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
        before, self._snapshot = self._snapshot, snapshot
        is_anew = snapshot.configuration is not before.configuration or snapshot.epoch != before.epoch
        written = None if touched is None or is_anew else self._rewritten(before)
        owners = self._all_anew() if touched is None or written is None else self._changed(set(touched), written)
        updates = self._compile(owners)
        refused = self._losers.refusals()
        state = SetState(ready=snapshot.is_complete, stale=False)
        return ZonePlan((*updates, state), of_services(refused), of_static(refused))

    def _rewritten(self, before: Snapshot) -> dict[Source, Wanted] | None:
        """What names ask for now whose static records came or went; None where more than these names depends on it."""
        sources = self._written.follow(before.records, self._snapshot.records)
        if sources is None:
            return None
        now = {source: self._of_records(source) for source in sources}
        records = (
            each for source, wanted in now.items() for each in (*self._standing(source).records, *wanted.records)
        )
        return None if any(each.rtype in CUTS or each.owner == each.zone for each in records) else now

    def _of_records(self, source: Source) -> Wanted:
        asked = [wanted_by_record(record, self._scheme) for record in self._written.at(source)]
        return reduce(_joined, asked, _NOTHING)

    def _changed(self, refs: set[ServiceRef], written: dict[Source, Wanted]) -> Touched:
        """Look at these names, and at what depends on these Services; the names whose records may change by it."""
        touched: Touched = {}
        for source, wanted in (*written.items(), *self._of(self._strangers.with_dependants(refs)).items()):
            self._put(source, wanted, touched)
        for source, wanted in self._label_zones(touched).items():
            self._put(source, wanted, touched)
        return touched

    def _all_anew(self) -> Touched:
        """Look at everything; the names for which it differs from before."""
        claims, notes = self._claims, self._notes
        self._scheme = scheme_of(self._snapshot.configuration)
        self._begin()
        new: Touched = {}
        for source, wanted in self._everything():
            self._put(source, wanted, new)
        for source, wanted in self._label_zones(new).items():
            self._put(source, wanted, new)
        touched = self._claims.differing(claims, self._zones.keys())
        for zone, owner in notes.keys() | self._notes.keys():
            if notes.get((zone, owner)) != self._notes.get((zone, owner)):
                touched.setdefault(zone, set()).add(owner)
        return touched

    def _everything(self) -> Iterator[tuple[Source, Wanted]]:
        """What every source asks for now, but for plain Services, which are put in their place here."""
        configuration, scheme = self._snapshot.configuration, self._scheme
        put_plain = placing(self._snapshot, scheme, self._claims)
        for ref, seen in glances(self._snapshot.services):
            ports = seen.plain_ports if isinstance(seen, Service) else seen
            if ports is not None and put_plain(ref, ports):
                continue
            given = seen if isinstance(seen, Service) else self._snapshot.services[ref]
            if is_published(given):
                self._relabel(_service(ref), single_labels(given))
                self._strangers.note(ref, named_above(given, self._snapshot, scheme))
                yield _service(ref), wanted_by_service(given, self._snapshot, scheme)
        for host in configuration.dns.hosts:
            self._relabel(("host", host.name, ""), single_aliases(host, scheme))
            yield ("host", host.name, ""), wanted_by_host(host, self._snapshot, scheme)
        self._written = Written(configuration.dns.records, self._snapshot.records)
        yield from ((source, self._of_records(source)) for source in self._written)
        served = (*scheme.zones, *(zone.origin for zone in scheme.reverse.zones if configuration.dns.reverse))
        pointed: dict[bytes, list[Record]] = {}
        for origin, owner, target in scheme.reverse.aliases() if configuration.dns.reverse else ():
            pointed.setdefault(origin, []).append(Record(origin, owner, rrtype.CNAME, scheme.ttl, target))
        for origin in served:
            also = Wanted(tuple(pointed.get(origin, ())))
            yield ("zone", name.to_text(origin), ""), _joined(apex_of(origin, self._snapshot), also)

    def _of(self, refs: set[ServiceRef]) -> dict[Source, Wanted]:
        """What the sources that depend on these Services ask for now."""
        sources: dict[Source, Wanted] = {}
        snapshot, scheme = self._snapshot, self._scheme
        for ref in refs:
            service = snapshot.services.get(ref)
            source = _service(ref)
            sources[source] = wanted_by_service(service, snapshot, scheme) if service else Wanted()
            self._relabel(source, single_labels(service) if service and is_published(service) else [])
            self._strangers.note(ref, named_above(service, snapshot, scheme) if service else set())
        for host in snapshot.configuration.dns.hosts:
            if host.service in refs:
                sources["host", host.name, ""] = wanted_by_host(host, snapshot, scheme)
        return sources

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

    def _label_zones(self, touched: Touched) -> dict[Source, Wanted]:
        """Zones of one name that may have changed: each says what its name says inside the other zones."""
        looked_at = set(self._labels_touched)
        if self._labels:
            looked_at |= {
                label for zone, all_of in touched.items() for owner in all_of if (label := self._label_at(zone, owner))
            }
        self._labels_touched = set()
        sources: dict[Source, Wanted] = {}
        for label in looked_at:
            if not self._labels.get(label):
                self._labels.pop(label, None)
            sources["label", label, ""] = self._said_alone(label)
        return sources

    def _said_alone(self, label: str) -> Wanted:
        """What a name of one label says as a zone of its own; nothing where nobody who asks for that has it in a zone.

        Where several have it, each in another zone, the best claim decides as it does of one name.
        """
        apex = _label_zone(label)
        inside = [(origin, apex[:-1] + origin) for origin in self._scheme.zones]
        claimed = [(place, claims) for place in inside if (claims := self._claims.at(*place))]
        had = [(place, claims, winner(claims)) for place, claims in claimed]
        mine = [each for each in had if each[2] in self._labels.get(label, ())]
        if not mine:
            return _NOTHING
        place, claims, _ = min(mine, key=lambda each: (min(map(strength, each[1][each[2]])), each[2], each[0]))
        records = [record for source in holders(claims) for record in claims[source]]
        said = wanted_by_label(label.encode(), records, self._note(place) or "")
        return _joined(apex_of(apex, self._snapshot), said) if said.records else _NOTHING

    def _label_at(self, zone: bytes, owner: bytes) -> str:
        """The label of a name directly below its zone; empty where that is no name of one label here."""
        first = owner[1 : 1 + owner[0]]
        if len(owner) != 1 + len(first) + len(zone):
            return ""
        label = first.decode(errors="replace")
        return label if label in self._labels else ""

    def _put(self, source: Source, wanted: Wanted, touched: Touched) -> None:
        """Note what a source asks for from now on, and the names whose records may change by it."""
        before = self._standing(source)
        if before == wanted:
            return
        for record in before.records:
            owner = record.owner.lower()
            self._claims.remove(source, record.zone, owner)
            touched.setdefault(record.zone, set()).add(owner)
        for record in wanted.records:
            self._claims.add(source, record)
            touched.setdefault(record.zone, set()).add(record.owner.lower())
        for zone, owner_name, _ in before.notes:
            self._notes[zone, owner_name].pop(source, None)
            if not self._notes[zone, owner_name]:
                del self._notes[zone, owner_name]
        for zone, owner_name, text in wanted.notes:
            self._notes.setdefault((zone, owner_name), {})[source] = text
        self._index(source, wanted)

    def _standing(self, source: Source) -> Wanted:
        """What a source asks for up to now: as noted, or as the claims of a Service say."""
        noted = self._wanted.get(source)
        if noted is not None or source[0] != "service":
            return noted or _NOTHING
        for zone in self._scheme.zones:
            owner = plain_name(ServiceRef(*source[1:]), zone)
            records = self._claims.of_plain(source, zone, owner)
            if records:
                addresses = [ip_address(each.rdata) for each in records if each.rtype in _ADDRESS_TYPES]
                places = [(each.origin, each.owner(at)) for at in addresses if (each := self._scheme.reverse.find(at))]
                return Wanted((*records, *(back for at in places for back in self._claims.of(source, *at))))
        return _NOTHING

    def _index(self, source: Source, wanted: Wanted) -> None:
        self._wanted.pop(source, None)
        if (wanted.records or wanted.refusals) and self._standing(source) != wanted:
            self._wanted[source] = wanted
        self._losers.note(source, wanted.refusals)
        self._cuts.note(source, wanted.records)

    def _compile(self, touched: Touched) -> list[Update]:
        """Zone by zone, the record sets that differ from what is served."""
        self._cuts.follow(touched, self._claims)
        updates: list[Update] = []
        for origin, changed in touched.items():
            zone = self._zones.get(origin)
            if self._apex_source(origin) not in self._wanted:
                for owner in changed:
                    self._losers.forget((origin, owner))
                if zone is not None:
                    del self._zones[origin]
                    updates.append(RemoveZone(origin))
            elif zone is None:
                updates += self._new_zone(origin)
            else:
                updates += self._changed_zone(zone, [(origin, owner) for owner in changed])
        return updates

    def _apex_source(self, origin: bytes) -> Source:
        """Who makes the zone exist: the configuration, or the one name that it is."""
        zone = ("zone", name.to_text(origin), "")
        return zone if zone in self._wanted else ("label", origin[1:-1].decode(errors="replace"), "")

    def claims_on(self, origin: bytes, owner: bytes) -> tuple[tuple[Source, Record], ...]:
        """Who asks for a folded name in a zone, the winner first, each with its best record."""
        claims = self._claims.at(origin, owner)
        best = {source: min(records, key=strength) for source, records in claims.items()}
        return tuple(sorted(best.items(), key=lambda item: (strength(item[1]), item[0])))

    def who_has(self, origin: bytes, owner: bytes) -> frozenset[Source]:
        """Who has a folded name; at the apex of a zone beside the zone itself."""
        claims = self._claims.at(origin, owner)
        zone = self._apex_source(origin) if origin == owner else None
        others = {source: records for source, records in claims.items() if source != zone}
        return frozenset(holders(others) if others else ()) | (claims.keys() - others.keys())

    def is_configured(self, origin: bytes) -> bool:
        """Whether the configuration makes the zone, not a name of one label."""
        return self._apex_source(origin)[0] == "zone"

    def renumber(self, zone: Zone) -> None:
        """Go on from this version of a zone: its content is that of the plan, its serial that of the database."""
        self._zones[zone.origin] = zone

    def _new_zone(self, origin: bytes) -> list[Update]:
        owners = [(origin, owner) for owner in self._claims.unfolded(origin)]
        rrsets = [rrset for owner in owners for rrset in self._rrsets(owner)]
        notes = {owner[1]: note for owner in owners if (note := self._note(owner))}
        try:
            zone = Zone.build(origin, rrsets, notes, self._claims.folded(origin))
        except ZoneError:  # somebody's static records break a rule: keep theirs out, and only theirs
            apex = self._claims.of(self._apex_source(origin), origin, origin)
            zone = Zone.build(origin, sets_of(apex), notes, self._claims.folded(origin))
            for owner in owners:
                zone = self._grown(zone, owner, self._rrsets(owner))
        self._zones[origin] = zone.with_changes((), self._snapshot.revision)
        return [ReplaceZone(self._zones[origin])]

    def _changed_zone(self, zone: Zone, owners: list[Owner]) -> list[Update]:
        changes = [rrset for owner in owners for rrset in self._difference(zone, owner)]
        notes = {owner[1]: note for owner in owners if zone.notes.get(owner[1]) != (note := self._note(owner))}
        if not changes and not notes:
            return []
        serial = next_serial(zone.serial, self._snapshot.revision) if changes else zone.serial
        try:
            changed = zone.with_changes(changes, serial, notes)
        except ZoneError:
            changed, legal = zone.with_changes((), serial, notes), []
            for owner in owners:
                mine = self._difference(zone, owner)
                grown = self._grown(changed, owner, mine)
                if grown is not changed:
                    legal += mine
                changed = grown
            changes = legal
        self._zones[zone.origin] = changed
        return [ChangeZone(zone.origin, tuple(changes), serial, notes)]

    def _note(self, owner: Owner) -> str | None:
        """Why the holder of a name has no address there."""
        notes = self._notes.get(owner)
        if notes is None:
            return None
        holder = self._apex_source(owner[0]) if owner[0] == owner[1] else winner(self._claims.at(*owner))
        return notes.get(holder)

    def _difference(self, zone: Zone, owner: Owner) -> list[RRset]:
        """Record sets of one owner that differ from ``zone``; an empty one for each that is no longer there."""
        node = zone.get(owner[1])
        served = {rrset.rtype: rrset for rrset in node.rrsets} if node else {}
        wanted = {rrset.rtype: rrset for rrset in self._rrsets(owner)}
        changes = [
            rrset for rtype, rrset in wanted.items() if rtype not in served or not says_the_same(served[rtype], rrset)
        ]
        return changes + [RRset(owner[1], rtype, 0, ()) for rtype in served.keys() - wanted.keys()]

    def _rrsets(self, owner: Owner) -> list[RRset]:
        """The record sets that the holders of a name get."""
        claims = self._claims.at(*owner)
        self._losers.forget(owner)
        if not claims:
            return []
        if len(claims) == 1:  # as nearly always, so in few steps
            (records,) = claims.values()
            if len(records) == 1 and not is_cut(owner, records[0]):
                return [set_of(records[0])]
        return sets_of(self._visible(owner, claims, self._held(owner, claims)))

    def _held(self, owner: Owner, claims: Claims) -> list[Record]:
        """What the holders of a name say; at the apex of a zone beside what the zone needs."""
        needed = claims.get(self._apex_source(owner[0]), []) if owner[0] == owner[1] else []
        others = {source: records for source, records in claims.items() if records is not needed}
        if not others:
            return needed
        held = holders(others)
        if len(held) < len(others):
            self._losers.lose(owner, (loser for loser in others if loser not in held), held[0])
        asked = others[held[0]] if len(held) == 1 else [record for source in held for record in others[source]]
        if not needed:
            return asked
        allowed = [record for record in asked if record.rtype not in _APEX]
        if len(allowed) < len(asked):
            why = "says its own SOA and NS, and has no CNAME at its name"
            self._losers.leave_out(owner, held[0], f"the zone {name.to_text(owner[0])} {why}")
        return needed + allowed

    def _visible(self, owner: Owner, claims: Claims, records: list[Record]) -> list[Record]:
        """``records`` without a delegation or DNAME that would hide a name somebody else has below it."""
        cuts = [record for record in records if is_cut(owner, record)]
        hidden = self._cuts.hides(owner, self._claims) if cuts else None
        if hidden is None:
            return records
        asker = next(source for source, theirs in claims.items() if cuts[0] in theirs)
        kind = "DNAME" if cuts[0].rtype == rrtype.DNAME else "delegation"
        why = f"the {kind} of {name.to_text(owner[1])} would hide {_shown(*hidden)}"
        self._losers.leave_out(owner, asker, why)
        return [record for record in records if record not in cuts]

    def _grown(self, zone: Zone, owner: Owner, changes: list[RRset]) -> Zone:
        """``zone`` with the changes of one name, or as it was when they break a rule."""
        try:
            return zone.with_changes(changes)
        except ZoneError as error:
            self._losers.leave_out(owner, winner(self._claims.at(*owner)), str(error))
            return zone

    def left_out(self, origin: bytes, owner: bytes) -> str:
        """Why something that the holder of a folded name asks for is not served; empty where all of it is."""
        return self._losers.left_out((origin, owner))

    def would_hide(self, origin: bytes, owner: bytes) -> str:
        """Which name of whom a delegation or DNAME at a folded name would hide; empty where none."""
        cuts = Cuts()
        cuts.note(("record", "", ""), (Record(origin, owner, rrtype.DNAME, 0, b""),))
        cuts.follow({}, self._claims)
        hidden = cuts.hides((origin, owner), self._claims)
        return "" if hidden is None else _shown(*hidden)


def scheme_of(configuration: Configuration) -> Scheme:
    """What names are made of under ``configuration``."""
    zones = tuple(name.from_text(text).lower() for text in configuration.dns.zones)
    pool_zones = {
        pool.name: name.from_text(pool.zone.rstrip(".") + ".").lower() for pool in configuration.pools if pool.zone
    }
    every = tuple(dict.fromkeys((*zones, *pool_zones.values())))
    grants = configuration.dns.claims

    def may_claim(inside: Iterable[str], namespace: str) -> bool:
        texts = list(inside)
        if "" in texts or not NEVER_GRANTED.isdisjoint(texts):
            return False
        return any(
            any(fnmatchcase(text, pattern.lower()) for pattern in grant.names for text in texts)
            and any(fnmatchcase(namespace, pattern) for pattern in grant.namespaces)
            for grant in grants
        )

    return Scheme(configuration, every, pool_zones, ReverseZones(configuration.pools), may_claim)


def _shown(owner: bytes, claims: Claims) -> str:
    """A name and who has it."""
    return f"{name.to_text(owner)} of {said(winner(claims))}"


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


def _joined(one: Wanted, other: Wanted) -> Wanted:
    return Wanted(one.records + other.records, one.notes + other.notes, one.refusals + other.refusals)
