"""Kubernetes objects (plain dicts) to values of ``model``, trimmed to what is used.

Pure, and total: whatever stands in an object, the result is a :class:`Converted`, with a value where the object can be
understood and with Problems where it cannot.  Read are ``v1`` Service, Node and Namespace and ``discovery.k8s.io``
EndpointSlice; anything else converts to nothing at all, Knative's ``serving.knative.dev/v1`` Service included.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from suite.cluster.annotations import Wishes, read_wishes, shown
from suite.model.address import Address, parse_address
from suite.model.node import Namespace, Node
from suite.model.problem import Problem
from suite.model.refusal import Reason, Refusal
from suite.model.selector import Labels, labels_of
from suite.model.service import Endpoint, FamilyPolicy, Port, Service, ServiceRef, ServiceType, is_object_name

SERVICE_NAME = "kubernetes.io/service-name"
"""The label by which an EndpointSlice names its Service."""

MAX_ENDPOINTS = 1000
"""Of one slice: what the API server allows."""
MAX_INGRESS = 16
"""Entries of a status that are looked at; no load balancer writes more than two."""


class Key(NamedTuple):
    """The identity of an object: kind, namespace (empty for Nodes and Namespaces) and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} " + (f"{self.namespace}/{self.name}" if self.namespace else self.name)


@dataclass(frozen=True, slots=True)
class Slice:
    """One EndpointSlice: a part of a Service's endpoints."""

    ref: ServiceRef
    endpoints: tuple[Endpoint, ...]
    ports: tuple[str, ...] | None = None
    """Names of the ports its pods serve; None where it does not say."""


Value = Service | Slice | Node | Namespace

_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Converted:
    """One object: its value, or None with at least one Problem that is no warning."""

    key: Key
    value: Value | None
    problems: tuple[Problem, ...] = ()


class _TrafficPolicy(StrEnum):
    CLUSTER = "Cluster"
    LOCAL = "Local"


class _Malformed(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, path: str, message: str) -> None:
        super().__init__(path, message)
        self.problem = Problem(path, message, "object.malformed")


def convert(document: Any, *, in_cluster: bool) -> Converted | None:
    """The value of one object; None for a kind that is none of ours.

    ``in_cluster`` says that an API server has filled in defaults: a Service without cluster addresses then has no
    family yet.  In a file its families come from ``ipFamilies``, or what it asks for, and are IPv4 by default.
    """
    if not isinstance(document, dict):
        return _nameless("", "", "an object was expected: a mapping with apiVersion, kind and metadata")
    kind, version = document.get("kind"), document.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(version, str):
        return _nameless("", "kind" if not isinstance(kind, str) else "apiVersion", "is missing")
    reader = _READERS.get((version, kind))
    if reader is None:
        return None
    try:
        key = _key(kind, document)
    except _Malformed as malformed:
        return Converted(Key(kind, "", ""), None, (malformed.problem,))
    try:
        value, warnings = reader(key, document, in_cluster)
    except _Malformed as malformed:
        return Converted(key, None, (_told_by(key, malformed.problem),))
    return Converted(key, value, tuple(_told_by(key, warning) for warning in warnings))


def flatten(document: Any) -> Iterator[tuple[str, Any]]:
    """The objects in ``document`` with their paths: itself, or the items of a ``List`` of any kind, one level deep."""
    kind = document.get("kind") if isinstance(document, dict) else None
    if not isinstance(kind, str) or not kind.endswith("List") or not isinstance(document.get("items"), list):
        yield "", document
        return
    for number, item in enumerate(document["items"]):
        is_bare = isinstance(item, dict) and "kind" not in item and kind != "List"
        given = {"kind": kind.removesuffix("List"), "apiVersion": document.get("apiVersion")} if is_bare else {}
        yield f"items[{number}]", {**given, **item} if is_bare else item


def _nameless(kind: str, path: str, message: str) -> Converted:
    return Converted(Key(kind, "", ""), None, (Problem(path, message, "object.malformed"),))


def _told_by(key: Key, problem: Problem) -> Problem:
    return replace(problem, message=f"{problem.message} ({key})")


