"""Leases: who has, had or will get back an address.

A row of the lease table is one of these.  It opens (``valid_to`` is None) and closes once; nothing else in it ever
changes, so that the history is the table itself.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from suite.model.address import Address
from suite.model.service import Port, ServiceRef


class LeaseState(StrEnum):
    """The life cycle of an address: free -> bound -> held -> cooling -> free, and declined beside it."""

    BOUND = "bound"
    """Its Service has it."""
    HELD = "held"
    """Its Service is gone; the address waits for the same namespace/name."""
    COOLING = "cooling"
    """Nobody gets it until every cache that knew it has forgotten it."""
    DECLINED = "declined"
    """Another machine on the network answered for it."""


@dataclass(frozen=True, slots=True)
class Lease:
    """One address with one Service for one span of time.

    ``share_group`` decides who may have the same address at once: leases on one address must all carry the same
    one.  It is the Service's own name where it shares with nobody, else its sharing key and backend.
    """

    address: Address
    ref: ServiceRef
    pool: str
    state: LeaseState
    share_group: str
    valid_from: datetime
    id: int = 0
    """Given by the database; 0 before."""
    uid: str = ""
    """uid of the object, where its source gives one."""
    ports: tuple[Port, ...] = ()
    was_requested: bool = False
    until: datetime | None = None
    """When a held or cooling address goes on to its next state."""
    note: str = ""
    """For ``declined``: the stranger's hardware address."""
    valid_to: datetime | None = None
    end_reason: str = ""
    revision: int = 0
    """Revision of the commit that opened it."""

    @property
    def is_open(self) -> bool:
        """Whether it still counts."""
        return self.valid_to is None


@dataclass(frozen=True, slots=True)
class Reservation:
    """An address pinned by an operator to a name, or to nobody (``ref`` is None)."""

    address: Address
    ref: ServiceRef | None = None
    note: str = ""
    source: str = "operator"
    """``operator`` (command line, API, import) or ``config``."""
    last: Address | None = field(default=None)
    """Last address of a block that nobody gets; None for one address."""
