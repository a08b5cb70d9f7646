"""The router's side for MikroTik's RouterOS 7 and for OPNsense with its FRR plugin."""

import json
import shlex
from collections.abc import Iterator

from suite.speaker.router_config import Part, Router
from suite.speaker.router_frr import dnsmasq

NAME = "suite"
FIRST_RULE, LAST_RULE = 10, 99
"""What OPNsense's plugin takes as the number of a prefix list's rule."""


def mikrotik(router: Router) -> tuple[Part, ...]:
    """RouterOS 7: a script to paste; a connection that listens takes every node of its range."""
    notes = ["RouterOS uses all paths of equal cost or one, as it decides; it has no number to set"]
    if router.has_password:
        notes.append(f'set the password with: /routing/bgp/connection set [find name~"{NAME}"] tcp-md5-key=...')
    bgp = Part(
        "bgp",
        "\n".join(_mikrotik_bgp(router)) + "\n",
        "the router's terminal, or /import of a file",
        "it takes effect line by line",
        "/routing/bgp/session print; /routing/route print where bgp",
        f'/routing/bgp/connection remove [find name~"{NAME}"]; /routing/filter/rule remove [find chain="{NAME}-in"]',
        tuple(notes),
    )
    if not router.zones:
        return (bgp,)
    lines = [
        f"/ip/dns/static add type=FWD name={_quoted(zone)} match-subdomain=yes forward-to={router.servers[0]} comment={NAME}"
        for zone in router.zones
    ]
    dns = Part(
        "dns",
        "\n".join(lines) + "\n",
        "the router's terminal",
        "it takes effect at once; /ip/dns/cache flush for what was asked before",
        f"nslookup ns.{router.zones[0]} from any client of this router",
        f"/ip/dns/static remove [find comment={NAME}]",
    )
    return (bgp, dns)


def _mikrotik_bgp(router: Router) -> Iterator[str]:
    for entry in router.accepted:
        length = f" && dst-len == {entry.length}"
        yield (
            f'/routing/filter/rule add chain={NAME}-in comment={NAME} rule="if (dst in {entry.network}{length}) {{ accept }}"'
        )
    yield f'/routing/filter/rule add chain={NAME}-in comment={NAME} rule="reject"'
    yield f'/routing/filter/rule add chain={NAME}-out comment={NAME} rule="reject"'
    role = "ibgp" if router.is_internal else "ebgp"
    families = ",".join({4: "ip", 6: "ipv6"}[family] for family in router.families)
    identifier = f" router-id={router.identifier}" if router.identifier else ""
    rest = (
        f"local.address={router.address} local.role={role} as={router.asn}{identifier} address-families={families} "
        f"hold-time={router.hold_time}s input.filter={NAME}-in output.filter-chain={NAME}-out"
        + (" use-bfd=yes" if router.bfd else "")
        + (" multihop=yes" if router.hops else "")
    )
    if router.connects:
        for node in router.nodes:
            name = _quoted(f"{NAME}-{node.name}")
            yield f"/routing/bgp/connection add name={name} remote.address={node.address} remote.as={router.node_asn} {rest}"
    else:
        for number, network in enumerate(router.ranges(), 1):
            yield f"/routing/bgp/connection add name={NAME}{number} remote.address={network} remote.as={router.node_asn} listen=yes {rest}"


def _quoted(text: str) -> str:
    """A value of a RouterOS command; inside quotation marks only these characters mean something."""
    return '"' + "".join("\\" + each if each in '"\\$?' else each for each in text) + '"'


def opnsense(router: Router) -> tuple[Part, ...]:
    """OPNsense: what its os-frr plugin is told through the firewall's API; lines of a shell script."""
    most = LAST_RULE - FIRST_RULE + 1
    missing = len(router.accepted) - most
    left = (f"{missing} prefixes are left out: a list has at most {most} rules; choose ranges that are networks",)
    bgp = Part(
        "bgp",
        "\n".join(_opnsense_bgp(router)) + "\n",
        "a shell with curl; OPNSENSE=https://your.firewall, KEY and SECRET of an API key with the right Routing",
        "sh FILE (the last line reconfigures the service); the plugin os-frr must be installed",
        "Routing, Diagnostics, BGP: the table lists each address once per node",
        "Routing, BGP: delete the neighbors and prefix lists called suite, Apply",
        (
            "a new node needs a new neighbor: the plugin has no neighbor ranges; --diff names what the firewall lacks",
            "run it once: entries are added, not replaced",
            *(left if missing > 0 else ()),
        ),
    )
    return (bgp, *dnsmasq_override(router))


def dnsmasq_override(router: Router) -> tuple[Part, ...]:
    """The forwarder's file, at the place where OPNsense's Dnsmasq looks."""
    return tuple(
        Part(
            each.name,
            each.text,
            "/usr/local/etc/dnsmasq.conf.d/suite.conf (Unbound: Services, Unbound DNS, Query Forwarding, one entry for each zone)",
            "restart the service in the web interface",
            each.check,
            "remove the file, restart the service",
        )
        for each in dnsmasq(router)
    )


def _opnsense_bgp(router: Router) -> Iterator[str]:
    identifier = {"routerid": str(router.identifier)} if router.identifier else {}
    yield _call("set", {"bgp": {"enabled": "1", "asnumber": str(router.asn), **identifier}})
    for number, entry in enumerate(router.accepted[: LAST_RULE - FIRST_RULE + 1]):
        exact = "" if entry.length == entry.network.prefixlen else f" ge {entry.length} le {entry.length}"
        rule = {
            "enabled": "1",
            "name": f"{NAME}{entry.network.version}",
            "version": f"IPv{entry.network.version}",
            "seqnumber": str(FIRST_RULE + number),
            "action": "permit",
            "network": f"{entry.network}{exact}",
        }
        yield _call("add_prefixlist", {"prefixlist": rule})
    for node in router.nodes:
        neighbor = {
            "enabled": "1",
            "description": f"{NAME} {node.name}",
            "address": str(node.address),
            "remoteas": str(router.node_asn),
            "bfd": str(int(router.bfd is not None)),
            "multihop": str(int(bool(router.hops))),
        }
        yield _call("add_neighbor", {"neighbor": neighbor})
    yield 'curl -fsS -u "$KEY:$SECRET" -X POST "$OPNSENSE/api/quagga/service/reconfigure"'
    yield "# in each neighbor, choose the prefix list suite4 (or suite6) as Prefix-List In: it is known by its id only"


def _call(method: str, document: dict[str, dict[str, str]]) -> str:
    head = 'curl -fsS -u "$KEY:$SECRET" -H "Content-Type: application/json"'
    return f'{head} "$OPNSENSE/api/quagga/bgp/{method}" -d {shlex.quote(json.dumps(document))}'
