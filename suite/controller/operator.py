"""What operators may order, decided: each order becomes Changes to commit, or a Refusal that says what stands in the way.

Orders do not go through a turn of the controller: they are committed by whoever takes them (the command line, the API),
and the controller's next turn starts from them.  An order that is already fulfilled gives empty Changes.
"""

import json
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from suite.ipam.lifecycle import Waits, after_hold
from suite.model.address import Address, Range
from suite.model.changes import Changes, Closing
from suite.model.event import Action, Actor, Event
from suite.model.lease import Lease, LeaseState, Reservation
from suite.model.refusal import Reason, Refusal
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Order:
    """Who orders it and why, for the log."""

    actor: Actor
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Booking:
    """What reserving came to: the changes for everything that can be had, and a refusal for each index that cannot."""

    changes: Changes
    refused: tuple[tuple[int, Refusal], ...] = ()


def reserve(snapshot: Snapshot, wanted: Sequence[Reservation], order: Order) -> Booking:
    """Pin addresses to names, or to nobody; any number at once, each judged after those before it."""
    desk = _Desk(snapshot)
    granted: list[Reservation] = []
    refused: list[tuple[int, Refusal]] = []
    events: list[Event] = []
    for index, reservation in enumerate(wanted):
        known = desk.same_place(reservation)
        if known == reservation:
            continue
        refusal = desk.objection(reservation, known)
        if refusal is not None:
            refused.append((index, refusal))
            continue
        desk.note(reservation, known)
        granted.append(reservation)
        told = _reservation_event(
            snapshot, Action.RESERVED, order, reservation, before=_text(known), after=_text(reservation)
        )
        events.append(told)
    return Booking(Changes(reserved=tuple(granted), events=tuple(events)), tuple(refused))


def unreserve(snapshot: Snapshot, address: Address, order: Order) -> Changes | Refusal:
    """Give a reserved address, or the block that begins with it, back to its pool."""
    known = snapshot.reservations.get(address)
    if known is None:
        for reservation in (*snapshot.reservations.values(), *snapshot.configuration.reservations):
            if address in _span(reservation):
                return Refusal(Reason.INVALID_REQUEST, _how_to_unreserve(address, reservation))
        return Refusal(Reason.NOT_FOUND, f"{address} is not reserved")
    event = _reservation_event(snapshot, Action.UNRESERVED, order, known, before=_text(known))
    return Changes(unreserved=(known,), events=(event,))


def release(
    snapshot: Snapshot,
    address: Address,
    now: datetime,
    order: Order,
    *,
    ref: ServiceRef | None = None,
    at_once: bool = False,
) -> Changes | Refusal:
    """End the open leases on an address (only that of ``ref`` when given): what was bound or held cools, and is then free.

    A Service that still wants its address keeps it.  A cooling address is only freed ``at_once``, because until its time
    is over caches and neighbours may lead to the Service that had it.
    """
    leases = [lease for lease in snapshot.leases.get(address) or () if ref in {None, lease.ref}]
    if not leases:
        whose = f" of {ref}" if ref else ""
        return Refusal(Reason.NOT_FOUND, f"there is no open lease{whose} on {address}")
    for lease in leases:
        if refusal := _may_not_end(snapshot, lease, at_once=at_once):
            return refusal
    waits = Waits(0, 0 if at_once else snapshot.configuration.cooling_time)
    others = [lease for lease in snapshot.leases[address] if lease not in leases]
    opened, events = [], []
    for place, lease in enumerate(leases):
        is_last = not others and place == len(leases) - 1 and lease.state is not LeaseState.DECLINED
        step = after_hold(lease, waits, now, is_last=is_last)
        opened += [step.following] if step.following is not None else []
        events.append(_lease_event(Action.RELEASED, lease, order))
        events.append(_lease_event(step.action, lease, order))
    reason = order.reason or f"released by {order.actor.name}"
    return Changes(closed=tuple(Closing(lease, reason) for lease in leases), opened=tuple(opened), events=tuple(events))


def drain(snapshot: Snapshot, pool: str, order: Order) -> Changes | Refusal:
    """No new leases from a pool; those that exist stay."""
    if refusal := _unknown_pool(snapshot, pool):
        return refusal
    if pool in snapshot.drained:
        return Changes()
    event = Event(Action.DRAINED, pool=pool, reason=order.reason, actor=order.actor)
    return Changes(drained=(pool,), events=(event,))


