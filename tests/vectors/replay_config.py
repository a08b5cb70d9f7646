"""Rows of ``config.json``: documents to configurations, in the neutral words of its ``about``."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from suite.config.admission import admit, without_references
from suite.config.backends import check_frr, check_native
from suite.config.check_bgp import community_order
from suite.config.convert import to_resources
from suite.config.document import from_object, from_settings
from suite.config.loading import Outcome, load
from suite.config.pool_settings import PREFERRED_NODES
from suite.config.resolve import L2Way, distinct, l2_way, namespaces_of, preferred_scores, resolve, selected
from suite.config.secrets import Secret
from suite.config.shape import Dialect, Reading
from suite.config.tree import Cursor, from_plain
from suite.config.values import CodedError, duration_text, family_of, parse_community
from suite.model.address import parse_address, parse_range
from suite.model.node import Namespace, Node
from suite.model.selector import Requirement, Selector, labels_of

KINDS = {
    "ipaddresspools": "IPAddressPool",
    "l2advertisements": "L2Advertisement",
    "bgpadvertisements": "BGPAdvertisement",
    "bgppeers": "BGPPeer",
    "bfdprofiles": "BFDProfile",
    "communities": "Community",
}


Row = tuple[str, Any, Any]
"""Name of the row, what it wants, what we do."""
Compared = tuple[Any, Any]
"""What the row wants, and what we do."""


def replay(data: Any) -> Iterator[Row]:
    """Every row of every section."""
    for section, rows in data["sections"].items():
        for row in rows:
            yield (row["id"], *SECTIONS[section](row))


def _objects(given: dict[str, Any]) -> list[dict[str, Any]]:
    made = []
    for key, kind in KINDS.items():
        version = "metallb.io/v1beta2" if kind == "BGPPeer" else "metallb.io/v1beta1"
        made += [{"apiVersion": version, "kind": kind, **each} for each in given.get(key, ())]
    return made


def _nodes(given: Any) -> tuple[Node, ...]:
    return tuple(Node(each["metadata"]["name"], labels_of(each["metadata"].get("labels"))) for each in given or ())


def _load(given: dict[str, Any], *, secrets: dict[str, Secret] | None = None) -> Outcome:
    documents = [document for each in _objects(given) for document in from_object(each)]
    return load(documents, strict=False, nodes=_nodes(given.get("nodes")), secrets=secrets)


def _secrets(given: dict[str, Any], options: dict[str, Any]) -> dict[str, Secret] | None:
    if options["secret_passthrough"]:
        return None
    found = {}
    for each in given.get("passwordsecrets", {}).values():
        name = f"{each['metadata']['namespace']}/{each['metadata']['name']}"
        found[name] = Secret(each["type"], each.get("data", {}).get("password", ""))
    return found


def _failed(wanted: dict[str, Any], problems: Any) -> Any:
    """Our errors in the words the row wants: its own class where one of our codes is it, else all our codes."""
    codes = {problem.code: problem.is_transient for problem in problems if not problem.is_warning}
    if not codes:
        return {"error": False}
    got: dict[str, Any] = {"error": True}
    name = wanted.get("error_class")
    if name is not None:
        family = name.split(".")[0] == "yaml" and any(code.startswith("yaml.") for code in codes)
        got["error_class"] = name if name in codes or family else sorted(codes)
    if "transient" in wanted:
        got["transient"] = codes.get(name, wanted["transient"])
    return got


def _parse(row: dict[str, Any]) -> Compared:
    given = row["input"]
    loaded = _load(given, secrets=_secrets(given, row["options"]))
    if loaded.configuration is None:
        return row["expect"], _failed(row["expect"], loaded.problems)
    return _as_named_ports(row["expect"]), {"error": False, "config": _configuration(loaded, given)}


def _as_named_ports(expect: dict[str, Any]) -> dict[str, Any]:
    """Port 0 of a peer is the vectors' word for "not said", which is 179 (the default of the definition)."""
    copy: dict[str, Any] = json.loads(json.dumps(expect))
    for peer in copy.get("config", {}).get("peers", {}).values():
        peer["port"] = peer["port"] or 179
    return copy


