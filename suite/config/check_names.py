"""Checks of names: zones, hosts, and the promise that no answer of ours outlives its address."""

from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from suite.config.draft import Draft, Placed
from suite.config.shape import Reading
from suite.config.tree import Cursor
from suite.config.values import duration_text
from suite.model.address import Address, Range
from suite.model.configuration import StaticHost, StaticRecord
from suite.model.promise import CLOCK_MARGIN, SHORTEST_EXPIRE, cooling_needed, used_for
from suite.model.reverse import is_reverse, meant_classless, reverse_origins

if TYPE_CHECKING:
    from suite.dns.coexistence import Coexistence


class _Row(NamedTuple):
    """A record as it will be served, and where it was written."""

    placed: Placed[StaticRecord]
    owner: bytes
    rtype: int
    octets: bytes


def check_names(draft: Draft, reading: Reading) -> None:
    """Everything about names that needs the pools and the other names."""
    _check_zones(draft, reading)
    _check_promise(draft, reading)
    origins = _reverse_origins(draft)
    _check_together(draft, [_check_record(draft, record, origins, reading) for record in draft.records], reading)
    seen: dict[str, Placed[StaticHost]] = {}
    for host in draft.hosts:
        for index, address in enumerate(host.value.addresses):
            _check_leased(draft, address, host.place("addresses", index), reading)
        for name in (host.value.name, *host.value.aliases):
            if zone_of(name, draft.settings.dns.zones) is None:
                reading.fault(
                    host.at, "host.outside_zones", f"{name} lies in none of the zones; nobody would ask us for it"
                )
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
    dns = draft.settings.dns
    nowhere = not dns.addresses and all(each.address.is_unspecified for each in dns.listen)
    servers = draft.settings_at.get("dns.name_servers")
    for index, server in enumerate(dns.name_servers if servers is not None and nowhere else ()):
        if servers is not None and (inside := zone_of(server, zones)) is not None:
            message = f"{server} lies in {inside}, and nothing says at which address it is; give dns.addresses"
            reading.warn(servers.at(index), "dns.name_server_nowhere", message)
    for pool in draft.pools:
        if pool.value.zone and pool.value.zone not in zones:
            reading.fault(pool.place("zone"), "pool.unknown_zone", f"dns.zones has no {pool.value.zone}")


def _check_promise(draft: Draft, reading: Reading) -> None:
    """``cooling-time >= dns stale-limit + largest TTL + 5 s``, or 0 for the behaviour of MetalLB."""
    settings = draft.settings
    ttls = chain((host.value.ttl for host in draft.hosts), (record.value.ttl for record in draft.records))
    largest = max(chain((settings.dns.ttl,), (ttl for ttl in ttls if ttl is not None)))
    needed = used_for(settings.dns.stale_limit, (largest,))
    places = (draft.settings_at.get(name) for name in ("cooling_time", "dns.stale_limit", "dns.ttl", "dns"))
    if settings.cooling_time and settings.cooling_time < needed:
        message = (
            f"cooling-time is {duration_text(settings.cooling_time)}, but an answer may be used for "
            f"{duration_text(needed)} (stale-limit {duration_text(settings.dns.stale_limit)} + largest TTL "
            f"{largest} s + {CLOCK_MARGIN} s); make it at least that long, or 0 to give addresses away at once"
        )
        reading.fault(next(place for place in places if place is not None), "cooling_time.too_short", message)
    elif settings.dns.transfer_acl and (longer := cooling_needed(settings.cooling_time, needed)):
        at = draft.settings_at.get("cooling_time") or draft.settings_at["dns.transfer_acl"]
        message = (
            f"with secondaries an answer may be used for {duration_text(longer)} (a secondary goes on for the zone's "
            f"expire, at least {SHORTEST_EXPIRE} s), so make cooling-time at least that long; it is "
            f"{duration_text(settings.cooling_time)}"
        )
        reading.warn(at, "cooling_time.too_short_for_secondaries", message)


def _check_leased(draft: Draft, address: Address, at: Cursor, reading: Reading) -> None:
    """An address of a pool belongs to whom it is leased to; a host that follows a Service names the Service.

    A reserved one goes to nobody else, so a name may lead to it.
    """
    spans = (Range(each.value.address, each.value.last or each.value.address) for each in draft.reservations)
    if any(address in span for span in spans):
        return
    for pool in draft.pools:
        if address in pool.value:
            message = (
                f"{address} belongs to pool {pool.value.name} and may be leased to anybody; name the Service "
                "(hosts: service: namespace/name), reserve the address (reservations), or exclude it from the pool"
            )
            reading.fault(at, "host.address_in_pool", message)


