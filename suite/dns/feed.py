"""Updates of the catalogue: what a worker is told, how it applies them, and how they travel to it.

`apply` is pure. The octets between the server and its own workers (one interpreter, one socketpair) are plain tuples
in marshal's form behind a four-octet length; nothing from outside ever reaches `decode`.
"""

from __future__ import annotations

import marshal
from dataclasses import astuple, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from suite.dns.rrset import RRset
from suite.dns.settings import Key, Settings, Transfers
from suite.dns.zone import Zone

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from suite.dns.catalogue import Zones


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


Update = ReplaceZone | ChangeZone | RemoveZone | SetState


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
    return zones


def whole(zones: Zones) -> list[Update]:
    """Give the updates that turn an empty catalogue into this one."""
    return [*(ReplaceZone(zone) for zone in zones.by_origin.values()), SetState(zones.ready, zones.stale)]


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
            return "zone", zone.origin, [_row(rrset) for rrset in zone.rrsets()], dict(zone.notes.items())
        case ChangeZone(origin, changes, serial, notes):
            return "change", origin, [_row(rrset) for rrset in changes], serial, dict(notes or {})
        case RemoveZone(origin):
            return "remove", origin
        case SetState(ready, stale):
            return "state", ready, stale


def _unpacked(kind: str, *parts: Any) -> Update:
    if kind == "zone":
        origin, rows, notes = parts
        return ReplaceZone(Zone.build(origin, (RRset(*row) for row in rows), notes))
    if kind == "change":
        origin, rows, serial, notes = parts
        return ChangeZone(origin, tuple(RRset(*row) for row in rows), serial, notes)
    return RemoveZone(*parts) if kind == "remove" else SetState(*parts)


def _row(rrset: RRset) -> tuple[bytes, int, int, tuple[bytes, ...], bool]:
    return rrset.name, rrset.rtype, rrset.ttl, rrset.rdatas, rrset.leased
