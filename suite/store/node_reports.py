"""Reports of speakers that come over the network: each counts once, and keeps the time at which it was true.

A report has a serial, ``NONCE-NUMBER``: the nonce is new with each start of the follower's journal, the number counts up.
A journal is delivered in order and again from where it broke off, so one that was taken before is at or below the last
number of its nonce.  The last serial of each node is a row of ``meta``; no snapshot holds it.
"""

from datetime import datetime

from suite.model.announcement import Announcement
from suite.store import announcements
from suite.store.database import Transaction
from suite.store.snapshots import read_head

_ROW = "reports-of:"
_UPSERT = "ON CONFLICT (name) DO UPDATE SET value = excluded.value"


def is_taken(tx: Transaction, node: str, serial: str) -> bool:
    """Whether this report was taken down before."""
    last = tx.scalar("SELECT value FROM meta WHERE name = ?", (_ROW + node,)) or ""
    nonce, _, number = serial.rpartition("-")
    last_nonce, _, last_number = last.rpartition("-")
    return bool(last) and nonce == last_nonce and int(number) <= int(last_number)


def take(tx: Transaction, node: str, serial: str, announced: frozenset[Announcement], at: datetime) -> None:
    """Write what ``node`` announced at ``at``, unless that is written already."""
    read_head(tx, lock=True)  # two deliveries of one report follow each other
    if is_taken(tx, node, serial):
        return
    announcements.record(tx, node, announced, at, is_late=True)
    tx.insert("meta (name, value)", ("text", "text"), [(_ROW + node, serial)], _UPSERT)
