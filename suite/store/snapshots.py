"""Snapshots: read whole, brought up to date by what changed since, or made from a commit's own changes.

All three must come to the same; a property test compares them.
"""

from __future__ import annotations  # HashTrieMap takes no subscript at run time

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from rpds import HashTrieMap

from suite.model.address import Address
from suite.model.changes import Changes
from suite.model.configuration import Configuration
from suite.model.lease import Lease, Reservation
from suite.model.persistent import PersistentMap
from suite.model.remembering import Remembering
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot
from suite.store import folding, rows
from suite.store.collector import without_collector
from suite.store.database import Transaction
from suite.store.folding import in_order

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

FULL_READ = 5_000
"""From so many changed keys on, one full read costs less than asking for each."""

FEW_RECORDS = 100
"""Up to so many static records the feed tells which were touched; an import of more is looked at whole."""

HEAD = "SELECT epoch, revision, hash, time, last_lease FROM head"
FEED = "SELECT changed FROM feed WHERE revision"
RECORDS = "SELECT name, type, value, ttl FROM static_record"
IN_ORDER = f"ORDER BY revision LIMIT {FULL_READ + 1}"
BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

BY_SERVICE = frozenset({"service", "endpoints", "refusal"})
"""Tables whose keys name Services; what other tables but that of the leases say may matter to any of them."""


class Head(NamedTuple):
    """The row ``head``."""

    epoch: str
    revision: int
    hash: str
    time: datetime
    last_lease: int


class News(NamedTuple):
    """A newer snapshot, and what may differ in it from the one it was made of."""

    snapshot: Snapshot
    since: Snapshot
    """What it was made of."""
    tables: frozenset[str] | None = None
    """Where anything was written; None where that cannot be told."""
    services: frozenset[ServiceRef] | None = None
    """The Services that may look different; None when any may, as after a change of settings."""
    addresses: frozenset[Address] | None = None
    """Those on which leases came or went; None when it may be any."""


Touched = dict[str, list[list[Any]] | list[int] | bool]
"""What a commit touched: keys by table of documents, ids under ``lease``, and a flag for each small table.

Static records are told one by one where they are few: there may be very many that stay.
"""


def read_head(tx: Transaction, *, lock: bool = False) -> Head:
    """The row ``head``; with ``lock`` nobody else commits until this transaction ends (SQLite: BEGIN IMMEDIATE does)."""
    suffix = " FOR UPDATE" if lock and not tx.is_sqlite else ""
    row = tx.execute(f"{HEAD}{suffix}").fetchone()
    return head_of(row, tx)


def head_of(row: Sequence[Any], tx: Transaction) -> Head:
    """The columns of ``head`` in the order of :class:`Head`."""
    return Head(row[0], row[1], row[2], tx.time_out(row[3]), row[4])


def read(tx: Transaction) -> Snapshot:
    """Everything, in the reading transaction ``tx``."""
    with without_collector():
        head = read_head(tx)
        fields: dict[str, Any] = {
            field: folding.documents(tx, table) for table, (_, _, field) in rows.DOCUMENTS.items()
        }
        fields |= folding.leases(tx, fields["services"])
        fields |= _small(tx, SMALL)
        return Snapshot(epoch=head.epoch, revision=head.revision, at=head.time, **fields)


def refresh(tx: Transaction, old: Snapshot) -> Snapshot:
    """``old`` brought up to date; a full read where the feed does not reach back to it or a new epoch began."""
    found = _news(tx, old, *_look(tx, old))
    return old if found is None else found.snapshot


def news(tx: Transaction, old: Snapshot) -> News | None:
    """What differs from ``old`` by now, in a transaction of its own on a connection that is in none; None without news."""
    head, changed = _begin_and_look(tx, old)
    is_behind = head.epoch == old.epoch and head.revision < old.revision  # as a replica of the server may be
    found = None if is_behind else _news(tx, old, head, changed)
    tx.execute("ROLLBACK")
    return found