def _key(kind: str, document: Mapping[str, Any]) -> Key:
    metadata = _mapping(document, "metadata")
    name = _text(metadata, "name", "metadata.name")
    if not is_object_name(name):
        raise _Malformed("metadata.name", f"{shown(name)} is no name of an object" if name else "is missing")
    if kind in {"Node", "Namespace"}:
        return Key(kind, "", name)
    namespace = _text(metadata, "namespace", "metadata.namespace") or "default"
    if len(namespace) > 63 or not is_object_name(namespace):
        raise _Malformed("metadata.namespace", f"{shown(namespace)} is no name of a namespace")
    return Key(kind, namespace, name)


# --- Service


def _service(key: Key, document: Mapping[str, Any], in_cluster: bool) -> tuple[Service, tuple[Problem, ...]]:
    metadata, spec = _mapping(document, "metadata"), _mapping(document, "spec", "spec")
    wishes = read_wishes(
        dict(_pairs(metadata, "annotations", "metadata.annotations")),
        _text(spec, "loadBalancerIP", "spec.loadBalancerIP").strip(),
    )
    kind = _one_of(ServiceType, spec, "type", ServiceType.CLUSTER_IP)
    policy = _one_of(FamilyPolicy, spec, "ipFamilyPolicy", FamilyPolicy.SINGLE)
    cluster_addresses, is_headless = _cluster_addresses(spec)
    families = _families(spec, policy, wishes, cluster_addresses, in_cluster=in_cluster)
    fault = wishes.fault
    if kind is ServiceType.LOAD_BALANCER and is_headless:
        fault = Refusal(Reason.NO_CLUSTER_ADDRESS, "clusterIP: None and type: LoadBalancer exclude each other")
    service = Service(
        ref=ServiceRef(key.namespace, key.name),
        uid=_text(metadata, "uid", "metadata.uid"),
        type=kind,
        families=families,
        family_policy=policy,
        ports=tuple(_ports(spec)),
        labels=_pairs(metadata, "labels", "metadata.labels"),
        selector=_pairs(spec, "selector", "spec.selector"),
        load_balancer_class=_text(spec, "loadBalancerClass", "spec.loadBalancerClass"),
        is_local=_one_of(_TrafficPolicy, spec, "externalTrafficPolicy", _TrafficPolicy.CLUSTER) is _TrafficPolicy.LOCAL,
        pool=wishes.pool,
        requested=wishes.requested,
        sharing_key=wishes.sharing_key,
        status=_status(document),
        hostnames=wishes.hostnames,
        ttl=wishes.ttl,
        publish=wishes.publish,
        wildcard=wishes.wildcard,
        external_name=_text(spec, "externalName", "spec.externalName").strip().lower(),
        is_headless=is_headless,
        fault=fault,
    )
    return service, wishes.warnings


def _cluster_addresses(spec: Mapping[str, Any]) -> tuple[list[Address], bool]:
    """``clusterIPs`` (or the older ``clusterIP``), and whether it is ``None``, which means headless."""
    path = "spec.clusterIPs" if _list(spec, "clusterIPs", "spec.clusterIPs") else "spec.clusterIP"
    texts = _list(spec, "clusterIPs", "spec.clusterIPs") or [spec.get("clusterIP")]
    if "None" in texts:
        return [], True
    found = []
    for text in texts[:2]:
        if text is None or text == "":
            continue
        try:
            found.append(parse_address(str(text)))
        except ValueError:
            raise _Malformed(path, f"{shown(str(text))} is no IP address") from None
    return found, False


def _families(
    spec: Mapping[str, Any], policy: FamilyPolicy, wishes: Wishes, addresses: list[Address], *, in_cluster: bool
) -> tuple[int, ...]:
    """Families come from the cluster addresses, never from ``ipFamilies`` where there are any (MetalLB)."""
    if addresses:
        return tuple(dict.fromkeys(address.version for address in addresses))
    if in_cluster:
        return ()
    written = []
    for number, word in enumerate(_list(spec, "ipFamilies", "spec.ipFamilies")[:3]):
        if word not in ("IPv4", "IPv6"):  # a tuple: what stands there may be unhashable
            raise _Malformed(f"spec.ipFamilies[{number}]", f"{shown(str(word))} is neither IPv4 nor IPv6")
        written.append(4 if word == "IPv4" else 6)
    asked = [address.version for address in wishes.requested]
    families = tuple(dict.fromkeys(written or asked or [4]))
    wants_both = policy is FamilyPolicy.REQUIRE_DUAL or (policy is FamilyPolicy.PREFER_DUAL and not asked)
    return (*families, 10 - families[0]) if wants_both and len(families) == 1 else families


