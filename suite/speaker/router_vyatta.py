"""The router's side for the descendants of Vyatta that have no neighbor ranges: the UniFi Security Gateway and EdgeOS.

Both have one tree of settings. The gateway takes it as JSON, merged into what its controller provisions, so that it
survives provisioning and updates; EdgeOS takes a `set` command for each leaf. The tree is that of Vyatta's templates
(vyatta-cfg-quagga): what stands at a neighbor itself is its IPv4, `address-family ipv6-unicast` below it its IPv6. There
is no BFD in it, and EdgeOS has no `maximum-paths` for IPv6 (its users ask for it).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from suite.speaker.router_config import Accepted, Part, Router

GROUP, NONE = "suite", "suite-none"
LISTS = {4: "prefix-list", 6: "prefix-list6"}
SUFFIX = {4: "", 6: "6"}
ANYTHING = {4: ("0.0.0.0/0", "32"), 6: ("::/0", "128")}
WRITTEN_ANEW = tuple(("policy", LISTS[family], f"{name}{SUFFIX[family]}") for family in LISTS for name in (GROUP, NONE))
"""What is ours by its name, and is replaced as a whole: what a pool had before is not accepted any more."""


class Unmergeable(ValueError):  # noqa: N818 - an outcome told to a person
    """The file there is cannot take our settings; it stays as it is."""


def usg(router: Router, existing: str = "", only: str = "") -> tuple[Part, ...]:
    """A config.gateway.json: ours merged into ``existing``, which comes back as it is when nothing changes.

    ``only`` names the one part that is wanted (``bgp`` or ``dns``); both are one file.

    Raises:
        Unmergeable: ``existing`` is no JSON object, or has something where our settings belong.
    """
    known = parsed(existing) if existing.strip() else {}
    tree = {"bgp": bgp_tree, "dns": dns_tree}[only](router) if only else bgp_tree(router) | dns_tree(router)
    if not tree:
        return ()
    merged = merge(without(known, WRITTEN_ANEW) if only != "dns" else known, tree)
    text = existing if merged == known and existing.strip() else json.dumps(merged, indent=2, ensure_ascii=False) + "\n"
    return (
        Part(
            only or "bgp",
            text,
            "config.gateway.json in the site's folder on the UniFi controller (data/sites/SITE of its data directory)",
            "force provisioning of the gateway on the controller; it is applied again after each update",
            "on the gateway: show ip bgp",
            "change these settings of the file back (or keep a copy of it), then force provisioning",
            tuple(way_back(known, merged)),
            tuple(_notes(router, "this gateway")),
        ),
    )


def _notes(router: Router, what: str) -> Iterator[str]:
    yield f"a new node is one more neighbor: {what} knows no neighbor ranges; --diff names what it lacks"
    if 6 in router.families:
        yield f"one node carries an IPv6 address at a time: {what} has no maximum-paths for IPv6"
    if router.bfd is not None:
        yield f"no BFD: {what} has none; a short hold time finds a dead node"
    if router.has_password:
        yield f"each neighbor needs its password (protocols bgp {router.asn} neighbor ADDRESS password); it is kept out of this"


def without(known: Mapping[str, Any], paths: Iterable[tuple[str, ...]]) -> dict[str, Any]:
    """``known`` without the settings at ``paths``."""
    result = dict(known)
    for first, *rest in paths:
        below = result.get(first)
        if not rest:
            result.pop(first, None)
        elif isinstance(below, dict):
            result[first] = without(below, (tuple(rest),))
    return result


def way_back(known: Any, merged: Any, path: str = "") -> Iterator[str]:
    """What changed from ``known`` to ``merged``, as what there is to do to have ``known`` again."""
    if known == merged:
        return
    if isinstance(known, dict) and isinstance(merged, dict):
        for name in [*merged, *(each for each in known if each not in merged)]:
            below = f"{path} {name}".strip()
            if name not in known:
                yield f"remove {below}"
            else:
                yield from way_back(known[name], merged.get(name), below)
    elif isinstance(merged, list) and isinstance(known, list):
        yield from (f"remove {json.dumps(each)} from {path}" for each in merged if each not in known)
    else:
        yield f"{path} was {json.dumps(known, ensure_ascii=False)}"


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


def bgp_tree(router: Router) -> dict[str, Any]:
    """The session and its filters, as the gateway's JSON has them."""
    policy = {LISTS[family]: _lists(family, router.takes(family)) for family in {4, *router.families}}
    return {"protocols": {"bgp": {str(router.asn): _bgp(router)}}, "policy": policy}


