"""Which addresses this node answers for now: the plan, the living, and the claims of others, put together. Pure.

The plan ranks candidates for each address; heartbeats say who lives, is ready and has a link there; the owner is the first
one that qualifies, and every node works that out alone. What makes it smooth:

* A node that is ready goes before one that has just started, but a cold node is better than none (a whole fleet that
  starts at once is all cold).
* Who loses an address to a living successor keeps answering until the successor claims it, a dead interval at most:
  a planned move has no gap. Who lost the link or the plan's consent stops at once.
* Nodes may act on different snapshots for a while. A candidate whose snapshot is older than the address's entry does
  not know of it and is passed over, unless it claims the address; and when two claim one address, the newer snapshot
  wins, then the order of election.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from suite.speaker.heartbeat import Standing, UsableLink
from suite.speaker.membership import NodeView

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Entry:
    """One address of the plan."""

    address: Address
    order: tuple[str, ...]
    """Candidates as `election.rank` orders them."""
    since: Standing | None = None
    """The snapshot in which this entry last changed; None if that is not known."""
    interfaces: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Where each candidate announces; a candidate that is not named announces on all its interfaces."""
    any_subnet: bool = False
    """Announce on links of other subnets as well."""

    def links(self, name: str, links: Iterable[UsableLink]) -> tuple[UsableLink, ...]:
        """The links of a node that serve this address."""
        chosen = self.interfaces.get(name)
        return tuple(
            link
            for link in links
            if (chosen is None or link.name in chosen) and (self.any_subnet or self.address in link.network)
        )


@dataclass(frozen=True, slots=True, order=True)
class Contest:
    """Two nodes that hear each other claim one address; both are named."""

    address: Address
    winner: str
    loser: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What changes now. `announce` are the addresses whose owner must be told to the network (again)."""

    owned: frozenset[Address]
    gained: frozenset[Address] = frozenset()
    lost: frozenset[Address] = frozenset()
    announce: frozenset[Address] = frozenset()
    contests: tuple[Contest, ...] = ()
    """Those that began."""


@dataclass(slots=True)
class Ownership:
    """The addresses of one node over time. `linger` is the longest overlap with a successor, in seconds."""

    name: str
    linger: float = 1.0
    owned: frozenset[Address] = frozenset()
    _leaving: dict[Address, float] = field(default_factory=dict)
    _contests: dict[Contest, float] = field(default_factory=dict)
    """Claims of others on what is ours, and when each is worth a report."""

    def decide(self, plan: Mapping[Address, Entry], nodes: Mapping[str, NodeView], now: float) -> Decision:
        """What to own from now on; to be called when the plan, the view or `next_timer` says so."""
        claims = _claims_of_others(self.name, nodes)
        contests: set[Contest] = set()
        owned: set[Address] = set()
        for address, entry in plan.items():
            rivals = claims.get(address.packed, ())
            if self._owns(entry, nodes, rivals, now):
                owned.add(address)
                contests |= {Contest(address, self.name, rival.name) for rival in rivals}
        return self._settle(frozenset(owned), contests, now)

    def next_timer(self) -> float | None:
        """When an address that is only kept for its successor must be given up; None if there is none."""
        return min(self._leaving.values(), default=None)

    def _owns(self, entry: Entry, nodes: Mapping[str, NodeView], rivals: tuple[NodeView, ...], now: float) -> bool:
        mine = nodes[self.name]
        if not mine.is_live or not entry.links(self.name, mine.links) or self.name not in entry.order:
            self._leaving.pop(entry.address, None)
            return False
        winner = owner(entry, nodes)
        if any(_is_newer(rival, mine) for rival in rivals):
            self._leaving.pop(entry.address, None)
            return False
        if winner == self.name:
            self._leaving.pop(entry.address, None)
            return True
        return self._stays(entry, winner, rivals, now)

    def _stays(self, entry: Entry, winner: str | None, rivals: tuple[NodeView, ...], now: float) -> bool:
        """Not ours any more: keep answering until the winner does, if we did so far."""
        if entry.address not in self.owned or any(rival.name == winner for rival in rivals):
            self._leaving.pop(entry.address, None)
            return False
        deadline = self._leaving.setdefault(entry.address, now + self.linger)
        return now < deadline

    def _settle(self, owned: frozenset[Address], contests: set[Contest], now: float) -> Decision:
        gained, lost = owned - self.owned, self.owned - owned
        known = self._contests
        # A predecessor that still keeps a gained address warm is no double, unless it never stops.
        began = {each: known.get(each, now + self.linger if each.address in gained else now) for each in contests}
        reported = sorted(each for each, moment in began.items() if moment <= now and known.get(each, now) >= now)
        ended = {each.address for each in known if each not in began and each.address in owned}
        self.owned, self._contests = owned, {each: float("-inf") if each in reported else began[each] for each in began}
        self._leaving = {address: until for address, until in self._leaving.items() if address in owned}
        announced = gained | ended | {each.address for each in reported}
        return Decision(owned, gained, lost, announced, tuple(reported))


def owner(entry: Entry, nodes: Mapping[str, NodeView]) -> str | None:
    """Who should answer for the address, as far as the living are known; None if nobody can."""
    cold = None
    for name in entry.order:
        node = nodes.get(name)
        if node is None or not qualifies(entry, node):
            continue
        if node.is_ready and any(link.is_settled for link in entry.links(name, node.links)):
            return name
        cold = cold or name
    return cold


def qualifies(entry: Entry, node: NodeView) -> bool:
    """Whether a node could answer for the address now."""
    if not node.is_live or node.is_draining or not entry.links(node.name, node.links):
        return False
    if entry.since is None or entry.address.packed in node.claims:
        return True
    return node.standing is not None and node.standing >= entry.since


def _claims_of_others(name: str, nodes: Mapping[str, NodeView]) -> dict[bytes, tuple[NodeView, ...]]:
    claims: dict[bytes, tuple[NodeView, ...]] = {}
    for node in nodes.values():
        if node.is_live and node.name != name:
            for packed in node.claims:
                claims[packed] = (*claims.get(packed, ()), node)
    return claims


def _is_newer(rival: NodeView, mine: NodeView) -> bool:
    """Whether a claimant knows better than we do; one that is leaving only keeps the address warm for somebody else."""
    return (
        not rival.is_draining
        and rival.standing is not None
        and (mine.standing is None or rival.standing > mine.standing)
    )
