"""The router's side in FRR's words: FRR itself, and UniFi gateways, which take such a file."""

from collections.abc import Iterator

from suite.speaker.router_config import Accepted, Part, Router

GROUP = "suite"
BLIND = (
    "no BFD here: FRR binds it to the interface that has the peer's address, and the nodes are behind another one; for BFD "
    "give the peer the router's address in the nodes' network, or use short hold times"
)
LISTEN_LIMIT, MOST_LISTENED = 100, 5000
"""How many neighbors FRR takes out of ranges by itself, and the most that `bgp listen limit` can say."""
FAMILY_NAMES = {4: "ipv4", 6: "ipv6"}
LIST_WORDS = {4: "ip", 6: "ipv6"}


def frr(router: Router) -> tuple[Part, ...]:
    """FRR on any Linux router, with dnsmasq as its forwarder."""
    notes = ["/etc/frr/daemons needs bgpd=yes" + (" and bfdd=yes" if has_bfd(router) else "")]
    if router.bfd is not None and not has_bfd(router):
        notes.append(BLIND)
    if router.interfaces:
        notes.append("a new node needs one more --interface, unless it is behind one of these")
        notes.append("a router without an IPv4 address needs `bgp router-id` too")
    elif not router.connects:
        notes.append("a new node in the ranges above needs no edit here")
    bgp = Part(
        "bgp",
        "\n".join(frr_lines(router)) + "\n",
        "/etc/frr/suite.conf (or its lines in /etc/frr/frr.conf)",
        "vtysh -f /etc/frr/suite.conf, then vtysh -c 'write memory'",
        "vtysh -c 'show ip bgp' lists each address once per node; vtysh -c 'show bgp summary'",
        f"these lines in vtysh, without what was there before; `no router bgp {router.asn}` where it speaks with nobody else",
        tuple(frr_back(router)),
        tuple(notes),
    )
    return (bgp, *dnsmasq(router))


def unifi(router: Router) -> tuple[Part, ...]:
    """Today's UniFi gateways: an FRR file for the BGP page, and an entry for each zone on the DNS page."""
    bgp = Part(
        "bgp",
        "\n".join(frr_lines(router)) + "\n",
        "UniFi Network, Settings, Routing, BGP: upload it as the configuration of the gateway",
        "save; the gateway keeps it over provisioning and firmware updates",
        "on the gateway: vtysh -c 'show ip bgp'",
        "remove the entry on the same page, which holds all that was written",
    )
    if not router.zones:
        return (bgp,)
    text = "".join(f"Forward Domain  {zone}  {server}\n" for zone in router.zones for server in router.servers)
    notes = ("one entry for each server; where the page takes one for each domain, the first is enough",)
    dns = Part(
        "dns",
        text,
        "UniFi Network, Settings, Routing, DNS: an entry of type Forward Domain for each line",
        "save",
        f"nslookup ns.{router.zones[0]} from any client",
        "remove these entries on the same page",
        notes=notes if len(router.servers) > 1 else (),
    )
    return (bgp, dns)


def frr_lines(router: Router) -> Iterator[str]:
    """The file."""
    yield f"! The nodes of the suite, for the router that is their peer {router.peer}."
    for family in router.families:
        yield from _prefix_list(family, router.takes(family))
    yield from _route_maps(router)
    yield f"router bgp {router.asn}"
    if router.identifier:
        yield f" bgp router-id {router.identifier}"
    yield " no bgp default ipv4-unicast"
    yield from (f" {line}" for line in _group(router))
    for family in router.families:
        yield from (f" {line}" for line in _family(router, family))
    yield "exit"
    yield from _bfd_profile(router)  # last: bgpd, when it reads the file by itself, understands nothing behind "bfd"


def frr_back(router: Router) -> Iterator[str]:
    """What removes all of it again, in vtysh."""
    yield "configure terminal"
    yield f"router bgp {router.asn}"
    yield from (f" no neighbor {interface} interface peer-group {GROUP}" for interface in router.interfaces)
    if router.connects:
        yield from (f" no neighbor {node.address}" for node in router.nodes)
    elif not router.interfaces:
        yield from (f" no bgp listen range {network} peer-group {GROUP}" for network in router.ranges())
    for family in router.families:
        yield f" address-family {FAMILY_NAMES[family]} unicast"
        yield f"  no maximum-paths {ways(router)}"
        yield " exit-address-family"
    yield f" no neighbor {GROUP} peer-group"
    if listen_limit(router):
        yield " no bgp listen limit"
    yield " bgp default ipv4-unicast"
    if router.identifier:
        yield " no bgp router-id"
    yield "exit"
    yield from (f"no route-map {GROUP}-{way}" for way in ("in", "out"))
    yield from (f"no {LIST_WORDS[family]} prefix-list {GROUP}{family}" for family in router.families)
    if has_bfd(router):
        yield from ("bfd", f" no profile {GROUP}", "exit")


