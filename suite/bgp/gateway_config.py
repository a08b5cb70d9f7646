"""What Vyatta's children need to know of us: UniFi Security Gateway (config.gateway.json) and EdgeOS.

One tree of settings, two forms. The JSON of a USG is merged with the file that is there, because it holds other
people's settings too and survives re-provisioning only as a whole; a file that needs no change comes back as it was.
Settings that are not ours are never touched; neighbors that are no node any more are named by `strangers`.
"""

import json
from collections.abc import Iterator, Mapping

from suite.bgp.prefix import Address
from suite.bgp.router_config import GROUP, RouterSide

Tree = dict[str, "Tree | list[str] | str"]
Zones = Mapping[str, Address]


class GatewayFileError(ValueError):
    """The existing file is no configuration of a gateway; the text says where and why."""


def gateway_tree(side: RouterSide, zones: Zones) -> Tree:
    """Settings of EdgeOS and of a USG: sessions, prefix lists of the pools, and forwarding of `zones` to our DNS.

    ValueError for ranges of nodes, which these routers do not know.
    """
    if side.ranges:
        raise ValueError("these routers know no neighbor ranges; name each node")
    bgp: Tree = {"parameters": {"router-id": str(side.identifier)}}
    bgp["neighbor"] = {str(node): _neighbor(side) for node in side.nodes}
    if side.paths > 1:
        bgp["maximum-paths"] = {"ibgp" if side.internal else "ebgp": str(side.paths)}
    tree: Tree = {"policy": _policy(side), "protocols": {"bgp": {str(side.asn): bgp}}}
    if zones:
        options = [f"server=/{zone.strip('.')}/{server}" for zone, server in sorted(zones.items())]
        tree["service"] = {"dns": {"forwarding": {"options": options}}}
    return tree


def _neighbor(side: RouterSide) -> Tree:
    neighbor: Tree = {"remote-as": str(side.node_as), "maximum-prefix": str(side.prefix_limit)}
    if side.password:
        neighbor["password"] = side.password
    if side.hops > 1 and not side.internal:
        neighbor["ebgp-multihop"] = str(side.hops)
    if 4 in side.families():
        neighbor["prefix-list"] = {"import": f"{GROUP}-v4", "export": f"{GROUP}-none"}
    if 6 in side.families():
        neighbor["address-family"] = {"ipv6-unicast": {"prefix-list": {"import": f"{GROUP}-v6"}}}
    return neighbor


def _policy(side: RouterSide) -> Tree:
    policy: Tree = {}
    for version, word, longest in ((4, "prefix-list", 32), (6, "prefix-list6", 128)):
        rules: Tree = {}
        for number, pool in enumerate((p for p in side.pools if p.version == version), start=1):
            rule: Tree = {"action": "permit", "prefix": str(pool)}
            if pool.prefixlen < longest:
                rule["le"] = str(longest)
            rules[str(10 * number)] = rule
        if rules:
            policy[word] = {f"{GROUP}-v{version}": {"rule": rules}}
    lists = policy.setdefault("prefix-list", {})
    if isinstance(lists, dict):
        lists[f"{GROUP}-none"] = {"rule": {"10": {"action": "deny", "prefix": "0.0.0.0/0", "le": "32"}}}
    return policy


def usg(side: RouterSide, zones: Zones, existing: str = "") -> str:
    """The text of config.gateway.json, merged into `existing`; GatewayFileError if that is not such a file.

    A file that holds all of it already comes back as the same text.
    """
    before = _parse(existing) if existing.strip() else {}
    after = _merged(before, gateway_tree(side, zones))
    return existing if existing.strip() and after == before else json.dumps(after, indent=2) + "\n"


def _parse(text: str) -> Tree:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise GatewayFileError(f"this is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise GatewayFileError("the top of the file is no object in braces")
    return found


def _merged(before: Tree, ours: Tree, path: str = "") -> Tree:
    """Ours over what is there: objects key by key, lists without repetition, single values replaced."""
    result = dict(before)
    for key, value in ours.items():
        old, where = before.get(key), f"{path}/{key}"
        if old is not None and isinstance(old, dict) != isinstance(value, dict):
            raise GatewayFileError(f"{where} holds something of another kind than a gateway has there")
        if isinstance(value, dict):
            result[key] = _merged(old if isinstance(old, dict) else {}, value, where)
        elif isinstance(value, list):
            had = old if isinstance(old, list) else [old] if isinstance(old, str) else []
            result[key] = had + [each for each in value if each not in had]
        else:
            result[key] = value
    return result


def edgeos(side: RouterSide, zones: Zones) -> str:
    """`set` commands for EdgeOS, to be pasted between `configure` and `commit; save`."""
    return "".join(f"set {line}\n" for line in _lines(gateway_tree(side, zones)))


def _lines(tree: Tree, path: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _lines(value, f"{path}{key} ")
        else:
            for each in value if isinstance(value, list) else [value]:
                yield f"{path}{key} '{each}'"


def strangers(side: RouterSide, existing: str) -> tuple[str, ...]:
    """What of an existing config.gateway.json does not fit the nodes: unknown neighbors, missing ones, wrong numbers."""
    tree = _parse(existing) if existing.strip() else {}
    neighbors = _at(tree, "protocols", "bgp", str(side.asn), "neighbor")
    wanted = {str(node) for node in side.nodes}
    found = [f"{name} is no node" for name in neighbors if name not in wanted]
    found += [f"{name} is missing" for name in sorted(wanted) if name not in neighbors]
    for name in sorted(wanted & neighbors.keys()):
        number = _at(neighbors, name).get("remote-as")
        if number != str(side.node_as):
            found.append(f"{name} has AS number {number}, the node has {side.node_as}")
    return tuple(found)


def _at(tree: Tree, *keys: str) -> Tree:
    """The object at a path, empty if there is none."""
    for key in keys:
        below = tree.get(key)
        tree = below if isinstance(below, dict) else {}
    return tree
