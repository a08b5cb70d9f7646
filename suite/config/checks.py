"""Checks between settings: everything that one setting alone cannot know, and the whole configuration at the end."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from suite.config.check_bgp import check_bgp
from suite.config.check_names import check_names
from suite.config.check_pools import check_pools
from suite.config.check_reach import check_reach
from suite.config.draft import Draft, Placed
from suite.config.shape import Reading
from suite.model.configuration import Configuration
from suite.model.node import Node


def check(draft: Draft, nodes: tuple[Node, ...], reading: Reading) -> Configuration:
    """Compare everything with everything, and put the configuration together."""
    for placed, code, what in (
        (draft.pools, "pool.duplicate_name", "a pool"),
        (draft.profiles, "bfd.duplicate_name", "a BFD profile"),
        (draft.nodes, "node.duplicate_name", "a node"),
        (draft.peers, "peer.duplicate_name", "a peer"),
    ):
        tell_doubles(placed, lambda each: each.name, reading, code, what)
    check_pools(draft, reading)
    known = {each.name: each for each in nodes} | {each.value.name: each.value for each in draft.nodes}
    advertisements = check_bgp(draft, tuple(known.values()), reading)
    check_names(draft, reading)
    check_reach(draft, reading)
    return replace(
        draft.settings,
        pools=values(draft.pools),
        l2_advertisements=values(draft.l2),
        bgp_advertisements=advertisements,
        peers=values(draft.peers),
        bfd_profiles=values(draft.profiles),
        communities=values(draft.communities),
        reservations=values(draft.reservations),
        nodes=values(draft.nodes),
        dns=replace(draft.settings.dns, hosts=values(draft.hosts), records=values(draft.records)),
    )


def values(placed: Iterable[Placed[Any]]) -> tuple[Any, ...]:
    """The values without their places."""
    return tuple(each.value for each in placed)


def tell_doubles(
    placed: Iterable[Placed[Any]], key: Callable[[Any], str], reading: Reading, code: str, what: str
) -> None:
    """Tell each value whose key stood before."""
    first: dict[str, Placed[Any]] = {}
    for each in placed:
        name = key(each.value)
        if name and first.setdefault(name, each) is not each:
            at = first[name].at
            where = f"line {at.line}" if at.line and at.source == each.at.source else at.source or at.path
            reading.fault(each.at, code, f"{what} named {name} was defined before ({where}); rename or remove one")
