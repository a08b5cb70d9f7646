"""What pools, leases, Services, events and the state of a suite look like to the outside: the API and ``-o json`` alike.

Every document is made by a pure function from values of ``model``.  Addresses and Services are text, times are UTC.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from suite.ipam.usage import pool_usage
from suite.model.address import Address
from suite.model.changes import Changes
from suite.model.event import Action
from suite.model.explain import Explanation
from suite.model.lease import Lease, Reservation
from suite.model.problem import Problem
from suite.model.refusal import Reason, Refusal
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot
from suite.model.status import Fellow, Instance, Status

if TYPE_CHECKING:
    from suite.store.history import LoggedEvent

MOST_NAMED = 5
"""Services without an address that the status names; it counts the others."""


@dataclass(frozen=True, slots=True)
class PoolDocument:
    """One pool and how much of it is used; the numbers add up to ``total``."""

    name: str
    ranges: tuple[str, ...]
    excluded: tuple[str, ...]
    auto_assign: bool
    draining: bool
    zone: str
    total: int
    free: int
    bound: int
    held: int
    cooling: int
    declined: int
    reserved: int


@dataclass(frozen=True, slots=True)
class LeaseDocument:
    """One row of the lease table."""

    address: str
    state: str
    service: str
    pool: str
    since: datetime
    until: datetime | None
    """When a held or cooling address goes on to its next state."""
    ports: tuple[str, ...]
    shared: bool
    requested: bool
    note: str
    ended: datetime | None
    end_reason: str
    id: int
    revision: int


@dataclass(frozen=True, slots=True)
class ReservationDocument:
    """An address or block that operators keep back; an empty name is nobody's."""

    address: str
    name: str
    note: str
    source: str


@dataclass(frozen=True, slots=True)
class LinkDocument:
    """One link of the chain from a Service to its answer."""

    stage: str
    verdict: str
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class ServiceDocument:
    """A Service: its addresses, and the chain that explains them."""

    service: str
    verdict: str
    addresses: tuple[str, ...]
    chain: tuple[LinkDocument, ...]


@dataclass(frozen=True, slots=True)
class InstanceDocument:
    """One role of one process; those of other processes as these last said in the database."""

    role: str
    node: str
    version: str
    epoch: str
    revision: int
    """The revision it follows; of another process within five seconds."""
    ready: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    here: bool
    """Whether it is of the process that was asked."""
    pid: int | None
    since: datetime | None
    gone: datetime | None
    """When it was found to have ended without a word."""


@dataclass(frozen=True, slots=True)
class WaitingDocument:
    """A Service without an address, and why."""

    service: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ProblemDocument:
    """One fault in a configuration or manifest."""

    source: str
    line: int
    path: str
    message: str
    code: str
    severity: str


