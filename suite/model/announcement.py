"""Announcements: which node tells the network about an address, and how."""

from dataclasses import dataclass
from datetime import datetime

from suite.model.address import Address


@dataclass(frozen=True, slots=True)
class Announcement:
    """One node's claim on one interface (layer 2) or to one peer (BGP)."""

    address: Address
    node: str
    mode: str
    """``layer2`` or ``bgp``."""
    interface: str = ""
    peer: str = ""
    mac: str = ""
    prefix: str = ""
    """The route that leads to the address (BGP): the address itself, or the aggregate that holds it."""


@dataclass(frozen=True, slots=True)
class AnnouncementSpan:
    """An announcement from when until when; ``id`` is its place among all, in the order in which they were told."""

    id: int
    announcement: Announcement
    since: datetime
    until: datetime | None = None
    end_reason: str = ""
