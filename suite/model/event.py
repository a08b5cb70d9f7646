"""Audit events: what happened, who did it, why; the rows of the log that is only ever extended."""

from dataclasses import dataclass
from enum import StrEnum

from suite.model.address import Address
from suite.model.service import ServiceRef


class Action(StrEnum):
    """What an event says happened."""

    ALLOCATED = "allocated"
    ADOPTED = "adopted"
    RETURNED = "returned"
    """A held or cooling address went back to the name that had it."""
    CHANGED = "changed"
    """Sharing key, ports or pool name of a lease changed; the address did not."""
    RELEASED = "released"
    HELD = "held"
    COOLING = "cooling"
    FREED = "freed"
    TAKEN_COOLING = "taken-cooling"
    """A cooling address was given away before its time."""
    TAKEN_HELD = "taken-held"
    """An address held for another name was given away."""
    REFUSED = "refused"
    DECLINED = "declined"
    RESERVED = "reserved"
    UNRESERVED = "unreserved"
    DRAINED = "drained"
    UNDRAINED = "undrained"
    NODE_DRAINED = "node-drained"
    NODE_UNDRAINED = "node-undrained"
    WITHHELD = "release-withheld"
    CONFIRMED = "release-confirmed"
    CONFIGURED = "configured"
    CONFIG_REJECTED = "config-rejected"
    NAME_ADDED = "name-added"
    NAME_REMOVED = "name-removed"
    KEY_ROTATED = "key-rotated"
    """Speakers know each other by another key."""
    TOKEN_CREATED = "token-created"  # noqa: S105 - a word, not a password
    TOKEN_REVOKED = "token-revoked"  # noqa: S105
    PRUNED = "pruned"
    RESTORED = "restored"
    CREATED = "created"
    """The database itself; the first event of an epoch."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: ``kind`` is system, operator, token or kubernetes."""

    kind: str = "system"
    name: str = "controller"


SYSTEM = Actor()


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; its place (revision, n), time and hash are given by the commit."""

    action: Action
    ref: ServiceRef | None = None
    address: Address | None = None
    pool: str = ""
    reason: str = ""
    """For people: one sentence, at most 200 characters by convention."""
    node: str = ""
    before: str = ""
    """What it was, as canonical JSON; empty where nothing was."""
    after: str = ""
    """What it became, as canonical JSON."""
    actor: Actor = SYSTEM
