"""The commit: one transaction, one revision, all of a turn's changes or none of them.

Order: move ``head``, which locks it; close leases; open leases and their ports; current state; events; the feed.  Every
text is fixed, so that the driver prepares it once; and nothing is read but ``head`` and who leads, so that PostgreSQL is
waited for twice: for these two, and for everything else together with COMMIT.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from suite.model.address import address_key
from suite.model.changes import Changes, Closing
from suite.model.configuration import Configuration, StaticRecord
from suite.model.event import Event
from suite.model.lease import Lease, Reservation
from suite.model.pool import Pool
from suite.model.snapshot import Snapshot
from suite.store import chain, rows, tokens
from suite.store.database import Transaction, time_text
from suite.store.errors import Conflict, Deposed
from suite.store.plain_text import plain
from suite.store.snapshots import FULL_READ, Head, documents_of, head_of, touched_by

FEED_LENGTH = 10_000
"""How many commits the feed reaches back; who is further behind reads everything."""

EVENT_INTO = (
    "event (revision, n, at, actor_kind, actor, action, reason, namespace, service, node, family, address, addr_key,"
    " pool, before, after, prev_hash, hash, seal)"
)
EVENT_TYPES = (
    "bigint", "integer", "timestamptz", "text", "text", "text", "text", "text", "text", "text", "smallint", "text",
    "bytea", "text", "text", "text", "text", "text", "text",
)  # fmt: skip

_MOVE = (
    "UPDATE head SET revision = revision + 1, time = {later}(time, ?), last_lease = last_lease + ?"
    " RETURNING epoch, revision, hash, time, last_lease"
)
MOVE = {True: _MOVE.format(later="max"), False: _MOVE.format(later="greatest")}
"""By whether it is SQLite: the next revision, not before the last one's time; nobody else commits until this one ends."""

CLOSE = "UPDATE lease SET valid_to = ?, end_revision = ?, end_reason = ? WHERE id = ? AND valid_to IS NULL"
CLOSE_ALL = (
    "UPDATE lease SET valid_to = ?, end_revision = ?, end_reason = gone.reason"
    " FROM unnest(?::text[], ?::bigint[]) AS gone (reason, id)"
    " WHERE lease.id = gone.id AND valid_to IS NULL RETURNING 1"
)
"""The same in PostgreSQL's one statement."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: ``name`` tells this process's commits from others', ``key`` seals the log (empty: no seal)."""

    name: str
    key: bytes = b""


class Written(NamedTuple):
    """What a commit came to."""

    head: Head
    opened: list[Lease]
    """With ids and times."""
    is_newest: bool
    """Whether the plan's snapshot was the state just before."""


def write(
    tx: Transaction,
    writer: Writer,
    changes: Changes,
    based_on: Snapshot,
    *,
    now: datetime,
    term: int | None,
) -> Written:
    """Write ``changes`` in the transaction ``tx``.

    Raises:
        Conflict: leases or what operators order is touched and ``based_on`` is no longer the newest, or a row to close is
            closed already.
        Deposed: ``term`` is over.
    """
    moved = tx.execute(MOVE[tx.is_sqlite], (tx.time_in(now), len(changes.opened)))
    leading = None if term is None else tx.execute("SELECT term, instance FROM leadership")  # on its way with the other
    (row,) = moved.fetchall()
    head = head_of(row, tx)
    is_newest = (head.epoch, head.revision - 1) == (based_on.epoch, based_on.revision)
    if not is_newest and _needs_newest(changes):
        raise Conflict(f"revision {head.revision - 1} came before this commit, planned at {based_on.revision}")
    if leading is not None:
        _check_term(leading.fetchone(), term)
    _close(tx, changes.closed, head)
    opened = _open(tx, changes.opened, head)
    _write_documents(tx, changes, head)
    _write_small(tx, changes, head)
    last_hash = write_events(tx, changes.events, head, key=writer.key)
    _feed(tx, writer, changes, opened, head)
    return Written(head._replace(hash=last_hash), opened, is_newest)


def _needs_newest(changes: Changes) -> bool:
    """Whether it was decided by what others may have changed since: whose an address is, what is reserved or drained."""
    leases = changes.closed or changes.opened
    orders = changes.reserved or changes.unreserved or changes.drained or changes.undrained
    return bool(leases or orders or changes.nodes_drained or changes.nodes_undrained)


def write_events(tx: Transaction, events: Sequence[Event], head: Head, *, key: bytes, first: int = 1) -> str:
    """Append ``events`` to the chain that ends in ``head.hash``; the new last hash."""
    at, when = time_text(head.time), tx.time_in(head.time)
    values, last_hash = [], head.hash
    for n, event in enumerate(events, first):
        space, name = event.ref or (None, None)
        actor, reason, before, after = map(plain, (event.actor.name, event.reason, event.before, event.after))
        address, text, family = event.address, None, None
        if address is not None:
            text, family = str(address), address.version
        digest = chain.link(last_hash, chain.canonical((
            event.action.value, actor, event.actor.kind, text, after, at, before, family, n,
            space, event.node, event.pool, reason, head.revision, name,
        )))  # fmt: skip
        values.append((
            head.revision, n, when, event.actor.kind, actor, event.action.value, reason, space, name, event.node,
            family, text, None if address is None else address_key(address), event.pool, before, after, last_hash,
            digest, "",
        ))  # fmt: skip
        last_hash = digest
    if values and key:
        values[-1] = (*values[-1][:-1], chain.seal(key, last_hash))
    tx.insert(EVENT_INTO, EVENT_TYPES, values)
    return last_hash


