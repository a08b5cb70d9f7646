"""What a session counted, under the names of the metrics.  Pure."""

from collections.abc import Mapping

from suite.bgp.bfd import BfdStatus
from suite.bgp.status import SessionStatus
from suite.metrics import names
from suite.metrics.registry import Metric

COUNTERS: Mapping[Metric, str] = {
    names.BGP_UPDATES: "update_sent",
    names.BGP_UPDATES_RECEIVED: "update_received",
    names.BGP_OPENS_SENT: "open_sent",
    names.BGP_OPENS_RECEIVED: "open_received",
    names.BGP_NOTIFICATIONS_SENT: "notification_sent",
    names.BGP_KEEPALIVES_SENT: "keepalive_sent",
    names.BGP_KEEPALIVES_RECEIVED: "keepalive_received",
    names.BGP_ROUTE_REFRESH_SENT: "route_refresh_sent",
}
MESSAGES = ("open", "update", "notification", "keepalive", "route_refresh")


def totals(status: SessionStatus, bfd: BfdStatus | None) -> dict[Metric, int]:
    """Every counter of a session since it was made; BFD's start anew with its own session."""
    counters = status.counters
    found = {metric: counters.get(name, 0) for metric, name in COUNTERS.items()}
    found[names.BGP_SENT] = sum(counters.get(f"{kind}_sent", 0) for kind in MESSAGES)
    found[names.BGP_RECEIVED] = sum(counters.get(f"{kind}_received", 0) for kind in MESSAGES)
    found[names.BFD_INPUT] = bfd.counters.get("packets_received", 0) if bfd is not None else 0
    found[names.BFD_OUTPUT] = bfd.counters.get("packets_sent", 0) if bfd is not None else 0
    return found


def grown(before: Mapping[Metric, int], now: Mapping[Metric, int]) -> dict[Metric, int]:
    """By how much each counter is higher; one that is lower was begun anew and counts whole."""
    steps = {metric: value - before.get(metric, 0) for metric, value in now.items()}
    return {metric: step if step >= 0 else now[metric] for metric, step in steps.items() if step}
