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

from suite.model.changes import Changes
from suite.model.configuration import Configuration
from suite.model.lease import Lease, Reservation
from suite.model.persistent import PersistentMap
from suite.model.snapshot import Snapshot
from suite.store import folding, rows
from suite.store.collector import without_collector
from suite.store.database import Transaction
from suite.store.folding import in_order

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

FULL_READ = 5_000
"""From so many changed keys on, one full read costs less than asking for each."""


class Head(NamedTuple):
    """The row ``head``."""

    epoch: str
    revision: int
    hash: str
    time: datetime
    last_lease: int


Touched = dict[str, list[list[str]] | list[int] | bool]
"""What a commit touched: keys by table of documents, ids under ``lease``, and a flag for each small table."""


def read_head(tx: Transaction, *, lock: bool = False) -> Head:
    """The row ``head``; with ``lock`` nobody else commits until this transaction ends (SQLite: BEGIN IMMEDIATE does)."""
    suffix = " FOR UPDATE" if lock and not tx.is_sqlite else ""
    row = tx.execute(f"SELECT epoch, revision, hash, time, last_lease FROM head{suffix}").fetchone()  # noqa: S608
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
    head = read_head(tx)
    if (head.epoch, head.revision) == (old.epoch, old.revision):
        return old
    touched = _since(tx, old.revision, head) if head.epoch == old.epoch else None
    if touched is None:
        return read(tx)
    return replace(
        old,
        revision=head.revision,
        at=head.time,
        **_documents_since(tx, old, touched),
        **_leases_since(tx, old, touched),
        **_small(tx, frozenset(touched) & SMALL.keys()),
    )


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
    flags = {
        "reservation": changes.reserved or changes.unreserved,
        "drained_pool": changes.drained or changes.undrained,
        "configuration": changes.configuration is not None,
        "meta": changes.withheld is not None
        or changes.confirmed is not None
        or bool(changes.nodes_drained or changes.nodes_undrained),
        "static_record": changes.records or changes.records_gone,
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


def _since(tx: Transaction, revision: int, head: Head) -> dict[str, Any] | None:
    """Everything touched after ``revision``, or None when the feed cannot tell or tells of too much."""
    found = tx.execute("SELECT changed FROM feed WHERE revision > ? ORDER BY revision", (revision,)).fetchall()
    if len(found) != head.revision - revision or any(row[0] is None for row in found):
        return None
    merged: dict[str, Any] = {}
    for (changed,) in found:
        for table, keys in json.loads(changed).items():
            merged.setdefault(table, []).extend(keys if isinstance(keys, list) else ())
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


def _leases_since(tx: Transaction, old: Snapshot, touched: dict[str, Any]) -> dict[str, Any]:
    if "lease" not in touched:
        return {}
    asked = sorted({(number,) for number in touched["lease"]})
    found = rows.leases_of(tx.by_keys(rows.LEASE_SELECT, ("id",), asked), tx.time_out)
    opened = [lease for lease in found if lease.is_open]
    return _with_leases(old, opened, found)


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
    found = tx.execute("SELECT name, type, value, ttl FROM static_record")
    return {"records": HashTrieMap({rows.record_of(row): True for row in found})}


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
