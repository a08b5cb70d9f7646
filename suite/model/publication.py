"""What every role follows: a snapshot after another, each with what it touched, and where they come from."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from suite.model.address import Address
from suite.model.announcement import Announcement
from suite.model.changes import Changes
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Publication:
    """A snapshot, and which Services may differ from the one told before; None when any may.

    Static records tell themselves what changed in them (``Snapshot.records``).
    """

    snapshot: Snapshot
    touched: frozenset[ServiceRef] | None = None
    age: float = 0.0
    """Seconds since it was known to be the newest: more than none only where it was kept while nobody could be asked."""
    ahead: tuple[Address, ...] = ()
    """The free addresses that come next, to be asked for on the network before anybody gets them; for who knows them."""
    is_leading: bool = False
    """Whether it comes from the controller that leads: that one wants to know of all ``ahead``, not only of a node's own."""


Tell = Callable[[Publication], Awaitable[None]]


class Origin(Protocol):
    """Where the publications of a process come from: its own controller, the database, or a controller's feed.

    It is told in return what a speaker sees; how that reaches the database is its business.
    """

    @property
    def snapshot(self) -> Snapshot:
        """The newest one; an empty one before the first."""

    @property
    def trouble(self) -> str:
        """Why nothing new can be heard now; empty while it can."""

    async def load(self) -> Snapshot:
        """What is known before anything was told; its configuration is the last good one."""

    async def run(self) -> None:
        """Tell, until cancelled."""

    async def announce(self, node: str, announced: frozenset[Announcement]) -> bool:
        """``node`` announces exactly this; whether that is taken down for good."""

    async def decline(self, address: Address, mac: str, node: str) -> None:
        """A stranger, known by its MAC, has ``address``."""

    def probed(self, address: Address) -> None:
        """Nobody on the network answers for ``address``, which is free; worth passing on now, and nothing in a minute."""


def touched_by(changes: Changes) -> frozenset[ServiceRef] | None:
    """The Services that ``changes`` may make look different; None when a change of nodes or settings may touch any."""
    if changes.configuration or changes.nodes or changes.nodes_gone:
        return None
    if changes.nodes_drained or changes.nodes_undrained:
        return None
    return frozenset(
        (
            *(service.ref for service in changes.services),
            *changes.services_gone,
            *(lease.ref for lease in changes.opened),
            *(closing.lease.ref for closing in changes.closed),
            *(each.ref for each in changes.endpoints),
            *changes.endpoints_gone,
            *(ref for ref, _ in changes.refusals),
            *changes.refusals_gone,
        )
    )
