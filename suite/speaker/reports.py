"""The reports of the time-critical process as the plain values that travel to the speaker. Pure."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import NamedTuple

from suite.l2.conflict import Conflict
from suite.l2.dhcp import Given
from suite.l2.hardware import to_text
from suite.l2.link import Address, Link
from suite.l2.probe import Finding
from suite.speaker.control import Message
from suite.speaker.heartbeat import Fault
from suite.speaker.membership import NodeView
from suite.speaker.ownership import Contest


def conflict_report(conflict: Conflict, interface: str) -> Message:
    """Another machine uses an address that is ours."""
    return {
        "kind": "conflict",
        "address": str(ip_address(conflict.address)),
        "interface": interface,
        "mac": to_text(conflict.mac),
        "in_fleet": conflict.in_fleet,
    }


def contest_report(contest: Contest) -> Message:
    """Two nodes that hear each other claimed one address."""
    return {"kind": "contest", "address": str(contest.address), "winner": contest.winner, "loser": contest.loser}


def dhcp_report(given: Given, interface: str) -> Message:
    """A DHCP server gave an address to somebody."""
    server = str(given.server) if given.server else ""
    return {"kind": "dhcp", "address": str(given.address), "server": server, "interface": interface}


def finding_report(finding: Finding, interface: str) -> Message:
    """What the LAN said when it was asked about an address."""
    return {
        "kind": "found",
        "address": str(ip_address(finding.address)),
        "interface": interface,
        "verdict": str(finding.verdict),
        "mac": to_text(finding.mac) if finding.mac else None,
    }


def node_report(node: NodeView) -> Message:
    """A node of the fleet as this one sees it."""
    return {
        "name": node.name,
        "live": node.is_live,
        "ready": node.is_ready,
        "draining": node.is_draining,
        "standing": [node.standing.revision, node.standing.epoch] if node.standing else None,
        "links": [[link.name, str(link.network), to_text(link.mac), link.is_settled] for link in node.links],
        "claims": len(node.claims),
        "deaths": node.deaths,
    }


def owned_report(link: Link, address: Address) -> Message:
    """An address is announced on an interface from now on."""
    mac = to_text(link.interface.mac)
    return {"kind": "owned", "address": str(address), "interface": link.interface.name, "mac": mac}


def state_report(
    nodes: Iterable[NodeView],
    faults: Mapping[Fault, int],
    accounts: list[Message],
    conflicts: list[Message],
    troubles: Mapping[str, str],
    *,
    drained: bool,
) -> Message:
    """Everything at once, for a speaker that asks, or that missed reports; `accounts` are those of the interfaces."""
    return {
        "kind": "state",
        "drained": drained,
        "nodes": [node_report(node) for node in nodes],
        "faults": {str(fault): count for fault, count in faults.items()},
        "links": accounts,
        "conflicts": conflicts,
        "troubles": dict(troubles),
    }


class Counts(NamedTuple):
    """What the sockets of all interfaces together have counted; keys are tuples of metric labels."""

    answered: dict[tuple[str, ...], float]
    """Replies by address."""
    announced: dict[tuple[str, ...], float]
    """Unasked announcements by address."""
    dropped: dict[tuple[str, ...], float]
    """Frames that were not answered, by reason."""


def counts(links: Iterable[Message]) -> Counts:
    """The counters of several interfaces, added up."""
    found = Counts({}, {}, {})
    for link in links:
        _add(found.answered, link["answered"])
        _add(found.announced, link.get("announced", {}))
        for reasons in link["dropped"].values():
            _add(found.dropped, reasons)
    return found


def _add(total: dict[tuple[str, ...], float], counted: Mapping[str, int]) -> None:
    for label, count in counted.items():
        total[label,] = total.get((label,), 0.0) + count
