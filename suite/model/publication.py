"""What the controller tells the other roles after each commit."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from suite.model.address import Address
from suite.model.changes import Changes
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Publication:
    """A snapshot, and which Services may differ from the one told before; None when any may."""

    snapshot: Snapshot
    touched: frozenset[ServiceRef] | None = None
    ahead: tuple[Address, ...] = ()
    """The free addresses that come next, to be asked for on the network before anybody gets them; for who knows them."""
    is_leading: bool = False
    """Whether it comes from the controller that leads: that one wants to know of all ``ahead``, not only of a node's own."""


Tell = Callable[[Publication], Awaitable[None]]


def touched_by(changes: Changes) -> frozenset[ServiceRef] | None:
    """The Services that ``changes`` may make look different; None when a change of nodes or settings may touch any."""
    if changes.configuration or changes.nodes or changes.nodes_gone or changes.records or changes.records_gone:
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
