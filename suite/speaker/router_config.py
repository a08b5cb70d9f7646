"""What the router on the other side of a peer has to be told: pure, out of the configuration and the nodes.

`router_of` says it in the abstract (who speaks, which prefixes are ours, which names lead to our DNS); one module for
each family of routers writes it in their words: `router_frr`, `router_bird`, `router_vyatta`, `router_vyos`,
`router_mikrotik`, `router_opnsense`. A router takes our pools' prefixes and nothing else, and tells us nothing. What is
written may be applied again and again, and comes with the way back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, collapse_addresses, ip_network
from itertools import chain

from suite.bgp.bfd import BfdProfile as Timers
from suite.config.resolve import BgpWay, resolve
from suite.model.address import Address, Network, Range
from suite.model.configuration import Configuration
from suite.model.node import Node
from suite.model.peer import Peer
from suite.model.selector import any_matches
from suite.speaker.neighbours import hold_time, is_internal, restart_time, timers

MAXIMUM_PREFIXES = 50_000
"""The most prefixes a router is told to take of one family, however large the pools: a guard against a mistake of ours."""
PATHS = 8
"""How many nodes carry the traffic of one address at a time, unless the operator says otherwise."""
RANGE_LENGTHS = {4: 24, 6: 64}
"""The size of the network around a node out of which new nodes are taken without an edit at the router."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """A node as the router sees it."""

    name: str
    address: Address


@dataclass(frozen=True, slots=True)
class Own:
    """What only the operator knows of the router: its interfaces, and its AS number where the peer takes any."""

    interfaces: tuple[str, ...] = ()
    asn: int = 0


NOTHING_SAID = Own()


@dataclass(frozen=True, slots=True)
class Accepted:
    """Prefixes of exactly ``length`` inside ``network``."""

    network: Network
    length: int

    @property
    def count(self) -> int:
        """How many there are."""
        return int(1 << (self.length - self.network.prefixlen))


@dataclass(frozen=True, slots=True)
class Router:
    """Everything the router of one peer needs to know."""

    peer: str
    address: Address | None
    """None where nodes and router find each other on a link (an unnumbered peer)."""
    asn: int
    node_asn: int
    nodes: tuple[Speaker, ...]
    accepted: tuple[Accepted, ...]
    families: tuple[int, ...] = (4,)
    interfaces: tuple[str, ...] = ()
    """The router's own, which nodes are behind; of an unnumbered peer only."""
    connects: bool = False
    """Whether the nodes wait for the router to connect, so that it has to know each of them."""
    has_password: bool = False
    bfd: Timers | None = None
    is_beside: bool = False
    """Whether nodes and router speak on one link, so that BFD crosses no router."""
    hold_time: int = 90
    restart_time: int = 0
    """Seconds that it keeps the routes of a node whose suite restarts; 0 without graceful restart."""
    hops: int = 0
    """How many hops away external nodes may be; 0 where that is no question."""
    ttl_security: int = 0
    """From how many hops away packets are taken at most (RFC 5082); 0 for from anywhere."""
    paths: int = PATHS
    zones: tuple[str, ...] = ()
    """Without the dot at the end."""
    servers: tuple[Address, ...] = ()
    """Where those zones are answered."""

    @property
    def is_internal(self) -> bool:
        """Whether both ends have one AS number."""
        return self.asn == self.node_asn

    @property
    def identifier(self) -> IPv4Address | None:
        """The router's identifier; None where its address is none."""
        return self.address if isinstance(self.address, IPv4Address) else None

    def takes(self, family: int) -> tuple[Accepted, ...]:
        """The prefixes of one family."""
        return tuple(each for each in self.accepted if each.network.version == family)

    def maximum(self, family: int) -> int:
        """The most prefixes of a family that one node may announce."""
        return min(sum(each.count for each in self.takes(family)), MAXIMUM_PREFIXES)

    def ranges(self) -> tuple[Network, ...]:
        """The networks that nodes are taken out of; every node lies in one."""
        return networks_of(self.nodes)


@dataclass(frozen=True, slots=True)
class Part:
    """One file (or entry) for the router, and what a person does with it."""

    name: str
    """``bgp`` or ``dns``."""
    text: str
    place: str
    apply: str
    check: str
    undo: str
    back: tuple[str, ...] = ()
    """The way back, line by line, as ``undo`` says to use them: they remove everything that the text makes."""
    notes: tuple[str, ...] = ()

    def instructions(self) -> str:
        """Where it goes, how it takes effect, how to look, and the way back."""
        lines = [f"place: {self.place}", f"apply: {self.apply}", f"check: {self.check}", f"undo:  {self.undo}"]
        return "\n".join(
            [*lines, *(f"       {line}" for line in self.back), *(f"note:  {note}" for note in self.notes)]
        )