def undrain(snapshot: Snapshot, pool: str, order: Order) -> Changes | Refusal:
    """A drained pool gives leases again."""
    if pool not in snapshot.drained:
        if refusal := _unknown_pool(snapshot, pool):
            return refusal
        configured = snapshot.configuration.pool(pool)
        if configured is not None and configured.draining:
            return Refusal(Reason.POOL_DRAINING, f"pool {pool} is drained by the configuration; change it there")
        return Changes()
    event = Event(Action.UNDRAINED, pool=pool, reason=order.reason, actor=order.actor)
    return Changes(undrained=(pool,), events=(event,))


def drain_node(snapshot: Snapshot, node: str, order: Order) -> Changes | Refusal:
    """A node gives up all that it announces, and stays silent, also after a restart, until :func:`undrain_node`."""
    if refusal := _unknown_node(snapshot, node):
        return refusal
    if node in snapshot.drained_nodes:
        return Changes()
    event = Event(Action.NODE_DRAINED, reason=order.reason, node=node, actor=order.actor)
    return Changes(nodes_drained=(node,), events=(event,))


def undrain_node(snapshot: Snapshot, node: str, order: Order) -> Changes | Refusal:
    """A drained node may announce again."""
    if node in snapshot.drained_nodes:
        event = Event(Action.NODE_UNDRAINED, reason=order.reason, node=node, actor=order.actor)
        return Changes(nodes_undrained=(node,), events=(event,))
    if refusal := _unknown_node(snapshot, node):
        return refusal
    if snapshot.is_drained(node):
        if snapshot.nodes[node].is_being_removed:
            return Refusal(
                Reason.NODE_DRAINED, f"the cluster is removing node {node}, says its taint; nothing brings it back here"
            )
        return Refusal(Reason.NODE_DRAINED, f"node {node} is cordoned in the cluster; kubectl uncordon {node}")
    return Changes()


def confirm(snapshot: Snapshot, digest: str, order: Order) -> Changes | Refusal:
    """Let exactly the releases with this digest happen."""
    if not snapshot.withheld:
        return Refusal(Reason.RELEASE_WITHHELD, "no releases wait to be confirmed")
    if digest != snapshot.withheld:
        message = (
            f"the releases that wait now have the digest {snapshot.withheld}, not {digest}; look at them again first"
        )
        return Refusal(Reason.RELEASE_WITHHELD, message)
    if snapshot.confirmed == digest:
        return Changes()
    event = Event(Action.CONFIRMED, reason=order.reason, after=digest, actor=order.actor)
    return Changes(confirmed=digest, events=(event,))


