"""What every node announces by BGP and which path a router will mark best, out of a snapshot alone.  Pure.

Every node's plan follows from the same snapshot, so no node has to be asked what it announces.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from suite.bgp.bestpath import BIRD, Path, Router, choose, explain
from suite.model.address import Address
from suite.model.announcement import Announcement
from suite.model.node import Node
from suite.model.peer import Peer
from suite.model.peering import Peering
from suite.model.refusal import Reason, Refusal
from suite.model.snapshot import Snapshot
from suite.speaker.neighbours import carried, is_internal, router_id
from suite.speaker.peerings import UP
from suite.speaker.plan import Plan, Route, known_nodes, peers_of, plan


@dataclass(frozen=True, slots=True)
class Announced:
    """One route of one node to one peer."""

    node: Node
    peer: Peer
    route: Route


def announced(snapshot: Snapshot, this_node: str) -> list[Announced]:
    """Every route of every node, by prefix, peer and node; where no node is known, those of ``this_node``."""
    found = []
    for name, node in known_nodes(snapshot, this_node).items():
        made = plan(snapshot, name)
        for peer in peers_of(snapshot.configuration.peers, node):
            routes, families = made.routes(peer.name).values(), carried(peer, node)
            found += [Announced(node, peer, route) for route in routes if route.prefix.version in families]
    return sorted(found, key=_order)


def _order(each: Announced) -> tuple[int, int, int, str, str]:
    prefix = each.route.prefix
    return prefix.version, int(prefix.network_address), prefix.prefixlen, each.peer.name, each.node.name


def routes_to(everything: Iterable[Announced], address: Address) -> list[Announced]:
    """The routes that lead to an address: those of the longest prefix that holds it."""
    holding = [each for each in everything if each.route.prefix.version == address.version]
    holding = [each for each in holding if address in each.route.prefix]
    longest = max((each.route.prefix.prefixlen for each in holding), default=0)
    return [each for each in holding if each.route.prefix.prefixlen == longest]


def paths_of(routes: Iterable[Announced]) -> list[Path]:
    """The routes as their router sees them; nodes without an address of the peer's family are left out."""
    found = []
    for each in routes:
        neighbor = address_towards(each.node, each.peer)
        if neighbor is None:
            continue
        internal = is_internal(each.peer)
        preference = each.route.local_pref if internal and each.route.local_pref else 100
        asn = each.peer.local_asn or each.peer.my_asn
        identifier = router_id(each.peer, each.node)
        found.append(Path(neighbor, identifier, internal, asn, 0 if internal else 1, preference))
    return found


def address_towards(node: Node, peer: Peer) -> Address | None:
    """The node's address in the family of the session."""
    family = peer.address.version if peer.address is not None else 4
    return next((each for each in node.addresses if each.version == family), None)


def prediction(routes: Sequence[Announced], router: Router = BIRD) -> str:
    """Which path the routers of these routes mark best, and why: a paragraph for each router."""
    paragraphs = []
    for name in dict.fromkeys(each.peer.name for each in routes):
        paths = paths_of(each for each in routes if each.peer.name == name)
        if not paths:
            continue
        lines = [f"The router {name} has {len(paths)} path(s) to {ip_network(routes[0].route.prefix)}:"]
        lines += [f"  {line}" for line in explain(choose(paths, router)).splitlines()]
        if not paths[0].internal:
            lines.append("  A router that keeps the oldest of equal external paths (FRR) may hold on to another one.")
        paragraphs.append("\n".join(lines))
    return "\n".join(paragraphs)


def by_bgp(plan: Plan, node: str, peers: Mapping[str, frozenset[int]]) -> frozenset[Announcement]:
    """What ``node`` announces to ``peers`` with this plan of its own: each address with the route that leads to it.

    Each peer comes with the families (4, 6) that its session carries now.
    """
    routes = [(address, route) for part in plan.parts.values() for route in part.routes for address in part.addresses]
    held = [(address, route) for address, route in routes if address in route.prefix]
    return frozenset(
        Announcement(address, node, "bgp", peer=peer, prefix=str(route.prefix))
        for peer, families in peers.items()
        for address, route in held
        if address.version in families and (not route.peers or peer in route.peers)
    )


def silence(plan: Plan, node: str, peerings: Iterable[Peering], faults: Mapping[str, str]) -> dict[Address, Refusal]:
    """Why no router hears from ``node`` of addresses that it has routes to; those that one hears of are left out.

    ``faults`` says, by the peer's name, why there is no session at all.
    """
    known = {each.peer: each for each in peerings}
    said: dict[tuple[int, frozenset[str]], str] = {}
    found: dict[Address, Refusal] = {}
    for part in plan.parts.values():
        for address in part.addresses:
            routes = [route for route in part.routes if address in route.prefix]
            if not routes:
                continue
            wanted = frozenset(name for name in (*known, *faults) if any(_is_for(route, name) for route in routes))
            key = address.version, wanted
            if key not in said:
                said[key] = _deafness(
                    node, address.version, [known.get(name, faults.get(name, "")) for name in sorted(wanted)]
                )
            if said[key]:
                found[address] = Refusal(Reason.NO_SESSION, said[key])
    return found


def _is_for(route: Route, peer: str) -> bool:
    return not route.peers or peer in route.peers


def _deafness(node: str, version: int, peers: Sequence[Peering | str]) -> str:
    """Why none of ``peers`` (or the fault that keeps one from being) takes a family; empty where one does."""
    family = f"ipv{version}"
    if any(isinstance(each, Peering) and each.state == UP and family in each.families for each in peers):
        return ""
    reasons = [each if isinstance(each, str) else _shortcoming(each, version) for each in peers]
    return f"{node} can tell no router of it: {'; '.join(reasons) or 'it has no BGP peer for it'}"


def _shortcoming(each: Peering, version: int) -> str:
    if each.state == UP:
        return f"the session with {each.peer} carries no IPv{version}"
    return f"the session with {each.peer} is not up ({each.why or each.state})"
