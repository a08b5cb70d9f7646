"""The chain of hashes over the log: pure functions from a row to its text and from text to a hash.

An event's hash is SHA-256 over the hash before it (64 hexadecimal digits, or nothing for the first) and the row as
canonical JSON: one object, keys sorted, no blanks, non-ASCII text as it stands (UTF-8), times in the fixed form of the
tables; a column that is NULL or empty is left out, so that a column added later changes no old hash.  A seal is
HMAC-SHA256 over the hash, with a key that does not stand in the database.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence

FIELDS = (
    "action", "actor", "actor_kind", "address", "after", "at", "before", "family", "n", "namespace", "node", "pool",
    "reason", "revision", "service",
)  # fmt: skip
"""Columns that the hash covers, sorted; ``addr_key`` says no more than ``address``."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def canonical(values: Sequence[object]) -> str:
    """The text of an event, given the values of :data:`FIELDS` in their order (``at`` as text)."""
    return _encode({name: value for name, value in zip(FIELDS, values, strict=True) if value not in {None, ""}})


def link(prev_hash: str, text: str) -> str:
    """The hash of an event whose canonical text is ``text`` and whose predecessor's hash is ``prev_hash``."""
    return hashlib.sha256(f"{prev_hash}{text}".encode()).hexdigest()


def seal(key: bytes, digest: str) -> str:
    """What proves to a holder of ``key`` that a holder of ``key`` wrote the event with this hash; empty without a key."""
    return hmac.new(key, digest.encode(), hashlib.sha256).hexdigest() if key else ""
