"""Rows of ``announce.json``: who announces a Service, decided by the pure functions of the speaker."""

from collections.abc import Callable, Iterator
from typing import Any

from vectors.replay_config import selector

from suite.config.resolve import (
    BgpWay,
    L2Way,
    PoolWays,
    add_scores,
    bgp_for_service,
    interfaces_of,
    l2_for_service,
    prefer_differently,
)
from suite.model.address import parse_address, parse_range
from suite.model.node import Node
from suite.model.peer import Peer
from suite.model.refusal import Reason, Refusal
from suite.model.selector import labels_of
from suite.model.service import Endpoint, Endpoints, Service, ServiceRef, ServiceType
from suite.speaker.election import rank
from suite.speaker.plan import Case, bgp_routes, decide, l2_candidates, peers_of

Row = tuple[str, Any, Any]
"""Name of the row, what it wants, what we do."""
Compared = tuple[Any, Any]

NOT_OWNER = "notOwner"
L2_WORDS = {
    Reason.NO_ADVERTISEMENT: "noMatchingAdvertisement",
    Reason.SHARED_WITH_SELECTOR: "sharedIPWithServiceSelector",
}
"""Every other reason is one word upstream at layer 2, where we say which it is."""
BGP_WORDS = {
    Reason.NO_ADVERTISEMENT: "noMatchingAdvertisement",
    Reason.CONFLICTING_ADVERTISEMENTS: "conflictingAdvertisements",
    Reason.NODE_NETWORK_UNAVAILABLE: "nodeNetworkUnavailable",
    Reason.NODE_EXCLUDED: "nodeLabeledExcludeBalancers",
    Reason.NO_LOCAL_ENDPOINTS: "noLocalEndpoints",
    Reason.NO_ENDPOINTS: "noEndpoints",
}
SHARING = ("metallb.io/allow-shared-ip", "metallb.universe.tf/allow-shared-ip")


def replay(data: Any) -> Iterator[Row]:
    """Every row of every section."""
    for section, given in data["sections"].items():
        for name, row in _rows(section, given):
            yield (name, *SECTIONS[section](row))


def _rows(section: str, given: Any) -> Iterator[tuple[str, Any]]:
    if section == "l2_election_vectors":
        for address, winner in given["winner_by_ip"].items():
            yield f"{section}/{address}", {"candidates": given["candidates"], "ip": address, "want": winner}
    elif section == "bgp_peer_node_selector_sequence":
        yield from _sequence(section, given)
    elif isinstance(given, dict):
        for test, rows in given.items():
            for row in rows:
                yield f"{section}/{test}/{row['n']}", row
    else:
        for number, row in enumerate(given):
            yield f"{section}/{number}", row