def _begin_and_look(tx: Transaction, old: Snapshot) -> tuple[Head, list[str | None]]:
    """A transaction that sees one state of all tables, its ``head``, and what the feed has since ``old``: one round trip."""
    if tx.is_sqlite:
        tx.execute("BEGIN")
        return _look(tx, old)
    cursor = tx.driver.execute(f"{BEGIN}; {HEAD}; {FEED} > {old.revision:d} {IN_ORDER}", prepare=False)
    cursor.nextset()
    head = head_of(cursor.fetchone(), tx)
    cursor.nextset()
    return head, [changed for (changed,) in cursor.fetchall()]


def _look(tx: Transaction, old: Snapshot) -> tuple[Head, list[str | None]]:
    """The same, two questions in a transaction that has begun."""
    head = read_head(tx)
    if head.epoch != old.epoch or head.revision == old.revision:
        return head, []
    return head, [changed for (changed,) in tx.execute(f"{FEED} > ? {IN_ORDER}", (old.revision,))]


def _news(tx: Transaction, old: Snapshot, head: Head, changed: Sequence[str | None]) -> News | None:
    if (head.epoch, head.revision) == (old.epoch, old.revision):
        return None
    touched = _merged(changed, head.revision - old.revision) if head.epoch == old.epoch else None
    if touched is None:
        return News(read(tx), old)
    tables = frozenset(touched)
    asked, found = _leases(tx, touched)
    records = _records_since(tx, old, touched)
    snapshot = replace(
        old,
        revision=head.revision,
        at=head.time,
        **_documents_since(tx, old, touched),
        **(_with_leases(old, [lease for lease in found if lease.is_open], found) if asked else {}),
        **_small(tx, (tables & SMALL.keys()) - records.keys()),
        **({"records": records["static_record"]} if records else {}),
    )
    if len(found) < asked:  # rows that a prune took since
        return News(snapshot, old, tables)
    addresses = frozenset(lease.address for lease in found)
    if tables - BY_SERVICE - {"lease", "static_record"}:
        return News(snapshot, old, tables, None, addresses)
    services = (ServiceRef(*key) for table in tables & BY_SERVICE for key in touched[table])
    return News(snapshot, old, tables, frozenset((*services, *(lease.ref for lease in found))), addresses)


def applied(old: Snapshot, changes: Changes, opened: Sequence[Lease], head: Head) -> Snapshot:
    """``old`` after a commit of ``changes`` that gave its new leases ids and times; costs what changed."""
    fields: dict[str, Any] = {"revision": head.revision, "at": head.time, "epoch": head.epoch}
    for table, present, absent in documents_of(changes):
        field = rows.DOCUMENTS[table][2]
        fields[field] = _changed(getattr(old, field), present, absent)
    if changes.closed or opened:
        fields |= _with_leases(old, opened, [closing.lease for closing in changes.closed])
    if changes.reserved or changes.unreserved:
        reserved = {entry.address: entry for entry in changes.reserved if entry.source == "operator"}
        fields["reservations"] = _changed(old.reservations, reserved, [entry.address for entry in changes.unreserved])
    if changes.records or changes.records_gone:
        fields["records"] = _changed(old.records, dict.fromkeys(changes.records, True), changes.records_gone)
    if changes.configuration is not None:
        fields["configuration"] = rows.without_passwords(changes.configuration)
    fields["drained"] = (old.drained | frozenset(changes.drained)) - frozenset(changes.undrained)
    fields["drained_nodes"] = (old.drained_nodes | frozenset(changes.nodes_drained)) - frozenset(
        changes.nodes_undrained
    )
    fields["withheld"] = old.withheld if changes.withheld is None else changes.withheld
    fields["confirmed"] = old.confirmed if changes.confirmed is None else changes.confirmed
    if changes.heartbeat_keys is not None:
        fields["heartbeat_keys"] = changes.heartbeat_keys
    return replace(old, **fields)


