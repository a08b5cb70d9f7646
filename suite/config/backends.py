"""What MetalLB's two BGP backends would refuse of a configuration that is fine for us.

For people who go back and forth between MetalLB and us.  Nothing here stops our own speaker.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations

from suite.config.draft import Draft
from suite.config.resolve import selects
from suite.config.tree import Cursor
from suite.model.node import Node
from suite.model.peer import Peer
from suite.model.problem import Problem
from suite.model.selector import any_matches

NATIVE_FIELDS = {
    "bfd_profile": "native.no_bfd_profile",
    "keepalive_time": "native.no_keepalive_time",
    "vrf": "native.no_vrf",
    "connect_time": "native.no_connect_time",
    "graceful_restart": "native.no_graceful_restart",
    "disable_mp": "native.no_disable_mp",
    "dual_stack_address_family": "native.no_dual_stack_address_family",
    "dynamic_asn": "native.no_dynamic_asn",
    "interface": "native.no_interface",
    "local_asn": "native.no_local_asn",
}
"""Settings of a peer that the native backend does not know, by the code of the problem."""


def check_native(draft: Draft) -> tuple[Problem, ...]:
    """What MetalLB's native backend refuses."""
    return tuple(_native(draft))


def _native(draft: Draft) -> Iterator[Problem]:
    for peer in draft.peers:
        for name, code in NATIVE_FIELDS.items():
            if peer.form is not None and peer.form[name]:
                yield _problem(peer.place(name), code, f"the native backend knows no {peer.form.keys[name]}")
    for profile in draft.profiles:
        yield _problem(profile.at, "native.no_bfd_profile", "the native backend knows no BFD")
    for pool in draft.pools:
        if 6 in pool.value.families() and any(selects(each.value, pool.value) for each in draft.bgp):
            yield _problem(pool.at, "native.no_ipv6_bgp", "the native backend announces no IPv6 addresses")
    yield from _large_communities(draft)


def _large_communities(draft: Draft) -> Iterator[Problem]:
    message = "the native backend knows no large communities"
    for alias in draft.communities:
        if alias.value[1].is_large:
            yield _problem(alias.at, "native.no_large_community", message)
    for way in draft.bgp:
        for index, text in enumerate(way.form["communities"] if way.form else ()):
            if text.startswith("large:"):
                yield _problem(way.place("communities", index), "native.no_large_community", message)


def check_frr(draft: Draft, nodes: Iterable[Node]) -> tuple[Problem, ...]:
    """What the FRR backends refuse: peers on one node that one FRR cannot have together."""
    nodes = tuple(nodes)
    found = []
    for one, other in combinations(draft.peers, 2):
        if _share_a_node(one.value, other.value, nodes):
            found += [
                _problem(other.place(name), code, message)
                for name, code, message, clash in FRR_RULES
                if clash(one.value, other.value)
            ]
    return tuple(found)


def _same_session(one: Peer, other: Peer) -> bool:
    return (one.address, one.interface, one.vrf) == (other.address, other.interface, other.vrf)


FRR_RULES: tuple[tuple[str, str, str, Callable[[Peer, Peer], bool]], ...] = (
    (
        "router_id",
        "frr.router_id_differs",
        "FRR has one router id on a node, and another peer has a different one",
        lambda one, other: one.router_id != other.router_id,
    ),
    ("address", "frr.duplicate_peer_on_node", "FRR has this peer on the same node already", _same_session),
    (
        "my_asn",
        "frr.my_asn_differs",
        "FRR has one AS number in a VRF, and another peer has a different one",
        lambda one, other: one.vrf == other.vrf and one.my_asn != other.my_asn,
    ),
)


def _share_a_node(one: Peer, other: Peer, nodes: tuple[Node, ...]) -> bool:
    """Whether a node has both peers; where no node is known, one might."""
    return not nodes or any(
        any_matches(one.node_selectors, node.labels) and any_matches(other.node_selectors, node.labels)
        for node in nodes
    )


def _problem(at: Cursor, code: str, message: str) -> Problem:
    return Problem(at.path, message, code, at.source, at.line)