class _Desk:
    """Everything that a reservation may clash with, indexed, and the reservations granted so far."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._configured = {each.address: each for each in snapshot.configuration.reservations}
        self._operators = dict(snapshot.reservations.items())
        bound = {lease.address for lease in snapshot.open_leases() if lease.state is LeaseState.BOUND}
        self._bound = {
            4: sorted(int(a) for a in bound if a.version == 4),
            6: sorted(int(a) for a in bound if a.version == 6),
        }
        # Reserved spans never overlap, so the neighbours of a place decide about it.
        self._spans: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        self._at: dict[tuple[int, int], Reservation] = {}
        for reservation in (*self._configured.values(), *self._operators.values()):
            self.note(reservation, None)

    def same_place(self, wanted: Reservation) -> Reservation | None:
        """The reservation that stands on exactly the same addresses."""
        known = self._at.get((wanted.address.version, int(wanted.address)))
        return known if known is not None and known.last == wanted.last else None

    def note(self, granted: Reservation, known: Reservation | None) -> None:
        """It is reserved from now on."""
        span, family = _span(granted), granted.address.version
        if known is None:
            insort(self._spans[family], (int(span.first), int(span.last)))
        self._at[family, int(span.first)] = granted

    def objection(self, wanted: Reservation, known: Reservation | None) -> Refusal | None:
        """Why it cannot be reserved."""
        span = _span(wanted)
        if wanted.last is not None and wanted.ref is not None:
            return Refusal(Reason.INVALID_REQUEST, f"{span}: a block is reserved for nobody, a name needs one address")
        if not any(
            pool_span.overlaps(span) for pool in self._snapshot.configuration.pools for pool_span in pool.ranges
        ):
            return Refusal(Reason.ADDRESS_NOT_IN_POOL, f"{span} lies in no pool")
        standing = known or self._overlapping(span)
        if standing is not None and not (known and standing.source == wanted.source and standing.ref == wanted.ref):
            return Refusal(Reason.ADDRESS_RESERVED, _whose(standing))
        return self._in_use(wanted, span)

    def _overlapping(self, span: Range) -> Reservation | None:
        spans = self._spans[span.family]
        place = bisect_left(spans, (int(span.first), -1))
        for first, last in spans[max(place - 1, 0) : place + 1]:
            if first <= int(span.last) and int(span.first) <= last:
                return self._at[span.family, first]
        return None

    def _in_use(self, wanted: Reservation, span: Range) -> Refusal | None:
        numbers = self._bound[span.family]
        place = bisect_left(numbers, int(span.first))
        if place == len(numbers) or numbers[place] > int(span.last):
            return None
        address = type(span.first)(numbers[place])
        holders = {lease.ref for lease in self._snapshot.leases[address]}
        if holders == {wanted.ref}:
            return None
        names = ", ".join(sorted(map(str, holders)))
        return Refusal(Reason.ADDRESS_IN_USE, f"{address} belongs to {names}")


def _span(reservation: Reservation) -> Range:
    last = reservation.last or reservation.address
    text = "" if reservation.last else str(reservation.address)
    return Range(reservation.address, last, text)


def _whose(reservation: Reservation) -> str:
    owner = f"for {reservation.ref}" if reservation.ref else "for nobody"
    where = " by the configuration" if reservation.source == "config" else ""
    return f"{_span(reservation)} is reserved {owner}{where}"


def _how_to_unreserve(address: Address, reservation: Reservation) -> str:
    if reservation.source == "config":
        return f"{address} is reserved by the configuration; change it there"
    return f"{address} lies in the reserved block {_span(reservation)}; name the block's first address"


def _may_not_end(snapshot: Snapshot, lease: Lease, *, at_once: bool) -> Refusal | None:
    if lease.state is LeaseState.COOLING and not at_once:
        until = f" until {lease.until:%Y-%m-%d %H:%M:%S} UTC" if lease.until else ""
        message = f"{lease.address} cools{until}, because caches may still lead to {lease.ref}"
        return Refusal(Reason.ADDRESS_IN_USE, message)
    service = snapshot.services.get(lease.ref)
    if lease.state is LeaseState.BOUND and service is not None and service.wants_address:
        return Refusal(
            Reason.ADDRESS_IN_USE, f"{lease.ref} uses {lease.address} and would get an address again at once"
        )
    return None


def _unknown_pool(snapshot: Snapshot, pool: str) -> Refusal | None:
    if snapshot.configuration.pool(pool) is not None:
        return None
    names = ", ".join(each.name for each in snapshot.configuration.pools) or "none"
    return Refusal(Reason.POOL_UNKNOWN, f"there is no pool {pool!r}; there are: {names}")


def _unknown_node(snapshot: Snapshot, node: str) -> Refusal | None:
    """A suite that was told of no nodes is one machine, whatever that is called."""
    known = {each.name for each in snapshot.configuration.nodes} | set(snapshot.nodes.keys())
    if not known or node in known:
        return None
    return Refusal(Reason.NOT_FOUND, f"no node is called {node!r}; there are: {', '.join(sorted(known))}")


def _lease_event(action: Action, lease: Lease, order: Order) -> Event:
    return Event(action, lease.ref, lease.address, lease.pool, order.reason, actor=order.actor)


def _reservation_event(
    snapshot: Snapshot, action: Action, order: Order, about: Reservation, *, before: str = "", after: str = ""
) -> Event:
    pool = snapshot.configuration.pool_of(about.address)
    name = pool.name if pool else ""
    return Event(action, about.ref, about.address, name, order.reason, before=before, after=after, actor=order.actor)


def _text(reservation: Reservation | None) -> str:
    """The reservation as canonical JSON; empty for none."""
    if reservation is None:
        return ""
    fields: Iterable[tuple[str, object]] = (
        ("for", reservation.ref),
        ("last", reservation.last),
        ("note", reservation.note),
    )
    return json.dumps({name: str(value) for name, value in fields if value}, sort_keys=True, separators=(",", ":"))
