"""Updates of the catalogue: what a worker is told, how it applies them, and how they travel to it.

`apply` is pure. The octets between the server and its own workers (one interpreter, one socketpair) are plain tuples
in marshal's form behind a four-octet length; nothing from outside ever reaches `decode`.
"""

from __future__ import annotations

import marshal
from dataclasses import astuple, dataclass, fields, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from rpds import HashTrieMap

from suite.dns.journal import Difference, between, changes, difference
from suite.dns.nodes import Node, Nodes
from suite.dns.rrset import RRset
from suite.dns.settings import Key, Settings, Transfers
from suite.dns.zone import Zone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from suite.dns.catalogue import Zones
    from suite.dns.journal import Journal
    from suite.dns.nodes import Standing

PIECE = 4_096
"""Names that travel in one frame: a worker takes them in within some milliseconds, and answers between two frames."""


@dataclass(frozen=True, slots=True)
class ReplaceZone:
    """The whole zone, new or anew."""

    zone: Zone


@dataclass(frozen=True, slots=True)
class ChangeZone:
    """Changes to one zone, as `Zone.with_changes` takes them."""

    origin: bytes
    changes: tuple[RRset, ...]
    serial: int
    notes: Mapping[bytes, str | None] | None = None


@dataclass(frozen=True, slots=True)
class RemoveZone:
    """The zone is served no longer."""

    origin: bytes


@dataclass(frozen=True, slots=True)
class SetState:
    """Whether the catalogue may answer (`ready`) and whether leased addresses are out of date (`stale`)."""

    ready: bool
    stale: bool


@dataclass(frozen=True, slots=True)
class SetHistory:
    """The stored differences that led to the zone's present serial, oldest first, so that IXFR survives a restart."""

    origin: bytes
    differences: tuple[Difference, ...]


Update = ReplaceZone | ChangeZone | RemoveZone | SetState | SetHistory


def apply(zones: Zones, updates: Iterable[Update]) -> Zones:
    """Give the next catalogue; ZoneError (and nothing changed) when a change breaks a rule or names no zone of ours."""
    for update in updates:
        match update:
            case ReplaceZone(zone):
                zones = zones.with_zone(zone)
            case ChangeZone(origin, changes, serial, notes):
                zones = zones.with_zone(zones.by_origin[origin.lower()].with_changes(changes, serial, notes))
            case RemoveZone(origin):
                zones = zones.without(origin)
            case SetState(ready, stale):
                zones = replace(zones, ready=ready, stale=stale)
            case SetHistory():
                pass  # the journal's business
    return zones


def record(journal: Journal, old: Zones, new: Zones, updates: Iterable[Update]) -> Journal:
    """Give the journal after updates that led from one catalogue to another."""
    for update in updates:
        match update:
            case ChangeZone(origin, changes):
                before, after = old.by_origin.get(origin.lower()), new.by_origin.get(origin.lower())
                if before is not None and after is not None and before.serial != after.serial:
                    keys = ((rrset.name.lower(), rrset.rtype) for rrset in changes)
                    journal = journal.with_difference(
                        after.origin, difference(before, after, keys), after.nodes.standing_count
                    )
            case SetHistory(origin, differences):
                journal = journal.without(origin.lower())
                served = new.by_origin.get(origin.lower())
                for entry in differences:
                    journal = journal.with_difference(
                        origin.lower(), entry, 0 if served is None else served.nodes.standing_count
                    )
            case ReplaceZone(zone):
                before = old.by_origin.get(zone.origin)
                if before is not None and before.serial != zone.serial:
                    journal = journal.with_difference(zone.origin, between(before, zone), zone.nodes.standing_count)
            case RemoveZone(origin):
                journal = journal.without(origin.lower())
    return journal


def lean(zones: Zones, updates: Iterable[Update]) -> list[Update]:
    """Say the same in less: a zone that replaces one we have becomes its changes, so that no worker stops for it."""
    updates = list(updates)
    origins = [_origin(update) for update in updates]
    return [_changes_only(zones, update) if origins.count(_origin(update)) == 1 else update for update in updates]


def _origin(update: Update) -> bytes | None:
    match update:
        case ReplaceZone(zone):
            return zone.origin
        case ChangeZone(origin) | RemoveZone(origin) | SetHistory(origin):
            return origin.lower()
    return None


def _changes_only(zones: Zones, update: Update) -> Update:
    old = zones.by_origin.get(update.zone.origin) if isinstance(update, ReplaceZone) else None
    if old is None or not isinstance(update, ReplaceZone):
        return update
    new = update.zone
    notes: dict[bytes, str | None] = {name: None for name in old.notes if name not in new.notes}
    notes |= {name: text for name, text in new.notes.items() if old.notes.get(name) != text}
    return ChangeZone(new.origin, changes(old, new), new.serial, notes)


def whole(zones: Zones, journal: Journal) -> list[Update]:
    """Give the updates that turn an empty catalogue and journal into these."""
    replaced = [ReplaceZone(zone) for zone in zones.by_origin.values()]
    return [*replaced, *histories(journal), SetState(zones.ready, zones.stale)]


def histories(journal: Journal) -> list[Update]:
    """Give the updates that turn an empty journal into this one."""
    return [SetHistory(origin, entries) for origin, entries in journal.by_origin.items()]


