"""Our own file, and with it the content of the old ConfigMap: one map with the keys of ``settings.FILE``."""

from dataclasses import fields, replace

from suite.config.build import LEGACY_HOLD, bgp_from, l2_from, peer_from, pool_from
from suite.config.draft import Draft, Placed
from suite.config.group import Form
from suite.config.selectors import labels_from
from suite.config.settings import FILE
from suite.config.shape import FAULT, Reading
from suite.config.tree import Cursor
from suite.config.values import CodedError, parse_community
from suite.model.advertisement import BgpAdvertisement, L2Advertisement
from suite.model.configuration import DnsSettings, KubernetesSettings, StaticHost, StaticRecord
from suite.model.lease import Reservation
from suite.model.node import Node
from suite.model.peer import BfdProfile
from suite.model.reverse import is_reverse

SINGLE = (
    "hold_time",
    "cooling_time",
    "load_balancer_class",
    "drain_cordoned",
    "l2",
    "kubernetes",
    "web",
    "database",
    "roles",
)
"""Settings that are one value each; a second document may not say them again."""
SPREAD = {"kubernetes": frozenset(each.name for each in fields(KubernetesSettings))}
"""Sections whose keys may stand in several documents of one file, each once: parts of an installation bring their own."""


def read_native(at: Cursor, reading: Reading, draft: Draft) -> None:
    """Add what the document at ``at`` says to the draft."""
    form = FILE.read(at, reading)
    if form is FAULT:
        return
    for pool in form["address_pools"]:
        _pool(pool, reading, draft)
    for peer in form["peers"]:
        name = peer["name"] or f"peer{len(draft.peers) + 1}"
        draft.peers.append(peer_from(peer, reading, name, LEGACY_HOLD))
    _communities(form, reading, draft)
    _nodes_and_profiles(form, draft)
    _single(form, reading, draft)
    if form["dns"] is not None:
        _dns(form["dns"], reading, draft)
    for reservation in form["reservations"]:
        _reservation(reservation, reading, draft)


def _nodes_and_profiles(form: Form, draft: Draft) -> None:
    for each in form["bfd_profiles"]:
        draft.profiles.append(Placed(BfdProfile(**each.values), each.at, each))
    for each in form["nodes"]:
        node = Node(each["name"], labels_from(each["labels"]), each["addresses"])
        draft.nodes.append(Placed(node, each.at, each))


def _pool(form: Form, reading: Reading, draft: Draft) -> None:
    placed = pool_from(form, reading, form["name"], labels_from(form["labels"]))
    draft.pools.append(placed)
    own = (placed.value.name,)
    if form["protocol"] == "layer2":
        _forbid(form, "bgp_advertisements", "pool.bgp_advertisements_in_layer2_pool", reading)
        ways = [
            l2_from(each, f"l2advertisement{len(draft.l2) + n}", own)
            for n, each in enumerate(form["l2_advertisements"], 1)
        ]
        draft.l2 += ways or [Placed(L2Advertisement(f"l2advertisement{len(draft.l2) + 1}", own), form.at)]
    elif form["protocol"] == "bgp":
        _forbid(form, "l2_advertisements", "pool.l2_advertisements_in_bgp_pool", reading)
        for each in form["bgp_advertisements"]:
            draft.bgp.append(bgp_from(each, reading, each["name"] or f"bgpadvertisement{len(draft.bgp) + 1}", own))
        if not form["bgp_advertisements"]:
            draft.bgp.append(Placed(BgpAdvertisement(f"bgpadvertisement{len(draft.bgp) + 1}", own), form.at))


def _forbid(form: Form, name: str, code: str, reading: Reading) -> None:
    if name in form.given:
        message = f"the pool's protocol is {form['protocol']}; remove {form.keys[name]}, or change the protocol"
        reading.fault(form.place(name), code, message)


def _communities(form: Form, reading: Reading, draft: Draft) -> None:
    places = dict(form.place("bgp_communities").entries())
    for alias, text in form["bgp_communities"]:
        place = places[alias]
        try:
            draft.communities.append(Placed((alias, parse_community(text)), place))
        except CodedError as fault:
            reading.fault(place, fault.code, str(fault))