def _check_term(leader: tuple[int, str] | None, term: int | None) -> None:
    if leader is None or leader[0] != term:
        name = leader[1] if leader else "nobody"
        raise Deposed(f"term {term} is over; {name} leads in term {leader[0] if leader else 0}")


def _close(tx: Transaction, closed: Sequence[Closing], head: Head) -> None:
    if not closed:
        return
    at = tx.time_in(head.time)
    ids, reasons = [closing.lease.id for closing in closed], [plain(closing.reason) for closing in closed]
    if tx.is_sqlite:
        done = tx.execute_many(CLOSE, [(at, head.revision, *each) for each in zip(reasons, ids, strict=True)])
    else:
        done = len(tx.execute(CLOSE_ALL, (at, head.revision, reasons, ids)).fetchall())
    if done != len(ids):
        raise Conflict(f"{len(ids) - done} of {len(ids)} leases to close are closed already")
    shared = [(closing.lease.id,) for closing in closed if rows.port_rows(closing.lease)]
    if shared:
        tx.execute_many("DELETE FROM lease_port WHERE lease_id = ?", shared)


def _open(tx: Transaction, wanted: Sequence[Lease], head: Head) -> list[Lease]:
    opened = [
        replace(
            lease, id=number, valid_from=head.time, revision=head.revision, uid=plain(lease.uid), note=plain(lease.note)
        )
        for number, lease in enumerate(wanted, head.last_lease - len(wanted) + 1)
    ]
    values = [rows.lease_row(lease, tx.time_in) for lease in opened]
    tx.insert(rows.LEASE_INTO, rows.LEASE_TYPES, values)
    ports = [row for lease in opened for row in rows.port_rows(lease)]
    tx.insert("lease_port (addr_key, protocol, port, lease_id)", ("bytea", "text", "integer", "bigint"), ports)
    return opened


def _write_documents(tx: Transaction, changes: Changes, head: Head) -> None:
    for table, present, absent in documents_of(changes):
        columns, kind, _ = rows.DOCUMENTS[table]
        if absent:
            where = " AND ".join(f"{column} = ?" for column in columns)
            text = f"DELETE FROM {table} WHERE {where}"  # noqa: S608 - names from this package
            tx.execute_many(text, [rows.document_key(key) for key in absent])
        values = [(*rows.document_key(key), rows.dump(kind, value), head.revision) for key, value in present.items()]
        keys = ", ".join(columns)
        update = f"ON CONFLICT ({keys}) DO UPDATE SET document = excluded.document, revision = excluded.revision"
        types = (*["text"] * len(columns), "text", "bigint")
        tx.insert(f"{table} ({keys}, document, revision)", types, values, update)


def _write_small(tx: Transaction, changes: Changes, head: Head) -> None:
    if changes.reserved or changes.unreserved:
        _reserve(tx, changes.reserved, changes.unreserved, head)
    if changes.drained or changes.undrained:
        _drain(tx, changes, head)
    if changes.nodes_drained or changes.nodes_undrained:
        _drain_nodes(tx, changes, head)
    if changes.records or changes.records_gone:
        _records(tx, changes.records, changes.records_gone, head)
    if changes.configuration is not None:
        _configure(tx, changes.configuration, head)
    if changes.tokens or changes.tokens_revoked:
        tokens.add(tx, changes.tokens)
        tokens.revoke(tx, changes.tokens_revoked, head.time)
    if changes.heartbeat_keys is not None:
        _keep_keys(tx, changes.heartbeat_keys, head)
    for name, value in (("withheld", changes.withheld), ("confirmed", changes.confirmed)):
        if value is not None:
            update = "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
            tx.insert("meta (name, value)", ("text", "text"), [(name, value)], update)


def _keep_keys(tx: Transaction, keys: Sequence[str], head: Head) -> None:
    """The heartbeat keys, the one that signs at place 0; those that went are not kept."""
    tx.execute("DELETE FROM secret WHERE name = 'heartbeat'")
    values = [("heartbeat", place, key, tx.time_in(head.time)) for place, key in enumerate(keys)]
    tx.insert("secret (name, place, value, since)", ("text", "integer", "text", "timestamptz"), values)


