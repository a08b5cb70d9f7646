"""What is wrong with a machine that should announce addresses: facts in, findings out. Pure.

Each finding says what is seen, what follows from it, and what to type. `host_facts` collects the facts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from suite.l2.rtnetlink import Interface

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Weight(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """Addresses will not work, or two nodes will answer."""
    WARNING = "warning"
    """They may not work, or not everywhere."""


class Check(StrEnum):
    """What was looked at."""

    PRIVILEGE = "privilege"
    ARP_IGNORE = "arp-ignore"
    ARP_ANNOUNCE = "arp-announce"
    IPVS_STRICT_ARP = "ipvs-strict-arp"
    ADDRESS_MISSING = "address-missing"
    ADDRESS_ON_INTERFACE = "address-on-interface"
    WIRELESS = "wireless"
    ENSLAVED = "enslaved"
    NO_INTERFACE = "no-interface"
    POOL_OVERLAP = "pool-overlap"
    DHCP_OVERLAP = "dhcp-overlap"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to repair."""

    check: Check
    weight: Weight
    text: str
    cure: str


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What a machine's kernel says."""

    interfaces: tuple[Interface, ...] = ()
    arp_ignore: dict[str, int] = field(default_factory=dict)
    """By interface; `all` counts for each of them, the higher value wins (ip-sysctl)."""
    arp_announce: dict[str, int] = field(default_factory=dict)
    wireless: frozenset[str] = frozenset()
    has_net_raw: bool = True
    uses_ipvs: bool = False
    """kube-proxy's interface kube-ipvs0 exists."""
    gateways: frozenset[Address] = frozenset()


@dataclass(frozen=True, slots=True)
class Intent:
    """What is to be announced here."""

    vips: tuple[Address, ...] = ()
    """Those this node may own."""
    pools: tuple[tuple[Address, Address], ...] = ()
    """First and last address of each range."""
    nodes: frozenset[Address] = frozenset()
    binds_addresses: bool = False
    """The setting `bind-address`."""
    dhcp_offers: tuple[Address, ...] = ()
    """Addresses that a DHCP server of the LAN was seen to give out."""


def examine(facts: HostFacts, intent: Intent) -> tuple[Finding, ...]:
    """Everything that is wrong, errors first."""
    findings = (
        *privilege(facts),
        *interfaces(facts),
        *kernel_answers(facts, intent),
        *ipvs(facts),
        *addresses(facts, intent),
        *pools(facts, intent),
    )
    return tuple(sorted(findings, key=lambda finding: finding.weight))


def privilege(facts: HostFacts) -> Iterator[Finding]:
    """Packet sockets need one capability."""
    if not facts.has_net_raw:
        yield Finding(
            Check.PRIVILEGE,
            Weight.ERROR,
            "this process lacks CAP_NET_RAW and cannot answer ARP or NDP",
            "systemd: AmbientCapabilities=CAP_NET_RAW; Kubernetes: capabilities.add NET_RAW",
        )


def interfaces(facts: HostFacts) -> Iterator[Finding]:
    """Wi-Fi, bridge ports, and machines without any usable interface."""
    usable = [interface for interface in facts.interfaces if interface.is_usable]
    if not usable:
        reasons = "; ".join(f"{each.name} {each.why_unusable}" for each in facts.interfaces) or "there is none"
        yield Finding(
            Check.NO_INTERFACE, Weight.ERROR, f"no interface can announce addresses: {reasons}", "ip link set ... up"
        )
    for interface in usable:
        if interface.name in facts.wireless:
            yield Finding(
                Check.WIRELESS,
                Weight.WARNING,
                f"{interface.name} is wireless: access points may answer ARP for their stations, or drop it",
                f"use a cable, or: ip link set {interface.name} promisc on",
            )
    for interface in facts.interfaces:
        if interface.master and any(address.version == 4 for address in interface.addresses):
            yield Finding(
                Check.ENSLAVED,
                Weight.WARNING,
                f"{interface.name} has an address but is enslaved to a bridge or bond: nothing is announced on it",
                "move the address to the bridge or bond",
            )


