"""The router's side for MikroTik's RouterOS 7, as a script for its terminal.

What is written carries a comment of its own, and the script starts by removing what carries it: applied again, it replaces.
Properties are those of MikroTik's manual (CLI reference: routing/bgp, routing/bfd, ip/dns). It has instances, which a
connection names, since RouterOS 7.20, and says "multipath is not supported".
"""

from collections.abc import Iterator

from suite.speaker.router_config import Part, Router

NAME, MARK = "suite", "metal-suite"
"""What ours is called, and the comment by which it is found again."""
FAMILIES = {4: "ip", 6: "ipv6"}
LIMITS = {4: "ipv4", 6: "ipv6"}
MOST_TTL = 255


def mikrotik(router: Router) -> tuple[Part, ...]:
    """RouterOS 7: a script to paste; a connection that listens takes every node of its range."""
    bgp = Part(
        "bgp",
        "\n".join([*_removals(), *_bgp(router)]) + "\n",
        "the router's terminal, or /import of a file",
        "it takes effect line by line",
        "/routing/bgp/session print; /routing/route print where bgp",
        "these lines in the terminal",
        tuple(_removals()),
        tuple(_notes(router)),
    )
    if not router.zones:
        return (bgp,)
    back = (f'/ip/dns/static remove [find comment="{MARK}"]', f'/ip/dns/forwarders remove [find comment="{MARK}"]')
    dns = Part(
        "dns",
        "\n".join([*back, *_dns(router)]) + "\n",
        "the router's terminal",
        "it takes effect at once; /ip/dns/cache flush for what was asked before",
        f"nslookup ns.{router.zones[0]} from any client of this router",
        "these lines in the terminal",
        back,
        ("a RouterOS without /ip/dns/forwarders takes one server: forward-to=ADDRESS",)
        if len(router.servers) > 1
        else (),
    )
    return (bgp, dns)


def _notes(router: Router) -> Iterator[str]:
    yield "RouterOS has no multipath for BGP: one node carries an address at a time, the others stand by"
    yield (
        "before RouterOS 7.20: leave out the line of /routing/bgp/instance, and write its as= and router-id= in place of "
        "instance=; where afi= is not known it is address-families="
    )
    if not router.connects:
        yield "a new node in the ranges above needs no edit here"
    if router.has_password:
        yield f'set the password with: /routing/bgp/connection set [find comment="{MARK}"] tcp-md5-key=...'
    if router.ttl_security and router.is_internal:
        yield "RouterOS looks at remote.ttl of external peers alone: packets from further away are taken here"


def _removals() -> Iterator[str]:
    """What removes all of it; a connection goes before the instance and the filters that it names."""
    menus = ("/routing/bgp/connection", "/routing/bgp/instance", "/routing/filter/rule", "/routing/bfd/configuration")
    yield from (f'{menu} remove [find comment="{MARK}"]' for menu in menus)


def _bgp(router: Router) -> Iterator[str]:
    for entry in router.accepted:
        taken = f"if (dst in {entry.network} && dst-len == {entry.length}) {{ accept }}"
        yield f'/routing/filter/rule add chain={NAME}-in comment={MARK} rule="{taken}"'
    yield f'/routing/filter/rule add chain={NAME}-in comment={MARK} rule="reject"'
    yield f'/routing/filter/rule add chain={NAME}-out comment={MARK} rule="reject"'
    identifier = f" router-id={router.identifier}" if router.identifier else ""
    yield f"/routing/bgp/instance add name={NAME} comment={MARK} as={router.asn}{identifier}"
    if router.bfd is not None:
        yield from _bfd(router)
    rest = " ".join(_session(router))
    if router.connects:
        for node in router.nodes:
            remote = f"remote.address={node.address} remote.as={router.node_asn}"
            yield f"/routing/bgp/connection add name={_quoted(f'{NAME}-{node.name}')} comment={MARK} {remote} {rest}"
    else:
        for number, network in enumerate(router.ranges(), 1):
            remote = f"remote.address={network} remote.as={router.node_asn} listen=yes"
            yield f"/routing/bgp/connection add name={NAME}{number} comment={MARK} {remote} {rest}"


def _session(router: Router) -> Iterator[str]:
    """The settings that every connection has."""
    yield f"instance={NAME} local.address={router.address} local.role={'ibgp' if router.is_internal else 'ebgp'}"
    yield f"afi={','.join(FAMILIES[family] for family in router.families)}"
    yield f"hold-time={f'{router.hold_time}s' if router.hold_time else 'infinity'}"
    yield f"input.filter={NAME}-in output.filter-chain={NAME}-out"
    for family in router.families:
        if router.maximum(family):
            yield f"input.limit-process-routes-{LIMITS[family]}={router.maximum(family)}"
    if router.bfd is not None:
        yield "use-bfd=yes"
    if router.hops:
        yield "multihop=yes"
    if router.ttl_security:
        yield f"local.ttl={MOST_TTL} remote.ttl={MOST_TTL + 1 - router.ttl_security}"


def _bfd(router: Router) -> Iterator[str]:
    """Permission for BFD with the nodes, and its timers: without an entry that matches there is no BFD session."""
    if router.bfd is None:
        return
    timers = (
        f"min-rx={router.bfd.receive_interval}ms min-tx={router.bfd.transmit_interval}ms "
        f"multiplier={router.bfd.detect_multiplier}"
    )
    addresses = ",".join(str(network) for network in router.ranges())
    yield f"/routing/bfd/configuration add comment={MARK} addresses={addresses} {timers}"


def _dns(router: Router) -> Iterator[str]:
    """An entry for each zone; several servers are a forwarder that the entries name."""
    target = str(router.servers[0])
    if len(router.servers) > 1:
        target = NAME
        yield f"/ip/dns/forwarders add name={NAME} comment={MARK} dns-servers={','.join(map(str, router.servers))}"
    for zone in router.zones:
        name = f"name={_quoted(zone)} match-subdomain=yes"
        yield f"/ip/dns/static add type=FWD {name} forward-to={target} comment={MARK}"


def _quoted(text: str) -> str:
    """A value of a RouterOS command; inside quotation marks only these characters mean something."""
    return '"' + "".join("\\" + each if each in '"\\$?' else each for each in text) + '"'
