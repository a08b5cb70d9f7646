"""What the network is to be told: for each leased address who may announce it by layer 2, and the routes of this node by BGP.

Pure, and the same on every node. A Service is decided by itself (:func:`decide`), so a change of one costs one; what
several Services that share an address come to is put together per address. Nothing here knows who is alive: that is
for `ownership` to add, with the orders that stand in the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_network

from rpds import HashTrieMap

from suite.config.resolve import BgpWay, L2Way, PoolWays, bgp_for_service, l2_for_service, prefer_differently, resolve
from suite.model.address import Address, Network
from suite.model.advertisement import Community
from suite.model.lease import Lease, LeaseState
from suite.model.node import Node, standing_by
from suite.model.peer import Peer
from suite.model.refusal import Reason, Refusal
from suite.model.selector import any_matches
from suite.model.service import Endpoints, Service, ServiceRef
from suite.model.snapshot import Snapshot
from suite.speaker.election import Candidate, Exclusion, NodeFacts, Offer, nominate, rank
from suite.speaker.heartbeat import Standing
from suite.speaker.ownership import Entry


@dataclass(frozen=True, slots=True)
class Case:
    """One Service with an address, and everything that decides who announces it."""

    service: Service
    addresses: tuple[Address, ...]
    ways: PoolWays
    nodes: Mapping[str, Node]
    endpoints: Endpoints | None = None
    """None where its source has no EndpointSlice: it counts as reachable, on every node."""
    ignores_label: bool = False
    """Whether nodes announce in spite of the label that excludes them from load balancers."""
    is_drained: bool = False
    """Whether the node that decides is to announce nothing."""
    waits_for: Refusal | None = None
    """Why nobody is to announce anything yet."""

    @property
    def is_served(self) -> bool:
        """Whether anybody serves it."""
        return self.endpoints is None or self.endpoints.is_ready

    def is_served_on(self, node: str) -> bool:
        """Whether somebody on this node serves it."""
        return self.endpoints is None or node in self.endpoints.ready_nodes()


@dataclass(frozen=True, slots=True)
class Route:
    """A prefix, what is said of it, and to whom."""

    prefix: Network
    local_pref: int = 0
    """0 for none."""
    communities: tuple[Community, ...] = ()
    peers: tuple[str, ...] = ()
    """Names of peers; empty for all."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one Service adds to the plan."""

    candidates: tuple[Candidate, ...] = ()
    """Every node for layer 2, those that may not with the reason; empty where layer 2 does not announce it at all."""
    interfaces: Mapping[str, frozenset[str]] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    """This node's."""
    refusals: tuple[Refusal, ...] = ()
    """Why this node does not announce it by one protocol or the other."""
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What one node acts on; immutable, and a plan made from another shares its structure."""

    entries: HashTrieMap[Address, Entry] = field(default_factory=HashTrieMap)
    """For layer 2: each address with the nodes that may announce it, in order."""
    parts: HashTrieMap[ServiceRef, Part] = field(default_factory=HashTrieMap)
    prefixes: HashTrieMap[Network, HashTrieMap[Route, int]] = field(default_factory=HashTrieMap)
    """For BGP: each prefix with the different routes to it, and how many Services want each."""
    ways: Mapping[str, PoolWays] = field(default_factory=dict)
    """Of each pool, by name."""
    touched: frozenset[Network] = frozenset()
    """Prefixes whose routes may differ from those of the plan it was made from."""

    def routes(self, peer: str) -> dict[Network, Route]:
        """What this node announces to one peer: each prefix once, with the communities of all who want it."""
        found = ((prefix, self.route(peer, prefix)) for prefix in self.prefixes)
        return {prefix: route for prefix, route in found if route is not None}

    def route(self, peer: str, prefix: Network) -> Route | None:
        """What this node announces to one peer for one prefix; None for nothing."""
        wanted = [route for route in self.prefixes.get(prefix) or () if not route.peers or peer in route.peers]
        return merged(wanted) if wanted else None

    def refusals(self, ref: ServiceRef) -> tuple[Refusal, ...]:
        """Why this node does not announce a Service; empty where it does, or where there is nothing to announce."""
        part = self.parts.get(ref)
        return part.refusals if part is not None else ()


def plan(snapshot: Snapshot, node: str, *, before: Plan | None = None, ignores_label: bool = False) -> Plan:
    """The whole plan of ``node``; entries that are as they were in ``before`` keep the revision they stand since."""
    known = before or Plan()
    ways = resolve(snapshot.configuration, known_nodes(snapshot, node).values())
    everything = {*snapshot.holdings, *known.parts}
    return replan(replace(known, ways=ways), snapshot, node, everything, ignores_label=ignores_label)


def replan(
    before: Plan, snapshot: Snapshot, node: str, changed: Iterable[ServiceRef], *, ignores_label: bool = False
) -> Plan:
    """The plan after ``changed`` Services (or their endpoints or leases) changed; the same as making it from nothing.

    After a change of configuration or nodes, make it from nothing: every Service may be hit.
    """
    parts, prefixes = before.parts, before.prefixes
    touched, addresses = set[Network](), set[Address]()
    nodes = known_nodes(snapshot, node)
    waits_for = standing_by(nodes.values())
    for ref in changed:
        old = parts.get(ref) or Part()
        part = _part(snapshot, ref, before.ways, nodes, node, ignores_label=ignores_label, waits_for=waits_for)
        parts = parts.insert(ref, part) if part.addresses else parts.discard(ref)
        addresses.update(old.addresses, part.addresses)
        if old.routes != part.routes:
            prefixes = counted(counted(prefixes, old.routes, -1), part.routes, 1)
            touched.update(route.prefix for route in (*old.routes, *part.routes))
    entries = _entries(before.entries, addresses, snapshot, parts)
    return Plan(entries, parts, prefixes, before.ways, frozenset(touched))


def _entries(
    entries: HashTrieMap[Address, Entry],
    addresses: Iterable[Address],
    snapshot: Snapshot,
    parts: HashTrieMap[ServiceRef, Part],
) -> HashTrieMap[Address, Entry]:
    """``entries`` with those of ``addresses`` made anew; one that says what it said stays as it is."""
    for address in addresses:
        entry = _entry(address, snapshot, parts)
        known = entries.get(address)
        if entry is None:
            entries = entries.discard(address)
        elif known is None or replace(known, since=None) != replace(entry, since=None):
            entries = entries.insert(address, entry)
    return entries


def counted(
    prefixes: HashTrieMap[Network, HashTrieMap[Route, int]], routes: Iterable[Route], step: int
) -> HashTrieMap[Network, HashTrieMap[Route, int]]:
    """``prefixes`` with one Service more (or fewer, ``step`` -1) that wants ``routes``."""
    for route in routes:
        wanted = prefixes.get(route.prefix) or HashTrieMap()
        count = (wanted.get(route) or 0) + step
        wanted = wanted.insert(route, count) if count else wanted.discard(route)
        prefixes = prefixes.insert(route.prefix, wanted) if len(wanted) else prefixes.discard(route.prefix)
    return prefixes


def known_nodes(snapshot: Snapshot, node: str) -> dict[str, Node]:
    """The nodes of the cluster and those that only the configuration names, by name and in its order.

    Where nobody named any, ``node`` alone: one machine without a cluster.
    """
    found = {each.name: each for each in snapshot.configuration.nodes} | dict(snapshot.nodes.items())
    return dict(sorted(found.items())) or {node: Node(node)}


def _part(
    snapshot: Snapshot,
    ref: ServiceRef,
    ways: Mapping[str, PoolWays],
    nodes: Mapping[str, Node],
    node: str,
    *,
    ignores_label: bool,
    waits_for: Refusal | None,
) -> Part:
    service, leases = snapshot.services.get(ref), snapshot.bound(ref)
    if service is None or not leases:
        return Part()
    pool = snapshot.configuration.pool_of(leases[0].address)
    known = ways.get(pool.name, PoolWays()) if pool is not None else PoolWays()
    addresses = tuple(lease.address for lease in leases)
    endpoints, is_drained = snapshot.endpoints.get(ref), snapshot.is_drained(node)
    return decide(Case(service, addresses, known, nodes, endpoints, ignores_label, is_drained, waits_for), node)


def decide(case: Case, node: str) -> Part:
    """What one Service adds to the plan of ``node``."""
    if not case.ways.l2 and not case.ways.bgp:
        refusal = Refusal(
            Reason.NO_ADVERTISEMENT, "no advertisement is for its pool; see L2Advertisement, BGPAdvertisement"
        )
        return Part(refusals=(refusal,), addresses=case.addresses)
    if case.waits_for is not None:
        return Part(refusals=(case.waits_for,), addresses=case.addresses)
    candidates: tuple[Candidate, ...] = ()
    routes: tuple[Route, ...] = ()
    refusals = []
    if case.ways.l2:
        answer = l2_candidates(case)
        candidates = () if isinstance(answer, Refusal) else answer
        refusals += [answer] if isinstance(answer, Refusal) else _objections(case, candidates, node)
    if case.ways.bgp:
        told = bgp_routes(case, node)
        routes = () if isinstance(told, Refusal) else told
        refusals += [told] if isinstance(told, Refusal) else []
    return Part(candidates, _interfaces(case), routes, tuple(refusals), case.addresses)


# ---------------------------------------------------------------------------------------------- layer 2


def l2_candidates(case: Case) -> tuple[Candidate, ...] | Refusal:
    """Every node, those that may not announce with the reason; or why nobody may.

    As MetalLB: Service selectors and shared addresses do not go together, for another Service of the address
    would be announced with it; a Service that nobody serves is announced by nobody.
    """
    matching = l2_for_service(case.ways.l2, case.service.labels)
    if not matching:
        return Refusal(Reason.NO_ADVERTISEMENT, "no L2 advertisement of its pool selects it")
    if case.service.sharing_key and any(way.service_selectors for way in matching):
        message = "it shares its address, so advertisements with service selectors cannot be used for it"
        return Refusal(Reason.SHARED_WITH_SELECTOR, message)
    if not case.is_served:
        return Refusal(Reason.NO_ENDPOINTS, "no endpoint of it is ready")
    facts = [
        NodeFacts(each.name, each.network_unavailable, each.is_excluded, case.is_served_on(each.name))
        for each in case.nodes.values()
    ]
    return nominate(facts, map(_offer, matching), local_policy=case.service.is_local, ignores_label=case.ignores_label)


def _offer(way: L2Way) -> Offer:
    interfaces = frozenset(way.interfaces) if way.interfaces else None
    return Offer(frozenset(way.nodes), interfaces, dict(way.preferred))


def _interfaces(case: Case) -> dict[str, frozenset[str]]:
    """Where each node announces: the union of its advertisements; nodes without a limit are left out."""
    matching = l2_for_service(case.ways.l2, case.service.labels)
    limits = {}
    for name in {name for way in matching for name in way.nodes}:
        mine = [way.interfaces for way in matching if name in way.nodes]
        if all(mine):
            limits[name] = frozenset(each for interfaces in mine for each in interfaces)
    return limits


DRAINED = Refusal(Reason.NODE_DRAINED, "this node is drained (suite undrain, or kubectl uncordon, ends that)")
"""By layer 2 it stays a candidate, so that its goodbye, not a hole in the plan, hands its addresses over."""

EXCLUSIONS = {
    Exclusion.NETWORK_UNAVAILABLE: (Reason.NODE_NETWORK_UNAVAILABLE, "the network of this node is unavailable"),
    Exclusion.LABELLED: (Reason.NODE_EXCLUDED, "this node is labelled to be left out of load balancing"),
    Exclusion.NOT_ADVERTISED: (Reason.NO_ADVERTISEMENT, "no L2 advertisement of its pool selects this node"),
    Exclusion.NO_ENDPOINT: (Reason.NO_LOCAL_ENDPOINTS, "no ready endpoint on this node (externalTrafficPolicy: Local)"),
}
"""What a node's exclusion is for people."""


