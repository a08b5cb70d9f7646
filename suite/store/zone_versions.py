"""Which content each serial of a zone stands for, so that all servers of one database, and all starts of one, agree.

A server that made new content asks for its serial before it serves it: content that the database knows at that revision
keeps the serial it has, other content gets one that nobody ever served.  Rows are no part of a snapshot: they raise no
revision and wake nobody.  Only what changes a zone that may be transferred writes them.
"""

from collections.abc import Sequence
from dataclasses import astuple, replace

from suite.model.zone_version import KEPT, LONGEST, ROOM, SPACE, ZoneVersion, is_newer, led_to
from suite.store.database import Transaction
from suite.store.snapshots import read_head

PRUNE_EVERY = 64
"""Rows above :data:`KEPT` that may gather before the oldest are removed, because looking for them walks all."""

_COLUMNS = "origin, serial, revision, digest, old_serial, difference"
_TYPES = ("text", "bigint", "bigint", "text", "bigint", "text")

_PRUNE = """DELETE FROM zone_version WHERE origin = ? AND serial IN (
  SELECT serial FROM (
    SELECT serial, row_number() OVER newest AS place, sum(length(difference)) OVER newest AS room
    FROM zone_version WHERE origin = ? WINDOW newest AS (ORDER BY revision DESC, serial DESC)) AS counted
  WHERE place > ? OR (room > ? AND place > 1))"""


def number(tx: Transaction, wanted: Sequence[ZoneVersion]) -> list[ZoneVersion]:
    """Each version with the serial it must be served under; those the database did not know are written down."""
    read_head(tx, lock=True)
    return [_known(tx, each) or _added(tx, each) for each in wanted]


def chain(tx: Transaction, origin: str, serial: int) -> list[ZoneVersion]:
    """The versions that lead to a serial step by step, oldest first; the first one's difference may be missing."""
    text = f"SELECT {_COLUMNS} FROM zone_version WHERE origin = ?"  # noqa: S608 - this module's texts
    return led_to({row[1]: ZoneVersion(*row) for row in tx.execute(text, (origin,)).fetchall()}, serial)


def _latest(tx: Transaction, wanted: ZoneVersion) -> ZoneVersion | None:
    """The newest version that any server made of the same or an earlier revision."""
    text = (
        f"SELECT {_COLUMNS} FROM zone_version WHERE origin = ? AND revision <= ?"  # noqa: S608
        " ORDER BY revision DESC, serial DESC LIMIT 1"
    )
    row = tx.execute(text, (wanted.origin, wanted.revision)).fetchone()
    return None if row is None else ZoneVersion(*row)


def _known(tx: Transaction, wanted: ZoneVersion) -> ZoneVersion | None:
    """The version as somebody made it before, unless its serial would lead the asking server back."""
    latest = _latest(tx, wanted)
    is_same = latest is not None and latest.digest == wanted.digest and not is_newer(wanted.old_serial, latest.serial)
    return latest if is_same else None


def _added(tx: Transaction, wanted: ZoneVersion) -> ZoneVersion:
    """The version under a serial that nobody ever served."""
    latest, serial = _latest(tx, wanted), wanted.serial
    if latest is not None and not is_newer(serial, latest.serial):
        serial = (latest.serial + 1) % SPACE
    while tx.scalar("SELECT 1 FROM zone_version WHERE origin = ? AND serial = ?", (wanted.origin, serial)):
        serial = (serial + 1) % SPACE
    difference = wanted.difference if len(wanted.difference) <= LONGEST else ""
    added = replace(wanted, serial=serial, difference=difference)
    tx.insert(f"zone_version ({_COLUMNS})", _TYPES, [astuple(added)])
    if _count(tx, added.origin) > KEPT + PRUNE_EVERY or len(difference) > LONGEST // PRUNE_EVERY:
        tx.execute(_PRUNE, (added.origin, added.origin, KEPT, ROOM))
    return added


def _count(tx: Transaction, origin: str) -> int:
    return int(tx.scalar("SELECT count(*) FROM zone_version WHERE origin = ?", (origin,)))
