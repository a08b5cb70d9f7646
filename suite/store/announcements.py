"""Who announced what, from when until when: rows that open and close as speakers report changes.

A report is the whole of what one node announces; what differs from its open rows is written, so a report that was lost or
a process that died heals with the next one.  Rows are no part of a snapshot: they raise no revision and wake nobody.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from suite.model.address import Address, address_from_key, address_key
from suite.model.announcement import Announcement, AnnouncementSpan
from suite.store.database import Transaction
from suite.store.history import Filter
from suite.store.snapshots import read_head

INTO = "announcement (id, family, address, addr_key, node, mode, interface, peer, mac, prefix, valid_from, end_reason)"
TYPES = ("bigint", "smallint", "text", "bytea", "text", "text", "text", "text", "text", "text", "timestamptz", "text")
CLOSE = "UPDATE announcement SET valid_to = CASE WHEN valid_from > ? THEN valid_from ELSE ? END, end_reason = ? WHERE id = ?"


def open_rows(tx: Transaction, node: str) -> dict[Announcement, int]:
    """What the database says that ``node`` announces, with the ids of the rows."""
    text = (
        "SELECT id, addr_key, mode, interface, peer, mac, prefix FROM announcement"
        " WHERE node = ? AND valid_to IS NULL ORDER BY id"
    )
    return {
        Announcement(address_from_key(bytes(key)), node, mode, interface, peer, mac, prefix): number
        for number, key, mode, interface, peer, mac, prefix in tx.execute(text, (node,)).fetchall()
    }


def last_id(tx: Transaction) -> int:
    """The number of the newest row; 0 when there is none."""
    return int(tx.scalar("SELECT coalesce(max(id), 0) FROM announcement"))


def begun_since(tx: Transaction, number: int) -> tuple[list[Announcement], int]:
    """What is announced now and began after row ``number``, in the order it began; and the number of the newest row."""
    last = last_id(tx)
    if last == number:
        return [], last
    text = (
        "SELECT addr_key, node, mode, interface, peer, mac FROM announcement"
        " WHERE id > ? AND id <= ? AND valid_to IS NULL ORDER BY id"
    )
    rows = tx.execute(text, (number, last)).fetchall()
    return [Announcement(address_from_key(bytes(key)), *rest) for key, *rest in rows], last


def spans(
    tx: Transaction,
    *,
    address: Address | None = None,
    node: str = "",
    mode: str = "",
    at: datetime | None = None,
    before_id: int | None = None,
    limit: int,
) -> list[AnnouncementSpan]:
    """What is announced by any node, or was at a time, the newest first; pages end where ``before_id`` goes on."""
    wanted = Filter(tx)
    wanted.add_address(address)
    wanted.add("node = ?", node or None)
    wanted.add("mode = ?", mode or None)
    wanted.add("valid_from <= ? AND (valid_to IS NULL OR valid_to > ?)", at, at)
    wanted.add("id < ?", before_id)
    if at is None:
        wanted.add("valid_to IS NULL")
    select = "SELECT id, addr_key, node, mode, interface, peer, mac, prefix, valid_from, valid_to, end_reason FROM announcement"
    return [
        AnnouncementSpan(
            number, Announcement(address_from_key(bytes(key)), *rest), tx.time_out(since), tx.time_out(until), why
        )
        for number, key, *rest, since, until, why in wanted.run(select, "id DESC", limit)
    ]


def record(
    tx: Transaction, node: str, announced: frozenset[Announcement], now: datetime, *, is_late: bool = False
) -> None:
    """Make the open rows of ``node`` those of ``announced``; an address has one owner by layer 2, so rows of others end.

    A report that is late tells of an earlier time: rows that others began after it stay.
    """
    newest = read_head(tx, lock=True).time
    at = tx.time_in(now if is_late else max(now, newest))
    known = open_rows(tx, node)
    begun = sorted(announced - known.keys(), key=lambda each: (address_key(each.address), each.interface, each.peer))
    ended = [(at, at, "withdrawn", number) for each, number in known.items() if each not in announced]
    ended += [(at, at, f"taken over by {node}", number) for number in _of_predecessors(tx, node, begun, at)]
    if ended:
        tx.execute_many(CLOSE, ended)
    last = last_id(tx)
    values = [
        (
            last + place, each.address.version, str(each.address), address_key(each.address), node, each.mode,
            each.interface, each.peer, each.mac, each.prefix, at, "",
        )
        for place, each in enumerate(begun, 1)
    ]  # fmt: skip
    tx.insert(INTO, TYPES, values)


def _of_predecessors(tx: Transaction, node: str, begun: Iterable[Announcement], at: Any) -> list[int]:
    """Open layer 2 rows of other nodes: they died, or are about to say so themselves."""
    text = (
        "SELECT id FROM announcement WHERE address = ? AND node <> ? AND mode = 'layer2' AND valid_to IS NULL"
        " AND valid_from <= ?"
    )
    addresses = sorted({str(each.address) for each in begun if each.mode == "layer2"})
    return [row[0] for address in addresses for row in tx.execute(text, (address, node, at)).fetchall()]