def touched_by(changes: Changes, opened: Sequence[Lease]) -> Touched:
    """What the feed says about a commit."""
    touched: Touched = {}
    for table, present, absent in documents_of(changes):
        touched[table] = [list(rows.document_key(key)) for key in (*present, *absent)]
    ids = [closing.lease.id for closing in changes.closed] + [lease.id for lease in opened]
    if ids:
        touched["lease"] = ids
    records = [*changes.records, *changes.records_gone]
    if 0 < len(records) <= FEW_RECORDS:
        touched["static_record"] = [list(rows.record_row(record)) for record in records]
    flags = {
        "reservation": changes.reserved or changes.unreserved,
        "drained_pool": changes.drained or changes.undrained,
        "configuration": changes.configuration is not None,
        "meta": changes.withheld is not None
        or changes.confirmed is not None
        or bool(changes.nodes_drained or changes.nodes_undrained),
        "static_record": len(records) > FEW_RECORDS,
        "secret": changes.heartbeat_keys is not None,
    }
    return touched | {name: True for name, is_touched in flags.items() if is_touched}


def documents_of(changes: Changes) -> Iterator[tuple[str, dict[Any, Any], Sequence[Any]]]:
    """What ``changes`` writes to tables of documents: table, values by snapshot key, and the keys that are gone."""
    if changes.services or changes.services_gone:
        yield "service", {value.ref: value for value in changes.services}, changes.services_gone
    if changes.endpoints or changes.endpoints_gone:
        yield "endpoints", {value.ref: value for value in changes.endpoints}, changes.endpoints_gone
    if changes.refusals or changes.refusals_gone:
        yield "refusal", dict(changes.refusals), changes.refusals_gone
    if changes.nodes or changes.nodes_gone:
        yield "node", {value.name: value for value in changes.nodes}, changes.nodes_gone
    if changes.namespaces or changes.namespaces_gone:
        yield "namespace", {value.name: value for value in changes.namespaces}, changes.namespaces_gone


def _changed(old: PersistentMap[K, V], present: dict[K, V], absent: Iterable[K]) -> PersistentMap[K, V]:
    """What is both gone and present is present, as in the database: a Service deleted and made anew in one turn."""
    new = old
    for key in absent:
        new = new.discard(key)
    return new.update(present) if present else new


def _with_leases(old: Snapshot, opened: Sequence[Lease], closed: Sequence[Lease]) -> dict[str, Any]:
    return {
        "leases": _regrouped(old.leases, opened, closed, lambda lease: lease.address),
        "holdings": _regrouped(old.holdings, opened, closed, lambda lease: lease.ref),
    }


def _regrouped(
    old: PersistentMap[K, tuple[Lease, ...]], opened: Sequence[Lease], closed: Sequence[Lease], by: Callable[[Lease], K]
) -> PersistentMap[K, tuple[Lease, ...]]:
    """The map after leases went and came; a key without leases is absent."""
    gone = {lease.id for lease in closed}
    come: dict[K, list[Lease]] = defaultdict(list)
    for lease in opened:
        come[by(lease)].append(lease)
    keys = come.keys() | {by(lease) for lease in closed}
    new = {
        key: in_order((*(lease for lease in old.get(key) or () if lease.id not in gone), *come.get(key, ())))
        for key in keys
    }
    return _changed(old, {key: group for key, group in new.items() if group}, [key for key in new if not new[key]])


def _merged(changed: Sequence[str | None], count: int) -> dict[str, Any] | None:
    """Everything that ``count`` commits touched, or None when the feed cannot tell or tells of too much."""
    if len(changed) != count:
        return None
    merged: dict[str, Any] = {}
    for each in changed:
        if each is None:
            return None
        for table, keys in json.loads(each).items():
            merged.setdefault(table, []).extend(keys if isinstance(keys, list) else [None])
    return None if sum(map(len, merged.values())) > FULL_READ else merged