def _ports(spec: Mapping[str, Any]) -> Iterator[Port]:
    for number, port in enumerate(_list(spec, "ports", "spec.ports")):
        path = f"spec.ports[{number}]"
        if not isinstance(port, dict):
            raise _Malformed(path, "a mapping with port and protocol was expected")
        protocol = _text(port, "protocol", f"{path}.protocol") or "TCP"
        if protocol not in {"TCP", "UDP", "SCTP"}:
            raise _Malformed(f"{path}.protocol", f"{shown(protocol)} is none of TCP, UDP, SCTP")
        yield Port(
            port=_number(port, "port", f"{path}.port", 1, 65535),
            protocol=protocol,
            name=_text(port, "name", f"{path}.name"),
            target=_text(port, "targetPort", f"{path}.targetPort"),
            node_port=_number(port, "nodePort", f"{path}.nodePort", 0, 65535, 0),
        )


def _status(document: Mapping[str, Any]) -> tuple[Address, ...]:
    """The addresses in the status; it is not the user's to write, so what is no address there is passed over."""
    balancer = document.get("status")
    for key in ("loadBalancer", "ingress"):
        balancer = balancer.get(key) if isinstance(balancer, dict) else None
    found: dict[Address, None] = {}
    for entry in balancer[:MAX_INGRESS] if isinstance(balancer, list) else ():
        text = entry.get("ip") if isinstance(entry, dict) else None
        try:
            found[parse_address(text if isinstance(text, str) else "")] = None
        except ValueError:
            continue
    return tuple(found)


# --- EndpointSlice


def _slice(key: Key, document: Mapping[str, Any], _: bool) -> tuple[Slice, tuple[Problem, ...]]:
    labels = dict(_pairs(_mapping(document, "metadata"), "labels", "metadata.labels"))
    name = labels.get(SERVICE_NAME, "")
    if not name:
        raise _Malformed("metadata.labels", f"the label {SERVICE_NAME} is missing: whose endpoints are these?")
    endpoints = tuple(_endpoints(document))
    return Slice(ServiceRef(key.namespace, name), endpoints, _port_names(document)), ()


