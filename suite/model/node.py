"""Nodes and namespaces, as far as selectors and elections look at them."""

from collections.abc import Iterable
from dataclasses import dataclass

from suite.model.address import Address
from suite.model.refusal import Reason, Refusal
from suite.model.selector import Labels

EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"


@dataclass(frozen=True, slots=True)
class Node:
    """A machine that may announce addresses."""

    name: str
    labels: Labels = ()
    addresses: tuple[Address, ...] = ()
    network_unavailable: bool = False
    """Its condition NetworkUnavailable is True."""

    is_cordoned: bool = False
    """Its ``spec.unschedulable`` is set, as ``kubectl cordon`` and ``kubectl drain`` do."""

    is_being_removed: bool = False
    """A taint says that the machine goes away, as the cluster's autoscaler sets it before it drains a node."""

    is_occupied: bool = False
    """A speaker of another load balancer, for which ours stand by, runs on it."""

    is_unready: bool = False
    """Its condition Ready is there and not True; only names of NodePort Services ask for it."""

    @property
    def is_excluded(self) -> bool:
        """Whether the label that excludes it from external load balancers is present (with any value)."""
        return any(key == EXCLUDE_LABEL for key, _ in self.labels)


def standing_by(nodes: Iterable[Node]) -> Refusal | None:
    """Why nobody announces anything: another load balancer's speakers still do; None where there are none."""
    occupied = sorted(node.name for node in nodes if node.is_occupied)
    if not occupied:
        return None
    others = f" and {len(occupied) - 3} more" if len(occupied) > 3 else ""
    where = ", ".join(occupied[:3]) + others
    return Refusal(
        Reason.STANDING_BY, f"MetalLB's speakers announce it, on {where}; ours stand by until the last is gone"
    )


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace and its labels, for ``namespaceSelectors``."""

    name: str
    labels: Labels = ()
