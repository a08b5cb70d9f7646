"""The turn that is being planned: what it has decided so far, with the ledger already as it would be afterwards."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from suite.ipam.allocation import Grant
from suite.ipam.ledger import Ledger
from suite.ipam.lifecycle import Step, Waits, after_hold, after_release
from suite.ipam.sharing import share_group
from suite.model.address import Address
from suite.model.changes import Closing
from suite.model.event import Action, Event
from suite.model.lease import Lease, LeaseState
from suite.model.refusal import Refusal
from suite.model.service import Service, ServiceRef


class Draft:
    """Lease rows to close and open, refusals and events, in the order they were decided."""

    def __init__(self, ledger: Ledger, waits: Waits, now: datetime) -> None:
        self.ledger = ledger
        self.now = now
        self.waits = waits
        self.closed: list[Closing] = []
        self._opened: dict[tuple[Address, ServiceRef], Lease] = {}
        self.refused: dict[ServiceRef, Refusal | None] = {}
        self.events: list[Event] = []
        self.has_room = False
        """Whether anything ended or changed, so that somebody who was refused may now get an address."""

    @property
    def opened(self) -> tuple[Lease, ...]:
        """The rows to open."""
        return tuple(self._opened.values())

    @property
    def touched(self) -> set[Address]:
        """Every address whose open rows change."""
        return {closing.lease.address for closing in self.closed} | {lease.address for lease in self._opened.values()}

    def say(self, action: Action, lease: Lease, reason: str = "", before: str = "", after: str = "") -> None:
        """Put an event about a lease into the log."""
        self.events.append(Event(action, lease.ref, lease.address, lease.pool, reason, before=before, after=after))

    def grant(self, service: Service, picks: Grant, action: Action, *, was_requested: bool) -> None:
        """Lease ``picks`` to the Service; whatever waits on them ends."""
        group = share_group(service)
        for pick in picks:
            for lease in pick.displaced:
                self._displace(lease, service.ref)
            own = [lease for lease in self.ledger.at(pick.address) if lease.ref == service.ref]
            for lease in own:
                self._close(lease, "returned")
            lease = Lease(
                pick.address,
                service.ref,
                pick.pool.name,
                LeaseState.BOUND,
                group,
                self.now,
                uid=service.uid,
                ports=service.ports,
                was_requested=was_requested,
            )
            self._open(lease)
            self.say(Action.RETURNED if own else action, lease)
        self.refuse(service.ref, None)

    def release(self, lease: Lease, why: str) -> None:
        """The Service of a bound lease is gone, or wants no address any more."""
        self.say(Action.RELEASED, lease, why)
        self._advance(lease, after_release(lease, self.waits, self.now, is_last=self._is_last(lease)), "released")

    def move(self, lease: Lease, why: str) -> None:
        """The Service stays and must leave this address: nobody waits for it here, but caches still know it."""
        self.say(Action.RELEASED, lease, why)
        self._advance(lease, after_hold(lease, self.waits, self.now, is_last=self._is_last(lease)), "moved")

    def expire(self, lease: Lease) -> None:
        """The time of a held or cooling lease is over."""
        if lease.state is LeaseState.HELD:
            step = after_hold(lease, self.waits, self.now, is_last=self._is_last(lease))
        else:
            step = Step(Action.FREED, None)
        self._advance(lease, step, "expired")

    def drop(self, lease: Lease, why: str) -> None:
        """A waiting address that no pool holds any more."""
        self._close(lease, why)
        self.say(Action.FREED, lease, why)

    def renew(self, lease: Lease, why: str, **differences: object) -> None:
        """The address stays with the Service, but its row says something else from now on."""
        renewed = replace(lease, id=0, valid_from=self.now, **differences)  # type: ignore[arg-type]
        self._close(lease, "changed")
        self._open(renewed)
        before, after = _difference(lease, renewed)
        self.say(Action.CHANGED, renewed, why, before, after)

    def refuse(self, ref: ServiceRef, refusal: Refusal | None) -> None:
        """Remember why a Service gets nothing; None when there is no reason any more."""
        self.refused[ref] = refusal

    def _displace(self, lease: Lease, taker: ServiceRef) -> None:
        action = Action.TAKEN_HELD if lease.state is LeaseState.HELD else Action.TAKEN_COOLING
        self._close(lease, "taken")
        self.say(action, lease, f"taken by {taker}")

    def _advance(self, lease: Lease, step: Step, reason: str) -> None:
        self._close(lease, reason)
        if step.following is not None:
            self._open(step.following)
        self.say(step.action, lease)

    def _is_last(self, lease: Lease) -> bool:
        return all(other.ref == lease.ref for other in self.ledger.at(lease.address))

    def _open(self, lease: Lease) -> None:
        self._opened[lease.address, lease.ref] = lease
        self.ledger.replace(lease.address, (*self.ledger.at(lease.address), lease))

    def _close(self, lease: Lease, reason: str) -> None:
        """Close a row; one that this very turn would have opened is not written at all."""
        self.has_room = True
        if self._opened.get((lease.address, lease.ref)) is lease:
            del self._opened[lease.address, lease.ref]
        else:
            self.closed.append(Closing(lease, reason))
        self.ledger.replace(
            lease.address, tuple(each for each in self.ledger.at(lease.address) if each.ref != lease.ref)
        )


_TELLING: tuple[tuple[str, Callable[[Lease], str]], ...] = (
    ("pool", lambda lease: lease.pool),
    ("share_group", lambda lease: lease.share_group),
    ("ports", lambda lease: " ".join(map(str, lease.ports))),
    ("uid", lambda lease: lease.uid),
)


def _difference(old: Lease, new: Lease) -> tuple[str, str]:
    """What differs between two rows, as the event's ``before`` and ``after`` in JSON."""
    differing = [(name, read(old), read(new)) for name, read in _TELLING if read(old) != read(new)]
    before = ",".join(f'"{name}":{_quoted(value)}' for name, value, _ in differing)
    after = ",".join(f'"{name}":{_quoted(value)}' for name, _, value in differing)
    return f"{{{before}}}", f"{{{after}}}"


def _quoted(text: str) -> str:
    """A JSON string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
