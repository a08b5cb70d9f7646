"""What a Service's object and its Events should say: pure bodies, sent by whoever speaks to the cluster.

The object itself is the memory: what is written is the difference between what the object says (:class:`Standing`)
and what the database says (:class:`Outcome`), so that nothing is written twice, by whatever number of replicas and
after whatever restart.  The words are MetalLB's where it has words, because people search for them.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from suite.cluster.annotations import ALLOCATED_FROM
from suite.model.address import Address
from suite.model.problem import Problem
from suite.model.refusal import Reason, Refusal
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot

CONDITION = "suite/AddressAssigned"
"""The Condition on a Service: True with reason Assigned, or False with the :class:`Reason` why not."""
ASSIGNED = "Assigned"
COMPONENT = "suite-controller"
MAX_MESSAGE = 1000
"""Characters of an Event's message; the API server refuses more than 1,024 octets."""

_NOTE_REASONS = {
    "annotation.deprecated": "deprecatedAnnotation",
    Reason.NAME_TAKEN.value: Reason.NAME_TAKEN.value,
    Reason.NAME_NOT_GRANTED.value: Reason.NAME_NOT_GRANTED.value,
}
"""The reason of an Event by the code of a problem; that of others is InvalidObject."""

NOT_OURS = frozenset({Reason.OTHER_CLASS})
"""Refusals of Services that somebody else serves: nothing is written to them."""

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a Service's object says now, of the things we write."""

    ref: ServiceRef
    uid: str = ""
    resource_version: str = ""
    ingress: tuple[str, ...] = ()
    """Addresses in its status as they stand there; an entry that is not a plain VIP, or says errors of ports, stands as an empty text."""
    condition: tuple[str, str, str] | None = None
    """Status, reason and message of our Condition."""
    pool: str | None = None
    """Our annotation."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the database says of a Service."""

    ref: ServiceRef
    addresses: tuple[Address, ...] = ()
    pool: str = ""
    refusal: Refusal | None = None
    wants_address: bool = True


@dataclass(frozen=True, slots=True)
class Note:
    """An Event about a Service, before it has a time."""

    reason: str
    message: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class Writes:
    """What to send, None for nothing: two patches with the object's resourceVersion, and Events."""

    status: Body | None = None
    """Strategic merge patch for the status subresource."""
    metadata: Body | None = None
    """Merge patch for the object."""
    notes: tuple[Note, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.status or self.metadata or self.notes)


def standing_of(document: Mapping[str, Any]) -> Standing:
    """What the object of a Service says."""
    metadata = document.get("metadata") or {}
    status = document.get("status") or {}
    ingress = (status.get("loadBalancer") or {}).get("ingress") or ()
    ours = next((each for each in status.get("conditions") or () if each.get("type") == CONDITION), None)
    return Standing(
        ref=ServiceRef(metadata.get("namespace") or "default", metadata.get("name", "")),
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        ingress=tuple(_plain_address(entry) for entry in ingress),
        condition=(ours.get("status", ""), ours.get("reason", ""), ours.get("message", "")) if ours else None,
        pool=(metadata.get("annotations") or {}).get(ALLOCATED_FROM),
    )


def _plain_address(entry: Mapping[str, Any]) -> str:
    has_errors = any(port.get("error") for port in entry.get("ports") or ())
    is_plain = not entry.get("hostname") and entry.get("ipMode", "VIP") == "VIP" and not has_errors
    return str(entry.get("ip", "")) if is_plain else ""


def outcome_of(snapshot: Snapshot, ref: ServiceRef) -> Outcome:
    """What ``snapshot`` says of a Service."""
    leases = snapshot.bound(ref)
    service = snapshot.services.get(ref)
    return Outcome(
        ref=ref,
        addresses=tuple(lease.address for lease in leases),
        pool=leases[0].pool if leases else "",
        refusal=snapshot.refusals.get(ref),
        wants_address=service is not None and service.wants_address,
    )


def outcomes_of(snapshot: Snapshot, touched: Iterable[ServiceRef] | None = None) -> Iterator[Outcome]:
    """The outcomes of these Services, or of all; one that is gone has no object left to say anything."""
    return (
        outcome_of(snapshot, ref)
        for ref in (snapshot.services if touched is None else touched)
        if ref in snapshot.services
    )


def plan_writes(standing: Standing, outcome: Outcome, *, now: datetime, with_ip_mode: bool = True) -> Writes:
    """What to send so that the object says what the database says; empty when it does already.

    A Service that wants no address, or is served by somebody else, is touched only where it still carries our
    Condition or annotation.  ``with_ip_mode`` says that the server knows ``ipMode`` (Kubernetes 1.29 and later).
    """
    is_ours = outcome.wants_address and not (outcome.refusal and outcome.refusal.reason in NOT_OURS)
    if not is_ours:
        return _withdrawal(standing)
    addresses = tuple(str(address) for address in outcome.addresses)
    condition = _condition(outcome, addresses)
    status = _status_patch(standing, addresses, condition, now=now, with_ip_mode=with_ip_mode)
    pool = outcome.pool or None
    metadata = _metadata_patch(standing, pool) if pool != standing.pool else None
    return Writes(status, metadata, tuple(_notes(standing, outcome, addresses, condition)))


