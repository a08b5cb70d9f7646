"""The router's side for VyOS 1.4 and later, which is FRR below: `set` commands, with neighbor ranges.

The tree is that of vyos-1x's interface definitions (protocols_bgp, policy, dns_forwarding). What is ours by its name is
deleted first, so that the lines applied again replace what they made before.
"""

from collections.abc import Iterator

from suite.speaker.router_config import Part, Router
from suite.speaker.router_frr import BLIND, has_bfd, listen_limit

GROUP = "suite"
LISTS = {4: "prefix-list", 6: "prefix-list6"}
WORDS = {4: "ip", 6: "ipv6"}


def vyos(router: Router) -> tuple[Part, ...]:
    """The session with its filters, and the forwarding of the zones by the router's own recursor."""
    place = "the router's command line: configure, paste"
    bgp = Part(
        "bgp",
        "\n".join([*_ours(router), *_policy(router), *_bgp(router)]) + "\n",
        place,
        "commit; save",
        "show ip bgp; show bgp summary",
        "configure, these lines without what was there before (or all of `delete protocols bgp`), commit, save",
        tuple(_back(router)),
        tuple(_notes(router)),
    )
    if not router.zones:
        return (bgp,)
    domains = [f"service dns forwarding domain {zone}" for zone in router.zones]
    lines = [f"delete {domain}" for domain in domains]
    lines += [f"set {domain} name-server {server}" for domain in domains for server in router.servers]
    check = f"nslookup ns.{router.zones[0]} from any client of this router"
    undo, back = "configure, these lines, commit, save", tuple(f"delete {domain}" for domain in domains)
    return (bgp, Part("dns", "\n".join(lines) + "\n", place, "commit; save", check, undo, back))


def _notes(router: Router) -> Iterator[str]:
    yield "the first time, the lines with delete find nothing, which is no fault"
    if not router.connects:
        yield "a new node in the ranges above needs no edit here"
    if router.bfd is not None and not has_bfd(router):
        yield BLIND
    if router.has_password:
        yield f"set the password with: set protocols bgp peer-group {GROUP} password ..."


def _ours(router: Router) -> Iterator[str]:
    """What removes what is ours by its name."""
    yield f"delete protocols bgp peer-group {GROUP}"
    if has_bfd(router):
        yield f"delete protocols bfd profile {GROUP}"
    yield from (f"delete policy route-map {GROUP}-{way}" for way in ("in", "out"))
    yield from (f"delete policy {LISTS[family]} {GROUP}{family}" for family in router.families)


def _back(router: Router) -> Iterator[str]:
    """What removes all of it: who is in the group before the group, and the group before the lists that it names."""
    bgp = "delete protocols bgp"
    if router.connects:
        yield from (f"{bgp} neighbor {node.address}" for node in router.nodes)
    else:
        yield from (f"{bgp} listen range {network}" for network in router.ranges())
        if listen_limit(router):
            yield f"{bgp} listen limit"
    yield from (f"{bgp} address-family ipv{family}-unicast maximum-paths" for family in router.families)
    if router.identifier:
        yield f"{bgp} parameters router-id"
    yield from _ours(router)


def _policy(router: Router) -> Iterator[str]:
    for family in router.families:
        for number, entry in enumerate(router.takes(family), 1):
            rule = f"set policy {LISTS[family]} {GROUP}{family} rule {10 * number}"
            yield f"{rule} action permit"
            yield f"{rule} prefix {entry.network}"
            if entry.length != entry.network.prefixlen:
                yield f"{rule} ge {entry.length}"
                yield f"{rule} le {entry.length}"
        if router.takes(family):
            rule = f"set policy route-map {GROUP}-in rule {family}"
            yield f"{rule} action permit"
            yield f"{rule} match {WORDS[family]} address prefix-list {GROUP}{family}"
    if not router.accepted:
        yield f"set policy route-map {GROUP}-in rule 10 action deny"
    yield f"set policy route-map {GROUP}-out rule 10 action deny"


def _bgp(router: Router) -> Iterator[str]:
    bgp = "set protocols bgp"
    yield f"{bgp} system-as {router.asn}"
    if router.identifier:
        yield f"{bgp} parameters router-id {router.identifier}"
    yield from (f"{bgp} peer-group {GROUP} {setting}" for setting in _group(router))
    yield from _bfd(router)
    paths = f"maximum-paths {'ibgp' if router.is_internal else 'ebgp'} {router.paths}"
    yield from (f"{bgp} address-family ipv{family}-unicast {paths}" for family in router.families)
    if router.connects:
        yield from (f"{bgp} neighbor {node.address} peer-group {GROUP}" for node in router.nodes)
        return
    if listen_limit(router):
        yield f"{bgp} listen limit {listen_limit(router)}"
    yield from (f"{bgp} listen range {network} peer-group {GROUP}" for network in router.ranges())


def _group(router: Router) -> Iterator[str]:
    """The settings of every node's session."""
    yield f"remote-as {router.node_asn}"
    if router.hops:
        yield f"ebgp-multihop {router.hops}"
    if router.ttl_security:
        yield f"ttl-security hops {router.ttl_security}"
    if router.connects:
        yield f"update-source {router.address}"
    if has_bfd(router):
        yield f"bfd profile {GROUP}"  # without "check-control-plane-failure", for the reason that `router_frr` gives
    for family in router.families:
        address_family = f"address-family ipv{family}-unicast"
        yield f"{address_family} route-map import {GROUP}-in"
        yield f"{address_family} route-map export {GROUP}-out"
        if router.maximum(family):
            yield f"{address_family} maximum-prefix {router.maximum(family)}"


def _bfd(router: Router) -> Iterator[str]:
    if router.bfd is None or not has_bfd(router):
        return
    profile = f"set protocols bfd profile {GROUP} interval"
    yield f"{profile} multiplier {router.bfd.detect_multiplier}"
    yield f"{profile} receive {router.bfd.receive_interval}"
    yield f"{profile} transmit {router.bfd.transmit_interval}"
