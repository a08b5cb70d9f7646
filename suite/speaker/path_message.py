"""What the speaker and the time-critical process tell each other of BFD: plain values for the channel, by the peer's name.  Pure.

Orders are `watch` and `unwatch`. A `path` report says how a session is, with its `change` when it moved, or that it cannot
be started.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from typing import Any

from suite.bgp.bfd import BfdChange, BfdProfile, BfdStatus
from suite.bgp.bfd_link import BfdPeer
from suite.bgp.bfd_packet import BfdState, Diagnostic

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PathNews:
    """What the process said of one session. `status` is None where it could not be started, and `fault` says why."""

    name: str
    status: BfdStatus | None = None
    change: BfdChange | None = None
    fault: str = ""


def watch_order(name: str, peer: BfdPeer) -> Message:
    """Watch the path to a peer; the one watched under this name before is given up."""
    return {
        "kind": "watch",
        "name": name,
        "remote": str(peer.remote),
        "local": str(peer.local) if peer.local is not None else None,
        "device": peer.device,
        "multihop": peer.multihop,
        "profile": asdict(peer.profile),
    }


def watched_peer(message: Message) -> BfdPeer:
    """The peer of a `watch_order`."""
    local = message["local"]
    return BfdPeer(
        ip_address(message["remote"]),
        ip_address(local) if local is not None else None,
        message["device"],
        message["multihop"],
        BfdProfile(**message["profile"]),
    )


def unwatch_order(name: str) -> Message:
    """Give a path up; the peer is told that this is by order."""
    return {"kind": "unwatch", "name": name}


def path_report(news: PathNews) -> Message:
    """The report of one session."""
    change = news.change
    moved = [change.old, change.new, change.diagnostic, change.at, change.remote] if change is not None else None
    status = asdict(news.status) if news.status is not None else None
    return {"kind": "path", "name": news.name, "status": status, "change": moved, "fault": news.fault}


def path_news(message: Message) -> PathNews:
    """What a `path_report` says."""
    status, change = message["status"], message["change"]
    return PathNews(
        message["name"],
        _status(status) if status is not None else None,
        _change(*change) if change is not None else None,
        message["fault"],
    )


def _change(old: int, new: int, diagnostic: int, at: float, remote: int) -> BfdChange:
    return BfdChange(BfdState(old), BfdState(new), Diagnostic(diagnostic), at, BfdState(remote))


def _status(values: Mapping[str, Any]) -> BfdStatus:
    known = dict(values)
    known["state"], known["remote_state"] = BfdState(values["state"]), BfdState(values["remote_state"])
    known["diagnostic"] = Diagnostic(values["diagnostic"])
    return BfdStatus(**known)
