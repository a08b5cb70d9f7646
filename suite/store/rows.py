"""Between values of ``model`` and rows: the one place that knows how each is written."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

from suite.model.address import Range, address_from_key, address_key
from suite.model.configuration import Configuration, StaticRecord
from suite.model.lease import Lease, LeaseState, Reservation
from suite.model.node import Namespace, Node
from suite.model.pool import Pool
from suite.model.refusal import Refusal
from suite.model.service import Endpoints, Port, Service, ServiceRef
from suite.store.plain_text import plain

if TYPE_CHECKING:
    from suite.store.database import Transaction

LEASE_INTO = (
    "lease (id, family, address, addr_key, namespace, service, uid, pool, state, share_group, ports, was_requested,"
    " until, note, valid_from, revision)"
)
LEASE_TYPES = (
    "bigint", "smallint", "text", "bytea", "text", "text", "text", "text", "text", "text", "text", "boolean",
    "timestamptz", "text", "timestamptz", "bigint",
)  # fmt: skip
LEASE_SELECT = (
    "SELECT addr_key, namespace, service, pool, state, share_group, valid_from, id, uid, ports, was_requested, until,"
    " note, valid_to, end_reason, revision FROM lease"
)
LEASE_ID = 7
"""Where its number stands in a row of that."""

_STATES = {state.value: state for state in LeaseState}


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """The reader and writer of a model type; building one takes milliseconds."""
    return TypeAdapter(kind)


def dump(kind: Any, value: Any) -> str:
    """``value`` as JSON text without what is default; text that UTF-8 cannot hold is written as U+FFFD."""
    try:
        return adapter(kind).dump_json(value, exclude_defaults=True).decode()
    except PydanticSerializationError:
        return adapter(kind).dump_json(_cleaned(value), exclude_defaults=True).decode()


def _cleaned(value: Any) -> Any:
    """``value`` with every lone surrogate in it replaced: a file may write one as an escape, no encoding can."""
    if type(value) is str:
        return plain(value)
    if type(value) is tuple:
        return tuple(map(_cleaned, value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _cleaned(getattr(value, each.name)) for each in fields(value)})
    return value


def dump_configuration(value: Configuration) -> str:
    """A configuration as JSON; passwords never reach the database."""
    return dump(Configuration, without_passwords(value))


def without_passwords(value: Configuration) -> Configuration:
    """The configuration as the database knows it; whoever holds the file puts the passwords back."""
    return replace(value, peers=tuple(replace(peer, password="") for peer in value.peers))


@lru_cache(4096)
def dump_ports(ports: tuple[Port, ...]) -> str:
    """Ports as JSON; few differ among many Services."""
    return dump(tuple[Port, ...], ports) if ports else ""


@lru_cache(4096)
def load_ports(text: str) -> tuple[Port, ...]:
    """The inverse of :func:`dump_ports`."""
    return adapter(tuple[Port, ...]).validate_json(text) if text else ()


def lease_row(lease: Lease, time_in: Callable[[Any], Any]) -> tuple[Any, ...]:
    """The values for :data:`LEASE_INTO`."""
    address = lease.address
    return (
        lease.id, address.version, str(address), address_key(address), lease.ref[0], lease.ref[1], lease.uid,
        lease.pool, lease.state.value, lease.share_group, dump_ports(lease.ports), lease.was_requested,
        time_in(lease.until), lease.note, time_in(lease.valid_from), lease.revision,
    )  # fmt: skip


def leases_of(
    rows: Iterable[Sequence[Any]],
    time_out: Callable[[Any], Any],
    services: Mapping[ServiceRef, Service] = MappingProxyType({}),
) -> list[Lease]:
    """Rows of :data:`LEASE_SELECT` as leases; equal texts become one object, for many rows repeat them.

    A lease of one of ``services`` has that Service's own name object, which saves a tenth of a large snapshot.
    """
    same: dict[str, str] = {}
    keep = same.setdefault
    when = lru_cache(1024)(time_out)

    def ref_of(space: str, name: str) -> ServiceRef:
        ref = ServiceRef(keep(space, space), name)
        return owner.ref if (owner := services.get(ref)) else ref

    return [
        Lease(
            address_from_key(key), ref_of(space, name), keep(pool, pool), _STATES[state], group,
            when(begin), number, uid, load_ports(ports), bool(requested), when(until), note, when(end), reason, revision,
        )
        for key, space, name, pool, state, group, begin, number, uid, ports, requested, until, note, end, reason,
            revision in rows
    ]  # fmt: skip


def port_rows(lease: Lease) -> list[tuple[Any, ...]]:
    """Rows of ``lease_port``: the ports of a lease that shares its address; none where it shares with nobody."""
    if lease.share_group == str(lease.ref):
        return []
    key = address_key(lease.address)
    return [(key, protocol, port, lease.id) for protocol, port in {(port.protocol, port.port) for port in lease.ports}]


def reservation_row(entry: Reservation, revision: int) -> tuple[Any, ...]:
    """Values for ``reservation`` in the order of its columns."""
    last = entry.last or entry.address
    return (
        entry.source, str(entry.address), entry.address.version, address_key(entry.address),
        str(entry.last) if entry.last else "", address_key(last),
        entry.ref.namespace if entry.ref else None, entry.ref.name if entry.ref else None, entry.note, revision,
    )  # fmt: skip


def reservation_of(row: Sequence[Any]) -> Reservation:
    """A row of source, addr_key, last, last_key, namespace, service, note."""
    source, key, last, last_key, namespace, name, note = row
    ref = None if name is None else ServiceRef(namespace, name)
    return Reservation(
        address_from_key(bytes(key)), ref, note, source, address_from_key(bytes(last_key)) if last else None
    )


DRAINED_NODE = "drained-node:"
"""Names in ``meta`` that begin so say which nodes are drained."""

DOCUMENTS: dict[str, tuple[tuple[str, ...], Any, str]] = {
    "service": (("namespace", "name"), Service, "services"),
    "endpoints": (("namespace", "name"), Endpoints, "endpoints"),
    "refusal": (("namespace", "name"), Refusal, "refusals"),
    "node": (("name",), Node, "nodes"),
    "namespace": (("name",), Namespace, "namespaces"),
}
"""Table of documents -> its key columns, what a document is, and the field of Snapshot and Changes."""


def document_key(key: Any) -> tuple[str, ...]:
    """The key columns of what a Snapshot keys by ``key``."""
    return (key,) if isinstance(key, str) else tuple(key)


def snapshot_key(key: Sequence[str]) -> Any:
    """The inverse of :func:`document_key`."""
    return key[0] if len(key) == 1 else ServiceRef(key[0], key[1])


def record_row(record: StaticRecord) -> tuple[Any, ...]:
    """The key columns of ``static_record``."""
    return record.name, record.type, record.value, -1 if record.ttl is None else record.ttl


def record_of(row: Sequence[Any]) -> StaticRecord:
    """The inverse of :func:`record_row`."""
    return StaticRecord(row[0], row[1], row[2], None if row[3] < 0 else row[3])


class PoolShape(NamedTuple):
    """A pool as its rows say it: comparable, so that a pool that stayed as it was keeps its row."""

    columns: tuple[Any, ...]
    """name, position, auto_assign, avoid_buggy, priority, zone."""
    ranges: tuple[tuple[Any, ...], ...]
    """is_excluded, family, first, last, first_key, last_key, size, first_number, last_number; excluded ones last."""


def pool_shape(position: int, pool: Pool) -> PoolShape:
    """The rows of ``pool``, the ``position``-th of its configuration."""
    priority = pool.allocation.priority if pool.allocation else 0
    columns = (pool.name, position, pool.auto_assign, pool.avoid_buggy, priority, pool.zone)
    spans = [(False, span) for span in pool.ranges] + [(True, span) for span in pool.excluded]
    return PoolShape(columns, tuple(_range_row(is_excluded, span) for is_excluded, span in spans))


def _range_row(is_excluded: bool, span: Range) -> tuple[Any, ...]:
    numbers = (int(span.first), int(span.last)) if span.family == 4 else (None, None)
    return (
        is_excluded, span.family, str(span.first), str(span.last), address_key(span.first), address_key(span.last),
        float(span.size), *numbers,
    )  # fmt: skip


def pools_in_force(tx: "Transaction") -> dict[str, tuple[int, PoolShape]]:
    """The open pool rows by name: id and shape."""
    ranges: dict[int, list[tuple[Any, ...]]] = {}
    for row in tx.execute(
        "SELECT pool_id, is_excluded, family, first, last, first_key, last_key, size, first_number, last_number"
        " FROM pool_range WHERE pool_id IN (SELECT id FROM pool WHERE valid_to IS NULL) ORDER BY pool_id, n"
    ):
        ranges.setdefault(row[0], []).append((bool(row[1]), *row[2:]))
    found = tx.execute(
        "SELECT id, name, position, auto_assign, avoid_buggy, priority, zone FROM pool WHERE valid_to IS NULL"
    )
    return {
        name: (number, PoolShape((name, position, bool(auto), bool(buggy), *rest), tuple(ranges.get(number, ()))))
        for number, name, position, auto, buggy, *rest in found
    }