@dataclass(frozen=True, slots=True)
class StatusDocument:
    """The state of a suite; ``ready`` is about the roles of the process that was asked."""

    ready: bool
    instances: tuple[InstanceDocument, ...]
    without_address: int
    """How many Services want an address of this suite and have none."""
    waiting: tuple[WaitingDocument, ...]
    """The first of them by name."""
    problems: tuple[ProblemDocument, ...]
    config_stale: bool
    withheld: str
    database: str
    troubles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ActionDocument:
    """One thing that a turn would do."""

    action: str
    service: str
    address: str
    pool: str
    reason: str


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """A turn before it happens; ``digest`` confirms exactly the releases that are ``withheld``."""

    actions: tuple[ActionDocument, ...]
    withheld: tuple[ActionDocument, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class EventDocument:
    """One event of the audit log; (revision, n) is its place."""

    revision: int
    n: int
    at: datetime
    action: str
    address: str
    service: str
    pool: str
    node: str
    actor_kind: str
    actor: str
    reason: str
    before: str
    after: str
    hash: str
    prev_hash: str
    seal: str


@dataclass(frozen=True, slots=True)
class ReadyDocument:
    """Whether every role does its work; ``reasons`` by ``role@node`` why not."""

    ready: bool
    reasons: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class ErrorDocument:
    """What is wrong, and what to do about it."""

    error: str
    fix: str


@dataclass(frozen=True, slots=True)
class LeasePage:
    """Leases in order; ``next`` is the address to go on behind, None at the end."""

    leases: tuple[LeaseDocument, ...]
    next: str | None


def pool_documents(snapshot: Snapshot) -> list[PoolDocument]:
    """Every pool, in the order of the configuration."""
    usage = pool_usage(snapshot)
    documents = []
    for pool in snapshot.configuration.pools:
        mine = [each for each in usage if each.pool == pool.name]
        documents.append(
            PoolDocument(
                name=pool.name,
                ranges=tuple(map(str, pool.ranges)),
                excluded=tuple(map(str, pool.excluded)),
                auto_assign=pool.auto_assign,
                draining=pool.draining or pool.name in snapshot.drained,
                zone=pool.zone,
                total=sum(each.total for each in mine),
                free=sum(each.free for each in mine),
                bound=sum(each.bound for each in mine),
                held=sum(each.held for each in mine),
                cooling=sum(each.cooling for each in mine),
                declined=sum(each.declined for each in mine),
                reserved=sum(each.reserved for each in mine),
            )
        )
    return documents


def lease_document(lease: Lease) -> LeaseDocument:
    """One lease."""
    return LeaseDocument(
        address=str(lease.address),
        state=lease.state.value,
        service=str(lease.ref),
        pool=lease.pool,
        since=lease.valid_from,
        until=lease.until,
        ports=tuple(map(str, lease.ports)),
        shared=lease.share_group.startswith("key:"),
        requested=lease.was_requested,
        note=lease.note,
        ended=lease.valid_to,
        end_reason=lease.end_reason,
        id=lease.id,
        revision=lease.revision,
    )


def lease_documents(leases: Iterable[Lease]) -> list[LeaseDocument]:
    """Leases in the order of their addresses, IPv4 first; those on one address by Service."""
    return [lease_document(lease) for lease in sorted(leases, key=_order)]


def lease_page(leases: Iterable[Lease], limit: int, after: Address | None = None) -> LeasePage:
    """The first ``limit`` leases (more where a shared address would be cut apart) behind the address ``after``."""
    ordered = sorted(leases, key=_order)
    start = 0 if after is None else bisect_right(ordered, _number(after), key=lambda lease: _number(lease.address))
    end = start + limit
    while 0 < end < len(ordered) and ordered[end].address == ordered[end - 1].address:
        end += 1
    following = str(ordered[end - 1].address) if end < len(ordered) else None
    return LeasePage(tuple(map(lease_document, ordered[start:end])), following)


def _order(lease: Lease) -> tuple[int, ServiceRef]:
    return _number(lease.address), lease.ref


def _number(address: Address) -> int:
    """IPv4 before IPv6, each in order; cheaper than the key of the database, and lists may be long."""
    return address.version << 128 | int(address)


def event_document(logged: "LoggedEvent") -> EventDocument:
    """One event."""
    event = logged.event
    return EventDocument(
        revision=logged.revision,
        n=logged.n,
        at=logged.at,
        action=event.action.value,
        address=str(event.address or ""),
        service=str(event.ref or ""),
        pool=event.pool,
        node=event.node,
        actor_kind=event.actor.kind,
        actor=event.actor.name,
        reason=event.reason,
        before=event.before,
        after=event.after,
        hash=logged.hash,
        prev_hash=logged.prev_hash,
        seal=logged.seal,
    )


def reservation_documents(snapshot: Snapshot, after: Address | None = None) -> list[ReservationDocument]:
    """Every reservation, the configuration's too, in the order of addresses; those behind the address ``after``."""
    everything = (*snapshot.configuration.reservations, *snapshot.reservations.values())
    behind = [each for each in everything if after is None or _number(each.address) > _number(after)]
    ordered = sorted(behind, key=lambda each: _number(each.address))
    return [reservation_document(each) for each in ordered]


def reservation_document(reservation: Reservation) -> ReservationDocument:
    """One reservation; a block is written ``first-last``."""
    block = f"{reservation.address}-{reservation.last}" if reservation.last else str(reservation.address)
    name = str(reservation.ref) if reservation.ref else ""
    return ReservationDocument(block, name, reservation.note, reservation.source)


def service_document(snapshot: Snapshot, explanation: Explanation) -> ServiceDocument:
    """A Service with its explanation."""
    return ServiceDocument(
        service=str(explanation.ref),
        verdict=explanation.verdict.value,
        addresses=tuple(str(lease.address) for lease in snapshot.bound(explanation.ref)),
        chain=tuple(
            LinkDocument(link.stage, link.verdict.value, link.text, link.reason.value if link.reason else "")
            for link in explanation.links
        ),
    )


def plan_document(changes: Changes, held_back: Iterable[tuple[Lease, str]], digest: str) -> PlanDocument:
    """A turn; ``held_back`` are the leases that it does not release, each with the reason it would be released for."""
    actions = tuple(
        ActionDocument(event.action.value, str(event.ref or ""), str(event.address or ""), event.pool, event.reason)
        for event in changes.events
    )
    withheld = tuple(
        ActionDocument(Action.RELEASED.value, str(lease.ref), str(lease.address), lease.pool, why)
        for lease, why in held_back
    )
    return PlanDocument(actions, withheld, digest)


def problem_document(problem: Problem) -> ProblemDocument:
    """One problem."""
    severity = "warning" if problem.is_warning else "error"
    return ProblemDocument(problem.source, problem.line, problem.path, problem.message, problem.code, severity)


def status_document(status: Status, snapshot: Snapshot) -> StatusDocument:
    """The state of a suite."""
    waiting = sorted(
        (ref, refusal)
        for ref, refusal in snapshot.refusals.items()
        if refusal.reason is not Reason.OTHER_CLASS and not snapshot.bound(ref)
    )
    return StatusDocument(
        ready=status.is_ready,
        instances=(
            *(_instance_document(each, None) for each in status.instances),
            *(_instance_document(each.instance, each) for each in status.fellows),
        ),
        without_address=len(waiting),
        waiting=tuple(
            WaitingDocument(str(ref), refusal.reason.value, refusal.message) for ref, refusal in waiting[:MOST_NAMED]
        ),
        problems=tuple(map(problem_document, status.problems)),
        config_stale=status.is_stale,
        withheld=status.withheld,
        database=status.database,
        troubles=(*status.troubles(), *_troubles_of(waiting)),
    )


def _instance_document(instance: Instance, fellow: Fellow | None) -> InstanceDocument:
    return InstanceDocument(
        role=instance.role,
        node=instance.node,
        version=instance.version,
        epoch=instance.epoch,
        revision=instance.revision,
        ready=instance.is_ready and (fellow is None or fellow.gone is None),
        reasons=instance.reasons,
        notes=instance.notes,
        here=fellow is None,
        pid=(fellow.pid or None) if fellow else None,
        since=fellow.since if fellow else None,
        gone=fellow.gone if fellow else None,
    )


def _troubles_of(waiting: Sequence[tuple[ServiceRef, Refusal]]) -> Iterator[str]:
    """The first few in a sentence each, and how many more there are."""
    for ref, refusal in waiting[:MOST_NAMED]:
        yield f"{ref} has no address: {refusal.message}"
    if len(waiting) > MOST_NAMED:
        yield f"{len(waiting) - MOST_NAMED} more Services have no address; `suite explain NAMESPACE/NAME` says why"
