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

from suite.speaker.election import Election, Exclusion
from suite.speaker.heartbeat import Network, Standing, UsableLink
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
    _suspects: set[Address] = field(default_factory=set)
    """Addresses given up for a node that may have claimed them all along: a double, not a succession."""
    _yielded: list[Contest] = field(default_factory=list)
    _arrived: frozenset[str] = frozenset()
    """Living nodes whose claims were looked at before."""

    def decide(self, plan: Mapping[Address, Entry], nodes: Mapping[str, NodeView], now: float) -> Decision:
        """What to own from now on; to be called when the plan, the view or `next_timer` says so."""
        roll = Roll(nodes)
        self._yielded = []
        claims = _claims_of_others(self.name, nodes)
        contests: set[Contest] = set()
        owned: set[Address] = set()
        for address, entry in plan.items():
            rivals = claims.get(address.packed, ()) if claims else ()
            if self._owns(entry, roll, rivals, now):
                owned.add(address)
                contests |= {Contest(address, self.name, rival.name) for rival in rivals}
        return self._settle(frozenset(owned), contests, now, is_told_anew=self._is_told_anew(nodes))

    def next_timer(self) -> float | None:
        """When an address that is only kept for its successor must be given up; None if there is none."""
        return min(self._leaving.values(), default=None)

    def _owns(self, entry: Entry, roll: "Roll", rivals: tuple[NodeView, ...], now: float) -> bool:
        mine = roll.nodes[self.name]
        winner = roll.owner(entry)
        if winner != self.name and entry.address not in self.owned:
            return False
        if not mine.is_live or self.name not in entry.order or not roll.has_link(entry, self.name):
            return False
        newer = next((rival.name for rival in rivals if _is_newer(rival, mine)), None)
        if newer is not None:
            self._yield(entry.address, newer, is_double=entry.address in self.owned)
            return False
        return winner == self.name or self._stays(entry, winner, roll, rivals, now)

    def _stays(self, entry: Entry, winner: str | None, roll: "Roll", rivals: tuple[NodeView, ...], now: float) -> bool:
        """Not ours any more: keep answering until the winner does, if we did so far."""
        if winner is not None and any(rival.name == winner for rival in rivals):
            self._yield(
                entry.address, winner, is_double=entry.address not in self._leaving or entry.address in self._suspects
            )
            return False
        if entry.address not in self._leaving:
            self._leaving[entry.address] = now + self.linger
            if winner is not None and not roll.nodes[winner].is_heard_out:
                self._suspects.add(entry.address)
        return now < self._leaving[entry.address]

    def _yield(self, address: Address, winner: str, *, is_double: bool) -> None:
        if is_double:
            self._yielded.append(Contest(address, winner, self.name))

    def _is_told_anew(self, nodes: Mapping[str, NodeView]) -> bool:
        """Whether a node has come (back) that may have told the network otherwise meanwhile: any but one just started.

        What it claims now proves nothing: the loser of a partition may hear us first, and has yielded before it is heard.
        """
        living = frozenset(name for name, node in nodes.items() if node.is_live)
        newcomers = [nodes[name] for name in living - self._arrived - {self.name}]
        self._arrived = living
        return any(node.has_listened or node.claims or not node.is_heard_out for node in newcomers)

    def _settle(self, owned: frozenset[Address], contests: set[Contest], now: float, *, is_told_anew: bool) -> Decision:
        gained, lost = owned - self.owned, self.owned - owned
        known = self._contests
        # A predecessor that still keeps a gained address warm is no double, unless it never stops.
        began = {each: known.get(each, now + self.linger if each.address in gained else now) for each in contests}
        reported = sorted(each for each, moment in began.items() if moment <= now and known.get(each, now) >= now)
        ended = {each.address for each in known if each not in began and each.address in owned}
        self.owned, self._contests = owned, {each: float("-inf") if each in reported else began[each] for each in began}
        self._leaving = {address: until for address, until in self._leaving.items() if address in owned and until > now}
        self._suspects &= self._leaving.keys()
        kept = owned - self._leaving.keys() if is_told_anew else frozenset()
        announced = gained | ended | kept | {each.address for each in reported}
        return Decision(owned, gained, lost, announced, (*reported, *self._yielded))


