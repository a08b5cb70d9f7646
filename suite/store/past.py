"""The suite as it was at a time, as far as the database tells: configuration, leases, reservations, drained pools.

Lease and configuration rows say from when until when they held.  Reservations and drained pools have only their present
rows, and what is wound back from those is what the log says happened since.  Services, endpoints, nodes, refusals and
imported records are kept as they are now and not as they were: a past snapshot holds none of them.
"""

from __future__ import annotations  # HashTrieMap takes no subscript at run time

import json
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from rpds import HashTrieMap

from suite.model.address import Address, parse_address
from suite.model.announcement import Announcement
from suite.model.configuration import Configuration
from suite.model.event import Action, Event
from suite.model.lease import Lease, Reservation
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot
from suite.store import history, rows
from suite.store.database import Transaction
from suite.store.errors import NotKept
from suite.store.snapshots import SMALL, read_head

K = TypeVar("K", bound=Hashable)

ALL = 1_000_000_000
MOVES = (Action.RESERVED, Action.UNRESERVED, Action.DRAINED, Action.UNDRAINED)
"""What changed operators' rows, each time with an event."""


def require_kept(tx: Transaction, at: datetime) -> None:
    """Refuse a time of which the database cannot tell everything.

    Raises:
        NotKept: it lies before the database began, or before what was pruned.
    """
    begins, pruned = tx.scalar("SELECT min(at) FROM event"), tx.scalar("SELECT max(before) FROM checkpoint")
    if pruned is not None and at < tx.time_out(pruned):
        raise NotKept(
            f"what was before {tx.time_out(pruned):%Y-%m-%d %H:%M:%S} UTC was moved into an archive",
            "ask for a later time, or look into the archive; `suite audit log --action pruned` says who has it",
        )
    if pruned is None and begins is not None and at < tx.time_out(begins):
        raise NotKept(
            f"the database begins at {tx.time_out(begins):%Y-%m-%d %H:%M:%S} UTC",
            "ask for a later time; `suite lease history` shows all that there is",
        )


def past(tx: Transaction, at: datetime) -> Snapshot:
    """The snapshot at ``at``, without what only the present has.

    Raises:
        NotKept: the database cannot tell.
    """
    require_kept(tx, at)
    then = tx.time_in(at)
    head = read_head(tx)
    revision = tx.scalar("SELECT max(revision) FROM event WHERE at <= ?", (then,))
    document = tx.scalar(
        "SELECT document FROM configuration WHERE valid_from <= ? AND (valid_to IS NULL OR valid_to > ?)"
        " ORDER BY revision DESC LIMIT 1",
        (then, then),
    )
    leases = history.leases(tx, at=at, limit=ALL)
    present = SMALL["reservation"](tx) | SMALL["drained_pool"](tx)
    reservations, drained = wound_back(dict(present["reservations"].items()), present["drained"], _since(tx, at))
    return Snapshot(
        epoch=head.epoch,
        revision=revision or 0,
        at=at,
        configuration=rows.adapter(Configuration).validate_json(document) if document else Configuration(),
        leases=_by((lease.address, lease) for lease in leases),
        holdings=_by((lease.ref, lease) for lease in leases),
        reservations=HashTrieMap(reservations),
        drained=frozenset(drained),
    )


def wound_back(
    reservations: Mapping[Address, Reservation], drained: Iterable[str], events: Iterable[Event]
) -> tuple[dict[Address, Reservation], set[str]]:
    """Operators' rows before ``events``, which stand newest first, each undone in turn."""
    reserved, out_of_use = dict(reservations), set(drained)
    for event in events:
        if event.action is Action.DRAINED:
            out_of_use.discard(event.pool)
        elif event.action is Action.UNDRAINED:
            out_of_use.add(event.pool)
        elif event.address is not None:
            before = _reservation(event.address, event.before)
            if before is None:
                reserved.pop(event.address, None)
            else:
                reserved[event.address] = before
    return reserved, out_of_use


def announced(tx: Transaction, address: Address, at: datetime | None) -> list[tuple[Announcement, datetime]]:
    """Who announced an address at a time (None: now), and since when, in the order of nodes."""
    wanted = history.Filter(tx)
    wanted.add_address(address)
    wanted.add("valid_from <= ? AND (valid_to IS NULL OR valid_to > ?)", at, at)
    if at is None:
        wanted.add("valid_to IS NULL")
    select = "SELECT node, mode, interface, peer, mac, valid_from FROM announcement"
    return [
        (Announcement(address, node, mode, interface, peer, mac), tx.time_out(since))
        for node, mode, interface, peer, mac, since in wanted.run(select, "node, mode, interface, peer", ALL)
    ]


def _by(pairs: Iterable[tuple[K, Lease]]) -> HashTrieMap[K, tuple[Lease, ...]]:
    found: dict[K, tuple[Lease, ...]] = {}
    for key, lease in pairs:
        found[key] = (*found.get(key, ()), lease)
    return HashTrieMap(found)


def _since(tx: Transaction, at: datetime) -> list[Event]:
    """What moved operators' rows after ``at``, newest first."""
    marks = ", ".join("?" * len(MOVES))
    text = f"{history.EVENT_SELECT} WHERE at > ? AND action IN ({marks}) ORDER BY revision DESC, n DESC"
    found = tx.execute(text, (tx.time_in(at), *(each.value for each in MOVES))).fetchall()
    return [history.logged(row, tx).event for row in found]


def _reservation(address: Address, text: str) -> Reservation | None:
    """What an event says stood there before; None where nothing did."""
    if not text:
        return None
    told = json.loads(text)
    namespace, _, name = told.get("for", "").partition("/")
    last = parse_address(told["last"]) if "last" in told else None
    reservation = Reservation(address, ServiceRef(namespace, name) if name else None, told.get("note", ""))
    return replace(reservation, last=last)
