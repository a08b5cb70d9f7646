"""How the network is told of a pool's addresses, as the configuration says it."""

from dataclasses import dataclass
from enum import StrEnum

from suite.model.selector import Selector


class Protocol(StrEnum):
    """The two ways to announce an address."""

    LAYER2 = "layer2"
    BGP = "bgp"


@dataclass(frozen=True, slots=True)
class Community:
    """A BGP community: two 16-bit numbers (RFC 1997), or three 32-bit ones (RFC 8092, written ``large:a:b:c``)."""

    parts: tuple[int, ...]

    def __post_init__(self) -> None:
        limit = {2: 0xFFFF, 3: 0xFFFFFFFF}.get(len(self.parts))
        if limit is None or not all(0 <= part <= limit for part in self.parts):
            raise ValueError(f"{self.parts}: a community is a:b of 16 bits each, or large:a:b:c of 32 bits each")

    @property
    def is_large(self) -> bool:
        """Whether it is a large community (RFC 8092)."""
        return len(self.parts) == 3

    def __str__(self) -> str:
        return ("large:" if self.is_large else "") + ":".join(map(str, self.parts))


@dataclass(frozen=True, slots=True)
class PreferredNodes:
    """A soft preference: nodes that ``selector`` matches get ``weight`` (1 to 100); weights add up."""

    weight: int
    selector: Selector


@dataclass(frozen=True, slots=True)
class L2Advertisement:
    """Announce by ARP and NDP; empty selections select everything."""

    name: str = ""
    pools: tuple[str, ...] = ()
    pool_selectors: tuple[Selector, ...] = ()
    node_selectors: tuple[Selector, ...] = ()
    service_selectors: tuple[Selector, ...] = ()
    interfaces: tuple[str, ...] = ()
    preferred: tuple[PreferredNodes, ...] = ()


@dataclass(frozen=True, slots=True)
class BgpAdvertisement:
    """Announce by BGP; empty selections select everything."""

    name: str = ""
    pools: tuple[str, ...] = ()
    pool_selectors: tuple[Selector, ...] = ()
    node_selectors: tuple[Selector, ...] = ()
    service_selectors: tuple[Selector, ...] = ()
    peers: tuple[str, ...] = ()
    aggregation_length: int = 32
    aggregation_length_v6: int = 128
    local_pref: int = 0
    communities: tuple[Community, ...] = ()
