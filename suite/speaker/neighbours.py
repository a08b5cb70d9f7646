"""From a peer of the configuration to a BGP session of this node, and from routes of the plan to what a peer is told.  Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar

from suite.bgp.bfd import BfdProfile as Timers
from suite.bgp.export import RouteAttributes
from suite.bgp.negotiation import PeerKind, SessionConfig
from suite.bgp.peer_config import PeerConfig
from suite.bgp.prefix import IPV4, IPV6, Prefix
from suite.model.address import Address, Network
from suite.model.node import Node
from suite.model.peer import BfdProfile, Peer
from suite.speaker.plan import Route

_A = TypeVar("_A", IPv4Address, IPv6Address)

HOLD_TIME = 90
CONNECT_TIME = 10.0
FAMILIES = {4: IPV4, 6: IPV6}


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A session this node has: how to reach the peer, and how its path is watched (None for not at all)."""

    name: str
    config: PeerConfig = field(repr=False)  # it may hold a password
    bfd: Timers | None = None
    multihop: bool = False
    """Whether the configuration says that routers stand between."""


def neighbour(peer: Peer, node: Node, profiles: Iterable[BfdProfile]) -> Neighbour | str:
    """The session of ``node`` with ``peer``, or why there can be none.

    A peer that is named by its interface comes with the link-local address of the router there; both families share its
    session, IPv4 with IPv6 next hops (RFC 8950), since there is no IPv4 address to give.
    A peer whose password is kept elsewhere comes with it (`read_password`); without it there is no session, since one
    that is not signed is not what the configuration asks for.
    """
    if peer.address is None:
        return f"peer {peer.name} has no address"
    if peer.password_secret is not None and not peer.password:
        return f"peer {peer.name} has its password in {peer.password_secret.name}, which cannot be read here"
    try:
        session = SessionConfig(
            local_as=peer.local_asn or peer.my_asn,
            peer_as=PeerKind(peer.dynamic_asn) if peer.dynamic_asn else peer.asn,
            identifier=router_id(peer, node),
            families=frozenset(FAMILIES[version] for version in versions(peer)),
            hold_time=hold_time(peer),
            keepalive_time=peer.keepalive_time or None,
            connect_retry_time=peer.connect_time or CONNECT_TIME,
            passive=peer.passive,
            graceful_restart=restart_time(peer),
            next_hop_v4=_own_address(node, IPv4Address) if peer.address.version == 6 and not peer.interface else None,
            next_hop_v6=_own_address(node, IPv6Address) if peer.address.version == 4 else None,
            extended_next_hop=bool(peer.interface),
        )
        # Without a TTL of its own a session reaches peers behind a router, as MetalLB's native mode does.
        config = PeerConfig(
            session,
            peer.address,
            peer.port,
            peer.source_address,
            peer.vrf or None,
            peer.password or None,
            security_hops=peer.ttl_security or None,
        )
    except ValueError as error:
        return f"peer {peer.name}: {error}"
    profile = next((each for each in profiles if each.name == peer.bfd_profile), None)
    return Neighbour(peer.name, config, timers(profile) if profile else None, peer.ebgp_multihop)


def versions(peer: Peer) -> frozenset[int]:
    """The families (4, 6) that the session with ``peer`` is configured to carry."""
    if peer.dual_stack_address_family or peer.interface or peer.address is None:
        return frozenset({4, 6})
    return frozenset({peer.address.version})


def carried(peer: Peer, node: Node) -> frozenset[int]:
    """Those of them that ``node`` can announce: of the family that is not the session's own it needs an address."""
    own = {4, 6} if peer.address is None or peer.interface else {peer.address.version}
    return versions(peer) & (own | {address.version for address in node.addresses})


def _own_address(node: Node, kind: type[_A]) -> _A | None:
    """The next hop of the family that the session itself does not have an address of; without one it is not announced."""
    return next((address for address in node.addresses if isinstance(address, kind)), None)


def is_internal(peer: Peer) -> bool:
    """Whether both ends have one AS number."""
    return peer.dynamic_asn == "internal" or peer.asn == (peer.local_asn or peer.my_asn)


def hold_time(peer: Peer) -> int:
    """Seconds without a word after which the session is given up; 0 for never."""
    return HOLD_TIME if peer.hold_time is None else int(peer.hold_time)


def restart_time(peer: Peer) -> int:
    """Seconds that the peer is asked to keep our routes while we restart; 0 for not at all."""
    return peer.graceful_restart_time if peer.graceful_restart else 0


def is_beyond_a_router(remote: Address, local: Address, networks: Iterable[Network]) -> bool:
    """Whether BFD with ``remote`` crosses a router (RFC 5883): no network of ``local``'s own holds it."""
    own = [network for network in networks if local in network]
    return not any(remote in network for network in own) and not remote.is_link_local


def router_id(peer: Peer, node: Node) -> IPv4Address:
    """The peer's ``routerID``, else the node's first IPv4 address, else a number made of its name (never 0)."""
    if peer.router_id:
        return IPv4Address(peer.router_id)
    for address in (peer.source_address, *node.addresses):
        if isinstance(address, IPv4Address):
            return address
    return IPv4Address(int.from_bytes(sha256(node.name.encode()).digest()[:4], "big") or 1)


def timers(profile: BfdProfile) -> Timers:
    """A profile with the defaults of our BFD where it says nothing."""
    plain = Timers()
    return Timers(
        profile.receive_interval or plain.receive_interval,
        profile.transmit_interval or plain.transmit_interval,
        profile.detect_multiplier or plain.detect_multiplier,
        profile.passive_mode,
        profile.minimum_ttl or plain.minimum_ttl,
    )


def attributes(route: Route) -> RouteAttributes:
    """What a peer is told beside the prefix."""
    plain = tuple(part[0] << 16 | part[1] for part in (each.parts for each in route.communities if not each.is_large))
    large = tuple((each.parts[0], each.parts[1], each.parts[2]) for each in route.communities if each.is_large)
    return RouteAttributes(route.local_pref or None, plain, large)


def told(routes: Iterable[Route]) -> dict[Prefix, RouteAttributes]:
    """Routes as the protocol wants them."""
    return {Prefix.of(route.prefix): attributes(route) for route in routes}
