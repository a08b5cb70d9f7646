"""Questions about the past: leases and events, newest first, a page at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from suite.model.address import Address, Range, address_from_key, address_key
from suite.model.event import Action, Actor, Event
from suite.model.lease import Lease
from suite.model.service import ServiceRef
from suite.store import rows
from suite.store.database import Transaction

PAGE = 100


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event with its place in the log."""

    revision: int
    n: int
    at: datetime
    event: Event
    prev_hash: str
    hash: str
    seal: str = ""

    @property
    def place(self) -> tuple[int, int]:
        """(revision, n): the order of the log, and where the next page begins."""
        return self.revision, self.n


class Filter:
    """Conditions joined by AND, with their parameters."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._conditions: list[str] = []
        self.parameters: list[Any] = []

    def add(self, condition: str, *parameters: Any) -> None:
        """One more condition with ``?`` for each parameter; nothing when a parameter is None."""
        if any(parameter is None for parameter in parameters):
            return
        self._conditions.append(condition)
        self.parameters += [self._tx.time_in(each) if isinstance(each, datetime) else each for each in parameters]

    def add_address(self, address: Address | Range | None) -> None:
        """One address by its text, a range by its keys."""
        if isinstance(address, Range):
            self.add("addr_key BETWEEN ? AND ?", address_key(address.first), address_key(address.last))
        elif address is not None:
            self.add("address = ?", str(address))

    def run(self, select: str, order: str, limit: int) -> Iterator[Sequence[Any]]:
        """The rows of ``select`` that meet all conditions."""
        where = f" WHERE {' AND '.join(self._conditions)}" if self._conditions else ""
        text = f"{select}{where} ORDER BY {order} LIMIT ?"
        return iter(self._tx.execute(text, (*self.parameters, limit)))


def leases(
    tx: Transaction,
    *,
    address: Address | Range | None = None,
    ref: ServiceRef | None = None,
    pool: str | None = None,
    at: datetime | None = None,
    until: datetime | None = None,
    limit: int = PAGE,
    before_id: int | None = None,
) -> list[Lease]:
    """Lease rows, newest first: of an address or range, of a Service, of a pool, and those that counted at a time.

    With ``until`` those that had begun by then, as they stood: what ended later is open.
    """
    wanted = Filter(tx)
    wanted.add_address(address)
    wanted.add("namespace = ? AND service = ?", *(ref or (None,)))
    wanted.add("pool = ?", pool)
    wanted.add("valid_from <= ? AND (valid_to IS NULL OR valid_to > ?)", at, at)
    wanted.add("valid_from <= ?", until)
    wanted.add("id < ?", before_id)
    found = rows.leases_of(wanted.run(rows.LEASE_SELECT, "id DESC", limit), tx.time_out)
    return found if until is None else [_as_of(lease, until) for lease in found]


def _as_of(lease: Lease, then: datetime) -> Lease:
    is_later = lease.valid_to is not None and lease.valid_to > then
    return replace(lease, valid_to=None, end_reason="") if is_later else lease


def events(
    tx: Transaction,
    *,
    address: Address | Range | None = None,
    ref: ServiceRef | None = None,
    action: Action | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: int | None = None,
    limit: int = PAGE,
    before: tuple[int, int] | None = None,
) -> list[LoggedEvent]:
    """Events, newest first; ``since`` is included and ``until`` is not, ``after`` is a revision."""
    wanted = Filter(tx)
    wanted.add_address(address)
    wanted.add("namespace = ? AND service = ?", *(ref or (None,)))
    wanted.add("action = ?", action.value if action else None)
    wanted.add("at >= ?", since)
    wanted.add("at < ?", until)
    wanted.add("revision > ?", after)
    wanted.add("(revision, n) < (?, ?)", *(before or (None,)))
    found = wanted.run(EVENT_SELECT, "revision DESC, n DESC", limit)
    return [logged(row, tx) for row in found]


EVENT_SELECT = (
    "SELECT revision, n, at, actor_kind, actor, action, reason, namespace, service, node, addr_key, pool, before,"
    " after, prev_hash, hash, seal FROM event"
)


def logged(row: Sequence[Any], tx: Transaction) -> LoggedEvent:
    """A row of :data:`EVENT_SELECT` as a value."""
    revision, n, at, kind, actor, action, reason, space, name, node, key, pool, before, after, prev, digest, seal = row
    ref = None if name is None else ServiceRef(space, name)
    address = None if key is None else address_from_key(bytes(key))
    event = Event(Action(action), ref, address, pool, reason, node, before, after, Actor(kind, actor))
    return LoggedEvent(revision, n, tx.time_out(at), event, prev, digest, seal)
