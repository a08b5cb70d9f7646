"""What a router's configuration lacks or has wrong for the sessions of our nodes, as sentences. Pure."""

from collections.abc import Iterator

from suite.speaker.router_config import Router
from suite.speaker.router_read import Known, Unreadable, read


def differences(router: Router, text: str) -> list[str]:
    """A sentence for each fault, nodes in the order of their addresses; empty when the router knows what it must."""
    try:
        known = read(text)
    except Unreadable as error:
        return [str(error)]
    return [*_own(router, known), *_nodes(router, known)]


def _own(router: Router, known: Known) -> Iterator[str]:
    if known.own and router.asn not in known.own:
        said = ", ".join(map(str, sorted(known.own)))
        yield f"the router's own AS number is {said}; the suite's peer {router.peer} has {router.asn}"


def _nodes(router: Router, known: Known) -> Iterator[str]:
    if router.address is None:
        lacking = [interface for interface in router.interfaces if interface not in known.interfaces]
        yield from (f"interface {interface} has no session of its own" for interface in lacking)
        return
    for node in router.nodes:
        is_known, asn = known.expects(node.address)
        if not is_known:
            yield f"node {node.name} ({node.address}) is no neighbor of the router"
        elif asn is not None and asn != router.node_asn:
            yield f"node {node.name} ({node.address}) is expected with AS number {asn}; the suite has {router.node_asn}"
