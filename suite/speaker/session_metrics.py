"""What a session counted and how it stands, under the names of the metrics.  Pure.

Everything is told twice: under the names that MetalLB's dashboards know, and under ours, where one metric with labels stands
for a family of MetalLB's.
"""

from collections.abc import Mapping

from suite.bgp.bfd import BfdStatus
from suite.bgp.bfd_packet import BfdState
from suite.bgp.fsm import State
from suite.bgp.status import SessionStatus
from suite.metrics import names
from suite.metrics.registry import Metric

Reading = tuple[Metric, tuple[str, ...]]
"""A metric and its labels behind the peer's name."""

COUNTERS: Mapping[Metric, str] = {
    names.BGP_UPDATES: "update_sent",
    names.BGP_UPDATES_RECEIVED: "update_received",
    names.BGP_OPENS_SENT: "open_sent",
    names.BGP_OPENS_RECEIVED: "open_received",
    names.BGP_NOTIFICATIONS_SENT: "notification_sent",
    names.BGP_KEEPALIVES_SENT: "keepalive_sent",
    names.BGP_KEEPALIVES_RECEIVED: "keepalive_received",
    names.BGP_ROUTE_REFRESH_SENT: "route_refresh_sent",
    names.OWN_BGP_ENDED: "dropped",
    names.OWN_BGP_FAULTS: "faults",
    names.OWN_BGP_RECEIVED_PREFIXES: "prefixes_received",
}
MESSAGES = ("open", "update", "notification", "keepalive", "route_refresh")
DIRECTIONS = ("sent", "received")
PREFIX_STATES = ("wanted", "announced", "pending")
GAUGES = (
    names.BGP_SESSION_UP,
    names.BGP_ANNOUNCED,
    names.BGP_PENDING,
    names.BFD_SESSION_UP,
    names.OWN_BGP_UP,
    names.OWN_BFD_UP,
    names.OWN_BFD_DETECTION,
)


def totals(status: SessionStatus, bfd: BfdStatus | None, *, has_bfd: bool = False) -> dict[Reading, int]:
    """Every counter of a session since it was made; BFD's start anew with its own session."""
    counters = status.counters
    found: dict[Reading, int] = {(metric, ()): counters.get(name, 0) for metric, name in COUNTERS.items()}
    for kind in MESSAGES:
        for direction in DIRECTIONS:
            found[names.OWN_BGP_MESSAGES, (kind, direction)] = counters.get(f"{kind}_{direction}", 0)
    found[names.BGP_SENT, ()] = sum(counters.get(f"{kind}_sent", 0) for kind in MESSAGES)
    found[names.BGP_RECEIVED, ()] = sum(counters.get(f"{kind}_received", 0) for kind in MESSAGES)
    return found | (_bfd_totals(bfd.counters if bfd is not None else {}) if has_bfd else {})


def _bfd_totals(counters: Mapping[str, int]) -> dict[Reading, int]:
    """The echo function is not used (RFC 5880 section 6.4 leaves that to us), so its two counters stay at 0."""
    told = counters.get("ups", 0) + counters.get("downs", 0)
    found: dict[Reading, int] = {
        (names.BFD_INPUT, ()): counters.get("packets_received", 0),
        (names.BFD_OUTPUT, ()): counters.get("packets_sent", 0),
        (names.BFD_ECHO_INPUT, ()): 0,
        (names.BFD_ECHO_OUTPUT, ()): 0,
        (names.BFD_UP_EVENTS, ()): counters.get("ups", 0),
        (names.BFD_DOWN_EVENTS, ()): counters.get("downs", 0),
        (names.BFD_NOTIFICATIONS, ()): told,
    }
    for what in (*DIRECTIONS, "dropped"):
        found[names.OWN_BFD_PACKETS, (what,)] = counters.get(f"packets_{what}", 0)
    for state in ("up", "down"):
        found[names.OWN_BFD_CHANGES, (state,)] = counters.get(f"{state}s", 0)
    return found


def grown(before: Mapping[Reading, int], now: Mapping[Reading, int]) -> dict[Reading, int]:
    """By how much each counter is higher; one that is lower was begun anew and counts whole."""
    steps = {reading: value - before.get(reading, 0) for reading, value in now.items()}
    return {
        reading: step if step >= 0 else now[reading]
        for reading, step in steps.items()
        if step or reading not in before  # so that a counter is there, at 0, before the first thing it counts
    }


def standing(status: SessionStatus, bfd: BfdStatus | None, *, has_bfd: bool = False) -> dict[Metric, float]:
    """How a session stands now: a peer that cannot be reached has no prefix of ours, whatever is kept for it."""
    is_up = status.state is State.ESTABLISHED
    found: dict[Metric, float] = {
        names.BGP_SESSION_UP: is_up,
        names.OWN_BGP_UP: is_up,
        names.BGP_ANNOUNCED: status.announced,
        names.BGP_PENDING: status.pending,
    }
    if has_bfd:
        is_watched = bfd is not None and bfd.state is BfdState.UP
        found |= {names.BFD_SESSION_UP: is_watched, names.OWN_BFD_UP: is_watched}
        found[names.OWN_BFD_DETECTION] = (bfd.detection_time if bfd is not None else None) or 0.0
    return found
