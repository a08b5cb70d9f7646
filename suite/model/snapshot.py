"""What every role acts on: the state of everything at one revision.

A snapshot is immutable and shares its structure with the one before it (persistent maps), so keeping one is free and
making the next costs what changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rpds import HashTrieMap

from suite.model.address import Address
from suite.model.configuration import Configuration, StaticRecord
from suite.model.lease import Lease, LeaseState, Reservation
from suite.model.node import Namespace, Node
from suite.model.persistent import PersistentMap, standing
from suite.model.refusal import Refusal
from suite.model.remembering import Remembering
from suite.model.service import Endpoints, Service, ServiceRef


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The database at (epoch, revision)."""

    epoch: str = ""
    revision: int = 0
    at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    configuration: Configuration = field(default_factory=Configuration)
    services: PersistentMap[ServiceRef, Service] = field(default_factory=HashTrieMap)
    endpoints: PersistentMap[ServiceRef, Endpoints] = field(default_factory=HashTrieMap)
    nodes: PersistentMap[str, Node] = field(default_factory=HashTrieMap)
    namespaces: PersistentMap[str, Namespace] = field(default_factory=HashTrieMap)
    refusals: PersistentMap[ServiceRef, Refusal] = field(default_factory=HashTrieMap)
    leases: PersistentMap[Address, tuple[Lease, ...]] = field(default_factory=HashTrieMap)
    """Open leases by address; several only where an address is shared.  One that is still folded is bound, and shares its
    address with nobody."""
    holdings: PersistentMap[ServiceRef, tuple[Lease, ...]] = field(default_factory=HashTrieMap)
    """The same leases by Service.  Where they are still folded the address stands in their place, or a list of several."""
    reservations: PersistentMap[Address, Reservation] = field(default_factory=HashTrieMap)
    """Operators' reservations from the database; those of the configuration stand in ``configuration``."""
    drained: frozenset[str] = frozenset()
    """Pools that an operator took out of use for new leases."""
    drained_nodes: frozenset[str] = frozenset()
    """Nodes that an operator wants to announce nothing; see :meth:`is_drained`."""
    records: PersistentMap[StaticRecord, bool] = field(default_factory=Remembering)
    """Imported records, the keys; those of the configuration stand in ``configuration.dns``."""
    withheld: str = ""
    confirmed: str = ""
    heartbeat_keys: tuple[str, ...] = field(default=(), repr=False)
    """What speakers know each other by, in hex, the key that signs first; only speakers are told over the network."""

    def bound(self, ref: ServiceRef) -> tuple[Lease, ...]:
        """The leases a Service has now, IPv4 first."""
        held = self.holdings.get(ref) or ()
        if len(held) == 1:  # as nearly always: asked for every Service at a start
            return held if held[0].state is LeaseState.BOUND else ()
        leases = [lease for lease in held if lease.state is LeaseState.BOUND]
        return tuple(sorted(leases, key=lambda lease: lease.address.version))

    def leased(self, ref: ServiceRef) -> list[Address]:
        """The addresses of a Service's bound leases, IPv4 first; costs less than :meth:`bound` at a start."""
        held: Address | list[Address] | tuple[Lease, ...] | None = standing(self.holdings, ref)
        if isinstance(held, tuple):
            return [lease.address for lease in self.bound(ref)]
        if isinstance(held, list):
            return sorted(held, key=_family)
        return [] if held is None else [held]

    def is_drained(self, node: str) -> bool:
        """Whether a node is to announce nothing.

        An operator says so, the cluster removes it, or it is cordoned and the configuration heeds that.
        """
        known = self.nodes.get(node)
        if node in self.drained_nodes or known is None:
            return node in self.drained_nodes
        return known.is_being_removed or (self.configuration.drain_cordoned and known.is_cordoned)

    def may_not_return(self, node: str) -> bool:
        """Whether a suite that ends on this node may be away for long: it is drained, or cordoned for whatever comes next.

        No router shall keep routes for it then, graceful restart or not.
        """
        known = self.nodes.get(node)
        return self.is_drained(node) or (known is not None and known.is_cordoned)

    def open_leases(self) -> Iterator[Lease]:
        """Every open lease."""
        for leases in self.leases.values():
            yield from leases

    @property
    def is_complete(self) -> bool:
        """Whether a first full turn has been committed in this epoch; nothing is announced or answered before."""
        return self.revision > 0 and bool(self.epoch) and self.configuration.digest != ""


def _family(address: Address) -> int:
    return address.version
