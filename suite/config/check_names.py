"""Checks of names: zones, hosts, and the promise that no answer of ours outlives its address."""

from itertools import chain

from suite.config.draft import Draft, Placed
from suite.config.shape import Reading
from suite.config.values import duration_text
from suite.model.configuration import StaticHost

CLOCK_MARGIN = 5.0
"""Seconds between the last moment an answer may be used and the first an address may be given away."""


def check_names(draft: Draft, reading: Reading) -> None:
    """Everything about names that needs the pools and the other names."""
    _check_zones(draft, reading)
    _check_promise(draft, reading)
    seen: dict[str, Placed[StaticHost]] = {}
    for host in draft.hosts:
        _check_addresses(draft, host, reading)
        for name in (host.value.name, *host.value.aliases):
            if seen.setdefault(name, host) is not host:
                line = seen[name].at.line
                reading.fault(
                    host.at, "host.duplicate_name", f"{name} was given before (line {line}); a name leads to one host"
                )


def _check_zones(draft: Draft, reading: Reading) -> None:
    at = draft.settings_at.get("dns.zones")
    zones = draft.settings.dns.zones
    for index, zone in enumerate(zones):
        if zone.endswith((".local.", "local.")) and zone.split(".")[-2] == "local" and at is not None:
            message = f"{zone} belongs to multicast DNS (RFC 6762); most computers will not ask us; better home.arpa or internal"
            reading.warn(at.at(index), "dns.local_zone", message)
    for pool in draft.pools:
        if pool.value.zone and pool.value.zone not in zones:
            reading.fault(pool.place("zone"), "pool.unknown_zone", f"dns.zones has no {pool.value.zone}")


def _check_promise(draft: Draft, reading: Reading) -> None:
    """``cooling-time >= dns stale-limit + largest TTL + 5 s``, or 0 for the behaviour of MetalLB."""
    settings = draft.settings
    ttls = chain((host.value.ttl for host in draft.hosts), (record.value.ttl for record in draft.records))
    largest = max(chain((settings.dns.ttl,), (ttl for ttl in ttls if ttl is not None)))
    needed = settings.dns.stale_limit + largest + CLOCK_MARGIN
    if settings.cooling_time and settings.cooling_time < needed:
        places = (draft.settings_at.get(name) for name in ("cooling_time", "dns.stale_limit", "dns.ttl", "dns"))
        at = next(place for place in places if place is not None)
        message = (
            f"cooling-time is {duration_text(settings.cooling_time)}, but an answer may be used for "
            f"{duration_text(needed)} (stale-limit {duration_text(settings.dns.stale_limit)} + largest TTL "
            f"{largest} s + 5 s); make it at least that long, or 0 to give addresses away at once"
        )
        reading.fault(at, "cooling_time.too_short", message)


def _check_addresses(draft: Draft, host: Placed[StaticHost], reading: Reading) -> None:
    """An address of a pool belongs to whom it is leased to; a host that follows a Service names the Service."""
    for index, address in enumerate(host.value.addresses):
        for pool in draft.pools:
            if address in pool.value:
                message = (
                    f"{address} belongs to pool {pool.value.name} and may be leased to anybody; name the Service "
                    "(service: namespace/name), or exclude the address from the pool"
                )
                reading.fault(host.place("addresses", index), "host.address_in_pool", message)
