"""The router's side for the descendants of Vyatta: the UniFi Security Gateway, EdgeOS and VyOS.

All three have one tree of settings. The gateway takes it as JSON, merged into what its controller provisions, so that it
survives provisioning and updates; the others take a `set` command for each leaf.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from suite.speaker.router_config import Part, Router

GROUP = "suite"


class Unmergeable(ValueError):  # noqa: N818 - an outcome told to a person
    """The file there is cannot take our settings; it stays as it is."""


def usg(router: Router, existing: str = "") -> tuple[Part, ...]:
    """A config.gateway.json: ours merged into ``existing``, which comes back as it is when nothing changes.

    Raises:
        Unmergeable: ``existing`` is no JSON object, or has something where our settings belong.
    """
    known = parsed(existing) if existing.strip() else {}
    merged = merge(known, usg_tree(router))
    text = existing if merged == known and existing.strip() else json.dumps(merged, indent=2, ensure_ascii=False) + "\n"
    return (
        Part(
            "bgp",
            text,
            "config.gateway.json in the site's folder on the UniFi controller (data/sites/SITE of its data directory)",
            "force provisioning of the gateway on the controller; it is applied again after each update",
            "on the gateway: show ip bgp",
            "put the file back as it was before (keep a copy), force provisioning",
            ("a new node needs a new file: this gateway knows no neighbor ranges; --diff names what it lacks",),
        ),
    )


def parsed(text: str) -> dict[str, Any]:
    """The document of a config.gateway.json; a name that stands twice is refused, since one of the two would be lost.

    Raises:
        Unmergeable: it is no JSON, or no object.
    """
    try:
        found = json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise Unmergeable(f"no valid JSON, line {error.lineno} column {error.colno}: {error.msg}") from None
    if not isinstance(found, dict):
        raise Unmergeable("the document is no object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Unmergeable(f"{twice!r} stands twice in one object")
    return found


def merge(known: Mapping[str, Any], ours: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """``known`` with ``ours`` in it: objects are merged, lists get what they lack, values are replaced.

    Raises:
        Unmergeable: one is an object where the other is not.
    """
    result = dict(known)
    for name, value in ours.items():
        place, old = f"{path}.{name}" if path else name, result.get(name)
        if isinstance(value, Mapping):
            if not isinstance(old or {}, dict):
                raise Unmergeable(f"{place} is no object, our settings cannot be put there")
            result[name] = merge(old or {}, value, place)
        elif isinstance(value, list):
            old = [old] if isinstance(old, str) else old or []
            if not isinstance(old, list):
                raise Unmergeable(f"{place} is no list, our settings cannot be put there")
            result[name] = [*old, *(each for each in value if each not in old)]
        else:
            if isinstance(old, dict):
                raise Unmergeable(f"{place} is an object, our setting cannot be put there")
            result[name] = old if str(old) == value else value
    return result


def usg_tree(router: Router) -> dict[str, Any]:
    """The settings as the gateway's JSON has them."""
    tree: dict[str, Any] = {"protocols": {"bgp": {str(router.asn): _bgp(router)}}}
    if 4 in router.families:
        tree["policy"] = _policy(router)
    if options := _dns_options(router):
        tree["service"] = {"dns": {"forwarding": {"options": options}}}
    return tree


def _bgp(router: Router) -> dict[str, Any]:
    neighbor: dict[str, Any] = {"remote-as": str(router.node_asn), "soft-reconfiguration": {"inbound": "''"}}
    if router.maximum(4):
        neighbor["maximum-prefix"] = str(router.maximum(4))
    if 4 in router.families:
        neighbor["prefix-list"] = {"import": GROUP}
    if router.connects:
        neighbor["update-source"] = str(router.address)
    if router.hops:
        neighbor["ebgp-multihop"] = str(router.hops)
    paths = {"maximum-paths": {"ibgp" if router.is_internal else "ebgp": str(router.paths)}} if router.paths > 1 else {}
    parameters = {"parameters": {"router-id": str(router.identifier)}} if router.identifier else {}
    return {"neighbor": {str(node.address): neighbor for node in router.nodes}, **paths, **parameters}


def _policy(router: Router) -> dict[str, Any]:
    rules = {}
    for number, entry in enumerate(router.takes(4), 1):
        exact = {} if entry.length == entry.network.prefixlen else {"ge": str(entry.length), "le": str(entry.length)}
        rules[str(10 * number)] = {"action": "permit", "prefix": str(entry.network), **exact}
    return {"prefix-list": {GROUP: {"rule": rules}}}