def kernel_answers(facts: HostFacts, intent: Intent) -> Iterator[Finding]:
    """The kernel of each node that carries a VIP would answer for it, whoever owns it, unless told not to."""
    carried = {vip for vip in intent.vips if vip.version == 4 and _carriers(facts, vip)}
    if not carried and not (intent.binds_addresses and intent.vips):
        return
    for interface in facts.interfaces:
        if not interface.is_usable:
            continue
        if _effective(facts.arp_ignore, interface.name) not in {1, 2, 8}:
            yield Finding(
                Check.ARP_IGNORE,
                Weight.ERROR,
                f"arp_ignore is 0 on {interface.name}: the kernel answers for every VIP on this machine, on every node",
                "sysctl -w net.ipv4.conf.all.arp_ignore=1",
            )
        if _effective(facts.arp_announce, interface.name) != 2:
            yield Finding(
                Check.ARP_ANNOUNCE,
                Weight.WARNING,
                f"arp_announce is not 2 on {interface.name}: the kernel may ask with a VIP as sender and move caches to itself",
                "sysctl -w net.ipv4.conf.all.arp_announce=2",
            )


def ipvs(facts: HostFacts) -> Iterator[Finding]:
    """kube-proxy in IPVS mode puts every VIP on kube-ipvs0 of every node."""
    if facts.uses_ipvs and _effective(facts.arp_ignore, "all") not in {1, 2, 8}:
        yield Finding(
            Check.IPVS_STRICT_ARP,
            Weight.ERROR,
            "kube-proxy uses IPVS without strictARP: every node answers for every VIP",
            "set ipvs.strictARP: true in kube-proxy's configuration and restart it",
        )


def addresses(facts: HostFacts, intent: Intent) -> Iterator[Finding]:
    """Where a VIP stands: on no device nobody accepts its packets; on the LAN's interface the kernel announces it."""
    has_proxy = facts.uses_ipvs
    for vip in intent.vips:
        carriers = _carriers(facts, vip)
        outward = [interface.name for interface in carriers if interface.is_usable]
        if outward:
            yield Finding(
                Check.ADDRESS_ON_INTERFACE,
                Weight.ERROR,
                f"{vip} stands on {outward[0]}: the kernel answers for it whoever owns it",
                f"ip address del {vip} dev {outward[0]}, and use bind-address or lo",
            )
        elif not carriers and not intent.binds_addresses and not has_proxy:
            yield Finding(
                Check.ADDRESS_MISSING,
                Weight.WARNING,
                f"{vip} stands on no device of this machine: unless kube-proxy takes its packets, nobody does",
                "bind-address: true, or: ip address add ... dev lo",
            )


def pools(facts: HostFacts, intent: Intent) -> Iterator[Finding]:
    """Pools must not hold addresses that machines, gateways or DHCP clients have."""
    own = {address.ip for interface in facts.interfaces for address in interface.addresses if interface.is_usable}
    taken = (
        ("a node", intent.nodes | own, Check.POOL_OVERLAP, Weight.ERROR),
        ("a gateway", facts.gateways, Check.POOL_OVERLAP, Weight.ERROR),
        ("a DHCP client", intent.dhcp_offers, Check.DHCP_OVERLAP, Weight.WARNING),
    )
    for first, last in intent.pools:
        for owner, owned, check, weight in taken:
            for address in sorted(_within(owned, first, last), key=int):
                yield Finding(
                    check,
                    weight,
                    f"the pool {first}-{last} holds {address}, the address of {owner}",
                    "take it out of the pool",
                )


def subnet_ends(facts: HostFacts) -> Iterator[tuple[Address, str]]:
    """The addresses that no machine of our subnets may have, each with where: by layer 2 nobody announces them.

    The number of the network (IPv6: its routers' anycast address) and the IPv4 broadcast address.
    """
    networks = {
        (address.network, interface.name)
        for interface in facts.interfaces
        if interface.is_usable
        for address in interface.addresses
        if not address.is_link_local and address.network.max_prefixlen - address.network.prefixlen > 1
    }
    for network, name in sorted(networks, key=str):
        yield network.network_address, f"the first of {network} on {name}"
        if network.version == 4:
            yield network.broadcast_address, f"the broadcast address of {network} on {name}"


def _within(candidates: Iterable[Address], first: Address, last: Address) -> set[Address]:
    return {each for each in candidates if each.version == first.version and int(first) <= int(each) <= int(last)}


def _carriers(facts: HostFacts, vip: Address) -> list[Interface]:
    return [interface for interface in facts.interfaces if any(address.ip == vip for address in interface.addresses)]


def _effective(values: dict[str, int], interface: str) -> int:
    """The kernel takes the higher one of `all` and the interface's own value."""
    return max(values.get("all", 0), values.get(interface, 0))
