"""What a full read leaves folded: documents, and the leases of Services that share their address with nobody.

Those are nearly all rows of a large database, and most readers look at few of them.  So a row is taken as one piece of
octets, which the database puts together faster than Python could take it apart, and is unfolded when somebody asks
for it.  Everything else (held, cooling, declined and shared addresses) is unfolded at once; a ledger relies on that.
"""

from __future__ import annotations  # HashTrieMap takes no subscript at run time

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from sys import intern
from typing import Any

from suite.model.address import Address, address_from_key
from suite.model.lease import Lease, LeaseState
from suite.model.persistent import Folded, PersistentMap
from suite.model.service import NamedPort, Service, ServiceRef
from suite.store import rows
from suite.store.database import Transaction, time_of

ALONE = "state = 'bound' AND share_group = namespace || '/' || service"
"""A row that needs no looking at: bound, and nobody else may have the address."""

COLUMNS = "share_group, pool, valid_from, id, uid, was_requested, note, revision"
"""What a folded lease says, beside its ports, which are JSON already."""

OPEN_LEASES = {
    True: f"SELECT addr_key, namespace, service, CAST(CASE WHEN {ALONE} THEN"  # noqa: S608 - this module's own texts
    f" json_array({COLUMNS}) || ports ELSE id END AS BLOB) FROM lease WHERE valid_to IS NULL",
    False: f"SELECT addr_key, namespace, service, convert_to(CASE WHEN {ALONE} THEN"  # noqa: S608
    f" json_build_array({COLUMNS}) || ports ELSE id::text END, 'UTF8') FROM lease WHERE valid_to IS NULL",
}
"""By whether it is SQLite: the open leases, the id in place of those that are unfolded at once."""

OCTETS = {True: "CAST(document AS BLOB)", False: "convert_to(document, 'UTF8')"}

_take_apart = json.JSONDecoder().raw_decode


def documents(tx: Transaction, table: str) -> PersistentMap[Any, Any]:
    """A table of documents, all of it folded."""
    columns, kind, _ = rows.DOCUMENTS[table]
    found = tx.scan(f"SELECT {', '.join(columns)}, {OCTETS[tx.is_sqlite]} FROM {table}")  # noqa: S608
    base: dict[Any, bytes]
    if len(columns) == 1:
        base = {row[0]: row[1] for row in found}
    else:
        base = {ServiceRef(intern(space), name): octets for space, name, octets in found}
    unfold = rows.adapter(kind).validate_json
    glance = plain_ports if kind is Service else lambda _: None
    return Folded(base, kind, lambda _, document: unfold(document), folder(kind), glance)


_SAYS_MORE = re.compile(rb'"(?:publish|ttl|wildcard|hostnames|routed)":').search
_NAMED_PORTS = re.compile(rb'\{"port":(\d+),(?:"protocol":"(UDP|SCTP)",)?"name":"([a-z0-9-]+)"').findall


def plain_ports(document: bytes) -> tuple[NamedPort, ...] | None:
    """``Service.plain_ports`` of a document, as it is written by ``folder``; None when in doubt.

    What is default stands in no document.  In text of users every quotation mark is escaped, so no label or annotation
    can look like the name of a field.
    """
    if b'"type":"LoadBalancer"' not in document or _SAYS_MORE(document) is not None:
        return None
    names = document.count(b'"name":')
    if not names:
        return ()
    found = _NAMED_PORTS(document)
    return _ports(tuple(found)) if len(found) == names else None


@lru_cache(4096)
def _ports(found: tuple[tuple[bytes, bytes, bytes], ...]) -> tuple[NamedPort, ...]:
    """Ports as their fields stand in a document; few differ among many Services."""
    return tuple(NamedPort(name.decode(), proto.decode() or "TCP", int(number)) for number, proto, name in found)


def folder(kind: Any) -> Callable[[Any], bytes]:
    """What writes a value as ``rows.dump`` does, and raises ValueError where it has text that no encoding can write."""
    return partial(rows.adapter(kind).serializer.to_json, exclude_defaults=True)


def leases(tx: Transaction, known: Iterable[ServiceRef] = ()) -> dict[str, PersistentMap[Any, Any]]:
    """The open leases by address and by Service, as fields of a Snapshot; with the ``known`` names' own objects, a tenth of it all."""
    by_address: dict[Address, Any] = {}
    by_ref: dict[tuple[str, str], Any] = dict.fromkeys(known)  # a key that is there already stays the object that it is
    others: list[tuple[int]] = []
    for key, space, name, octets in tx.scan(OPEN_LEASES[tx.is_sqlite]):
        if octets[:1] != b"[":
            others.append((int(octets),))
            continue
        address = address_from_key(key)
        by_address[address] = octets
        ref = (space, name)
        if (held := by_ref.get(ref)) is not None:
            by_ref[ref] = [*(held if isinstance(held, list) else [held]), address]
        else:
            by_ref[ref if ref in by_ref else ServiceRef(intern(space), name)] = address
    mixed: dict[ServiceRef, list[Lease]] = defaultdict(list)
    for lease in rows.leases_of(tx.by_keys(rows.LEASE_SELECT, ("id",), others), tx.time_out):
        by_address[lease.address] = in_order((*by_address.get(lease.address, ()), lease))
        mixed[lease.ref].append(lease)
    at: Folded[Address, tuple[Lease, ...]] = Folded(by_address, tuple, _unfold)
    for owner, more in mixed.items():
        by_ref[owner] = in_order((*(_held(at, by_ref[owner]) if by_ref.get(owner) else ()), *more))
    for ref in [each for each, held in by_ref.items() if held is None]:
        del by_ref[ref]
    return {"leases": at, "holdings": Folded(by_ref, tuple, lambda _, held: _held(at, held))}


def _held(at: Folded[Address, tuple[Lease, ...]], held: Address | list[Address]) -> tuple[Lease, ...]:
    """The leases of a Service on the addresses that stand in their place."""
    return in_order(lease for each in held for lease in at[each]) if isinstance(held, list) else at[held]


def in_order(found: Iterable[Lease]) -> tuple[Lease, ...]:
    """Leases of one address or Service in the order they were made."""
    return tuple(sorted(found, key=lambda lease: lease.id))


def _unfold(address: Address, octets: bytes) -> tuple[Lease]:
    """The one lease on ``address``; what many rows repeat becomes one object."""
    text = octets.decode()
    (group, pool, since, number, uid, requested, note, revision), end = _take_apart(text)
    space, _, name = group.partition("/")
    lease = Lease(
        address, ServiceRef(intern(space), name), intern(pool), LeaseState.BOUND, group, time_of(since), number, uid,
        rows.load_ports(text[end:]), bool(requested), note=note, revision=revision,
    )  # fmt: skip
    return (lease,)