def frames(revision: int, updates: Iterable[Update], piece: int = PIECE) -> Iterator[bytes]:
    """Give what tells a worker of updates; names of large zones go before, in pieces, made while one goes on.

    Piece by piece neither side ever holds all of it a second time: 100,000 names are 12 MB of octets.
    """
    rows: list[tuple[Any, ...]] = []
    for update in updates:
        if isinstance(update, ReplaceZone) and update.zone.nodes.standing_count > piece:
            zone = update.zone
            standing = zone.nodes.standing()
            while names := list(islice(standing, piece)):
                yield encode(("names", zone.origin, *_nodes_row(names)))
            rows.append(("zone", zone.origin, {}, [], zone.cuts, dict(zone.notes.items())))
        else:
            rows.append(_packed(update))
    yield encode(("update", revision, rows))


class Pieces:
    """Names of zones that are on their way to a worker, until the update that makes them zones."""

    def __init__(self) -> None:
        self._bases: dict[bytes, dict[bytes, Standing]] = {}

    def add(self, origin: bytes, folded: dict[bytes, bytes], unfolded: list[tuple[Any, ...]]) -> None:
        """Keep one piece."""
        self._bases.setdefault(origin, {}).update(_nodes_of(folded, unfolded))

    def unpack(self, rows: list[tuple[Any, ...]]) -> list[Update]:
        """Turn plain values back into updates; all that was kept goes into them."""
        bases, self._bases = self._bases, {}
        updates = unpack(rows)
        return [_with_names(update, bases) if isinstance(update, ReplaceZone) else update for update in updates]


def _with_names(update: ReplaceZone, bases: Mapping[bytes, dict[bytes, Standing]]) -> ReplaceZone:
    base = bases.get(update.zone.origin)
    return update if base is None else ReplaceZone(replace(update.zone, nodes=Nodes(base)))


def encode(document: Any) -> bytes:
    """Frame a document of plain values for the socketpair."""
    octets = marshal.dumps(document)
    return len(octets).to_bytes(4) + octets


def decode(octets: bytes) -> Any:
    """Read one frame's content."""
    return marshal.loads(octets)  # noqa: S302 - written by encode in our own parent process


def pack(updates: Iterable[Update]) -> list[tuple[Any, ...]]:
    """Turn updates into plain values."""
    return [_packed(update) for update in updates]


def unpack(rows: list[tuple[Any, ...]]) -> list[Update]:
    """Turn plain values back into updates."""
    return [_unpacked(*row) for row in rows]


def pack_settings(settings: Settings) -> tuple[Any, ...]:
    """Turn settings into plain values."""
    return astuple(settings)


def unpack_settings(row: tuple[Any, ...]) -> Settings:
    """Turn plain values back into settings."""
    named = dict(zip((field.name for field in fields(Settings)), row, strict=True))
    keys, transfers = (Key(*key) for key in named.pop("keys")), Transfers(*named.pop("transfers"))
    return Settings(**named, keys=tuple(keys), transfers=transfers)


def _packed(update: Update) -> tuple[Any, ...]:
    match update:
        case ReplaceZone(zone):
            return "zone", zone.origin, *_nodes_row(zone.nodes.standing()), zone.cuts, dict(zone.notes.items())
        case ChangeZone(origin, changes, serial, notes):
            return "change", origin, [_row(rrset) for rrset in changes], serial, dict(notes or {})
        case RemoveZone(origin):
            return "remove", origin
        case SetState(ready, stale):
            return "state", ready, stale
        case SetHistory(origin, differences):
            return "history", origin, [_difference_row(entry) for entry in differences]


def _unpacked(kind: str, *parts: Any) -> Update:
    if kind == "zone":
        origin, folded, unfolded, cuts, notes = parts
        return ReplaceZone(Zone(origin, Nodes(_nodes_of(folded, unfolded)), cuts, HashTrieMap(notes)))
    if kind == "change":
        origin, rows, serial, notes = parts
        return ChangeZone(origin, tuple(RRset(*row) for row in rows), serial, notes)
    if kind == "history":
        origin, entries = parts
        return SetHistory(origin, tuple(_difference_of(*entry) for entry in entries))
    return RemoveZone(*parts) if kind == "remove" else SetState(*parts)


def _row(rrset: RRset) -> tuple[bytes, int, int, tuple[bytes, ...], bool]:
    return rrset.name, rrset.rtype, rrset.ttl, rrset.rdatas, rrset.leased


def _nodes_row(standing: Iterable[tuple[bytes, Standing]]) -> tuple[dict[bytes, bytes], list[tuple[Any, ...]]]:
    """Names that stand folded go as they are."""
    folded: dict[bytes, bytes] = {}
    unfolded: list[tuple[Any, ...]] = []
    for key, here in standing:
        if isinstance(here, bytes):
            folded[key] = here
        else:
            unfolded.append((key, [_row(rrset) for rrset in here.rrsets], here.children))
    return folded, unfolded


def _nodes_of(folded: dict[bytes, Any], unfolded: list[tuple[Any, ...]]) -> dict[bytes, Standing]:
    for key, rows, count in unfolded:
        folded[key] = Node(tuple(RRset(*row) for row in rows), count)
    return folded


def _difference_row(entry: Difference) -> tuple[Any, ...]:
    sets = [_row(rrset) for rrset in entry.removed], [_row(rrset) for rrset in entry.added]
    return _row(entry.old_soa), _row(entry.new_soa), *sets


def _difference_of(old_soa: Any, new_soa: Any, removed: list[Any], added: list[Any]) -> Difference:
    sets = (tuple(RRset(*row) for row in rows) for rows in (removed, added))
    return Difference(RRset(*old_soa), RRset(*new_soa), *sets)