def _dns_options(router: Router) -> list[str]:
    servers = [f"server=/{zone}/{server}" for zone in router.zones for server in router.servers]
    return [*servers, *(f"rebind-domain-ok=/{zone}/" for zone in router.zones)]


def edgeos(router: Router) -> tuple[Part, ...]:
    """EdgeOS: the same tree, typed."""
    lines = [*_commands(usg_tree(router))]
    note = "a new node needs a new line: EdgeOS knows no neighbor ranges; --diff names what the router lacks"
    return (
        Part(
            "bgp",
            "\n".join(lines) + "\n",
            "the router's command line: configure, paste",
            "commit; save",
            "show ip bgp",
            f"configure; delete protocols bgp {router.asn} neighbor ADDRESS (for each node); commit; save",
            (note,),
        ),
    )


def _commands(tree: Mapping[str, Any], path: str = "set") -> Iterator[str]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _commands(value, f"{path} {name}")
        elif isinstance(value, list):
            yield from (f"{path} {name} {each}" for each in value)
        else:
            yield f"{path} {name}" if value == "''" else f"{path} {name} {value}"


def vyos(router: Router) -> tuple[Part, ...]:
    """VyOS 1.4 and later, which is FRR below and has neighbor ranges."""
    place = "the router's command line: configure, paste"
    bgp = Part(
        "bgp",
        "\n".join([*_vyos_policy(router), *_vyos_bgp(router)]) + "\n",
        place,
        "commit; save",
        "show ip bgp; show bgp summary",
        f"configure; delete protocols bgp peer-group {GROUP}; delete protocols bgp listen; commit; save",
        ("a new node in the ranges above needs no edit here",) if not router.connects else (),
    )
    if not router.zones:
        return (bgp,)
    lines = [
        f"set service dns forwarding domain {zone} name-server {server}"
        for zone in router.zones
        for server in router.servers
    ]
    check = f"nslookup ns.{router.zones[0]} from any client of this router"
    undo = "configure; delete service dns forwarding domain ZONE (for each); commit; save"
    return (bgp, Part("dns", "\n".join(lines) + "\n", place, "commit; save", check, undo))


def _vyos_policy(router: Router) -> Iterator[str]:
    for family in router.families:
        kind = "prefix-list" if family == 4 else "prefix-list6"
        word = "ip" if family == 4 else "ipv6"
        for number, entry in enumerate(router.takes(family), 1):
            rule = f"set policy {kind} {GROUP}{family} rule {10 * number}"
            yield f"{rule} action permit"
            yield f"{rule} prefix {entry.network}"
            if entry.length != entry.network.prefixlen:
                yield f"{rule} ge {entry.length}"
                yield f"{rule} le {entry.length}"
        rule = f"set policy route-map {GROUP}-in rule {family}"
        yield f"{rule} action permit"
        yield f"{rule} match {word} address prefix-list {GROUP}{family}"
    yield f"set policy route-map {GROUP}-out rule 10 action deny"


def _vyos_bgp(router: Router) -> Iterator[str]:
    bgp, group = "set protocols bgp", f"set protocols bgp peer-group {GROUP}"
    yield f"{bgp} system-as {router.asn}"
    if router.identifier:
        yield f"{bgp} parameters router-id {router.identifier}"
    yield f"{group} remote-as {router.node_asn}"
    if router.hops:
        yield f"{group} ebgp-multihop {router.hops}"
    if router.bfd is not None:
        profile = f"set protocols bfd profile {GROUP} interval"
        yield f"{profile} multiplier {router.bfd.detect_multiplier}"
        yield f"{profile} receive {router.bfd.receive_interval}"
        yield f"{profile} transmit {router.bfd.transmit_interval}"
        yield f"{group} bfd profile {GROUP}"
        yield f"{group} bfd check-control-plane-failure"
    for family in router.families:
        address_family = f"address-family ipv{family}-unicast"
        yield f"{group} {address_family} route-map import {GROUP}-in"
        yield f"{group} {address_family} route-map export {GROUP}-out"
        yield f"{group} {address_family} maximum-prefix {router.maximum(family)}"
        yield f"{bgp} {address_family} maximum-paths {'ibgp' if router.is_internal else 'ebgp'} {router.paths}"
    if router.connects:
        yield f"{group} update-source {router.address}"
        yield from (f"{bgp} neighbor {node.address} peer-group {GROUP}" for node in router.nodes)
    else:
        yield from (f"{bgp} listen range {network} peer-group {GROUP}" for network in router.ranges())