def _sequence(section: str, given: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Steps that each change the configuration or the node, the other stays."""
    state: dict[str, Any] = {"config": {"peers": {}, "pools": {}}, "node": {"name": "", "labels": {}, "conditions": {}}}
    for number, row in enumerate(given):
        state |= {key: row[key] for key in ("config", "node") if row[key]}
        yield f"{section}/{number}", dict(state) | {"want": row["want_ads"]}


def _l2_way(given: dict[str, Any]) -> L2Way:
    selectors = tuple(map(selector, given["service_selectors"] or ()))
    interfaces = () if given["all_interfaces"] else tuple(given["interfaces"] or ())
    return L2Way(tuple(given["nodes"] or ()), interfaces, selectors, tuple((given["preferred_nodes"] or {}).items()))


def _bgp_way(given: dict[str, Any]) -> BgpWay:
    """Aggregation length 0 is the vectors' word for "not said"."""
    return BgpWay(
        given["name"],
        tuple(given["nodes"] or ()),
        tuple(given["peers"] or ()),
        tuple(map(selector, given["service_selectors"] or ())),
        given["aggregation_length"] or 32,
        given["aggregation_length_v6"] or 128,
        given["local_pref"],
    )


def _service(given: dict[str, Any]) -> Service:
    annotations = given["annotations"] or {}
    return Service(
        ServiceRef(given["namespace"], given["name"]),
        type=ServiceType(given["type"] or ServiceType.LOAD_BALANCER),
        labels=labels_of(given["labels"]),
        is_local=given["external_traffic_policy"] == "Local",
        sharing_key=next((annotations[name] for name in SHARING if name in annotations), ""),
    )


def _endpoints(given: list[dict[str, Any]]) -> Endpoints:
    made = (
        Endpoint(address, each.get("node") or "", each.get("ready") in {None, True} or each.get("serving") is True)
        for each in given
        for address in each["addresses"]
    )
    return Endpoints(ServiceRef("", ""), tuple(made))


def _node(name: str, given: dict[str, Any]) -> Node:
    unavailable = (given["conditions"] or {}).get("NetworkUnavailable") in {True, "True"}
    return Node(name, labels_of(given["labels"]), (), unavailable)


def _case(row: dict[str, Any]) -> Case:
    l2 = tuple(map(_l2_way, row.get("l2_advertisements") or ()))
    bgp = tuple(map(_bgp_way, row.get("bgp_advertisements") or ()))
    named = {name for way in (*l2, *bgp) for name in way.nodes}
    nodes = {name: _node(name, each) for name, each in (row["nodes"] or {}).items()}
    nodes |= {name: Node(name) for name in named if name not in nodes}
    addresses = tuple(map(parse_address, row["ips"]))
    ways = PoolWays(l2, bgp)
    return Case(
        _service(row["service"]), addresses, ways, nodes, _endpoints(row["endpoints"]), row["ignore_exclude_lb"]
    )


def _l2(row: dict[str, Any]) -> Compared:
    case = _case(row)
    part = decide(case, row["node"])
    speakers = case.nodes if row["usable_speakers"] is None else row["usable_speakers"]
    eligible = {each.name: each.score for each in part.candidates if each.exclusion is None and each.name in speakers}
    words = [L2_WORDS[each.reason] for each in part.refusals if each.reason in L2_WORDS]
    owns = rank(case.addresses[0], eligible, eligible)[:1] == (row["node"],)
    reason = words[0] if words else None if owns else NOT_OWNER
    return row["expect"], {"announce": reason is None, "reason": reason}


def _bgp(row: dict[str, Any]) -> Compared:
    answer = bgp_routes(_case(row), row["node"])
    reason = BGP_WORDS[answer.reason] if isinstance(answer, Refusal) else None
    return row["expect"], {"announce": reason is None, "reason": reason}


def _winner(row: dict[str, Any]) -> Compared:
    return row["want"], rank(parse_address(row["ip"]), row["candidates"])[0]


def _sorted(row: dict[str, Any]) -> Compared:
    return row["want"] or [], list(rank(parse_address(row["ip"]), row["candidates"] or (), row["scores"]))


def _scores(row: dict[str, Any]) -> Compared:
    return row["want"] or {}, add_scores(map(_l2_way, row["ads"]))


def _l2_for_service(row: dict[str, Any]) -> Compared:
    labels = _service(row["service"]).labels
    return [_l2_way(each) for each in row["want"]], list(l2_for_service(map(_l2_way, row["ads"]), labels))


def _interfaces(row: dict[str, Any]) -> Compared:
    got = interfaces_of(map(_l2_way, row["ads"]))
    return (row["want_all_interfaces"], row["want_interfaces"]), (got is None, sorted(got or ()))


def _with_endpoint(row: dict[str, Any]) -> Compared:
    """The candidates of a Service with policy Local: nodes with a usable endpoint among the living speakers."""
    speakers = row["usable_speakers"]
    service = Service(ServiceRef("", ""), type=ServiceType.LOAD_BALANCER, is_local=True)
    nodes = {name: Node(name) for name in speakers}
    ways = PoolWays(l2=(L2Way(tuple(speakers)),))
    answer = l2_candidates(Case(service, (), ways, nodes, _endpoints(row["endpoints"])))
    eligible = [] if isinstance(answer, Refusal) else [each.name for each in answer if each.exclusion is None]
    return row["want"], sorted(eligible)


def _sessions(row: dict[str, Any]) -> Compared:
    """Sessions by the peer's address, each with what is announced; there is no Service, so that is nothing."""
    peers = []
    for name, each in row["config"]["peers"].items():
        selectors = tuple(map(selector, each["node_selectors"]))
        peers.append(Peer(name, 64512, address=parse_address(each["address"]), node_selectors=selectors))
    node = _node(row["node"]["name"], row["node"])
    return row["want"], {str(peer.address): [] for peer in peers_of(peers, node)}


def _bgp_for_service(row: dict[str, Any]) -> Compared:
    labels = _service(row["service"]).labels
    return row["want"], [way.name for way in bgp_for_service(map(_bgp_way, row["ads"]), labels, row["node"])]


def _conflicts(row: dict[str, Any]) -> Compared:
    ways, families = [_bgp_way(each) for each in row["ads"]], frozenset({parse_range(row["pool_cidr"]).family})
    pairs = ((one, other) for number, one in enumerate(ways) for other in ways[:number])
    return row["want_error"], any(prefer_differently(one, other, families) for one, other in pairs)


def _healthy(row: dict[str, Any]) -> Compared:
    return row["want"], _endpoints(row["endpoints"]).is_ready


SECTIONS: dict[str, Callable[[dict[str, Any]], Compared]] = {
    "l2_should_announce": _l2,
    "l2_election_vectors": _winner,
    "l2_sort_candidates": _sorted,
    "l2_preferred_scores": _scores,
    "l2_ads_for_service": _l2_for_service,
    "l2_interfaces_for_address": _interfaces,
    "l2_nodes_with_endpoint": _with_endpoint,
    "bgp_should_announce": _bgp,
    "bgp_peer_node_selector_sequence": _sessions,
    "bgp_ads_for_service": _bgp_for_service,
    "bgp_local_pref_conflicts": _conflicts,
    "healthy_endpoint": _healthy,
}
