"""Which node owns an address: a pure, total function that every node computes for itself and all agree on.

The rule is MetalLB's, so that a fleet that changes over keeps its owners: higher preference first, then the lowest
sha256(node + "#" + address), bytes compared. A node that leaves moves only its own addresses; one that joins takes
about its share from each. Addresses, not Services, are hashed: Services that share an address share its owner.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address


class Exclusion(StrEnum):
    """Why a node is no candidate for an address, in the order in which it is looked at."""

    NETWORK_UNAVAILABLE = "network_unavailable"
    """The node's condition NetworkUnavailable is True."""
    LABELLED = "labelled"
    """It carries the label node.kubernetes.io/exclude-from-external-load-balancers."""
    NOT_ADVERTISED = "not_advertised"
    """No advertisement of the pool that matches the Service selects the node."""
    NO_ENDPOINT = "no_endpoint"
    """The Service's traffic policy is Local and none of its ready endpoints is here."""
    NOT_HEARD = "not_heard"
    """No heartbeat within the dead interval, or one that does not echo ours."""
    DRAINING = "draining"
    """It said goodbye."""
    NO_LINK = "no_link"
    """It has no usable interface on the address's subnet."""
    NETWORK_ADDRESS = "network_address"
    """It has, but the address is that subnet's own number or its broadcast address."""
    OUTDATED = "outdated"
    """The snapshot it acts on is older than the address's present plan."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node as far as one address is concerned; `exclusion` None makes it eligible."""

    name: str
    score: int = 0
    """Sum of the weights of the preferences that match it."""
    exclusion: Exclusion | None = None


@dataclass(frozen=True, slots=True)
class Election:
    """Who owns an address and why: all that `suite explain` needs to say."""

    address: Address
    order: tuple[str, ...]
    """Eligible nodes, the owner first, each the successor of the one before it."""
    excluded: tuple[tuple[str, Exclusion], ...]

    @property
    def winner(self) -> str | None:
        return self.order[0] if self.order else None


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What decides whether a node may announce a Service's address, before any heartbeat is heard."""

    name: str
    network_unavailable: bool = False
    is_labelled: bool = False
    has_endpoint: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """One layer 2 advertisement that matches the Service: the nodes it selects, where, and with which preference.

    `interfaces` None means all of them; an empty set means none.
    """

    nodes: frozenset[str]
    interfaces: frozenset[str] | None = None
    preferences: Mapping[str, int] | None = None


def elect(address: Address, candidates: Iterable[Candidate]) -> Election:
    """The election for one address; the order in which candidates are given does not matter."""
    everybody = list(candidates)
    eligible = {candidate.name: candidate.score for candidate in everybody if candidate.exclusion is None}
    excluded = sorted((candidate.name, candidate.exclusion) for candidate in everybody if candidate.exclusion)
    return Election(address, rank(address, eligible, eligible), tuple(excluded))


def rank(address: Address, names: Iterable[str], scores: Mapping[str, int] | None = None) -> tuple[str, ...]:
    """Nodes in the order in which they may own the address."""
    text = spelled(address)
    weights = scores or {}
    return tuple(sorted(names, key=lambda name: (-weights.get(name, 0), sha256(f"{name}#{text}".encode()).digest())))


def nominate(
    nodes: Iterable[NodeFacts], offers: Iterable[Offer], *, local_policy: bool, ignores_label: bool = False
) -> tuple[Candidate, ...]:
    """Every node as a candidate, or with the reason why not, from what the configuration and the cluster say."""
    matching = tuple(offers)
    offered = frozenset[str]().union(*(offer.nodes for offer in matching))
    scores = preference_scores(matching)
    return tuple(
        Candidate(
            node.name,
            scores.get(node.name, 0),
            _exclusion(node, offered, local_policy=local_policy, ignores_label=ignores_label),
        )
        for node in nodes
    )


def preference_scores(offers: Iterable[Offer]) -> dict[str, int]:
    """The weights of all offers added up, for each node that any of them prefers."""
    scores: dict[str, int] = {}
    for offer in offers:
        for name, weight in (offer.preferences or {}).items():
            scores[name] = scores.get(name, 0) + weight
    return scores


def interfaces_for(node: str, offers: Iterable[Offer]) -> frozenset[str] | None:
    """Where a node announces: the interfaces of all offers that select it; None for all of them."""
    chosen: frozenset[str] = frozenset()
    for offer in offers:
        if node in offer.nodes:
            if offer.interfaces is None:
                return None
            chosen |= offer.interfaces
    return chosen


def spelled(address: Address) -> str:
    """The text that is hashed: as Go prints an address, so IPv4-mapped IPv6 addresses look like IPv4."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _exclusion(
    node: NodeFacts, offered: frozenset[str], *, local_policy: bool, ignores_label: bool
) -> Exclusion | None:
    reasons = (
        (node.network_unavailable, Exclusion.NETWORK_UNAVAILABLE),
        (node.is_labelled and not ignores_label, Exclusion.LABELLED),
        (node.name not in offered, Exclusion.NOT_ADVERTISED),
        (local_policy and not node.has_endpoint, Exclusion.NO_ENDPOINT),
    )
    return next((reason for applies, reason in reasons if applies), None)