def router_of(
    configuration: Configuration,
    nodes: Iterable[Node],
    peer: Peer,
    zones: Sequence[str],
    *,
    paths: int = PATHS,
    own: Own = NOTHING_SAID,
) -> Router | str:
    """What the router of ``peer`` has to know, or why that cannot be said."""
    if peer.address is None and not own.interfaces:
        return f"peer {peer.name} names an interface of the nodes; say the router's own with --interface"
    nodes = tuple(nodes)
    node_asn = peer.local_asn or peer.my_asn
    asn = node_asn if peer.dynamic_asn == "internal" else peer.asn or own.asn
    if not asn:
        return (
            f"peer {peer.name} takes any external AS number; say the router's own with --asn, or write it as peer-asn"
        )
    speakers = speakers_of(nodes, peer)
    if not speakers:
        kind = f"IPv{peer.address.version} " if peer.address is not None else ""
        return f"no node with an {kind}address has a session with peer {peer.name}; name them under `nodes`"
    profile = next((each for each in configuration.bfd_profiles if each.name == peer.bfd_profile), None)
    families = (4, 6) if peer.dual_stack_address_family or peer.address is None else (peer.address.version,)
    return Router(
        peer=peer.name,
        address=peer.address,
        asn=asn,
        node_asn=node_asn,
        nodes=speakers,
        accepted=tuple(each for each in accepted(configuration, nodes, peer.name) if each.network.version in families),
        families=families,
        interfaces=own.interfaces if peer.address is None else (),
        connects=peer.passive,
        has_password=bool(peer.password or peer.password_secret),
        bfd=timers(profile) if profile is not None else None,
        is_beside=not peer.ebgp_multihop and is_beside(peer.address, speakers),
        hold_time=hold_time(peer),
        restart_time=restart_time(peer),
        hops=8 if peer.ebgp_multihop and not is_internal(peer) else 0,
        ttl_security=peer.ttl_security,
        paths=paths,
        zones=tuple(zone.rstrip(".") for zone in zones),
        servers=configuration.dns.addresses or tuple(each.address for each in speakers),
    )


def is_beside(address: Address | None, speakers: Iterable[Speaker]) -> bool:
    """Whether a peer is on the nodes' own link; an unnumbered one always is."""
    return address is None or any(address in network for network in networks_of(speakers))


def speakers_of(nodes: Iterable[Node], peer: Peer) -> tuple[Speaker, ...]:
    """The nodes that have a session with ``peer``, by the address the router sees."""
    found = []
    for node in nodes:
        own = [each for each in node.addresses if peer.address is None or each.version == peer.address.version]
        if own and any_matches(peer.node_selectors, node.labels):
            name = " ".join(node.name.split())  # it stands in lines of other programs' files
            found.append(Speaker(name, own[0]))
    return tuple(sorted(found, key=lambda each: (each.address.version, int(each.address))))


def accepted(configuration: Configuration, nodes: Iterable[Node], peer: str) -> tuple[Accepted, ...]:
    """The prefixes that ``peer`` may be told, as few entries as say exactly that."""
    ways = resolve(configuration, nodes)
    wanted: dict[int, dict[int, list[Range]]] = {4: {}, 6: {}}
    for pool in configuration.pools:
        for way in ways[pool.name].bgp:
            if not way.peers or peer in way.peers:
                for span in pool.ranges:
                    wanted[span.family].setdefault(length_of(way, span), []).append(span)
    entries = (entries_of(length, spans) for by_length in wanted.values() for length, spans in by_length.items())
    return tuple(dict.fromkeys(chain.from_iterable(entries)))


def length_of(way: BgpWay, span: Range) -> int:
    """How long the prefixes are that a way announces out of a range."""
    return way.aggregation_length if span.family == 4 else way.aggregation_length_v6


def entries_of(length: int, spans: Iterable[Range]) -> list[Accepted]:
    """Prefixes of one length and family that hold any address of ``spans``."""
    fours: list[IPv4Network] = []
    sixes: list[IPv6Network] = []
    for network in chain.from_iterable(span.networks() for span in spans):
        wider = network.supernet(new_prefix=length) if network.prefixlen > length else network
        if isinstance(wider, IPv4Network):
            fours.append(wider)
        else:
            sixes.append(wider)
    networks: list[Network] = [*collapse_addresses(fours), *collapse_addresses(sixes)]
    return [Accepted(network, length) for network in networks]


def networks_of(speakers: Iterable[Speaker]) -> tuple[Network, ...]:
    """The networks around nodes, as large as LANs usually are."""
    lengths = ((each.address, RANGE_LENGTHS[each.address.version]) for each in speakers)
    return tuple(dict.fromkeys(ip_network(pair, strict=False) for pair in lengths))
