"""Tokens: who may ask a suite over the network, and for what.

A token is ``suite_<id>_<secret>``.  The secret half has 256 random bits, is shown once and kept nowhere; its SHA-256 is
what the database has, and being random it needs no slower hash.
"""

import hmac
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

PREFIX = "suite"


class Scope(StrEnum):
    """What a token is good for."""

    SPEAKER = "speaker"
    """The feed with the passwords of BGP peers and the heartbeat keys, and reports of what a node announces."""
    NAMESERVER = "nameserver"
    """The feed with the TSIG keys."""
    WEB = "web"
    """The feed without any secret."""
    READ = "read"
    """Questions."""
    WRITE = "write"
    """Questions and orders."""


FEED_SCOPES = frozenset({Scope.SPEAKER, Scope.NAMESERVER, Scope.WEB})


@dataclass(frozen=True, slots=True)
class Token:
    """A token as the database knows it; ``node`` is the only one it may report for, where it names one."""

    id: str
    name: str
    scopes: frozenset[Scope]
    hash: str = field(repr=False)
    created: datetime
    created_by: str = ""
    node: str = ""
    expires: datetime | None = None
    revoked: datetime | None = None

    def fault(self, now: datetime) -> str:
        """Why it counts no more; empty while it does."""
        if self.revoked is not None:
            return "the token was revoked"
        if self.expires is not None and now >= self.expires:
            return "the token has expired"
        return ""


def write_token(token_id: str, secret: str) -> str:
    """The text that its owner keeps."""
    return f"{PREFIX}_{token_id}_{secret}"


def read_token(text: str) -> tuple[str, str] | None:
    """The id and the secret half; None for what is no token of a suite."""
    prefix, _, rest = text.strip().partition("_")
    token_id, _, secret = rest.partition("_")
    return (token_id, secret) if prefix == PREFIX and token_id and secret else None


def hash_of(secret: str) -> str:
    """What the database has of the secret half."""
    return sha256(secret.encode()).hexdigest()


def is_its_secret(token: Token, secret: str) -> bool:
    """Whether ``secret`` belongs to ``token``, told in constant time."""
    return hmac.compare_digest(token.hash, hash_of(secret))


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What an API server says of a token: whose ServiceAccount (namespace/name), until when, and on which node it is."""

    account: str
    expires: float
    """Unix time; 0 for a token that must be reviewed again each time."""
    node: str = ""
