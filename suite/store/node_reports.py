"""Reports of speakers that come over the network: each counts once, and keeps the time at which it was true.

A report has a serial, ``NONCE-NUMBER``: the nonce is new with each start of the follower's journal, the number counts up.
A journal is delivered in order and again from where it broke off, so one that was taken before is at or below the last
number of its nonce.  The last serial of each node and kind is a row of ``meta``; no snapshot holds it.
"""

from datetime import datetime
from enum import StrEnum

from suite.model.announcement import Announcement
from suite.model.peering import SessionState
from suite.store import announcements, bgp_sessions
from suite.store.database import Transaction
from suite.store.snapshots import read_head

_UPSERT = "ON CONFLICT (name) DO UPDATE SET value = excluded.value"


class Kind(StrEnum):
    """What a report tells of, and how its row begins; one report may be of both kinds."""

    ANNOUNCED = "reports-of:"
    SESSIONS = "sessions-of:"


def is_taken(tx: Transaction, kind: Kind, node: str, serial: str) -> bool:
    """Whether this report was taken down before."""
    last = tx.scalar("SELECT value FROM meta WHERE name = ?", (kind + node,)) or ""
    nonce, _, number = serial.rpartition("-")
    last_nonce, _, last_number = last.rpartition("-")
    return bool(last) and nonce == last_nonce and int(number) <= int(last_number)


def take(tx: Transaction, node: str, serial: str, announced: frozenset[Announcement], at: datetime) -> None:
    """Write what ``node`` announced at ``at``, unless that is written already."""
    if _is_first(tx, Kind.ANNOUNCED, node, serial):
        announcements.record(tx, node, announced, at, is_late=True)


def take_sessions(tx: Transaction, node: str, serial: str, sessions: frozenset[SessionState], at: datetime) -> None:
    """Write which BGP sessions of ``node`` were up at ``at``, unless that is written already."""
    if _is_first(tx, Kind.SESSIONS, node, serial):
        bgp_sessions.record(tx, node, sessions, at, is_late=True)


def _is_first(tx: Transaction, kind: Kind, node: str, serial: str) -> bool:
    """Whether this report was never taken down; it counts as taken from then on."""
    read_head(tx, lock=True)  # two deliveries of one report follow each other
    if is_taken(tx, kind, node, serial):
        return False
    tx.insert("meta (name, value)", ("text", "text"), [(kind + node, serial)], _UPSERT)
    return True
