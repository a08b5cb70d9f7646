"""Pools: where addresses come from, and for whom."""

from dataclasses import dataclass

from suite.model.address import Address, Range, is_buggy
from suite.model.selector import Labels, Selector


@dataclass(frozen=True, slots=True)
class ServiceAllocation:
    """For whom a pool is kept; with only a priority it accepts every Service, and still makes the pool pinned."""

    priority: int = 0
    namespaces: tuple[str, ...] = ()
    namespace_selectors: tuple[Selector, ...] = ()
    service_selectors: tuple[Selector, ...] = ()

    @property
    def rank(self) -> float:
        """Sort key: a lower number goes first, 0 (not set) last."""
        return self.priority or float("inf")

    def accepts(self, namespace: str, namespace_labels: Labels, service_labels: Labels) -> bool:
        """Whether a Service may use the pool: (namespace named or selected) and (Service selected)."""
        named = not self.namespaces and not self.namespace_selectors
        named = named or namespace in self.namespaces
        named = named or any(selector.matches(namespace_labels) for selector in self.namespace_selectors)
        return named and (
            not self.service_selectors or any(selector.matches(service_labels) for selector in self.service_selectors)
        )


@dataclass(frozen=True, slots=True)
class Pool:
    """Addresses that Services may lease; ranges are tried in the order written, lowest address first."""

    name: str
    ranges: tuple[Range, ...]
    auto_assign: bool = True
    avoid_buggy: bool = False
    allocation: ServiceAllocation | None = None
    excluded: tuple[Range, ...] = ()
    """Addresses inside ``ranges`` that nobody gets."""
    draining: bool = False
    """No new leases; those that exist stay."""
    zone: str = ""
    """The DNS zone of the pool's Services where it is not the default one."""
    labels: Labels = ()
    """Labels of the IPAddressPool, for ``ipAddressPoolSelectors``."""

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a pool needs a name")

    def __contains__(self, address: Address) -> bool:
        """Whether the pool would lease this address to somebody."""
        return (
            any(address in span for span in self.ranges)
            and not any(address in span for span in self.excluded)
            and not (self.avoid_buggy and is_buggy(address))
        )

    @property
    def pinned(self) -> bool:
        """Kept for the Services its allocation accepts, and never used for others."""
        return self.allocation is not None

    def accepts(self, namespace: str, namespace_labels: Labels, service_labels: Labels) -> bool:
        """Whether a Service of this namespace and with these labels may use the pool."""
        return self.allocation is None or self.allocation.accepts(namespace, namespace_labels, service_labels)

    def families(self) -> frozenset[int]:
        """The families (4, 6) it has addresses of."""
        return frozenset(span.family for span in self.ranges)
