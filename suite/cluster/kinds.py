"""The collections of a cluster that are followed: always, when the configuration says so, or where they are installed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from suite.cluster.connection import ApiError, Connection
from suite.cluster.hostnames import GATEWAY_API
from suite.cluster.reflector import Collection
from suite.config.document import Document
from suite.config.loading import referenced_secrets
from suite.model.configuration import KubernetesSettings

SERVICES = Collection("Service", "/api/v1/services")
SLICES = Collection("EndpointSlice", "/apis/discovery.k8s.io/v1/endpointslices", "discovery.k8s.io/v1")
NODES = Collection("Node", "/api/v1/nodes")
NAMESPACES = Collection("Namespace", "/api/v1/namespaces")
INGRESSES = Collection("Ingress", "/apis/networking.k8s.io/v1/ingresses", "networking.k8s.io/v1")


@dataclass(frozen=True, slots=True)
class Family:
    """Custom resources that belong together, and may not be installed."""

    group: str
    versions: tuple[str, ...]
    """In order of preference; each kind is read in the first that serves it."""
    kinds: Mapping[str, str]
    """Plural to kind."""
    namespace: str = ""
    """Empty for all."""


def always(settings: KubernetesSettings) -> tuple[Collection, ...]:
    """What is followed in every cluster under these settings."""
    namespace = f"/api/v1/namespaces/{settings.namespace}"
    config_map = Collection("ConfigMap", f"{namespace}/configmaps", name=settings.config_map)
    found = [SERVICES, SLICES, NODES, NAMESPACES, config_map]
    if settings.stand_by_for == "metallb":
        found.append(Collection("Pod", f"{namespace}/pods"))
    if "ingress" in settings.hostnames:
        found.append(INGRESSES)
    return tuple(found)


def secrets(settings: KubernetesSettings, documents: Iterable[Document]) -> tuple[Collection, ...]:
    """The Secrets that these documents name, each by itself: no other one is ever asked for."""
    if not settings.secrets:
        return ()
    path = f"/api/v1/namespaces/{settings.namespace}/secrets"
    references = referenced_secrets(documents)
    names = sorted(each.name for each in references if each.namespace == settings.namespace)
    return tuple(Collection("Secret", path, name=name) for name in names)


def optional(settings: KubernetesSettings) -> tuple[Family, ...]:
    """What is followed where it is installed."""
    metallb = Family("metallb.io", ("v1beta2", "v1beta1"), METALLB, settings.namespace)
    gateway = Family(GATEWAY_API, ("v1", "v1beta1", "v1alpha3", "v1alpha2"), GATEWAY)
    return (metallb, gateway) if "gateway" in settings.hostnames else (metallb,)


METALLB = {
    "ipaddresspools": "IPAddressPool",
    "l2advertisements": "L2Advertisement",
    "bgpadvertisements": "BGPAdvertisement",
    "bgppeers": "BGPPeer",
    "bfdprofiles": "BFDProfile",
    "communities": "Community",
}
GATEWAY = {"gateways": "Gateway", "httproutes": "HTTPRoute", "grpcroutes": "GRPCRoute", "tlsroutes": "TLSRoute"}


async def served(connection: Connection, family: Family) -> list[Collection]:
    """The kinds of a family that the server has, each once.

    Raises:
        ApiError, Lost: the server cannot say.
    """
    found: dict[str, Collection] = {}
    for version in family.versions:
        root = f"/apis/{family.group}/{version}"
        try:
            listing = await connection.get(root)
        except ApiError as error:
            if error.status != 404:
                raise
            continue
        for plural in _plurals(listing, family):
            kind = family.kinds[plural]
            place = f"{root}/namespaces/{family.namespace}" if family.namespace else root
            found.setdefault(kind, Collection(kind, f"{place}/{plural}", f"{family.group}/{version}"))
    return list(found.values())


def _plurals(listing: Mapping[str, Any], family: Family) -> Iterator[str]:
    return (each["name"] for each in listing.get("resources") or () if each.get("name") in family.kinds)
