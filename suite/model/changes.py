"""One turn of the controller as one value: what a commit is to write, all of it or nothing."""

from dataclasses import dataclass, field, fields

from suite.model.configuration import Configuration, StaticRecord
from suite.model.event import Event
from suite.model.lease import Lease, Reservation
from suite.model.node import Namespace, Node
from suite.model.refusal import Refusal
from suite.model.service import Endpoints, Service, ServiceRef
from suite.model.token import Token


@dataclass(frozen=True, slots=True)
class Closing:
    """The end of an open lease row."""

    lease: Lease
    reason: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different from the snapshot the plan was made against.

    Order within a commit: closings, openings, the current-state tables, then events.
    """

    closed: tuple[Closing, ...] = ()
    opened: tuple[Lease, ...] = ()
    """Without ids and times: the commit gives both."""
    services: tuple[Service, ...] = ()
    services_gone: tuple[ServiceRef, ...] = ()
    endpoints: tuple[Endpoints, ...] = ()
    endpoints_gone: tuple[ServiceRef, ...] = ()
    nodes: tuple[Node, ...] = ()
    nodes_gone: tuple[str, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    namespaces_gone: tuple[str, ...] = ()
    refusals: tuple[tuple[ServiceRef, Refusal], ...] = ()
    refusals_gone: tuple[ServiceRef, ...] = ()
    reserved: tuple[Reservation, ...] = ()
    unreserved: tuple[Reservation, ...] = ()
    drained: tuple[str, ...] = ()
    """Pools that an operator takes out of use for new leases."""
    undrained: tuple[str, ...] = ()
    nodes_drained: tuple[str, ...] = ()
    """Nodes that are to announce nothing."""
    nodes_undrained: tuple[str, ...] = ()
    records: tuple[StaticRecord, ...] = ()
    records_gone: tuple[StaticRecord, ...] = ()
    configuration: Configuration | None = None
    withheld: str | None = None
    """Digest of the releases that wait for an operator; empty when none waits any more; None for no change."""
    confirmed: str | None = None
    """Digest of the releases that an operator has allowed."""
    heartbeat_keys: tuple[str, ...] | None = field(default=None, repr=False)
    """The keys that speakers know each other by from now on, in hex, the one that signs first."""
    tokens: tuple[Token, ...] = ()
    tokens_revoked: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return any(getattr(self, each.name) not in {(), None} for each in fields(self))
