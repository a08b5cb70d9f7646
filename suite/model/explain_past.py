"""Why a Service could be reached at a time, as far as the history tells: its address, who announced it, its own name.

What Services wished for, their endpoints and the answers that were given are not kept; those links are *unknown*, and
say where to look instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from suite.model.announcement import Announcement
from suite.model.explain import Explanation, Link, Verdict
from suite.model.lease import Lease
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Witness:
    """What the log and the rows of announcements say of one Service at one time."""

    announced: Sequence[tuple[Announcement, datetime]] = ()
    """Who announced its addresses, and since when."""
    refused: tuple[str, datetime] | None = None
    """The last word it was refused with until then, and when; None when it got an address after that."""
    is_known: bool = True
    """Whether the history up to then names it at all."""


def explain_past(snapshot: Snapshot, ref: ServiceRef, witness: Witness) -> Explanation:
    """The chain of ``ref`` in the past ``snapshot``; it ends with the address where there was none."""
    if not witness.is_known:
        return Explanation(ref, (Link("service", Verdict.BROKEN, f"nothing tells of a Service {ref} until then"),))
    service = Link(
        "service", Verdict.UNKNOWN, "what it asked for is not kept; `suite explain` shows what it asks for now"
    )
    bound = snapshot.bound(ref)
    if not bound:
        return Explanation(ref, (service, _without_address(snapshot, ref, witness)))
    since = min(lease.valid_from for lease in bound)
    address = Link("address", Verdict.OK, f"it had {_addresses(bound)} since {_time(since)}")
    return Explanation(
        ref, (service, _pool(snapshot, bound), address, _announcement(witness), _name(snapshot, ref, bound))
    )


def _without_address(snapshot: Snapshot, ref: ServiceRef, witness: Witness) -> Link:
    waiting = [
        f"{lease.address} was {lease.state.value} for it" + (f" until {_time(lease.until)}" if lease.until else "")
        for lease in snapshot.holdings.get(ref) or ()
    ]
    text = "it had no address"
    text += f"; {', '.join(waiting)}" if waiting else ""
    if witness.refused is not None:
        message, at = witness.refused
        text += f"; it was refused one at {_time(at)}: {message}"
    return Link("address", Verdict.BROKEN, text)


def _pool(snapshot: Snapshot, bound: Sequence[Lease]) -> Link:
    name = bound[0].pool
    configured = snapshot.configuration.pool(name)
    ranges = f" ({', '.join(map(str, configured.ranges))})" if configured else ", which was not configured any more"
    return Link("pool", Verdict.OK, f"its address was from pool {name}{ranges}")


def _announcement(witness: Witness) -> Link:
    if not witness.announced:
        return Link("announcement", Verdict.UNKNOWN, "nobody told of announcing it then")
    said = [f"{each.node} ({_how(each)}) since {_time(since)}" for each, since in witness.announced]
    return Link("announcement", Verdict.OK, f"announced by {', '.join(said)}")


def _how(announcement: Announcement) -> str:
    place = announcement.interface or announcement.peer
    mac = f", {announcement.mac}" if announcement.mac else ""
    return f"{announcement.mode}, {place}{mac}" if place else f"{announcement.mode}{mac}"


def _name(snapshot: Snapshot, ref: ServiceRef, bound: Sequence[Lease]) -> Link:
    pool, zones = snapshot.configuration.pool(bound[0].pool), snapshot.configuration.dns.zones
    if not zones:
        return Link("name", Verdict.BROKEN, "no zone was configured")
    zone = (pool.zone if pool and pool.zone else zones[0]).rstrip(".") + "."
    text = f"its own name was {ref.name}.{ref.namespace}.{zone} if it was published; what was answered is not kept"
    return Link("name", Verdict.UNKNOWN, text)


def _addresses(leases: Sequence[Lease]) -> str:
    return " and ".join(str(lease.address) for lease in leases)


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
