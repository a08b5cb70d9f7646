"""Nodes and namespaces, as far as selectors and elections look at them."""

from dataclasses import dataclass

from suite.model.address import Address
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

    is_occupied: bool = False
    """A speaker of another load balancer, for which ours stand by, runs on it."""

    @property
    def is_excluded(self) -> bool:
        """Whether the label that excludes it from external load balancers is present (with any value)."""
        return any(key == EXCLUDE_LABEL for key, _ in self.labels)


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace and its labels, for ``namespaceSelectors``."""

    name: str
    labels: Labels = ()
