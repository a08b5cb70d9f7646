"""What a session is configured to be, the OPEN that says so, and what both OPENs agree on.

`negotiate` refuses a peer with the NOTIFICATION of RFC 4271 section 6.2; everything else it finds out is a value.
"""

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address

from suite.bgp.capability import (
    Capability,
    EnhancedRouteRefresh,
    ExtendedNextHop,
    FourOctetAs,
    GracefulRestart,
    Multiprotocol,
    RouteRefresh,
    encode_capability,
)
from suite.bgp.notification import Code, OpenError, fault
from suite.bgp.open import Open
from suite.bgp.prefix import IPV4, IPV6, Family
from suite.bgp.update import Dialect

AFI_IPV6 = 2


class PeerKind(Enum):
    """A peer whose AS number is learnt from its OPEN, held only to being ours or not."""

    INTERNAL = "internal"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Everything a session needs to know; times are seconds. ValueError if the values contradict each other.

    `hold_time` is 0 (never give up) or at least 3; `keepalive_time` None means a third of the agreed hold time.
    `passive` waits for the peer to connect. `graceful_restart` is the restart time told to the peer, 0 for none,
    and `restarting` says that the process came back within it (RFC 4724). `next_hop_v4` and `next_hop_v6` replace
    the address of the connection as next hop. `extended_next_hop` offers IPv6 next hops for IPv4 prefixes
    (RFC 8950). `idle_hold_time` is the first pause after a failure; it doubles up to `idle_hold_max`,
    and up to `connect_retry_time` only while the peer takes no connection.
    """

    local_as: int
    peer_as: int | PeerKind
    identifier: IPv4Address
    families: frozenset[Family] = frozenset({IPV4})
    hold_time: int = 90
    keepalive_time: float | None = None
    connect_retry_time: float = 10.0
    delay_open_time: float = 0.0
    idle_hold_time: float = 1.0
    idle_hold_max: float = 60.0
    passive: bool = False
    graceful_restart: int = 0
    restarting: bool = False
    next_hop_v4: IPv4Address | None = None
    next_hop_v6: IPv6Address | None = None
    extended_next_hop: bool = False

    def __post_init__(self) -> None:
        numbers = [self.local_as] + [self.peer_as] * isinstance(self.peer_as, int)
        if not all(isinstance(number, int) and 0 < number <= 0xFFFFFFFF for number in numbers):
            raise ValueError("AS numbers are 1 to 4294967295")
        if not int(self.identifier):
            raise ValueError("the identifier must not be 0.0.0.0")
        if self.hold_time in {1, 2} or not 0 <= self.hold_time <= 0xFFFF:
            raise ValueError("the hold time is 0, or 3 to 65535 seconds")
        if self.keepalive_time is not None and not 0 < self.keepalive_time <= (self.hold_time or 0xFFFF):
            raise ValueError("the keepalive time is above 0 and at most the hold time")
        if min(self.connect_retry_time, self.idle_hold_time, self.idle_hold_max) <= 0 or self.delay_open_time < 0:
            raise ValueError("times are above 0 seconds")
        if not self.families or not self.families <= {IPV4, IPV6}:
            raise ValueError("families are ipv4, ipv6 or both")
        if not 0 <= self.graceful_restart <= 0xFFF:
            raise ValueError("the restart time is at most 4095 seconds")


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What the two OPENs agree on. `graceful` is the peer's own announcement (RFC 4724), None without it."""

    peer: Open
    dialect: Dialect
    hold_time: int
    keepalive_time: float
    refresh: bool
    enhanced_refresh: bool
    graceful: GracefulRestart | None

    @property
    def families(self) -> frozenset[Family]:
        """The families announced by both sides."""
        return self.dialect.families


def open_message(config: SessionConfig) -> Open:
    """The OPEN this side sends."""
    capabilities: list[Capability] = [Multiprotocol(family) for family in sorted(config.families)]
    capabilities += [RouteRefresh(), EnhancedRouteRefresh(), FourOctetAs(config.local_as)]
    if config.extended_next_hop and IPV4 in config.families:
        capabilities.append(ExtendedNextHop(((IPV4, AFI_IPV6),)))
    if config.graceful_restart:
        # Forwarding is done by the kernel, which does not restart with the speaker: the F bit is always true.
        kept = tuple((family, True) for family in sorted(config.families))
        capabilities.append(GracefulRestart(config.graceful_restart, kept, config.restarting))
    return Open(config.local_as, config.hold_time, config.identifier, tuple(capabilities))


def negotiate(config: SessionConfig, peer: Open) -> Negotiated:
    """What holds for a session with this peer; ProtocolError if its OPEN cannot be accepted."""
    internal = peer.asn == config.local_as
    _check_as(config, peer, internal=internal)
    if internal and peer.identifier == config.identifier:  # RFC 6286 section 2.2
        raise fault(Code.OPEN, OpenError.BAD_IDENTIFIER, f"an internal peer has our identifier {peer.identifier}")
    kinds = {type(capability) for capability in peer.capabilities}
    dialect = Dialect(
        four_octet=FourOctetAs in kinds,
        internal=internal,
        families=_common_families(config, peer),
        extended_next_hop=config.extended_next_hop and _takes_extended_next_hop(peer),
    )
    hold_time = min(config.hold_time, peer.hold_time)
    return Negotiated(
        peer=peer,
        dialect=dialect,
        hold_time=hold_time,
        keepalive_time=min(config.keepalive_time or hold_time, hold_time / 3),
        refresh=RouteRefresh in kinds,
        enhanced_refresh=EnhancedRouteRefresh in kinds,
        graceful=next((c for c in peer.capabilities if isinstance(c, GracefulRestart)), None),
    )


def _check_as(config: SessionConfig, peer: Open, *, internal: bool) -> None:
    """Whether the AS number is the one, or of the kind, that was configured."""
    match config.peer_as:
        case PeerKind.INTERNAL:
            expected = internal
        case PeerKind.EXTERNAL:
            expected = not internal
        case number:
            expected = peer.asn == number
    if not expected:
        wanted = config.peer_as.value if isinstance(config.peer_as, PeerKind) else config.peer_as
        raise fault(Code.OPEN, OpenError.BAD_PEER_AS, f"AS {peer.asn} where {wanted} is configured")


def _common_families(config: SessionConfig, peer: Open) -> frozenset[Family]:
    """The shared families; a peer that announces none speaks IPv4 (RFC 4760 section 8).

    None in common is the one case of section 3 of RFC 5492 where a missing capability ends the session.
    """
    theirs = frozenset(c.family for c in peer.capabilities if isinstance(c, Multiprotocol)) or frozenset({IPV4})
    common = theirs & config.families
    if not common:
        wanted = b"".join(encode_capability(Multiprotocol(family)) for family in sorted(config.families))
        raise fault(Code.OPEN, OpenError.UNSUPPORTED_CAPABILITY, "no address family in common", wanted)
    return common


def _takes_extended_next_hop(peer: Open) -> bool:
    pairs = (c.pairs for c in peer.capabilities if isinstance(c, ExtendedNextHop))
    return any((IPV4, AFI_IPV6) in announced for announced in pairs)