def _objections(case: Case, candidates: Iterable[Candidate], node: str) -> list[Refusal]:
    if case.is_drained:
        return [DRAINED]
    mine = [each.exclusion for each in candidates if each.name == node]
    return [Refusal(*EXCLUSIONS[exclusion]) for exclusion in mine if exclusion in EXCLUSIONS]


def _entry(address: Address, snapshot: Snapshot, parts: HashTrieMap[ServiceRef, Part]) -> Entry | None:
    """The candidates of one address; a node must be one for every Service of the address that any node can serve.

    Services that share an address and are served on different nodes only (policy Local) cannot all be reached:
    then whoever serves one of them may announce it, by the same order on every node.
    """
    holders = _holders(address, snapshot.leases.get(address) or (), parts)
    eligible = [{each.name: each.score for each in part.candidates if each.exclusion is None} for part in holders]
    eligible = [scores for scores in eligible if scores]
    if not eligible:
        return None
    common = set.intersection(*map(set, eligible)) or set.union(*map(set, eligible))
    scores = {name: max(each.get(name, 0) for each in eligible) for name in common}
    limits = [part.interfaces for part in holders]
    interfaces = {
        name: frozenset[str]().union(*(each[name] for each in limits))
        for name in common
        if all(name in each for each in limits)
    }
    standing = Standing(snapshot.revision, snapshot.epoch)
    return Entry(address, rank(address, common, scores), standing, interfaces, snapshot.configuration.l2.any_subnet)


