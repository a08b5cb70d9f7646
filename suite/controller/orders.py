"""Orders that come over the network, carried out: decided against the newest snapshot, committed, decided anew after a race.

``guard`` looks at each snapshot before anything is decided; what it raises ends the order and nothing is changed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from suite.controller.operator import Order, drain, reserve, undrain, unreserve
from suite.model.address import Address
from suite.model.changes import Changes
from suite.model.event import Actor
from suite.model.lease import Reservation
from suite.model.publication import Origin
from suite.model.refusal import Refusal
from suite.model.snapshot import Snapshot
from suite.store.errors import Conflict

if TYPE_CHECKING:
    from suite.store.store import Store

ATTEMPTS = 20

Guard = Callable[[Snapshot], None]


@dataclass(frozen=True, slots=True)
class Orders:
    """Over one database; from any thread.

    Every method gives the refusal, or None when the order is carried out or was so already.

    Raises:
        StoreError: the database is away, or others were first again and again.
    """

    store: "Store"
    origin: Origin
    """Gives a snapshot that needs little to be the newest."""
    clock: Callable[[], datetime]

    def snapshot(self) -> Snapshot:
        """The newest one."""
        return self.store.refresh(self.origin.snapshot)

    def reserve(self, wanted: Reservation, actor: Actor, reason: str, guard: Guard) -> Refusal | None:
        """Pin an address to a name, or to nobody."""

        def decide(snapshot: Snapshot) -> Changes | Refusal:
            booking = reserve(snapshot, (wanted,), Order(actor, reason))
            return booking.refused[0][1] if booking.refused else booking.changes

        return self._carry_out(decide, guard)

    def unreserve(self, address: Address, actor: Actor, reason: str, guard: Guard) -> Refusal | None:
        """Give a reserved address back to its pool."""
        return self._carry_out(lambda snapshot: unreserve(snapshot, address, Order(actor, reason)), guard)

    def drain(self, pool: str, actor: Actor, reason: str, guard: Guard, *, is_draining: bool) -> Refusal | None:
        """Let a pool give no new leases, or give some again."""
        act = drain if is_draining else undrain
        return self._carry_out(lambda snapshot: act(snapshot, pool, Order(actor, reason)), guard)

    def _carry_out(self, decide: Callable[[Snapshot], Changes | Refusal], guard: Guard) -> Refusal | None:
        snapshot = self.snapshot()
        for attempt in range(ATTEMPTS):
            guard(snapshot)
            decided = decide(snapshot)
            if isinstance(decided, Refusal):
                return decided
            try:
                if decided:
                    self.store.commit(decided, snapshot, now=self.clock())
            except Conflict:
                if attempt == ATTEMPTS - 1:
                    raise
                snapshot = self.store.refresh(snapshot)
            else:
                return None
        raise AssertionError("the last attempt returns or raises")
