"""Orders about who may ask and by what speakers know each other: tokens and heartbeat keys, decided.

Chance comes in as an argument; what comes out are Changes to commit, and the text of a token for the one who asked.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from suite.controller.operator import Order
from suite.model.changes import Changes
from suite.model.event import Action, Event
from suite.model.refusal import Reason, Refusal
from suite.model.token import Scope, Token, hash_of, write_token

MOST_NAME = 100


def create_token(
    identity: tuple[str, str],
    name: str,
    scopes: Collection[Scope],
    order: Order,
    now: datetime,
    *,
    node: str = "",
    expires: datetime | None = None,
) -> tuple[Changes, str]:
    """A new token: what to commit, and the text that only its owner gets.  ``identity`` is a random id and secret."""
    token_id, secret = identity
    token = Token(token_id, name[:MOST_NAME], frozenset(scopes), hash_of(secret), now, order.actor.name, node, expires)
    what = f"token {token.name} for {', '.join(sorted(token.scopes))}"
    until = f" until {expires:%Y-%m-%d %H:%M} UTC" if expires else ""
    event = Event(Action.TOKEN_CREATED, reason=_told(what + until, order), node=node, after=token_id, actor=order.actor)
    return Changes(tokens=(token,), events=(event,)), write_token(token_id, secret)


def revoke_token(tokens: Collection[Token], word: str, order: Order) -> Changes | Refusal:
    """End the token with this id or name; several of one name end together."""
    found = [token for token in tokens if word in {token.id, token.name}]
    if not found:
        return Refusal(Reason.NOT_FOUND, f"there is no token {word!r}; `suite token list` names those that there are")
    ended = [token for token in found if token.revoked is None]
    events = tuple(
        Event(
            Action.TOKEN_REVOKED, reason=_told(f"token {token.name}", order), before=token.id, actor=order.actor,
            node=token.node,
        )
        for token in ended
    )  # fmt: skip
    return Changes(tokens_revoked=tuple(token.id for token in ended), events=events)


def introduce_key(known: tuple[str, ...], key: str, order: Order) -> Changes:
    """The first step of a rotation: another key is believed, and the old one still signs."""
    event = Event(Action.KEY_ROTATED, reason=_told("a new heartbeat key is believed", order), actor=order.actor)
    return Changes(heartbeat_keys=(*known[:1], key), events=(event,))


def promote_key(known: tuple[str, ...], order: Order) -> Changes:
    """The second step: the newest key signs; the old one is believed until the next rotation."""
    if len(known) < 2:
        return Changes()
    event = Event(Action.KEY_ROTATED, reason=_told("the new heartbeat key signs", order), actor=order.actor)
    return replace(Changes(events=(event,)), heartbeat_keys=(known[1], known[0]))


def _told(what: str, order: Order) -> str:
    return f"{what}: {order.reason}" if order.reason else what