def _holders(address: Address, leases: Iterable[Lease], parts: HashTrieMap[ServiceRef, Part]) -> list[Part]:
    refs = sorted(lease.ref for lease in leases if lease.state is LeaseState.BOUND)
    found = [part for ref in refs if (part := parts.get(ref)) is not None]
    return [part for part in found if address in part.addresses and part.candidates]


# -------------------------------------------------------------------------------------------------- BGP


def bgp_routes(case: Case, node: str) -> tuple[Route, ...] | Refusal:
    """The routes of one Service on ``node``, one for each address and matching advertisement; or why there are none."""
    if refusal := _node_refusal(case, node):
        return refusal
    matching = bgp_for_service(case.ways.bgp, case.service.labels, node)
    if not matching:
        return Refusal(Reason.NO_ADVERTISEMENT, "no BGP advertisement of its pool selects it and this node")
    if conflict := conflicting(matching, frozenset(address.version for address in case.addresses)):
        return Refusal(Reason.CONFLICTING_ADVERTISEMENTS, conflict)
    if not case.is_served:
        return Refusal(Reason.NO_ENDPOINTS, "no endpoint of it is ready")
    if case.service.is_local and not case.is_served_on(node):
        return Refusal(*EXCLUSIONS[Exclusion.NO_ENDPOINT])
    return tuple(dict.fromkeys(_route(address, way) for address in case.addresses for way in matching))


