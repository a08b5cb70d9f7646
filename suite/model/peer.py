"""BGP neighbours and BFD profiles, as the configuration says them (MetalLB's fields, durations in seconds)."""

from dataclasses import dataclass

from suite.model.address import Address
from suite.model.selector import Selector

RESTART_TIME = 120
"""Seconds that routers keep our routes while the suite restarts (RFC 4724 section 3; FRR's and MetalLB's figure)."""


@dataclass(frozen=True, slots=True)
class BfdProfile:
    """Timers of a BFD session (RFC 5880); None leaves a value to the default, intervals in milliseconds."""

    name: str
    receive_interval: int | None = None
    transmit_interval: int | None = None
    detect_multiplier: int | None = None
    echo_interval: int | None = None
    echo_mode: bool = False
    passive_mode: bool = False
    minimum_ttl: int | None = None


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A password that stands elsewhere: a Kubernetes Secret (``namespace/name``) or a file."""

    name: str
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Peer:
    """A BGP neighbour; times in seconds, None where the configuration does not say."""

    name: str
    my_asn: int
    asn: int = 0
    dynamic_asn: str = ""
    """``internal`` or ``external`` instead of a number."""
    local_asn: int = 0
    address: Address | None = None
    interface: str = ""
    source_address: Address | None = None
    port: int = 179
    hold_time: float | None = None
    keepalive_time: float | None = None
    connect_time: float | None = None
    router_id: str = ""
    node_selectors: tuple[Selector, ...] = ()
    password: str = ""
    password_secret: SecretRef | None = None
    bfd_profile: str = ""
    graceful_restart: bool = False
    graceful_restart_time: int = RESTART_TIME
    """How long the peer may keep our routes then, in seconds: 1 to 4095, the 12 bits of RFC 4724 section 3."""
    ebgp_multihop: bool = False
    ttl_security: int = 0
    """How many hops away the peer may be at most (RFC 5082); 0 for no such check."""
    vrf: str = ""
    dual_stack_address_family: bool = False
    disable_mp: bool = False
    passive: bool = False

    def __repr__(self) -> str:
        """Without the password: a repr may reach a log."""
        return f"Peer({self.name!r}, {self.address or self.interface}, asn={self.asn or self.dynamic_asn})"
