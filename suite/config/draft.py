"""The draft: what the documents say so far, each value beside its place, until everything is read and can be compared."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from suite.config.group import Form
from suite.config.tree import Cursor
from suite.model.advertisement import BgpAdvertisement, Community, L2Advertisement
from suite.model.configuration import Configuration, StaticHost, StaticRecord
from suite.model.lease import Reservation
from suite.model.node import Node
from suite.model.peer import BfdProfile, Peer
from suite.model.pool import Pool

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A value, and where it was written; ``form`` leads to the places of its parts."""

    value: T
    at: Cursor
    form: Form | None = None

    def place(self, name: str, *steps: str | int) -> Cursor:
        """Where a part of it stands."""
        return self.form.place(name, *steps) if self.form is not None else self.at


@dataclass(slots=True)
class Draft:
    """Everything read so far, in the order written."""

    pools: list[Placed[Pool]] = field(default_factory=list)
    l2: list[Placed[L2Advertisement]] = field(default_factory=list)
    bgp: list[Placed[BgpAdvertisement]] = field(default_factory=list)
    """Without their communities: aliases are known when everything is read."""
    peers: list[Placed[Peer]] = field(default_factory=list)
    profiles: list[Placed[BfdProfile]] = field(default_factory=list)
    communities: list[Placed[tuple[str, Community]]] = field(default_factory=list)
    reservations: list[Placed[Reservation]] = field(default_factory=list)
    hosts: list[Placed[StaticHost]] = field(default_factory=list)
    records: list[Placed[StaticRecord]] = field(default_factory=list)
    nodes: list[Placed[Node]] = field(default_factory=list)
    settings: Configuration = field(default_factory=Configuration)
    """The single values: times, dns, l2, web, database, roles."""
    settings_at: dict[str, Cursor] = field(default_factory=dict)
    """Where each of them was written."""