def _reserve(tx: Transaction, reserved: Sequence[Reservation], gone: Sequence[Reservation], head: Head) -> None:
    keys = [(entry.source, str(entry.address)) for entry in (*gone, *reserved)]
    tx.execute_many("DELETE FROM reservation WHERE source = ? AND address = ?", keys)
    tx.insert(
        "reservation (source, address, family, addr_key, last, last_key, namespace, service, note, revision)",
        ("text", "text", "smallint", "bytea", "text", "bytea", "text", "text", "text", "bigint"),
        [rows.reservation_row(entry, head.revision) for entry in reserved],
    )  # fmt: skip


def _drain(tx: Transaction, changes: Changes, head: Head) -> None:
    names = [(name,) for name in (*changes.undrained, *changes.drained)]
    tx.execute_many("DELETE FROM drained_pool WHERE name = ?", names)
    since = tx.time_in(head.time)
    values = [(name, since, head.revision) for name in dict.fromkeys(changes.drained) if name not in changes.undrained]
    tx.insert("drained_pool (name, since, revision)", ("text", "timestamptz", "bigint"), values)


def _drain_nodes(tx: Transaction, changes: Changes, head: Head) -> None:
    """A drained node is a row of ``meta``; its value is since when, for people."""
    names = [(rows.DRAINED_NODE + name,) for name in (*changes.nodes_undrained, *changes.nodes_drained)]
    tx.execute_many("DELETE FROM meta WHERE name = ?", names)
    drained = [name for name in dict.fromkeys(changes.nodes_drained) if name not in changes.nodes_undrained]
    values = [(rows.DRAINED_NODE + name, time_text(head.time)) for name in drained]
    tx.insert("meta (name, value)", ("text", "text"), values)


def _records(
    tx: Transaction,
    present: Sequence[StaticRecord],
    gone: Sequence[StaticRecord],
    head: Head,
) -> None:
    text = "DELETE FROM static_record WHERE name = ? AND type = ? AND value = ? AND ttl = ?"
    tx.execute_many(text, [rows.record_row(record) for record in (*gone, *present)])
    values = [(*rows.record_row(record), head.revision) for record in dict.fromkeys(present)]
    types = ("text", "text", "text", "integer", "bigint")
    tx.insert("static_record (name, type, value, ttl, revision)", types, values)


def _configure(tx: Transaction, configuration: Configuration, head: Head) -> None:
    """Put a configuration in force; its pools and reservations also become rows that people can query."""
    at = tx.time_in(head.time)
    tx.execute("UPDATE configuration SET valid_to = ? WHERE valid_to IS NULL", (at,))
    tx.execute(
        "INSERT INTO configuration (revision, digest, document, valid_from) VALUES (?, ?, ?, ?)",
        (head.revision, configuration.digest, rows.dump_configuration(configuration), at),
    )
    _write_pools(tx, configuration.pools, head)
    tx.execute("DELETE FROM reservation WHERE source = 'config'")
    written = {entry.address: replace(entry, source="config") for entry in configuration.reservations}
    if written:
        _reserve(tx, list(written.values()), (), head)


def _write_pools(tx: Transaction, pools: Sequence[Pool], head: Head) -> None:
    """End every pool that changed and open what it became; a pool that stayed as it was keeps its row."""
    now = {pool.name: rows.pool_shape(position, pool) for position, pool in enumerate(pools)}
    before = rows.pools_in_force(tx)
    ended = [(pool_id,) for name, (pool_id, shape) in before.items() if name not in now or now[name] != shape]
    at = tx.time_in(head.time)
    if ended:
        text = "UPDATE pool SET valid_to = ? WHERE id = ?"
        tx.execute_many(text, [(at, *row) for row in ended])
    fresh = [shape for name, shape in now.items() if name not in before or before[name][1] != shape]
    numbered = [(head.revision * 10_000 + n, shape) for n, shape in enumerate(fresh)]
    tx.insert(
        "pool (id, name, position, auto_assign, avoid_buggy, priority, zone, valid_from, revision)",
        ("bigint", "text", "integer", "boolean", "boolean", "integer", "text", "timestamptz", "bigint"),
        [(number, *shape.columns, at, head.revision) for number, shape in numbered],
    )  # fmt: skip
    tx.insert(
        "pool_range (pool_id, n, is_excluded, family, first, last, first_key, last_key, size, first_number, last_number)",
        ("bigint", "integer", "boolean", "smallint", "text", "text", "bytea", "bytea", "float8", "bigint", "bigint"),
        [(number, n, *span) for number, shape in numbered for n, span in enumerate(shape.ranges)],
    )  # fmt: skip


def _feed(tx: Transaction, writer: Writer, changes: Changes, opened: Sequence[Lease], head: Head) -> None:
    touched = touched_by(changes, opened)
    many = sum(len(keys) for keys in touched.values() if isinstance(keys, list)) > FULL_READ
    changed = None if many else json.dumps(touched, separators=(",", ":"))
    values = [(head.revision, writer.name, changed)]
    tx.insert("feed (revision, writer, changed)", ("bigint", "text", "text"), values)
    if head.revision % 500 == 0:
        tx.execute("DELETE FROM feed WHERE revision <= ?", (head.revision - FEED_LENGTH,))
