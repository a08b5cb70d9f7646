"""What every source of Services promises: one complete picture first, then changes, and never a partial picture.

A source says what it has in a :class:`Batch`.  Before the first batch with ``is_full`` it may deliver batches that hold
nothing but problems ("the directory is not there"); after it, each batch holds what differs from everything
delivered before.  A batch is a statement about now, not an event: applying one twice changes nothing.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from suite.cluster.status import Outcome
from suite.model.node import Namespace, Node
from suite.model.problem import Problem
from suite.model.service import Endpoints, Service, ServiceRef

if TYPE_CHECKING:
    from suite.config.document import Document


@dataclass(frozen=True, slots=True)
class Batch:
    """What a source has to say since its last batch."""

    services: tuple[Service, ...] = ()
    """Those that are new or differ."""
    services_gone: tuple[ServiceRef, ...] = ()
    endpoints: tuple[Endpoints, ...] = ()
    endpoints_gone: tuple[ServiceRef, ...] = ()
    """Services that have no EndpointSlice any more, and so count as reachable again."""
    nodes: tuple[Node, ...] = ()
    nodes_gone: tuple[str, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    namespaces_gone: tuple[str, ...] = ()
    documents: "tuple[Document, ...] | None" = None
    """Configuration found at the source, all of it; None when there is nothing new to say."""
    problems: tuple[Problem, ...] = ()
    """Every problem the source knows of now, not only new ones."""
    is_full: bool = False
    """A complete listing: whatever is not in it is gone."""


Deliver = Callable[[Batch], Awaitable[None]]
"""Takes a batch; the source waits for it, so a slow taker gets fewer and larger batches, never a queue."""


class Teller(Protocol):
    """Something that lets the owners of Services see what became of them."""

    def tell(self, outcomes: Iterable[Outcome]) -> None:
        """These Services stand so in the database now; returns at once, and says only what differs."""
        ...


class Source(Protocol):
    """Something that knows Services."""

    async def run(self, deliver: Deliver) -> None:
        """Deliver one full batch, then changes, until cancelled."""
        ...