def _configuration(loaded: Outcome, given: dict[str, Any]) -> dict[str, Any]:
    configuration = loaded.attempt
    namespaces = tuple(Namespace(each.name, each.labels) for each in _nodes(given.get("namespaces")))
    pools = {pool.name: _pool(pool) for pool in configuration.pools}
    by_namespace: dict[str, list[str]] = {}
    for name, ways in resolve(configuration, _nodes(given.get("nodes"))).items():
        pools[name]["l2_advertisements"] = [_l2(way) for way in ways.l2]
        pools[name]["bgp_advertisements"] = [_bgp(way) for way in ways.bgp]
    for pool in configuration.pools:
        if pool.allocation is not None:
            names = namespaces_of(pool.allocation, namespaces)
            pools[pool.name]["service_allocation"] = _allocation(pool.allocation, names)
            for each in names:
                by_namespace.setdefault(each, []).append(pool.name)
    return {
        "bfd_profiles": {each.name: _profile(each) for each in configuration.bfd_profiles},
        "bgp_extras": "",
        "peers": {peer.name: _peer(peer) for peer in configuration.peers},
        "pools": pools,
        "pools_by_namespace": by_namespace,
        "pools_by_service_selector": [
            name for name, pool in pools.items() if pool.get("service_allocation", {}).get("service_selectors")
        ],
    }


def _allocation(allocation: Any, namespaces: tuple[str, ...]) -> dict[str, Any]:
    """Without any condition the vectors say: the selector that selects everything."""
    selectors = [str(each) for each in allocation.service_selectors]
    unconditional = not selectors and not allocation.namespaces and not allocation.namespace_selectors
    return {
        "namespaces": list(namespaces),
        "priority": allocation.priority,
        "service_selectors": [""] if unconditional else selectors or None,
    }


def _pool(pool: Any) -> dict[str, Any]:
    return {
        "name": pool.name,
        "auto_assign": pool.auto_assign,
        "avoid_buggy_ips": pool.avoid_buggy,
        "cidrs": [str(network) for span in pool.ranges for network in span.networks()],
    }


def _l2(way: L2Way) -> dict[str, Any]:
    return {
        "all_interfaces": not way.interfaces,
        "interfaces": list(way.interfaces),
        "nodes": list(way.nodes),
        "preferred_nodes": dict(way.preferred),
        "service_selectors": [str(each) for each in way.service_selectors],
    }


def _bgp(way: Any) -> dict[str, Any]:
    return {
        "aggregation_length": way.aggregation_length,
        "aggregation_length_v6": way.aggregation_length_v6,
        "communities": [str(each) for each in way.communities],
        "local_pref": way.local_pref,
        "name": way.name,
        "nodes": list(way.nodes),
        "peers": list(way.peers),
        "service_selectors": [str(each) for each in way.service_selectors],
    }


def _profile(profile: Any) -> dict[str, Any]:
    names = ("detect_multiplier", "echo_interval", "echo_mode", "minimum_ttl", "name", "passive_mode")
    return {name: getattr(profile, name) for name in (*names, "receive_interval", "transmit_interval")}


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else duration_text(seconds)


def _peer(peer: Any) -> dict[str, Any]:
    secret = peer.password_secret
    return _legacy_peer(peer) | {
        "connect_time": _time(peer.connect_time),
        "disable_mp": peer.disable_mp,
        "dual_stack_address_family": peer.dual_stack_address_family,
        "dynamic_asn": peer.dynamic_asn,
        "graceful_restart": peer.graceful_restart,
        "interface": peer.interface,
        "local_asn": peer.local_asn,
        "name": peer.name,
        "password": "" if secret else peer.password,
        "password_ref": {"name": secret.name, "namespace": secret.namespace} if secret else {},
        "secret_password": peer.password if secret else "",
        "vrf": peer.vrf,
    }