def zone_of(name: str, zones: tuple[str, ...]) -> str | None:
    """The zone that a full name lies in, the nearest where zones lie in each other; None where it lies in none."""
    return max((zone for zone in zones if name.endswith(f".{zone}")), key=len, default=None)


def _reverse_origins(draft: Draft) -> frozenset[str]:
    """The reverse zones of the pools, where records lie in any and they are served."""
    is_asked = draft.settings.dns.reverse and any(is_reverse(record.value.name) for record in draft.records)
    return reverse_origins(pool.value for pool in draft.pools) if is_asked else frozenset()


def _outside(draft: Draft, name: str) -> str:
    """Why nobody would ask us for a record's name, and what was meant."""
    if not is_reverse(name):
        return f"{name} lies in none of the zones; nobody would ask us for it"
    if not draft.settings.dns.reverse:
        return f"{name} lies in none of the zones, and those of the pools in reverse are not served (dns.reverse)"
    meant = meant_classless(name, (pool.value for pool in draft.pools))
    why = meant or "nobody would ask us for it; a zone that is no pool's can be named in dns.zones"
    return f"{name} lies in none of the zones and in the reverse zone of no pool; {why}"


def _is_within(name: str, origins: frozenset[str]) -> bool:
    """Whether a full name is, or lies below, one of these."""
    labels = name.split(".")
    return any(".".join(labels[first:]) in origins for first in range(len(labels) if origins else 0))


def _check_record(draft: Draft, placed: Placed[StaticRecord], origins: frozenset[str], reading: Reading) -> _Row | None:
    """A record's value must be one of its type (RFC 1035 section 5; RFC 3597 for types without a name).

    Returns its name, folded, with type and octets; None where it is none.
    """
    from suite.dns.international import in_ascii
    from suite.dns.name import from_text
    from suite.dns.rdata import parse_rdata
    from suite.dns.rrtype import AAAA, META, SOA, A, type_from_text

    record = placed.value
    zones = draft.settings.dns.zones
    zone = zone_of(record.name, zones) or (zones[0] if _is_within(record.name, origins) else None)
    if zone is None:
        reading.fault(placed.place("name"), "record.outside_zones", _outside(draft, record.name))
        return None
    try:
        owner = from_text(in_ascii(record.name)).lower()
    except ValueError as fault:
        reading.fault(placed.place("name"), "record.bad_name", str(fault))
        return None
    try:
        rtype = type_from_text(record.type)
    except ValueError as fault:
        reading.fault(placed.place("type"), "record.bad_type", str(fault))
        return None
    if rtype in META or rtype == SOA:
        reading.fault(placed.place("type"), "record.bad_type", f"{record.type} records are not written by hand")
        return None
    try:
        octets = parse_rdata(rtype, record.value, from_text(zone))
    except ValueError as fault:
        reading.fault(placed.place("value"), "record.bad_value", str(fault))
        return None
    if rtype in {A, AAAA}:
        _check_leased(draft, ip_address(octets), placed.place("value"), reading)
    return _Row(placed, owner, rtype, octets)


def _check_together(draft: Draft, found: Iterable[_Row | None], reading: Reading) -> None:
    """Hosts and records of one name are served together; what cannot stand beside the others is a fault that names them."""
    if not draft.records:
        return
    from suite.dns.coexistence import CUTS, Coexistence

    rows, beside = [row for row in found if row is not None], Coexistence()
    for host in draft.hosts:
        _add_host(beside, host)
    for row in rows:
        beside.expect(row.owner, row.rtype, row.octets)
    for row in sorted(rows, key=lambda row: row.rtype not in CUTS):
        record, line = row.placed.value, row.placed.at.line
        why = beside.objection(row.owner, row.rtype, row.octets)
        if why:
            reading.fault(row.placed.place("type"), "record.conflict", f"{record.name} {record.type}: {why}")
        else:
            beside.add(row.owner, row.rtype, row.octets, f"the {record.type} record of line {line}")


def _add_host(beside: "Coexistence", host: Placed[StaticHost]) -> None:
    """The addresses that a host has or will have at its names."""
    from suite.dns.name import DomainNameError, from_text
    from suite.dns.rrtype import AAAA, A

    addresses = [(A if each.version == 4 else AAAA, each.packed) for each in host.value.addresses]
    for text in (host.value.name, *host.value.aliases):
        with suppress(DomainNameError):
            owner = from_text(text).lower()
            for rtype, octets in addresses or ((A, bytes(4)),):
                beside.add(owner, rtype, octets, f"host {host.value.name} (line {host.at.line})")
