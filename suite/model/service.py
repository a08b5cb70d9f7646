"""Services and their endpoints, trimmed to what is used."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from suite.model.address import Address
from suite.model.refusal import Refusal
from suite.model.selector import Labels


class ServiceRef(NamedTuple):
    """The name of a Service; it outlives the object, so that a Service that comes back is the same one."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.name else ""


NOBODY = ServiceRef("", "")
"""The name on what no Service ever had: a declined lease of an address that was free."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
"""What Kubernetes takes as a name (RFC 1123, lower case)."""


def is_object_name(text: str) -> bool:
    """Whether an object of Kubernetes may be called so (RFC 1123 subdomain: letters a-z, digits, dashes and dots)."""
    return _NAME.fullmatch(text) is not None


def parse_ref(text: str) -> ServiceRef:
    """``namespace/name`` as people write it; a bare name means namespace ``default``.

    Raises:
        ValueError: it is no such pair of names.
    """
    namespace, _, name = text.rpartition("/")
    ref = ServiceRef(namespace or "default", name)
    if not all(map(is_object_name, ref)):
        raise ValueError(f"{text!r} is no NAMESPACE/NAME (letters a-z, digits, dashes and dots)")
    return ref


class ServiceType(StrEnum):
    """``spec.type``."""

    CLUSTER_IP = "ClusterIP"
    NODE_PORT = "NodePort"
    LOAD_BALANCER = "LoadBalancer"
    EXTERNAL_NAME = "ExternalName"


class FamilyPolicy(StrEnum):
    """``spec.ipFamilyPolicy``."""

    SINGLE = "SingleStack"
    PREFER_DUAL = "PreferDualStack"
    REQUIRE_DUAL = "RequireDualStack"


@dataclass(frozen=True, slots=True)
class Port:
    """One port of a Service; ``target`` is ``spec.ports[].targetPort`` as text (a number, a name, or empty)."""

    port: int
    protocol: str = "TCP"
    name: str = ""
    target: str = ""
    node_port: int = 0

    def __str__(self) -> str:
        return f"{self.port}/{self.protocol.lower()}"


class NamedPort(NamedTuple):
    """What names say of a port."""

    name: str
    protocol: str
    number: int


class RoutedName(NamedTuple):
    """A host name that an Ingress or a route of a Gateway asks for, and who asks."""

    hostname: str
    """Without a dot at the end."""
    kind: str
    namespace: str
    name: str

    @property
    def text(self) -> str:
        """The name as people write a wish: absolute, but for a single label, which lies in the zone."""
        return f"{self.hostname}." if "." in self.hostname else self.hostname


@dataclass(frozen=True, slots=True)
class Service:
    """A Service as its source describes it, wishes included."""

    ref: ServiceRef
    uid: str = ""
    type: ServiceType = ServiceType.CLUSTER_IP
    families: tuple[int, ...] = (4,)
    """The families it needs, the primary first; derived from its cluster addresses where it has any."""
    family_policy: FamilyPolicy = FamilyPolicy.SINGLE
    ports: tuple[Port, ...] = ()
    labels: Labels = ()
    selector: Labels = ()
    load_balancer_class: str = ""
    is_local: bool = False
    """externalTrafficPolicy: Local."""
    pool: str = ""
    """The pool its annotation names."""
    requested: tuple[Address, ...] = ()
    """The addresses it asks for."""
    sharing_key: str = ""
    status: tuple[Address, ...] = ()
    """What its status says it has; only believed when the database knows nothing of it."""
    hostnames: tuple[str, ...] = ()
    """Names it asks for beside its own; without a dot at the end they lie in the zone."""
    routed: tuple[RoutedName, ...] = ()
    """Host names of Ingresses and Gateways that it serves; their namespaces decide what they may ask for."""
    claimed: tuple[tuple[str, int], ...] = field(default=(), compare=False)
    """Since which revision it asks for each of these names, which decides among equal claims; the controller writes it."""
    ttl: int | None = None
    publish: bool | None = None
    """Whether it is published in DNS; None for the rule of its type."""
    wildcard: bool = False
    """Whether every name below its own leads to it too."""
    external_name: str = ""
    is_headless: bool = False
    fault: Refusal | None = None
    """Why its wishes cannot be understood (an annotation that is no address, say)."""

    @property
    def wished_names(self) -> tuple[str, ...]:
        """Every name it asks for beside its own, and those asked for it, each once."""
        return tuple(dict.fromkeys((*self.hostnames, *(each.text for each in self.routed))))

    def asks_since(self, hostname: str) -> int:
        """The revision since which it asks for one of ``wished_names``; 0 when nobody counted yet."""
        return next((revision for text, revision in self.claimed if text == hostname), 0)

    @property
    def wants_address(self) -> bool:
        """Whether it is of type LoadBalancer."""
        return self.type is ServiceType.LOAD_BALANCER

    @property
    def plain_ports(self) -> tuple[NamedPort, ...] | None:
        """The named ports of one of type LoadBalancer that says nothing else about names; None for any other.

        Of a large cluster nearly all Services are so.
        """
        says = self.publish is not None or self.ttl is not None or self.wildcard or self.hostnames or self.routed
        if says or not self.wants_address:
            return None
        return tuple(NamedPort(port.name, port.protocol, port.port) for port in self.ports if port.name)

    @property
    def backend_key(self) -> str:
        """Who answers behind the address: everybody ("") with policy Cluster, its pods (selector as text) with Local."""
        return ",".join(f"{key}={value}" for key, value in self.selector) if self.is_local else ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address that serves a Service; ``node`` is empty where its slice names none."""

    address: str
    node: str = ""
    is_ready: bool = True
    """ready is true or missing, or serving is true."""
    hostname: str = ""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The union of a Service's EndpointSlices; a Service without any slice has no ``Endpoints`` and counts as reachable."""

    ref: ServiceRef
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[str, ...] | None = None
    """Names of the Service's ports that some pod serves; None where its slices do not say."""

    def unserved(self, ports: tuple[Port, ...]) -> tuple[Port, ...]:
        """Which of the Service's ``ports`` lead nowhere: no pod has a port of the name their targetPort gives."""
        return () if self.ports is None else tuple(port for port in ports if port.name not in self.ports)

    def ready_nodes(self) -> frozenset[str]:
        """Nodes with at least one ready endpoint."""
        return frozenset(endpoint.node for endpoint in self.endpoints if endpoint.is_ready)

    @property
    def is_ready(self) -> bool:
        """Whether anybody serves the Service."""
        return any(endpoint.is_ready for endpoint in self.endpoints)
