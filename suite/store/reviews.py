"""What an API server said of ServiceAccounts' tokens, for a controller that starts while that server is away.

A row of ``meta`` for each token until its end, by the SHA-256 of the token: it ends in a signature, so nobody guesses it from that,
and the token itself stands nowhere.  No snapshot holds these rows.
"""

import json
from typing import Any

from suite.model.token import Reviewed
from suite.store.database import Transaction

_PREFIX = "review:"
_UPSERT = "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
MOST = 10_000
"""Tokens that are kept; a cluster of a thousand nodes renews two thousand an hour."""


def review(tx: Transaction, digest: str) -> Reviewed | None:
    """What was said of the token with this hash; None when nothing is known."""
    found = tx.scalar("SELECT value FROM meta WHERE name = ?", (_PREFIX + digest,))
    return None if found is None else _reviewed(json.loads(found))


def keep(tx: Transaction, digest: str, reviewed: Reviewed, now: float) -> None:
    """Keep what was said, and drop what has ended by ``now`` (Unix time)."""
    rows = tx.execute("SELECT name, value FROM meta WHERE name LIKE 'review:%'").fetchall()
    ended = [(name,) for name, value in rows if _reviewed(json.loads(value)).expires <= now]
    if ended:
        tx.execute_many("DELETE FROM meta WHERE name = ?", ended)
    if len(rows) - len(ended) < MOST:
        value = json.dumps([reviewed.account, reviewed.expires, reviewed.node])
        tx.insert("meta (name, value)", ("text", "text"), [(_PREFIX + digest, value)], _UPSERT)


def _reviewed(value: Any) -> Reviewed:
    account, expires, node = value
    return Reviewed(account, expires, node)