def dns_tree(router: Router) -> dict[str, Any]:
    """The forwarding of the zones, for the dnsmasq inside; nothing where there are none."""
    servers = [f"server=/{zone}/{server}" for zone in router.zones for server in router.servers]
    options = [*servers, *(f"rebind-domain-ok=/{zone}/" for zone in router.zones)]
    return {"service": {"dns": {"forwarding": {"options": options}}}} if options else {}


def _bgp(router: Router) -> dict[str, Any]:
    neighbor: dict[str, Any] = {"remote-as": str(router.node_asn), **_family(router, 4)}
    if 6 in router.families:
        neighbor["address-family"] = {"ipv6-unicast": _family(router, 6)}
    if router.connects:
        neighbor["update-source"] = str(router.address)
    if router.hops:
        neighbor["ebgp-multihop"] = str(router.hops)
    if router.ttl_security:
        neighbor["ttl-security"] = {"hops": str(router.ttl_security)}
    paths = {"maximum-paths": {"ibgp" if router.is_internal else "ebgp": str(router.paths)}} if router.paths > 1 else {}
    parameters = {"parameters": {"router-id": str(router.identifier)}} if router.identifier else {}
    return {"neighbor": {str(node.address): neighbor for node in router.nodes}, **paths, **parameters}


def _family(router: Router, family: int) -> dict[str, Any]:
    """What a neighbor may tell of one family; nothing of one that is not spoken, or that has no pool."""
    taken = GROUP if family in router.families and router.takes(family) else NONE
    lists = {"prefix-list": {"import": f"{taken}{SUFFIX[family]}", "export": f"{NONE}{SUFFIX[family]}"}}
    if taken == NONE:
        return lists
    return {"soft-reconfiguration": {"inbound": "''"}, "maximum-prefix": str(router.maximum(family)), **lists}


def _lists(family: int, entries: tuple[Accepted, ...]) -> dict[str, Any]:
    """The list of what is taken, and the list of nothing."""
    network, longest = ANYTHING[family]
    lists = {f"{NONE}{SUFFIX[family]}": {"rule": {"10": {"action": "deny", "prefix": network, "le": longest}}}}
    rules = {}
    for number, entry in enumerate(entries, 1):
        exact = {} if entry.length == entry.network.prefixlen else {"ge": str(entry.length), "le": str(entry.length)}
        rules[str(10 * number)] = {"action": "permit", "prefix": str(entry.network), **exact}
    return {f"{GROUP}{SUFFIX[family]}": {"rule": rules}, **lists} if rules else lists


def edgeos(router: Router) -> tuple[Part, ...]:
    """EdgeOS: the same tree, typed."""
    place, apply = "the router's command line: configure, paste", "commit; save"
    bgp, back = bgp_tree(router), tuple(_edgeos_back(router))
    anew = [line for line in back if line.startswith("delete policy")]
    parts = [
        Part(
            "bgp",
            "\n".join([*anew, *_commands(bgp)]) + "\n",
            place,
            apply,
            "show ip bgp",
            f"configure, these lines without what was there before (or all of `delete protocols bgp {router.asn}`), commit, save",
            back,
            (*_notes(router, "EdgeOS"), "the first time, the lines with delete find nothing, which is no fault"),
        )
    ]
    if router.zones:
        lines = list(_commands(dns_tree(router)))
        check = f"nslookup ns.{router.zones[0]} from any client of this router"
        undo = "configure, these lines, commit, save"
        parts.append(Part("dns", "\n".join(lines) + "\n", place, apply, check, undo, tuple(map(_deleted, lines))))
    return tuple(parts)


def _deleted(line: str) -> str:
    return "delete" + line.removeprefix("set")


def _edgeos_back(router: Router) -> Iterator[str]:
    """What removes all of it: the neighbors before the lists that they name."""
    bgp = f"delete protocols bgp {router.asn}"
    yield from (f"{bgp} neighbor {node.address}" for node in router.nodes)
    if router.paths > 1:
        yield f"{bgp} maximum-paths"
    if router.identifier:
        yield f"{bgp} parameters router-id"
    for kind, lists in bgp_tree(router)["policy"].items():
        yield from (f"delete policy {kind} {name}" for name in lists)


def _commands(tree: Mapping[str, Any], path: str = "set") -> Iterator[str]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _commands(value, f"{path} {name}")
        elif isinstance(value, list):
            yield from (f"{path} {name} {each}" for each in value)
        else:
            yield f"{path} {name}" if value == "''" else f"{path} {name} {value}"
