"""Which advertisement reaches which pool, on which nodes and interfaces, to which peers: selectors made into names.

Pure questions over a configuration and the nodes there are; the speaker's plan asks them, and so do the checks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from suite.model.advertisement import BgpAdvertisement, Community, L2Advertisement, PreferredNodes
from suite.model.configuration import Configuration
from suite.model.node import Namespace, Node
from suite.model.pool import Pool, ServiceAllocation
from suite.model.selector import Labels, Selector, any_matches

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class L2Way:
    """One way a pool is announced by ARP and NDP."""

    nodes: tuple[str, ...] = ()
    """Names of the nodes that may, sorted."""
    interfaces: tuple[str, ...] = ()
    """Empty for all."""
    service_selectors: tuple[Selector, ...] = ()
    preferred: tuple[tuple[str, int], ...] = ()
    """Nodes with a score above 0, sorted by name; never a node outside ``nodes``."""

    def same_as(self, other: "L2Way") -> bool:
        """Whether both say the same; the order of interfaces means nothing."""
        return (self.nodes, set(self.interfaces), self.service_selectors, self.preferred) == (
            other.nodes,
            set(other.interfaces),
            other.service_selectors,
            other.preferred,
        )


@dataclass(frozen=True, slots=True)
class BgpWay:
    """One way a pool is announced by BGP."""

    name: str = ""
    nodes: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    """Empty for all."""
    service_selectors: tuple[Selector, ...] = ()
    aggregation_length: int = 32
    aggregation_length_v6: int = 128
    local_pref: int = 0
    communities: tuple[Community, ...] = ()


@dataclass(frozen=True, slots=True)
class PoolWays:
    """Every way one pool is announced; none at all means that its addresses are leased and announced by nobody."""

    l2: tuple[L2Way, ...] = ()
    bgp: tuple[BgpWay, ...] = ()


def resolve(configuration: Configuration, nodes: Iterable[Node]) -> dict[str, PoolWays]:
    """The ways of every pool, by its name, advertisements in the order written."""
    nodes = tuple(nodes)
    l2 = by_pool(configuration.pools, ((each, l2_way(each, nodes)) for each in configuration.l2_advertisements))
    bgp = by_pool(configuration.pools, ((each, bgp_way(each, nodes)) for each in configuration.bgp_advertisements))
    return {
        pool.name: PoolWays(distinct(l2.get(pool.name, ())), tuple(bgp.get(pool.name, ())))
        for pool in configuration.pools
    }


def by_pool(pools: Iterable[Pool], pairs: Iterable[tuple[L2Advertisement | BgpAdvertisement, T]]) -> dict[str, list[T]]:
    """What belongs to the advertisements of each pool, in the order of the advertisements; pools without any are left out.

    An advertisement that only names pools, the usual one, costs what it names.
    """
    known = {pool.name: pool for pool in pools}
    found: dict[str, list[T]] = {}
    for advertisement, value in pairs:
        only_names = advertisement.pools and not advertisement.pool_selectors
        for name in dict.fromkeys(advertisement.pools) if only_names else known:
            if name in known and selects(advertisement, known[name]):
                found.setdefault(name, []).append(value)
    return found


def selects(advertisement: L2Advertisement | BgpAdvertisement, pool: Pool) -> bool:
    """Whether the advertisement is for this pool: named, selected, or neither names nor selectors were given."""
    named, selectors = advertisement.pools, advertisement.pool_selectors
    return (not named and not selectors) or pool.name in named or any(each.matches(pool.labels) for each in selectors)


def l2_way(advertisement: L2Advertisement, nodes: Iterable[Node]) -> L2Way:
    """The advertisement with names of nodes for selectors."""
    eligible = selected(advertisement.node_selectors, nodes)
    return L2Way(
        nodes=tuple(node.name for node in eligible),
        interfaces=advertisement.interfaces,
        service_selectors=tuple(sorted(advertisement.service_selectors, key=str)),
        preferred=preferred_scores(advertisement.preferred, eligible),
    )


def bgp_way(advertisement: BgpAdvertisement, nodes: Iterable[Node]) -> BgpWay:
    """The advertisement with names of nodes for selectors."""
    return BgpWay(
        name=advertisement.name,
        nodes=tuple(node.name for node in selected(advertisement.node_selectors, nodes)),
        peers=advertisement.peers,
        service_selectors=tuple(sorted(advertisement.service_selectors, key=str)),
        aggregation_length=advertisement.aggregation_length,
        aggregation_length_v6=advertisement.aggregation_length_v6,
        local_pref=advertisement.local_pref,
        communities=advertisement.communities,
    )


def selected(selectors: tuple[Selector, ...], nodes: Iterable[Node]) -> tuple[Node, ...]:
    """The nodes that one of ``selectors`` selects (all where there is none), sorted by name."""
    return tuple(sorted((node for node in nodes if any_matches(selectors, node.labels)), key=lambda node: node.name))


def preferred_scores(preferred: tuple[PreferredNodes, ...], eligible: Iterable[Node]) -> tuple[tuple[str, int], ...]:
    """The sum of the weights whose selector matches, by node; nodes without any are left out."""
    sums = (
        (node.name, sum(each.weight for each in preferred if each.selector.matches(node.labels))) for node in eligible
    )
    return tuple(sorted((name, score) for name, score in sums if score))


def add_scores(ways: Iterable[L2Way]) -> dict[str, int]:
    """The scores of all ways of a pool together: what the election sorts by, higher first."""
    total: dict[str, int] = {}
    for way in ways:
        for name, score in way.preferred:
            total[name] = total.get(name, 0) + score
    return total


def distinct(ways: Iterable[L2Way]) -> tuple[L2Way, ...]:
    """The ways without those that say the same as one before."""
    kept: list[L2Way] = []
    for way in ways:
        if not any(way.same_as(other) for other in kept):
            kept.append(way)
    return tuple(kept)


def interfaces_of(ways: Iterable[L2Way]) -> frozenset[str] | None:
    """The interfaces to announce on: those of all ways together; None for every interface."""
    ways = tuple(ways)
    if any(not way.interfaces for way in ways):
        return None
    return frozenset(name for way in ways for name in way.interfaces)


def l2_for_service(ways: Iterable[L2Way], labels: Labels) -> tuple[L2Way, ...]:
    """The ways that a Service with these labels is announced by."""
    return tuple(way for way in ways if any_matches(way.service_selectors, labels))


def bgp_for_service(ways: Iterable[BgpWay], labels: Labels, node: str) -> tuple[BgpWay, ...]:
    """The ways that a Service with these labels is announced by, on one node."""
    return tuple(way for way in ways if node in way.nodes and any_matches(way.service_selectors, labels))


def namespaces_of(allocation: ServiceAllocation, namespaces: Iterable[Namespace]) -> tuple[str, ...]:
    """The namespaces a pool is kept for, sorted: those it names, and those of ``namespaces`` that it selects."""
    chosen = {
        each.name for each in namespaces if any(one.matches(each.labels) for one in allocation.namespace_selectors)
    }
    return tuple(sorted(chosen | set(allocation.namespaces)))


def prefer_differently(one: BgpWay, other: BgpWay, families: frozenset[int]) -> bool:
    """Whether some node would announce one route to one peer with two local preferences."""
    same_route = (4 in families and one.aggregation_length == other.aggregation_length) or (
        6 in families and one.aggregation_length_v6 == other.aggregation_length_v6
    )
    same_peer = not one.peers or not other.peers or set(one.peers) & set(other.peers)
    same_node = set(one.nodes) & set(other.nodes)
    return bool(one.local_pref != other.local_pref and same_route and same_peer and same_node)