def has_bfd(router: Router) -> bool:
    """Whether FRR's BFD can work: it needs nodes on the link of the peer's address, or the multihop of external peers."""
    return router.bfd is not None and (router.is_beside or router.hops > 0)


def _bfd_profile(router: Router) -> Iterator[str]:
    if router.bfd is None or not has_bfd(router):
        return
    yield "bfd"
    yield f" profile {GROUP}"
    yield f"  detect-multiplier {router.bfd.detect_multiplier}"
    yield f"  receive-interval {router.bfd.receive_interval}"
    yield f"  transmit-interval {router.bfd.transmit_interval}"
    yield f"  minimum-ttl {router.bfd.minimum_ttl}"
    yield " exit"
    yield "exit"


def _prefix_list(family: int, entries: tuple[Accepted, ...]) -> Iterator[str]:
    """FRR wants the length of the entry below ``ge``, so an entry of exactly that length is written without."""
    word = LIST_WORDS[family]
    yield f"no {word} prefix-list {GROUP}{family}"
    for number, entry in enumerate(entries, 1):
        exact = "" if entry.length == entry.network.prefixlen else f" ge {entry.length} le {entry.length}"
        yield f"{word} prefix-list {GROUP}{family} seq {5 * number} permit {entry.network}{exact}"


def _route_maps(router: Router) -> Iterator[str]:
    for number, family in enumerate(router.families, 1):
        yield f"route-map {GROUP}-in permit {10 * number}"
        yield f" match {LIST_WORDS[family]} address prefix-list {GROUP}{family}"
        yield "exit"
    yield f"route-map {GROUP}-out deny 10"
    yield "exit"


def _group(router: Router) -> Iterator[str]:
    name = f"neighbor {GROUP}"
    yield f"{name} peer-group"
    yield f"{name} remote-as {router.node_asn}"
    yield f"{name} timers {max(router.hold_time // 3, 1) if router.hold_time else 0} {router.hold_time}"
    if router.hops:
        yield f"{name} ebgp-multihop {router.hops}"
    if router.ttl_security:
        yield f"{name} ttl-security hops {router.ttl_security}"
    if router.has_password:
        yield f"! {name} password ...   (the peer's password; it is kept out of this file)"
    if has_bfd(router):
        yield f"{name} bfd"
        yield f"{name} bfd profile {GROUP}"
        # Not "bfd check-control-plane-failure": with graceful restart FRR then takes no word from our BFD, which shares the
        # fate of the process (C bit 0), and keeps a dead node's path for the hold time. A restart needs no such patience:
        # we close TCP before BFD falls silent, so FRR keeps the routes already when BFD goes down.
    if router.interfaces:
        yield from (f"neighbor {interface} interface peer-group {GROUP}" for interface in router.interfaces)
    elif router.connects:
        yield f"{name} update-source {router.address}"  # the nodes know the router by it
        yield f"{name} timers connect 10"
        for node in router.nodes:
            yield f"neighbor {node.address} peer-group {GROUP}"
            yield f"neighbor {node.address} description {node.name}"
    else:
        if listen_limit(router):
            yield f"bgp listen limit {listen_limit(router)}"
        yield from (f"bgp listen range {network} peer-group {GROUP}" for network in router.ranges())


def _family(router: Router, family: int) -> Iterator[str]:
    yield f"address-family {FAMILY_NAMES[family]} unicast"
    yield f" neighbor {GROUP} activate"
    yield f" neighbor {GROUP} route-map {GROUP}-in in"
    yield f" neighbor {GROUP} route-map {GROUP}-out out"
    if router.maximum(family):
        yield f" neighbor {GROUP} maximum-prefix {router.maximum(family)}"
    yield f" maximum-paths {ways(router)}"
    yield "exit-address-family"


def ways(router: Router) -> str:
    """What stands behind ``maximum-paths``: routes inside one AS are counted by themselves."""
    return f"ibgp {router.paths}" if router.is_internal else str(router.paths)


def listen_limit(router: Router) -> int:
    """How many nodes are taken out of ranges, with room for as many again; 0 where FRR's own limit is enough."""
    wanted = 0 if router.connects or router.interfaces else 2 * len(router.nodes)
    return min(wanted, MOST_LISTENED) if wanted > LISTEN_LIMIT else 0


def dnsmasq(router: Router) -> tuple[Part, ...]:
    """Forwarding of our zones by dnsmasq, which most routers' DNS is; nothing where there are none."""
    if not router.zones:
        return ()
    lines = ["# The zones of the suite are answered by the suite; addresses of private networks are wanted in them."]
    for zone in router.zones:
        lines += [f"server=/{zone}/{server}" for server in router.servers]
        lines.append(f"rebind-domain-ok=/{zone}/")
    return (
        Part(
            "dns",
            "\n".join(lines) + "\n",
            "/etc/dnsmasq.d/suite.conf",
            "systemctl restart dnsmasq",
            f"nslookup ns.{router.zones[0]} from any client of this router",
            "these commands",
            ("rm /etc/dnsmasq.d/suite.conf", "systemctl restart dnsmasq"),
        ),
    )
