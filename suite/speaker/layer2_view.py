"""Who owns an address and why, in words for people; and reports of nodes turned back into what decides. Pure."""

from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_network

from suite.l2.hardware import NOBODY, from_text
from suite.model.address import Address
from suite.model.layer2 import Layer2, LinkState, NodeState, Owner
from suite.model.refusal import Reason
from suite.speaker.control import Message
from suite.speaker.election import Exclusion
from suite.speaker.heartbeat import Standing, UsableLink
from suite.speaker.membership import NodeView
from suite.speaker.ownership import Entry, Roll, barred_link, standings

EVERYWHERE = ("0.0.0.0/0", "::/0")

WORDS = {
    Exclusion.NOT_HEARD: "is not heard",
    Exclusion.DRAINING: "is leaving",
    Exclusion.NO_LINK: "has no usable interface on its network",
    Exclusion.OUTDATED: "has not learnt of it yet",
}


def node_state(report: Message) -> NodeState:
    """What the time-critical process reported of a node."""
    revision, epoch = report["standing"] or (0, "")
    links = tuple(LinkState(*link) for link in report["links"])
    return NodeState(
        report["name"], report["live"], report["ready"], report["draining"], revision, epoch, report["claims"], links,
        report["deaths"],
    )  # fmt: skip


def node_view(state: NodeState) -> NodeView:
    """The same for deciding; which addresses it claims is not part of a report."""
    links = tuple(
        UsableLink(link.interface, ip_network(link.network), from_text(link.mac), link.is_settled)
        for link in state.links
    )
    standing = Standing(state.revision, state.epoch) if state.revision else None
    return NodeView(state.name, state.is_live, state.is_ready, state.is_draining, standing, links, deaths=state.deaths)


def all_healthy(entries: Iterable[Entry], names: Iterable[str]) -> dict[str, NodeView]:
    """The nodes as they would be with nothing amiss: each has every interface it is to announce on, on every network."""
    planned = tuple(entries)
    newest = max((entry.since for entry in planned if entry.since), default=Standing(1, ""))
    views = {}
    for name in names:
        interfaces = {each for entry in planned for each in entry.interfaces.get(name, ("any",))}
        links = [UsableLink(each, ip_network(network), NOBODY) for each in sorted(interfaces) for network in EVERYWHERE]
        views[name] = NodeView(name, is_live=True, is_ready=True, standing=newest, links=tuple(links))
    return views


def owner(
    entry: Entry,
    nodes: Mapping[str, NodeView],
    where: Mapping[str, str] | None = None,
    is_drained: Callable[[str], bool] = lambda _name: False,
) -> Owner:
    """Who answers for an address; ``where`` are the interfaces and MACs on which the asked node announces it.

    A node that leaves is leaving for good, or because an operator drained it: ``is_drained`` tells.
    """
    election = standings(entry, nodes)
    excluded = dict(election.excluded)
    winner = election.winner or ""
    ahead = entry.order[: entry.order.index(winner)] if winner else entry.order
    barred = {name for name, exclusion in excluded.items() if exclusion is Exclusion.NETWORK_ADDRESS}
    passed = [
        f"{name} {_barred(entry, nodes[name]) if name in barred else _objection(name, excluded, is_drained)}"
        for name in ahead
    ]
    order = " before ".join(entry.order)
    if winner:
        why = f"{winner} is the only candidate" if len(entry.order) == 1 else f"the order is {order}"
        why += f"; {', '.join(passed)}" if passed else ""
    else:
        why = f"no candidate can: {', '.join(passed)}"
    here = where or {}
    mac = next(iter(here.values()), "")
    reason = None if winner else Reason.NETWORK_ADDRESS if barred else Reason.NO_USABLE_LINK
    return Owner(str(entry.address), winner, why, election.order[1:], tuple(sorted(here)), mac, reason)


def barred_notes(node: NodeView, known: Callable[[Address], Entry | None]) -> list[str]:
    """One sentence for each address that is to be announced and that a link of ``node`` says no machine may have.

    ``known`` is the plan; two addresses of each link are looked up in it, whatever its size.
    """
    edges = {
        address for link in node.links for address in (link.network.network_address, link.network.broadcast_address)
    }
    roll = Roll({node.name: node})
    entries = [
        entry for address in edges if (entry := known(address)) is not None and not roll.has_link(entry, node.name)
    ]
    ordered = sorted(entries, key=lambda entry: (entry.address.version, int(entry.address)))
    return [f"{entry.address} is not announced here: {node.name} {_barred(entry, node)}" for entry in ordered]


def _barred(entry: Entry, node: NodeView) -> str:
    """Which link of the node, and what the address is there."""
    link = barred_link(entry, node)
    if link is None:
        return WORDS[Exclusion.NO_LINK]
    if entry.address.version == 6:
        what = "the routers' anycast address (RFC 4291)"
    elif entry.address == link.network.broadcast_address:
        what = "the broadcast address"
    else:
        what = "the number"
    return f"has {link.network} on {link.name}, and it is {what} of that network"


def _objection(name: str, excluded: Mapping[str, Exclusion], is_drained: Callable[[str], bool]) -> str:
    if name not in excluded:
        return "has just started"
    if excluded[name] is Exclusion.DRAINING and is_drained(name):
        return "is drained"
    return WORDS[excluded[name]]


def picture(
    node: str,
    states: Iterable[NodeState],
    entries: Iterable[Entry],
    owned: Mapping[Address, Mapping[str, str]],
    is_drained: Callable[[str], bool] = lambda _name: False,
) -> Layer2:
    """Everything at once, in the order of names and addresses."""
    known = tuple(sorted(states, key=lambda state: state.name))
    views = {state.name: node_view(state) for state in known}
    ordered = sorted(entries, key=lambda entry: (entry.address.version, int(entry.address)))
    return Layer2(node, known, tuple(owner(entry, views, owned.get(entry.address), is_drained) for entry in ordered))
