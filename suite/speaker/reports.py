"""The reports of the time-critical process as the plain values that travel to the speaker. Pure."""

from ipaddress import ip_address

from suite.l2.conflict import Conflict
from suite.l2.hardware import to_text
from suite.l2.link import Link
from suite.l2.probe import Finding
from suite.speaker.control import Message
from suite.speaker.membership import NodeView


def conflict_report(conflict: Conflict, interface: str) -> Message:
    """Another machine uses an address that is ours."""
    return {
        "kind": "conflict",
        "address": str(ip_address(conflict.address)),
        "interface": interface,
        "mac": to_text(conflict.mac),
        "in_fleet": conflict.in_fleet,
    }


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
    }


def link_report(link: Link) -> Message:
    """What is owned on an interface, and the counters of its sockets."""
    answerers = {answerer.family.name: answerer for answerer in link.answerers}
    return {
        "interface": link.interface.name,
        "mac": to_text(link.interface.mac),
        "owned": sorted(str(address) for address in link.owned),
        "answered": {
            str(ip_address(packed)): count for each in answerers.values() for packed, count in each.answered.items()
        },
        "dropped": {
            name: {str(drop): count for drop, count in each.dropped.items()} for name, each in answerers.items()
        },
        "unsent": sum(each.unsent for each in answerers.values()),
    }