def _node_refusal(case: Case, node: str) -> Refusal | None:
    known = case.nodes.get(node, Node(node))
    if case.is_drained:
        return DRAINED
    if known.network_unavailable:
        return Refusal(*EXCLUSIONS[Exclusion.NETWORK_UNAVAILABLE])
    if known.is_excluded and not case.ignores_label:
        return Refusal(*EXCLUSIONS[Exclusion.LABELLED])
    return None


def conflicting(ways: tuple[BgpWay, ...], families: frozenset[int]) -> str:
    """A sentence that names two ways with different local preferences for one route; empty where there are none."""
    for number, way in enumerate(ways):
        for other in ways[:number]:
            if prefer_differently(way, other, families):
                return f"{other.name or 'one advertisement'} wants local preference {other.local_pref}, {way.name or 'another'} {way.local_pref}"
    return ""


def _route(address: Address, way: BgpWay) -> Route:
    length = way.aggregation_length if address.version == 4 else way.aggregation_length_v6
    return Route(ip_network((address, length), strict=False), way.local_pref, way.communities, way.peers)


def merged(routes: Sequence[Route]) -> Route:
    """One prefix that several want: all their communities, the highest preference (MetalLB merges communities too)."""
    communities = {community for route in routes for community in route.communities}
    ordered = tuple(sorted(communities, key=lambda each: (each.is_large, each.parts)))
    return Route(routes[0].prefix, max(route.local_pref for route in routes), ordered)


def peers_of(peers: Iterable[Peer], node: Node) -> tuple[Peer, ...]:
    """The peers that ``node`` has sessions with."""
    return tuple(peer for peer in peers if any_matches(peer.node_selectors, node.labels))
