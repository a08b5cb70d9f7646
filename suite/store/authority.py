"""The certificate authority in the database: made by whoever is first, the same for every controller ever after."""

from datetime import datetime

from suite.store.database import Transaction
from suite.store.snapshots import read_head

_NAME = "authority"


def authority(tx: Transaction) -> tuple[str, str] | None:
    """Certificate and key in PEM; None before anybody made one."""
    found = tx.execute("SELECT value FROM secret WHERE name = ? ORDER BY place", (_NAME,)).fetchall()
    return (found[0][0], found[1][0]) if len(found) == 2 else None


def keep_authority(tx: Transaction, certificate: str, key: str, now: datetime) -> tuple[str, str]:
    """Keep this one, unless another was first; the one that counts."""
    at = tx.time_in(max(now, read_head(tx, lock=True).time))
    if known := authority(tx):
        return known
    values = [(_NAME, place, value, at) for place, value in enumerate((certificate, key))]
    tx.insert("secret (name, place, value, since)", ("text", "integer", "text", "timestamptz"), values)
    return certificate, key
