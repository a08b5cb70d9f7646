"""What a move from MetalLB comes to: which addresses are taken over, who answers for them before and after.  Pure.

The first turn of a suite with an empty database is planned against what the cluster says now, so what is shown is what will
be done.  Both elections follow one rule (the hash of node and address, MetalLB's), so an address stays on its node wherever
one of our speakers runs there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from suite.cluster.source import Batch
from suite.controller.plan import preview
from suite.model.address import Address
from suite.model.configuration import Configuration
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot
from suite.model.succession import succeed
from suite.speaker.plan import Plan, plan


@dataclass(frozen=True, slots=True)
class Move:
    """One Service of type LoadBalancer and one address of it, before and after."""

    ref: ServiceRef
    before: Address | None
    after: Address | None
    pool: str = ""
    speaker: str = ""
    """The node whose MetalLB announces it by layer 2, by the rule of its election."""
    successor: str = ""
    """The node that will."""
    refusal: str = ""

    @property
    def stays(self) -> bool:
        """Whether the address stays, and on its node where it is known."""
        return self.before == self.after and (not self.speaker or self.speaker == self.successor)

    @property
    def note(self) -> str:
        """What is to be said of it; empty where nothing changes."""
        if self.before is not None and self.after is None:
            return f"LOSES its address: {self.refusal or 'it is not served here'}"
        if self.before is None:
            return self.refusal or "new"
        if self.before != self.after:
            return f"GETS ANOTHER address: {self.after}"
        if self.speaker and not self.successor:
            return "announced by NOBODY: no speaker of ours may"
        return "" if self.stays else f"moves from {self.speaker} to {self.successor}"


def moves(
    batch: Batch, configuration: Configuration, now: datetime, ours: frozenset[str] | None = None
) -> tuple[Move, ...]:
    """Every Service that has an address or wants one, by name.

    ``batch`` is everything the cluster says, with the nodes marked where MetalLB speaks; ``ours`` names the nodes where our
    speakers run, None for all.
    """
    theirs = frozenset(node.name for node in batch.nodes if node.is_occupied)
    snapshot = first_turn(
        replace(batch, nodes=tuple(replace(node, is_occupied=False) for node in batch.nodes)), configuration, now
    )
    names = frozenset(node.name for node in batch.nodes)
    made = plan(snapshot, min(names, default="here"))
    found: list[Move] = []
    for service in sorted(batch.services, key=lambda service: service.ref):
        if service.wants_address:
            found += _moves(service.ref, service.status, snapshot, made, theirs, names if ours is None else ours)
    return tuple(found)


def first_turn(batch: Batch, configuration: Configuration, now: datetime) -> Snapshot:
    """The snapshot after the first turn of an empty database."""
    empty = Snapshot(epoch="none")
    changes = preview(batch, empty, now, configuration).changes
    opened = [replace(lease, id=number, valid_from=now) for number, lease in enumerate(changes.opened, 1)]
    return succeed(empty, changes, opened, revision=1, at=now)


def _moves(
    ref: ServiceRef,
    before: Sequence[Address],
    snapshot: Snapshot,
    made: Plan,
    theirs: frozenset[str],
    ours: frozenset[str],
) -> Iterator[Move]:
    leases = snapshot.bound(ref)
    refusal = snapshot.refusals.get(ref)
    why = str(refusal) if refusal else ""
    after = {lease.address: lease.pool for lease in leases}
    stays = [address for address in before if address in after]
    others = [address for address in after if address not in stays]
    for address in stays:
        yield Move(
            ref, address, address, after[address], _first(made, address, theirs), _first(made, address, ours), why
        )
    for address in before:
        if address not in after:
            instead = others.pop(0) if others else None
            yield Move(ref, address, instead, after.get(instead, "") if instead else "", refusal=why)
    for address in others:
        yield Move(ref, None, address, after[address], refusal=why)
    if not before and not after:
        yield Move(ref, None, None, refusal=why)


def _first(made: Plan, address: Address, among: frozenset[str]) -> str:
    entry = made.entries.get(address)
    return next((node for node in entry.order if node in among), "") if entry else ""


def taken_over(answers: Iterable[tuple[float, Address]], silent: float) -> float:
    """Seconds from ``silent`` until everybody who answers after it has answered once; 0 where nobody does."""
    first: dict[Address, float] = {}
    for moment, address in answers:
        if moment >= silent:
            first[address] = min(moment, first.get(address, moment))
    return max(first.values()) - silent if first else 0.0


def silences(
    answers: Iterable[tuple[float, Address]], asked: Iterable[Address], begin: float, end: float
) -> Mapping[Address, float]:
    """The longest time without an answer for each address, from ``begin`` to ``end`` (seconds of one clock)."""
    last = dict.fromkeys(asked, begin)
    longest = dict.fromkeys(last, 0.0)
    for moment, address in sorted(answers):
        if address in last and begin <= moment <= end:
            longest[address] = max(longest[address], moment - last[address])
            last[address] = moment
    return {address: max(longest[address], end - last[address]) for address in last}