class Roll:
    """The nodes at one moment, prepared so that thousands of addresses can be decided in milliseconds."""

    def __init__(self, nodes: Mapping[str, NodeView]) -> None:
        self.nodes = nodes
        self._present = {name: node for name, node in nodes.items() if node.is_live and not node.is_draining}
        self._networks: dict[Network, None] = {link.network: None for node in nodes.values() for link in node.links}
        self._ranges = [(network, network.version, *usable_range(network)) for network in self._networks]
        self._settled = {
            name: frozenset(link.network for link in node.links if link.is_settled) if node.is_ready else frozenset()
            for name, node in self._present.items()
        }
        self._reachable = {name: frozenset(link.network for link in node.links) for name, node in nodes.items()}

    def owner(self, entry: Entry) -> str | None:
        """Who should answer for the address, as far as the living are known; None if nobody can."""
        around = self._around(entry.address)
        cold = None
        for name in entry.order:
            node = self._present.get(name)
            if node is None or not self.knows(entry, node):
                continue
            if self._serves(entry, name, self._settled[name], around, settled=True):
                return name
            if cold is None and self._serves(entry, name, self._reachable[name], around, settled=False):
                cold = name
        return cold

    def has_link(self, entry: Entry, name: str) -> bool:
        """Whether a node has a usable link for the address, settled or not."""
        return self._serves(entry, name, self._reachable[name], self._around(entry.address), settled=False)

    def _serves(
        self, entry: Entry, name: str, networks: frozenset[Network], around: frozenset[Network], *, settled: bool
    ) -> bool:
        chosen = entry.interfaces.get(name) if entry.interfaces else None
        if chosen is None:
            return bool(networks) if entry.any_subnet else not networks.isdisjoint(around)
        if not networks:
            return False
        return any(
            link.name in chosen and (entry.any_subnet or link.network in around) and (link.is_settled or not settled)
            for link in self.nodes[name].links
        )

    def _around(self, address: Address) -> frozenset[Network]:
        """The networks of any node that hold the address; nearly always one, rarely more than three in all."""
        number, version = int(address), address.version
        return frozenset(
            network for network, kind, low, high in self._ranges if kind == version and low <= number <= high
        )

    @staticmethod
    def knows(entry: Entry, node: NodeView) -> bool:
        """Whether the node knows of this entry: by its snapshot, or because it answers for the address already."""
        if node.standing is None:
            return False
        if entry.since is None or node.standing >= entry.since:
            return True
        return entry.address.packed in node.claims


def standings(entry: Entry, nodes: Mapping[str, NodeView]) -> Election:
    """Why the owner is the owner and the others are not: every candidate in order, or with what keeps it out."""
    roll = Roll(nodes)
    reasons = {name: _reason_against(entry, name, roll) for name in entry.order}
    eligible = tuple(name for name, reason in reasons.items() if reason is None)
    first = roll.owner(entry)
    # A node that has just started stands behind all that are settled, whatever the order of election.
    order = eligible if first is None else (first, *(name for name in eligible if name != first))
    excluded = tuple((name, reason) for name, reason in sorted(reasons.items()) if reason is not None)
    return Election(entry.address, order, excluded)


def moves_without(
    plan: Mapping[Address, Entry], nodes: Mapping[str, NodeView], down: str
) -> dict[Address, tuple[str | None, str | None]]:
    """Which addresses would move if a node died now: the owner today, and the owner then (None for nobody)."""
    today, then = Roll(nodes), Roll({name: node for name, node in nodes.items() if name != down})
    owners = {address: (today.owner(entry), then.owner(entry)) for address, entry in plan.items()}
    return {address: (before, after) for address, (before, after) in owners.items() if before != after}


def _reason_against(entry: Entry, name: str, roll: Roll) -> Exclusion | None:
    node = roll.nodes.get(name)
    if node is None or not node.is_live:
        return Exclusion.NOT_HEARD
    if node.is_draining:
        return Exclusion.DRAINING
    if not roll.has_link(entry, name):
        return Exclusion.NETWORK_ADDRESS if barred_link(entry, node) else Exclusion.NO_LINK
    return None if roll.knows(entry, node) else Exclusion.OUTDATED


def usable_range(network: Network) -> tuple[int, int]:
    """The first and last address of a network that a machine may have, as numbers.

    Not its own number (IPv6: the routers' anycast address, RFC 4291 section 2.6.1) and not its IPv4 broadcast address; links
    between two points (RFC 3021, RFC 6164) have neither.
    """
    low, high = int(network.network_address), int(network.broadcast_address)
    if network.max_prefixlen - network.prefixlen <= 1:
        return low, high
    return low + 1, high - (network.version == 4)


def barred_link(entry: Entry, node: NodeView) -> UsableLink | None:
    """The link of a node whose network holds the address, though no machine there may have it."""
    chosen = entry.interfaces.get(node.name)
    return next(
        (link for link in node.links if entry.address in link.network and (chosen is None or link.name in chosen)), None
    )


def placements(entry: Entry, name: str, links: Iterable[UsableLink]) -> frozenset[str]:
    """The interfaces on which a node that owns the address answers for it."""
    chosen = entry.interfaces.get(name)
    number = int(entry.address)

    def is_there(network: Network) -> bool:
        low, high = usable_range(network)
        return network.version == entry.address.version and low <= number <= high

    return frozenset(
        link.name
        for link in links
        if (chosen is None or link.name in chosen) and (entry.any_subnet or is_there(link.network))
    )


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
