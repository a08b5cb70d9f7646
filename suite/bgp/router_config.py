"""What the router needs to know of us, as configuration text for FRR and BIRD.

Pure: a `RouterSide` in, text out. The router takes only prefixes of our pools, no more than a limit, from nodes with
the right AS number; everything else is refused there, so a mistake on this side cannot hurt the network. Neighbor
ranges spare the router an edit per node; FRR knows them by peer group, BIRD by `neighbor range`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from suite.bgp.prefix import Address, Network

GROUP = "suite"


@dataclass(frozen=True, slots=True)
class RouterSide:
    """The router's half of the sessions; ValueError if it cannot be rendered.

    `asn` and `identifier` are the router's. `nodes` are neighbors one by one, `ranges` whole networks of them, with
    `node_as` on all. `pools` are the networks our prefixes lie in, taken down to single addresses. `paths` above 1
    spreads traffic over nodes. `hops` above 1 is for nodes that are not on a network of the router.
    """

    asn: int
    node_as: int
    identifier: IPv4Address
    pools: tuple[Network, ...]
    nodes: tuple[Address, ...] = ()
    ranges: tuple[Network, ...] = ()
    password: str = ""
    paths: int = 1
    hops: int = 1
    prefix_limit: int = 1000
    bfd: bool = False
    graceful_restart: bool = False

    def __post_init__(self) -> None:
        if not self.nodes and not self.ranges:
            raise ValueError("there are no nodes and no ranges of nodes")
        if not self.pools:
            raise ValueError("there are no pools to take prefixes of")
        if any(character in self.password for character in ' "\n;'):
            raise ValueError("a password in a router's configuration has no blanks, quotes or semicolons")

    @property
    def internal(self) -> bool:
        """Whether both sides have one AS number."""
        return self.asn == self.node_as

    def families(self) -> tuple[int, ...]:
        """The IP versions of the pools."""
        return tuple(sorted({pool.version for pool in self.pools}))


def frr(side: RouterSide) -> str:
    """Lines for `frr.conf`, or to paste into `vtysh` after `configure`."""
    return "\n".join([*_frr_lists(side), *_frr_router(side), ""])


def _frr_lists(side: RouterSide) -> Iterator[str]:
    """Prefix lists of the pools, and the route maps that let nothing else in and nothing out."""
    for version in side.families():
        word, longest = ("ip", 32) if version == 4 else ("ipv6", 128)
        pools = [pool for pool in side.pools if pool.version == version]
        for number, pool in enumerate(pools, start=1):
            wider = f" le {longest}" if pool.prefixlen < longest else ""
            yield f"{word} prefix-list {GROUP}-v{version} seq {5 * number} permit {pool}{wider}"
        yield f"route-map {GROUP}-in permit {10 * version}"
        yield f" match {word} address prefix-list {GROUP}-v{version}"
        yield "exit"
    yield f"route-map {GROUP}-out deny 10"
    yield "exit"


def _frr_router(side: RouterSide) -> Iterator[str]:
    yield f"router bgp {side.asn}"
    yield f" bgp router-id {side.identifier}"
    yield " no bgp default ipv4-unicast"
    yield f" neighbor {GROUP} peer-group"
    yield f" neighbor {GROUP} remote-as {side.node_as}"
    if side.password:
        yield f" neighbor {GROUP} password {side.password}"
    if side.hops > 1 and not side.internal:
        yield f" neighbor {GROUP} ebgp-multihop {side.hops}"
    if side.bfd:
        yield f" neighbor {GROUP} bfd"
        # Our BFD shares the fate of our process, so its end must not take the routes that a restart keeps.
        yield f" neighbor {GROUP} bfd check-control-plane-failure"
    if side.graceful_restart:
        yield f" neighbor {GROUP} graceful-restart-helper"
    for address in side.nodes:
        yield f" neighbor {address} peer-group {GROUP}"
    for network in side.ranges:
        yield f" bgp listen range {network} peer-group {GROUP}"
    for version in side.families():
        yield from _frr_family(side, version)
    yield "exit"


def _frr_family(side: RouterSide, version: int) -> Iterator[str]:
    yield f" address-family ipv{version} unicast"
    yield f"  neighbor {GROUP} activate"
    yield f"  neighbor {GROUP} route-map {GROUP}-in in"
    yield f"  neighbor {GROUP} route-map {GROUP}-out out"
    yield f"  neighbor {GROUP} maximum-prefix {side.prefix_limit} restart 5"
    if side.paths > 1:
        yield f"  maximum-paths {'ibgp ' if side.internal else ''}{side.paths}"
    yield " exit-address-family"


def bird(side: RouterSide) -> str:
    """A file for BIRD 2 to include: filter, and one protocol per node or range.

    Traffic is spread where the `kernel` protocols of the router have `merge paths`; a comment says so.
    """
    parts = [f"# router id {side.identifier};  belongs into bird.conf itself, if it is not there yet\n"]
    if side.paths > 1:
        parts.append(f"# to spread traffic: merge paths yes limit {side.paths};  in the kernel protocol's channels\n")
    parts.append(_bird_filter(side))
    if side.bfd:
        parts.append(f"protocol bfd {GROUP}_bfd {{ }}\n")
    parts += [_bird_protocol(side, f"{GROUP}{n}", where) for n, where in enumerate(_bird_neighbors(side), start=1)]
    return "\n".join(parts)


def _bird_filter(side: RouterSide) -> str:
    """Only prefixes inside the pools; a function per family, since a BIRD set has one type."""
    lines = [f"filter {GROUP}_in {{"]
    for version in side.families():
        pools = ", ".join(f"{pool}+" for pool in side.pools if pool.version == version)
        lines.append(f"  if net.type = NET_IP{version} then {{ if net ~ [ {pools} ] then accept; }}")
    return "\n".join([*lines, "  reject;", "}\n"])


def _bird_neighbors(side: RouterSide) -> Iterator[tuple[str, str]]:
    """The neighbor clause, and the option that names the protocols a range makes."""
    for address in side.nodes:
        yield f"neighbor {address} as {side.node_as};", ""
    for number, network in enumerate(side.ranges, start=1):
        yield f"neighbor range {network} as {side.node_as};", f'dynamic name "{GROUP}_range{number}_";'


def _bird_protocol(side: RouterSide, name: str, where: tuple[str, str]) -> str:
    neighbor, options = where
    lines = [f"protocol bgp {name} {{", f"  local as {side.asn};", f"  {neighbor}"]
    lines += [f"  {option}" for option in (options, *_bird_options(side)) if option]
    for version in side.families():
        gateway = " gateway direct;" if side.hops <= 1 else ""
        limit = f"import limit {side.prefix_limit} action block;"
        lines.append(f"  ipv{version} {{ import filter {GROUP}_in; export none; {limit}{gateway} }};")
    return "\n".join([*lines, "}\n"])


def _bird_options(side: RouterSide) -> Iterator[str]:
    if side.password:
        yield f'password "{side.password}";'
    yield f"multihop {side.hops};" if side.hops > 1 else "direct;"
    if side.bfd:
        # Our BFD shares the fate of our process, so its end must not take the routes that a restart keeps.
        yield "bfd graceful;" if side.graceful_restart else "bfd on;"
    if side.graceful_restart:
        yield "graceful restart aware;"