def _single(form: Form, reading: Reading, draft: Draft) -> None:
    for name in (*SINGLE, "dns"):
        if name not in form.given:
            continue
        if name in SPREAD:
            _spread(name, form, reading, draft)
        elif _is_first(name, form.place(name), reading, draft) and name in SINGLE:
            draft.settings = replace(draft.settings, **{name: form[name]})


def _spread(name: str, form: Form, reading: Reading, draft: Draft) -> None:
    """Add the keys that this document says to those that documents of the same file said before."""
    section = form.place(name)
    first = draft.settings_at.setdefault(name, section)
    if first.source != section.source:
        _said_before(section, first, reading)
        return
    said = {key.replace("-", "_"): at for key, at in section.entries() if not at.is_null}
    new = [key for key, at in said.items() if key in SPREAD[name] and _is_first(f"{name}.{key}", at, reading, draft)]
    changed = replace(getattr(draft.settings, name), **{key: getattr(form[name], key) for key in new})
    draft.settings = replace(draft.settings, **{name: changed})


def _is_first(name: str, at: Cursor, reading: Reading, draft: Draft) -> bool:
    """Whether nobody said it before; else that is a fault."""
    first = draft.settings_at.setdefault(name, at)
    if first is not at:
        _said_before(at, first, reading)
    return first is at


def _said_before(at: Cursor, first: Cursor, reading: Reading) -> None:
    reading.fault(at, "settings.twice", f"it was said before ({first.source}:{first.line}); say it once")


def _dns(form: Form, reading: Reading, draft: Draft) -> None:
    zones: tuple[str, ...] = form["zones"]
    if len(set(zones)) < len(zones):
        reading.fault(form.place("zones"), "dns.duplicate_zone", "a zone stands twice; remove one")
    if not zones:
        reading.fault(form.place("zones"), "dns.no_zone", "at least one zone is needed; leave zones out for service.")
        zones = DnsSettings().zones
    for host in form["hosts"]:
        _host(host, zones, reading, draft)
    for record in form["records"]:
        full = f"{record['name'].rstrip('.')}." if is_reverse(record["name"]) else absolute(record["name"], zones)
        values = record.values | {"name": full}
        if all((record["name"], record["type"], record["value"])):
            draft.records.append(Placed(StaticRecord(**values), record.at, record))
    values = form.without("zones", "hosts", "records", "name_servers")
    servers = tuple(absolute(name, zones) for name in form["name_servers"])
    settings = DnsSettings(zones=zones, name_servers=servers, **values)
    draft.settings = replace(draft.settings, dns=settings)
    for name in form.given:
        draft.settings_at[f"dns.{name}"] = form.place(name)


def _host(form: Form, zones: tuple[str, ...], reading: Reading, draft: Draft) -> None:
    if not form["name"]:
        return
    name = absolute(form["name"], zones)
    if form["addresses"] and form["service"]:
        reading.fault(
            form.place("service"), "host.addresses_and_service", "addresses and a service; a host has one of them"
        )
    if not {"addresses", "service"} & form.given:
        reading.fault(form.at, "host.no_addresses", "it leads nowhere: write addresses, or the service it follows")
    aliases = []
    for index, alias in enumerate(form["aliases"]):
        if absolute(alias, zones) == name and "." in alias.rstrip("."):
            reading.warn(form.place("aliases", index), "host.alias_is_name", f"{alias} is the host's own name ({name})")
        else:
            aliases.append(absolute(alias, zones))
    host = StaticHost(name, form["addresses"], form["service"], tuple(aliases), form["ttl"])
    draft.hosts.append(Placed(host, form.at, form))


def absolute(name: str, zones: tuple[str, ...]) -> str:
    """The full name: as it is with a dot at the end or within a served zone, else in the first zone."""
    if name.endswith("."):
        return name
    dotted = f"{name}."
    return dotted if any(dotted.endswith(f".{zone}") for zone in zones) else f"{name}.{zones[0]}"


def _reservation(form: Form, reading: Reading, draft: Draft) -> None:
    span = form["address"]
    if span is None:
        return
    if form["name"] is not None and span.size > 1:
        message = f"{span} is more than one address; only a block that nobody gets (without a name) may be"
        reading.fault(form.place("address"), "reservation.block_with_name", message)
        return
    last = span.last if span.size > 1 else None
    reservation = Reservation(span.first, form["name"], form["note"], "config", last)
    draft.reservations.append(Placed(reservation, form.at, form))