def _legacy_peer(peer: Any) -> dict[str, Any]:
    return {
        "address": str(peer.address) if peer.address else None,
        "asn": peer.asn,
        "bfd_profile": peer.bfd_profile,
        "ebgp_multihop": peer.ebgp_multihop,
        "hold_time": _time(peer.hold_time),
        "keepalive_time": _time(peer.keepalive_time),
        "my_asn": peer.my_asn,
        "node_selectors": [str(each) for each in peer.node_selectors] or [""],
        "password": peer.password,
        "port": peer.port,
        "router_id": peer.router_id or None,
        "source_address": str(peer.source_address) if peer.source_address else None,
    }


def _legacy(row: dict[str, Any]) -> Compared:
    loaded = load([from_settings(row["legacy_config"] or {})])
    if loaded.configuration is None:
        return row["expect"], _failed(row["expect"], loaded.problems)
    ways = resolve(loaded.attempt, ())
    pools = {}
    for pool in loaded.attempt.pools:
        bgp = [
            {
                key: value
                for key, value in _bgp(way).items()
                if key not in {"name", "nodes", "peers", "service_selectors"}
            }
            for way in ways[pool.name].bgp
        ]
        protocol = "layer2" if ways[pool.name].l2 else "bgp"
        pools[pool.name] = _pool(pool) | {"bgp_advertisements": bgp, "protocol": protocol}
        del pools[pool.name]["name"]
    config = {
        "bfd_profiles": {each.name: _profile(each) for each in loaded.attempt.bfd_profiles},
        "peers": [_legacy_peer(peer) for peer in loaded.attempt.peers],
        "pools": pools,
    }
    return row["expect"], {"error": False, "config": config}


def _native_mode(row: dict[str, Any]) -> Compared:
    return row["expect"], _failed(row["expect"], check_native(_load(row["input"]).draft))


def _frr_mode(row: dict[str, Any]) -> Compared:
    draft = _load(row["input"]).draft
    return row["expect"], _failed(row["expect"], check_frr(draft, _nodes(row["input"].get("nodes"))))


def _admission(row: dict[str, Any]) -> Compared:
    if "resources_checked_at_admission" in row["expect"]:
        got = {kind: [without_references(each) for each in objects] for kind, objects in row["input"].items()}
        return row["expect"], {"resources_checked_at_admission": got}
    kinds = {kind: given for kind, given in row["input"].items() if kind in KINDS}
    nodes = _nodes(row["input"].get("nodes"))
    problems = [each for kind, given in kinds.items() for each in admit(_objects({kind: given}), nodes)]
    return row["expect"], _failed(row["expect"], problems)


def _way(given: dict[str, Any]) -> L2Way:
    preferred = tuple(sorted((given["preferred_nodes"] or {}).items()))
    interfaces = () if given["all_interfaces"] else tuple(given["interfaces"] or ())
    return L2Way(
        tuple(given["nodes"] or ()), interfaces, tuple(map(selector, given["service_selectors"] or ())), preferred
    )


def selector(text: str) -> Selector:
    """The selector that the vectors write as its canonical text (labels and ``in`` only)."""
    labels, requirements = [], []
    for part in filter(None, text.replace("),", ")|").replace(",", "|" if "(" not in text else ",").split("|")):
        key, equals, value = part.partition("=")
        if equals:
            labels.append((key, value))
        else:
            key, operator, rest = part.partition(" in ")
            requirements.append(Requirement(key, "In", tuple(sorted(rest.strip("()").split(",")))))
            assert operator, text
    return Selector(tuple(sorted(labels)), tuple(requirements))


def _dedupe(row: dict[str, Any]) -> Compared:
    existing = tuple(map(_way, row["existing"]))
    kept = distinct((*distinct(existing), _way(row["candidate"])))
    return row["expect"], {"is_duplicate": len(kept) == len(distinct(existing))}


def _preferred(row: dict[str, Any]) -> Compared:
    given = {"l2advertisements": [row["input"]]}
    loaded = _load(given)
    if loaded.configuration is None:
        return row["expect"], _failed(row["expect"], loaded.problems)
    way = _l2(l2_way(loaded.configuration.l2_advertisements[0], _nodes(row["nodes"])))
    return row["expect"], {key: way.get(key) for key in row["expect"]}