def _withdrawal(standing: Standing) -> Writes:
    """Take back what we wrote; addresses only where our Condition shows that they are ours."""
    if standing.condition is None:
        return Writes(metadata=_metadata_patch(standing, None) if standing.pool is not None else None)
    status: Body = {"conditions": [{"$patch": "delete", "type": CONDITION}]}
    notes: tuple[Note, ...] = ()
    if standing.ingress:
        status["loadBalancer"] = {"ingress": None}
        notes = (_cleared(standing.ingress, "it is no LoadBalancer of ours any more"),)
    metadata = _metadata_patch(standing, None) if standing.pool is not None else None
    return Writes(_versioned(standing, {"status": status}), metadata, notes)


def _condition(outcome: Outcome, addresses: tuple[str, ...]) -> tuple[str, str, str]:
    if addresses:
        return ("True", ASSIGNED, f"{', '.join(addresses)} from pool {outcome.pool}")
    if outcome.refusal is not None:
        return ("False", str(outcome.refusal.reason), outcome.refusal.message[:MAX_MESSAGE])
    return ("False", "Pending", "no turn has decided yet")


def _status_patch(
    standing: Standing,
    addresses: tuple[str, ...],
    condition: tuple[str, str, str],
    *,
    now: datetime,
    with_ip_mode: bool,
) -> Body | None:
    status: Body = {}
    if addresses != standing.ingress:
        mode = {"ipMode": "VIP"} if with_ip_mode else {}
        status["loadBalancer"] = {"ingress": [{"ip": address, **mode} for address in addresses] or None}
    if condition != standing.condition:
        state, reason, message = condition
        ours = {"type": CONDITION, "status": state, "reason": reason, "message": message}
        if standing.condition is None or standing.condition[0] != state:
            ours["lastTransitionTime"] = timestamp(now)
        status["conditions"] = [ours]
    return _versioned(standing, {"status": status}) if status else None


def _metadata_patch(standing: Standing, pool: str | None) -> Body:
    return _versioned(standing, {"metadata": {"annotations": {ALLOCATED_FROM: pool}}})


def _versioned(standing: Standing, body: Body) -> Body:
    """``body`` with the identity it was made for: another version, or another object of that name, is a conflict."""
    metadata = {**body.get("metadata", {}), "uid": standing.uid, "resourceVersion": standing.resource_version}
    return {**body, "metadata": {key: value for key, value in metadata.items() if value != ""}}


def _notes(
    standing: Standing, outcome: Outcome, addresses: tuple[str, ...], condition: tuple[str, str, str]
) -> Iterator[Note]:
    lost = tuple(address for address in standing.ingress if address and address not in addresses)
    if lost:
        why = outcome.refusal.message if outcome.refusal else "it has other addresses now"
        yield _cleared(lost, why)
    gained = [address for address in addresses if address not in standing.ingress]
    if gained:
        yield Note("IPAllocated", f"Assigned IP {quoted(gained)}")
    if outcome.refusal is None or condition == standing.condition:
        return
    if not addresses:
        message = f'Failed to allocate IP for "{outcome.ref}": {outcome.refusal.message}'
        yield Note("AllocationFailed", message, is_warning=True)
    elif outcome.refusal.reason in {Reason.NOT_ENOUGH_FAMILIES, Reason.POOL_FAMILY, Reason.POOL_EXHAUSTED}:
        yield Note("AdditionalAssignFailed", f'Failed to add an IP to "{outcome.ref}": {outcome.refusal.message}')


def _cleared(addresses: Iterable[str], why: str) -> Note:
    return Note("ClearAssignment", f"Cleared assignment of IP {quoted(addresses)}: {why}")


def node_assigned(node: str, protocol: str) -> Note:
    """The Event that a node began to announce a Service."""
    return Note("nodeAssigned", f'announcing from node "{node}" with protocol "{protocol}"')


def problem_note(problem: Problem) -> Note:
    """The Event of a problem in an object itself."""
    reason = _NOTE_REASONS.get(problem.code, "InvalidObject")
    return Note(reason, f"{problem.path}: {problem.message}" if problem.path else problem.message, is_warning=True)


def quoted(addresses: Iterable[str]) -> str:
    """``"10.0.42.0", "2001:db8::"``."""
    return ", ".join(f'"{address}"' for address in addresses)


def event_body(note: Note, ref: ServiceRef, uid: str, *, now: datetime, instance: str, kind: str = "Service") -> Body:
    """A ``v1`` Event about a Service, or another object of the core group.

    Its name is made of what it says, so that the same thing said again finds the Event that says it already, and only
    the count and the time of that one change (:func:`event_again`).
    """
    message = cut(note.message)
    digest = hashlib.blake2b(f"{uid}\0{note.reason}\0{message}".encode(), digest_size=8).hexdigest()
    at = timestamp(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{ref.name[:230]}.{digest}", "namespace": ref.namespace},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": kind,
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": uid,
        },
        "type": "Warning" if note.is_warning else "Normal",
        "reason": note.reason,
        "message": message,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": instance,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }


def event_again(before: Mapping[str, Any], *, now: datetime) -> Body:
    """The merge patch for an Event that happened once more."""
    return {"count": int(before.get("count") or 0) + 1, "lastTimestamp": timestamp(now)}


def cut(message: str) -> str:
    """``message`` in at most 1,024 octets."""
    octets = message.encode(errors="replace")
    return message if len(octets) <= MAX_MESSAGE else octets[:MAX_MESSAGE].decode(errors="ignore") + "..."


def timestamp(now: datetime) -> str:
    """``metav1.Time``: RFC 3339 in UTC, whole seconds."""
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")
