"""Who asks, and what for: tokens of the suite and of a cluster, checked at the door.

Over the unix socket this user asks, who owns the database too.  Over the network a bearer token says who it is: one of
the suite's own, looked up by its id and compared in constant time, or one of a cluster's ServiceAccounts, reviewed by its
API server.  What was found is remembered for a while, so a database or an API server that is away locks nobody out;
what an API server said of a token is in the database too, so a controller that starts meanwhile knows it.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Protocol

from suite.model.token import Reviewed, Scope, Token, is_its_secret, read_token
from suite.store.errors import StoreError

REMEMBERED = 5.0
"""Seconds after which a token is looked up again: as long as a revoked one may still count."""
MOST_CALLERS = 1024
"""Callers remembered; beyond, the one asked about longest ago is looked up again."""
MOST_TOKEN = 16_384
"""Characters of a token that is looked at."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who may ask; ``node`` is the only one it may report for, where it is bound to one."""

    name: str
    scopes: frozenset[Scope]
    node: str = ""

    @property
    def may_read(self) -> bool:
        """Whether questions of the API are answered; whoever is told a snapshot may ask too."""
        return bool(self.scopes)


LOCAL = Caller("the owner of the socket", frozenset(Scope))


@dataclass(frozen=True, slots=True)
class Denied:
    """Why somebody is not let in: 401 for who is not known, 403 for who may not, 503 for who cannot be checked now."""

    status: int
    error: str
    fix: str = ""


Review = Callable[[str], Awaitable[Reviewed | None]]
"""Ask an API server about a token; None when it knows it not.

Raises:
    ConnectionError: it does not answer.
"""


class Reviews(Protocol):
    """Where good reviews outlive this process, by the SHA-256 of the token in hex; called in a thread."""

    def review(self, digest: str) -> Reviewed | None:
        """What was kept."""

    def keep_review(self, digest: str, reviewed: Reviewed, now: float) -> None:
        """Keep it until the token ends."""


@dataclass(slots=True)
class _Remembered:
    found: Caller | Denied
    asked: float
    until: float
    """Unix time until which it counts though nobody can be asked."""


@dataclass(slots=True)
class Doorkeeper:
    """Checks bearer tokens; ``accounts`` gives the scopes of ServiceAccounts."""

    token: Callable[[str], Token | None]
    """The suite's own token by its id; called in a thread."""
    clock: Callable[[], datetime]
    accounts: Callable[[], dict[str, frozenset[Scope]]] = dict
    review: Review | None = None
    monotonic: Callable[[], float] = time.monotonic
    reviews: Reviews | None = None
    _known: OrderedDict[bytes, _Remembered] = field(default_factory=OrderedDict)

    async def who(self, authorization: str) -> Caller | Denied:
        """The owner of the token in an Authorization header."""
        kind, _, text = authorization.partition(" ")
        if kind.lower() != "bearer" or not text.strip():
            return Denied(401, "a bearer token is needed", "make one with `suite token create`")
        if len(text) > MOST_TOKEN:
            return Denied(401, "that is no token")
        key = sha256(text.encode()).digest()
        known = self._known.get(key)
        if known is not None and self._is_fresh(known):
            return known.found
        try:
            remembered = await self._look_up(text.strip())
        except (StoreError, ConnectionError) as error:
            if known is not None and self.clock().timestamp() < known.until:
                return known.found
            return Denied(503, f"the token cannot be checked now: {error}", "try again")
        self._known[key] = remembered
        self._known.move_to_end(key)
        if len(self._known) > MOST_CALLERS:
            self._known.popitem(last=False)
        return remembered.found

    def _is_fresh(self, known: _Remembered) -> bool:
        """An API server's yes counts until the token ends; everything else is looked up every few seconds."""
        if isinstance(known.found, Caller) and known.found.name.startswith("serviceaccount "):
            return self.clock().timestamp() < known.until
        return self.monotonic() - known.asked < REMEMBERED

    async def _look_up(self, text: str) -> _Remembered:
        own = read_token(text)
        if own is not None:
            return await self._look_up_own(*own)
        reviewed = await self._reviewed(text) if self.review is not None else None
        if reviewed is None:
            return self._remember(Denied(401, "the token is not known"), 0)
        scopes = self.accounts().get(reviewed.account)
        if scopes is None:
            why = f"nothing is said of ServiceAccount {reviewed.account}"
            return self._remember(Denied(403, why, "name it in web.service-accounts"), 0)
        caller = Caller(f"serviceaccount {reviewed.account}", scopes, reviewed.node)
        return self._remember(caller, reviewed.expires)

    async def _reviewed(self, text: str) -> Reviewed | None:
        """What the API server says; while it is away, what it said to this process or to one before it."""
        if self.review is None:
            return None
        digest = sha256(text.encode()).hexdigest()
        try:
            reviewed = await self.review(text)
        except ConnectionError:
            kept = await asyncio.to_thread(self.reviews.review, digest) if self.reviews is not None else None
            if kept is None or kept.expires <= self.clock().timestamp():
                raise
            return kept
        if reviewed is not None and reviewed.account in self.accounts():
            await self._keep(digest, reviewed)
        return reviewed

    async def _keep(self, digest: str, reviewed: Reviewed) -> None:
        """For the next life; a database that is away keeps nobody out whom the API server knows."""
        now = self.clock().timestamp()
        if self.reviews is not None and reviewed.expires > now:
            with suppress(StoreError):
                await asyncio.to_thread(self.reviews.keep_review, digest, reviewed, now)

    async def _look_up_own(self, token_id: str, secret: str) -> _Remembered:
        token = await asyncio.to_thread(self.token, token_id)
        if token is None or not is_its_secret(token, secret):
            return self._remember(Denied(401, "the token is not known"), 0)
        if fault := token.fault(self.clock()):
            return self._remember(Denied(401, fault, "make another one with `suite token create`"), 0)
        end = token.expires.timestamp() if token.expires else float("inf")
        return self._remember(Caller(f"token {token.name}", token.scopes, token.node), end)

    def _remember(self, found: Caller | Denied, until: float) -> _Remembered:
        return _Remembered(found, self.monotonic(), until)