def _port_names(document: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The names of its ports; empty when no pod has the ports that the Service's targetPorts name."""
    if document.get("ports") is None:
        return None
    ports = [port for port in _list(document, "ports", "ports") if isinstance(port, dict)]
    return tuple(sorted({_text(port, "name", "ports.name") for port in ports}))


def _endpoints(document: Mapping[str, Any]) -> Iterator[Endpoint]:
    for number, entry in enumerate(_list(document, "endpoints", "endpoints")[:MAX_ENDPOINTS]):
        path = f"endpoints[{number}]"
        if not isinstance(entry, dict):
            raise _Malformed(path, "a mapping with addresses was expected")
        addresses = _list(entry, "addresses", f"{path}.addresses")
        topology = dict(_pairs(entry, "deprecatedTopology", path) or _pairs(entry, "topology", path))
        yield Endpoint(
            # Addresses of one entry are fungible, and consumers take the first (discovery.k8s.io/v1).
            address=str(addresses[0]) if addresses else "",
            node=_text(entry, "nodeName", f"{path}.nodeName") or topology.get("kubernetes.io/hostname", ""),
            is_ready=_is_usable(_mapping(entry, "conditions", f"{path}.conditions")),
            hostname=_text(entry, "hostname", f"{path}.hostname"),
        )


def _is_usable(conditions: Mapping[str, Any]) -> bool:
    """Usable: ready is true or missing, or serving is true (MetalLB internal/k8s/epslices)."""
    ready, serving = conditions.get("ready"), conditions.get("serving")
    return ready is None or str(ready).lower() == "true" or str(serving).lower() == "true"


# --- Node, Namespace

REMOVAL_TAINT = "ToBeDeletedByClusterAutoscaler"
"""What kube-proxy and the cloud controllers take for a node that drains (KEP-3836), too."""


def _node(key: Key, document: Mapping[str, Any], _: bool) -> tuple[Node, tuple[Problem, ...]]:
    spec, status = _mapping(document, "spec", "spec"), _mapping(document, "status", "status")
    conditions = _list(status, "conditions", "status.conditions")
    node = Node(
        name=key.name,
        labels=_pairs(_mapping(document, "metadata"), "labels", "metadata.labels"),
        addresses=tuple(_node_addresses(status)),
        network_unavailable="True" in _statuses(conditions, "NetworkUnavailable"),
        is_unready=any(status != "True" for status in _statuses(conditions, "Ready")),
        is_cordoned=spec.get("unschedulable") is True,
        is_being_removed=any(
            isinstance(each, dict) and each.get("key") == REMOVAL_TAINT for each in _list(spec, "taints", "spec.taints")
        ),
    )
    return node, ()


def _statuses(conditions: list[Any], kind: str) -> list[str]:
    """What the conditions of one type say: True, False or Unknown."""
    return [str(each.get("status")) for each in conditions if isinstance(each, dict) and each.get("type") == kind]


def _node_addresses(status: Mapping[str, Any]) -> Iterator[Address]:
    """Internal addresses first, then external ones; host names are no addresses."""
    entries = [each for each in _list(status, "addresses", "status.addresses") if isinstance(each, dict)]
    for kind in ("InternalIP", "ExternalIP"):
        for entry in entries:
            if entry.get("type") == kind:
                try:
                    yield parse_address(str(entry.get("address")))
                except ValueError:
                    continue


def _namespace(key: Key, document: Mapping[str, Any], _: bool) -> tuple[Namespace, tuple[Problem, ...]]:
    return Namespace(key.name, _pairs(_mapping(document, "metadata"), "labels", "metadata.labels")), ()


_Reader = Callable[[Key, Mapping[str, Any], bool], tuple[Value, tuple[Problem, ...]]]

_READERS: dict[tuple[str, str], _Reader] = {
    ("v1", "Service"): _service,
    ("v1", "Node"): _node,
    ("v1", "Namespace"): _namespace,
    ("discovery.k8s.io/v1", "EndpointSlice"): _slice,
    ("discovery.k8s.io/v1beta1", "EndpointSlice"): _slice,
}


# --- Fields of objects of unknown shape


def _mapping(parent: Mapping[str, Any], key: str, path: str = "") -> Mapping[str, Any]:
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _Malformed(path or key, "a mapping was expected")
    return value


def _list(parent: Mapping[str, Any], key: str, path: str) -> list[Any]:
    value = parent.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _Malformed(path, "a list was expected")
    return value


def _text(parent: Mapping[str, Any], key: str, path: str) -> str:
    value = parent.get(key)
    return value if isinstance(value, str) else _written(value, path)


def _written(value: Any, path: str) -> str:
    """A number or a boolean as its text: whoever writes ``version: 2`` as a label means ``"2"``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    raise _Malformed(path, "text was expected")


def _pairs(parent: Mapping[str, Any], key: str, path: str) -> Labels:
    value = _mapping(parent, key, path)
    return (
        labels_of(
            {
                str(name): text if isinstance(text, str) else _written(text, f'{path}["{name}"]')
                for name, text in value.items()
            }
        )
        if value
        else ()
    )


def _number(parent: Mapping[str, Any], key: str, path: str, low: int, high: int, default: int | None = None) -> int:
    value = parent.get(key, default)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 5:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _Malformed(path, f"a number from {low} to {high} was expected" if key in parent else "is missing")
    return value


def _one_of(words: type[_Word], spec: Mapping[str, Any], key: str, default: _Word) -> _Word:
    text = _text(spec, key, f"spec.{key}")
    try:
        return words(text) if text else default
    except ValueError:
        raise _Malformed(f"spec.{key}", f"{shown(text)} is none of {', '.join(words)}") from None
