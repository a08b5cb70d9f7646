"""What commits touched: keys of the snapshot by table, out of the feed's rows, for whoever must tell only what changed."""

import json
from collections.abc import Iterable
from typing import Any

from suite.model.address import Address, address_from_key
from suite.store import rows
from suite.store.database import CHUNK, Transaction
from suite.store.snapshots import FULL_READ, read_head

WHOLE = {"reservation"}
"""Tables of which a commit does not say which rows it touched; they change by an operator's hand."""

Touched = dict[str, set[Any]]


def touched(tx: Transaction, epoch: str, after: int, until: int) -> Touched | None:
    """Keys of services, endpoints, ..., static records under ``record``, and addresses under ``lease``; ``configuration`` is there when it changed.

    None where it cannot be told: another epoch, commits that the feed has forgotten, or so much that everything is less.
    """
    if read_head(tx).epoch != epoch or until < after:
        return None
    text = "SELECT changed FROM feed WHERE revision > ? AND revision <= ?"
    found = [row[0] for row in tx.execute(text, (after, until)).fetchall()]
    if len(found) != until - after or None in found:
        return None
    merged: dict[str, list[Any]] = {}
    for changed in found:
        for table, keys in json.loads(changed).items():
            merged.setdefault(table, []).extend(keys if isinstance(keys, list) else [None])
    records = merged.pop("static_record", [])
    if None in records or WHOLE & merged.keys() or sum(map(len, merged.values())) > FULL_READ:
        return None
    told: Touched = {
        table: set(map(rows.snapshot_key, merged[table])) for table in rows.DOCUMENTS.keys() & merged.keys()
    }
    if records:
        told["record"] = {rows.record_of(row) for row in records}
    if "configuration" in merged:
        told["configuration"] = set()
    ids = set(merged.get("lease", ()))
    told["lease"] = _addresses(tx, sorted(ids))
    return told if None not in told["lease"] else None


def _addresses(tx: Transaction, ids: list[int]) -> set[Address | None]:
    """The addresses of leases; None among them when one is no longer kept."""
    found: dict[int, Address] = {}
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        text = f"SELECT id, addr_key FROM lease WHERE id IN ({_marks(chunk)})"  # noqa: S608 - question marks
        found |= {number: address_from_key(bytes(key)) for number, key in tx.execute(text, tuple(chunk)).fetchall()}
    return {found.get(number) for number in ids}


def _marks(values: Iterable[int]) -> str:
    return ", ".join("?" for _ in values)
