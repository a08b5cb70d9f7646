"""Rows of tokens: written in a commit, so that the audit log names who made or revoked one, and read by id."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from suite.model.token import Scope, Token
from suite.store.database import Transaction

_COLUMNS = "id, name, scopes, node, hash, created, created_by, expires, revoked"
_TYPES = ("text", "text", "text", "text", "text", "timestamptz", "text", "timestamptz", "timestamptz")
_KNOWN = {scope.value: scope for scope in Scope}


def all_tokens(tx: Transaction) -> list[Token]:
    """Every token ever made, the newest first."""
    found = tx.execute(f"SELECT {_COLUMNS} FROM token ORDER BY created DESC, id")  # noqa: S608 - this module's texts
    return [_token_of(tx, row) for row in found]


def token_by_id(tx: Transaction, token_id: str) -> Token | None:
    """The token, revoked and expired ones too."""
    row = tx.execute(f"SELECT {_COLUMNS} FROM token WHERE id = ?", (token_id,)).fetchone()  # noqa: S608
    return None if row is None else _token_of(tx, row)


def add(tx: Transaction, tokens: Sequence[Token]) -> None:
    """Insert new tokens."""
    values = [
        (
            each.id, each.name, " ".join(sorted(each.scopes)), each.node, each.hash, tx.time_in(each.created),
            each.created_by, tx.time_in(each.expires), tx.time_in(each.revoked),
        )
        for each in tokens
    ]  # fmt: skip
    tx.insert(f"token ({_COLUMNS})", _TYPES, values)


def revoke(tx: Transaction, token_ids: Sequence[str], now: datetime) -> None:
    """End tokens; one that ended before keeps its time."""
    text = "UPDATE token SET revoked = ? WHERE id = ? AND revoked IS NULL"
    tx.execute_many(text, [(tx.time_in(now), token_id) for token_id in token_ids])


def _token_of(tx: Transaction, row: Sequence[Any]) -> Token:
    """A row; scopes of a newer release count for nothing."""
    number, name, scopes, node, digest, created, created_by, expires, revoked = row
    known = frozenset(_KNOWN[word] for word in scopes.split() if word in _KNOWN)
    begin, end, gone = map(tx.time_out, (created, expires, revoked))
    return Token(number, name, known, digest, begin, created_by, node, end, gone)
