"""Host names of Ingresses and of the Gateway API's routes: which Service they lead to.  Pure, and total.

Whoever asks for a host name is an :class:`Asker`; the name leads to the load balancer that serves it.  Which Service that is
says, in this order, the annotation ``suite/service: NAMESPACE/NAME`` at the Ingress or Gateway, or the address in its status,
which the Ingress' or Gateway's own controller writes: the Service that has it.  A name whose load balancer is no Service of
the cluster (a host's own port, say) is not published: nothing here could know when its address is somebody else's.

    Ingress                          spec.rules[].host                 status.loadBalancer.ingress[].ip
    HTTPRoute, GRPCRoute, TLSRoute   spec.hostnames, of accepted routes   status.addresses of the Gateways it hangs on;
                                                                       without hostnames those of their listeners
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from suite.cluster.annotations import OURS, is_hostname
from suite.model.address import Address, parse_address
from suite.model.service import RoutedName, ServiceRef, parse_ref

SERVICE = OURS + "service"
"""The annotation that names the Service behind an Ingress or Gateway."""
MAX_NAMES = 256
"""Host names of one object that are looked at; the API allows 16 in a route."""
MAX_ADDRESSES = 16
GATEWAY_API = "gateway.networking.k8s.io"
ROUTES = ("HTTPRoute", "GRPCRoute", "TLSRoute")


@dataclass(frozen=True, slots=True)
class Gateway:
    """A load balancer of the Gateway API, or an Ingress, which is its own."""

    addresses: tuple[Address, ...] = ()
    service: ServiceRef | None = None
    """What its annotation names."""
    listeners: tuple[str, ...] = ()
    """Host names its listeners are for; an empty one listens for every name."""


@dataclass(frozen=True, slots=True)
class Asker:
    """An Ingress or a route."""

    kind: str
    ref: ServiceRef
    hostnames: tuple[str, ...] = ()
    own: Gateway | None = None
    """Of an Ingress."""
    parents: tuple[ServiceRef, ...] = ()
    """The Gateways that accept a route."""


Holder = Callable[[Address], ServiceRef | None]
"""The Service whose status has an address."""


def leading(
    askers: Iterable[Asker], gateways: Mapping[ServiceRef, Gateway], holder: Holder
) -> dict[ServiceRef, tuple[RoutedName, ...]]:
    """The host names that lead to each Service; sorted, so that the same objects in any order make the same."""
    found: dict[ServiceRef, set[RoutedName]] = {}
    for asker in askers:
        parents = [gateways[parent] for parent in asker.parents if parent in gateways]
        for gateway in [asker.own] if asker.own is not None else parents:
            for ref in _behind(gateway, holder):
                found.setdefault(ref, set()).update(_names(asker, gateway))
    return {ref: tuple(sorted(names)) for ref, names in found.items() if names}


def _behind(gateway: Gateway, holder: Holder) -> set[ServiceRef]:
    if gateway.service is not None:
        return {gateway.service}
    return {ref for address in gateway.addresses if (ref := holder(address)) is not None}


def _names(asker: Asker, gateway: Gateway) -> Iterator[RoutedName]:
    """What the asker asks for, as far as the gateway listens for it."""
    for name in asker.hostnames or gateway.listeners:
        for listener in gateway.listeners or ("",):
            if common := _common(name, listener):
                yield RoutedName(common, asker.kind, *asker.ref)


def _common(name: str, listener: str) -> str:
    """The names that a route and a listener have in common (the narrower of the two); empty for none.

    ``*.a`` stands for any number of labels before ``a``, on either side.
    """
    if not listener or name == listener:
        return name
    if listener.startswith("*.") and name.removeprefix("*").endswith(listener[1:]):
        return name
    return listener if name.startswith("*.") and listener.endswith(name[1:]) else ""


# --- Objects of unknown shape


def read_ingress(document: Mapping[str, Any]) -> Asker:
    """An Ingress of ``networking.k8s.io/v1``."""
    rules = _list(_map(document.get("spec")).get("rules"))
    entries = _list(_map(_map(document.get("status")).get("loadBalancer")).get("ingress"))
    own = Gateway(_addresses(_map(each).get("ip") for each in entries), _named_service(document))
    return Asker("Ingress", _ref(document), _hostnames(_map(rule).get("host") for rule in rules), own)


def read_gateway(document: Mapping[str, Any]) -> Gateway:
    """A Gateway of ``gateway.networking.k8s.io/v1``."""
    entries = map(_map, _list(_map(document.get("status")).get("addresses")))
    listeners = map(_map, _list(_map(document.get("spec")).get("listeners")))
    return Gateway(
        _addresses(each.get("value") for each in entries if each.get("type", "IPAddress") == "IPAddress"),
        _named_service(document),
        tuple(dict.fromkeys(_host(each.get("hostname")) for each in listeners)),
    )


def read_route(document: Mapping[str, Any]) -> Asker:
    """A route of the Gateway API; only Gateways that accept it count."""
    ref = _ref(document)
    parents = map(_map, _list(_map(document.get("status")).get("parents")))
    accepting = [_map(each.get("parentRef")) for each in parents if _is_accepted(each)]
    gateways = (
        ServiceRef(str(each.get("namespace") or ref.namespace), str(each.get("name")))
        for each in accepting
        if each.get("kind", "Gateway") == "Gateway" and each.get("group", GATEWAY_API) == GATEWAY_API
    )
    hostnames = _hostnames(_list(_map(document.get("spec")).get("hostnames")))
    return Asker(str(document.get("kind")), ref, hostnames, None, tuple(dict.fromkeys(gateways)))


def _is_accepted(parent: Mapping[str, Any]) -> bool:
    conditions = map(_map, _list(parent.get("conditions")))
    return any(each.get("type") == "Accepted" and each.get("status") == "True" for each in conditions)


def _ref(document: Mapping[str, Any]) -> ServiceRef:
    metadata = _map(document.get("metadata"))
    return ServiceRef(str(metadata.get("namespace") or "default"), str(metadata.get("name")))


def _named_service(document: Mapping[str, Any]) -> ServiceRef | None:
    text = _map(_map(document.get("metadata")).get("annotations")).get(SERVICE)
    try:
        return parse_ref(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _hostnames(texts: Iterable[Any]) -> tuple[str, ...]:
    names = dict.fromkeys(_host(text) for text in texts)
    return tuple(name for name in names if name)[:MAX_NAMES]


def _host(text: Any) -> str:
    name = text.strip().lower().rstrip(".") if isinstance(text, str) else ""
    return name if name and is_hostname(name) else ""


def _addresses(texts: Iterable[Any]) -> tuple[Address, ...]:
    found: dict[Address, None] = {}
    for text in texts:
        try:
            found[parse_address(str(text))] = None
        except ValueError:
            continue
    return tuple(found)[:MAX_ADDRESSES]


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
