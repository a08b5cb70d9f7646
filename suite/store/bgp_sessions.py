"""BGP sessions of every node, from when until when they were up or down, and why.

A report is the whole of what one node says of its sessions; what differs from its open rows is written, as for announcements. Rows
are no part of a snapshot: they raise no revision and wake nobody.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from suite.model.peering import SessionSpan, SessionState
from suite.store.database import Transaction
from suite.store.snapshots import read_head

INTO = "bgp_session (id, node, peer, address, state, asn, identifier, why, valid_from)"
TYPES = ("bigint", "text", "text", "text", "text", "bigint", "text", "text", "timestamptz")
COLUMNS = "node, peer, address, state, asn, identifier, why"
CLOSE = "UPDATE bgp_session SET valid_to = CASE WHEN valid_from > ? THEN valid_from ELSE ? END WHERE id = ?"
AMEND = "UPDATE bgp_session SET why = ? WHERE id = ?"


def open_rows(tx: Transaction, node: str) -> dict[SessionState, int]:
    """What the database says of the sessions of ``node``, with the ids of the rows."""
    text = f"SELECT id, {COLUMNS} FROM bgp_session WHERE node = ? AND valid_to IS NULL ORDER BY id"  # noqa: S608 - constants
    return {_state(row[1:]): row[0] for row in tx.execute(text, (node,)).fetchall()}


def record(
    tx: Transaction, node: str, sessions: Iterable[SessionState], now: datetime, *, is_late: bool = False
) -> None:
    """Make the open rows of ``node`` those of ``sessions``; a session that is down goes on in its row when only the reason changes.

    A report that is late tells of an earlier time, which it keeps.
    """
    newest = read_head(tx, lock=True).time
    at = tx.time_in(now if is_late else max(now, newest))
    known = {each.key: (each, number) for each, number in open_rows(tx, node).items()}
    wanted = {each.key: each for each in sessions}
    amended = [
        (wanted[key].why, number) for key, (each, number) in known.items() if key in wanted and each != wanted[key]
    ]
    ended = [(at, at, number) for key, (_, number) in known.items() if key not in wanted]
    if amended:
        tx.execute_many(AMEND, amended)
    if ended:
        tx.execute_many(CLOSE, ended)
    last = int(tx.scalar("SELECT coalesce(max(id), 0) FROM bgp_session"))
    begun = [wanted[key] for key in sorted(wanted.keys() - known.keys())]
    values = [
        (
            last + place, each.node, each.peer, each.address, "up" if each.is_up else "down",
            each.asn, each.identifier, each.why, at,
        )
        for place, each in enumerate(begun, 1)
    ]  # fmt: skip
    tx.insert(INTO, TYPES, values)


def spans(tx: Transaction, *, node: str = "", peer: str = "", limit: int) -> list[SessionSpan]:
    """The newest sessions first, of one node or one peer or all."""
    text = (
        f"SELECT {COLUMNS}, valid_from, valid_to FROM bgp_session"  # noqa: S608 - constants
        " WHERE (? = '' OR node = ?) AND (? = '' OR peer = ?) ORDER BY id DESC LIMIT ?"
    )
    rows = tx.execute(text, (node, node, peer, peer, limit)).fetchall()
    return [SessionSpan(_state(row[:7]), tx.time_out(row[7]), tx.time_out(row[8]) if row[8] else None) for row in rows]


def _state(row: Any) -> SessionState:
    node, peer, address, state, asn, identifier, why = row
    return SessionState(node, peer, address, state == "up", asn, identifier, why)