def _documents_since(tx: Transaction, old: Snapshot, touched: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for table in rows.DOCUMENTS.keys() & touched.keys():
        columns, kind, field = rows.DOCUMENTS[table]
        asked = sorted({tuple(key) for key in touched[table]})
        found = tx.by_keys(f"SELECT {', '.join(columns)}, document FROM {table}", columns, asked)  # noqa: S608
        present = {rows.snapshot_key(row[:-1]): rows.adapter(kind).validate_json(row[-1]) for row in found}
        absent = [key for key in map(rows.snapshot_key, asked) if key not in present]
        fields[field] = _changed(getattr(old, field), present, absent)
    return fields


def _records_since(tx: Transaction, old: Snapshot, touched: dict[str, Any]) -> dict[str, Any]:
    """The static records, by their table, where the feed tells which were touched; nothing where it does not."""
    told = touched.get("static_record", [None])
    if None in told:
        return {}
    asked = sorted(set(map(tuple, told)))
    found = tx.by_keys(RECORDS, ("name", "type", "value", "ttl"), asked)
    present = {rows.record_of(row): True for row in found}
    absent = [record for record in map(rows.record_of, asked) if record not in present]
    return {"static_record": _changed(old.records, present, absent)}


def _leases(tx: Transaction, touched: dict[str, Any]) -> tuple[int, list[Lease]]:
    """How many leases were touched, and those of them that are still known."""
    asked = sorted({(number,) for number in touched.get("lease", ())})
    return len(asked), rows.leases_of(tx.by_keys(rows.LEASE_SELECT, ("id",), asked), tx.time_out)


def _small(tx: Transaction, tables: Iterable[str]) -> dict[str, Any]:
    """Fields of a Snapshot that come from small tables, each read whole."""
    fields: dict[str, Any] = {}
    for table in tables:
        fields |= SMALL[table](tx)
    return fields


def _configuration(tx: Transaction) -> dict[str, Any]:
    text = tx.scalar("SELECT document FROM configuration WHERE valid_to IS NULL")
    return {"configuration": rows.adapter(Configuration).validate_json(text) if text else Configuration()}


def _reservations(tx: Transaction) -> dict[str, Any]:
    found = tx.execute(
        "SELECT source, addr_key, last, last_key, namespace, service, note FROM reservation WHERE source = 'operator'"
    )
    entries: list[Reservation] = [rows.reservation_of(row) for row in found]
    return {"reservations": HashTrieMap({entry.address: entry for entry in entries})}


def _drained(tx: Transaction) -> dict[str, Any]:
    return {"drained": frozenset(name for (name,) in tx.execute("SELECT name FROM drained_pool"))}


def _records(tx: Transaction) -> dict[str, Any]:
    return {"records": Remembering({rows.record_of(row): True for row in tx.execute(RECORDS)})}


def _meta(tx: Transaction) -> dict[str, Any]:
    found = {row[0]: row[1] for row in tx.execute("SELECT name, value FROM meta")}
    nodes = frozenset(name.removeprefix(rows.DRAINED_NODE) for name in found if name.startswith(rows.DRAINED_NODE))
    return {name: found.get(name, "") for name in ("withheld", "confirmed")} | {"drained_nodes": nodes}


def _secrets(tx: Transaction) -> dict[str, Any]:
    found = tx.execute("SELECT value FROM secret WHERE name = 'heartbeat' ORDER BY place").fetchall()
    return {"heartbeat_keys": tuple(value for (value,) in found)}


SMALL: dict[str, Callable[[Transaction], dict[str, Any]]] = {
    "configuration": _configuration,
    "reservation": _reservations,
    "drained_pool": _drained,
    "static_record": _records,
    "meta": _meta,
    "secret": _secrets,
}
"""Tables that are read whole when anything in them changed."""