def _to_pools(row: dict[str, Any]) -> Compared:
    loaded = _load({"ipaddresspools": row["pools"], "l2advertisements": row["l2advertisements"]})
    ways = resolve(loaded.attempt, _nodes(row["nodes"]))
    key = "preferred_nodes_of_each_attached_advertisement_any_order"
    wanted = {"pool": row["expect"]["pool"], key: sorted(map(str, row["expect"][key]))}
    return wanted, {"pool": wanted["pool"], key: sorted(str(dict(way.preferred)) for way in ways[wanted["pool"]].l2)}


def _scores(row: dict[str, Any]) -> Compared:
    reading = Reading(Dialect.RESOURCE)
    preferred = tuple(PREFERRED_NODES.read(Cursor(from_plain(each)), reading) for each in row["preferred"])
    if reading.problems:
        return row["expect"], {"error": True} | {key: None for key in row["expect"] if key != "error"}
    nodes = [node for node in selected((), _nodes(row["nodes"])) if node.name in row["eligible"]]
    return row["expect"], {"error": False, "scores": dict(preferred_scores(preferred, nodes))}


def _community_parse(row: dict[str, Any]) -> Compared:
    try:
        community = parse_community(row["input"])
    except CodedError as fault:
        words = {"community.out_of_range": "out_of_range_or_bad_marker", "community.malformed": "malformed"}
        return row["expect"], {"error": True, "error_class": words[fault.code], "kind": None, "parts": None}
    kind = "large" if community.is_large else "standard"
    return row["expect"], {"error": False, "error_class": None, "kind": kind, "parts": list(community.parts)}


def _community_order(row: dict[str, Any]) -> Compared:
    left, right = parse_community(row["left"]), parse_community(row["right"])
    return row["expect"], {"left_sorts_first": community_order(left) < community_order(right)}


def _community_text(row: dict[str, Any]) -> Compared:
    return row["expect"], {"text": str(parse_community(row["input"]))}


def _family(row: dict[str, Any]) -> Compared:
    try:
        addresses = [parse_address(text) for text in row.get("addresses", ())] or [parse_range(row["cidr"]).first]
        return row["expect"], {"error": False, "family": family_of(addresses)}
    except (ValueError, KeyError):
        return row["expect"], {"error": True, "family": None}


def _converted(row: dict[str, Any]) -> Compared:
    document = from_settings(row["legacy_config"])
    if row["wrapped_in_configmap"]:
        content = json.dumps(row["legacy_config"])
        metadata = {"name": "config", "namespace": row["configmap_namespace"]}
        config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {row["data_key"]: content}}
        (document,) = from_object(config_map)
    resources = to_resources([document]).objects
    return row["expect"], {"resources": sorted(resources, key=lambda each: _order(row, each))}


def _order(row: dict[str, Any], resource: dict[str, Any]) -> int:
    """Resources are a set; ours are brought into the row's order before they are compared."""
    names = [(each["kind"], each["metadata"]["name"]) for each in row["expect"]["resources"]]
    name = (resource["kind"], resource["metadata"]["name"])
    return names.index(name) if name in names else len(names)


SECTIONS: dict[str, Callable[[dict[str, Any]], Compared]] = {
    "parse": _parse,
    "parse_service_selectors": _parse,
    "native_mode_restrictions": _native_mode,
    "frr_mode_restrictions": _frr_mode,
    "admission": _admission,
    "l2_advertisement_dedupe": _dedupe,
    "l2_advertisement_preferred": _preferred,
    "l2_advertisements_to_pools": _to_pools,
    "preferred_node_scores": _scores,
    "community_parse": _community_parse,
    "community_order": _community_order,
    "community_text": _community_text,
    "ip_family": _family,
    "legacy_configmap_to_resources": _converted,
    "legacy_configmap_parse_v0_12": _legacy,
}
