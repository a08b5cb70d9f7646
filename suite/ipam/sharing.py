"""Who may have the same address at once.

MetalLB's rule: both Services carry the same non-empty sharing key, the same pods stand behind both (any, with policy
Cluster; the same selector, with Local), and no protocol and port is asked for twice.  The first two make the *share
group*, one text, so that the database can decide a race by comparing it.
"""

from collections.abc import Iterable

from suite.model.lease import Lease
from suite.model.refusal import Reason, Refusal
from suite.model.service import Port, Service


def share_group(service: Service) -> str:
    """The group whose members may have one address together; a Service that shares with nobody is its own."""
    if service.sharing_key:
        return f"key:{service.sharing_key}|{service.backend_key}"
    return str(service.ref)


def clashing_ports(ours: Iterable[Port], theirs: Iterable[Port]) -> list[str]:
    """Ports (``80/tcp``) that both ask for."""
    taken = {(port.protocol, port.port) for port in theirs}
    return [str(port) for port in ours if (port.protocol, port.port) in taken]


def objection(service: Service, other: Lease) -> Refusal | None:
    """Why ``service`` may not have the address that ``other`` is a lease of; None when it may."""
    if other.ref == service.ref:
        return None
    holder = f"{other.address} belongs to {other.ref}"
    if other.share_group != share_group(service):
        if not service.sharing_key or not other.share_group.startswith("key:"):
            return Refusal(Reason.ADDRESS_IN_USE, f"{holder}, and not both carry a sharing key")
        if other.share_group.startswith(f"key:{service.sharing_key}|"):
            return Refusal(Reason.BACKEND_DIFFERS, f"{holder}, behind which stand other pods (externalTrafficPolicy)")
        return Refusal(Reason.SHARING_KEY_DIFFERS, f"{holder}, whose sharing key differs from {service.sharing_key!r}")
    clash = clashing_ports(service.ports, other.ports)
    if clash:
        return Refusal(Reason.PORT_CLASH, f"{holder}, which has port {', '.join(clash)} too")
    return None
