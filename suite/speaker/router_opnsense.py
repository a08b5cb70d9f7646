"""The router's side for OPNsense with its FRR plugin (os-frr): a shell script that tells the firewall's API.

The fields are those of the plugin's model (OPNsense/Quagga/BGP.xml), and what they become stands in its template for FRR
(Config/bgpd.conf): a neighbor's prefix list is named in each family, so one name serves both, and there is no limit on
prefixes and no TTL security. Its peer groups do have ranges, but neither BFD nor a password, and filter IPv4 alone, so
each node is a neighbor. Everything carries a description of ours; the script first removes what carries it.
"""

import json
import shlex
from collections.abc import Iterator, Mapping

from suite.speaker.router_config import Accepted, Part, Router
from suite.speaker.router_frr import BLIND, dnsmasq, has_bfd

NAME, MARK = "suite", "metal-suite"
"""What our lists are called, and what every description of ours begins with."""
FIRST_RULE, LAST_RULE = 10, 10_000
"""What the plugin takes as the number of a prefix list's rule."""
ANYTHING = {4: "0.0.0.0/0 le 32", 6: "::/0 le 128"}

SHELL = f"""\
#!/bin/sh
# The nodes of the suite, for OPNsense with os-frr. OPNSENSE=https://your.firewall, KEY and SECRET of an API key.
# `sh FILE` writes it, and replaces what it wrote before; `sh FILE remove` is the way back.
set -eu
ask() {{ curl -fsS -u "$KEY:$SECRET" -H "Content-Type: application/json" "$OPNSENSE/api/quagga/$1" -d "$2"; }}
save() {{ # METHOD JSON: the answer's id is kept; what was not saved ends the script
  answer=$(ask "bgp/$1" "$2")
  case $answer in *'"saved"'*) ;; *) echo "$1: $answer" >&2; exit 1 ;; esac
  id=$(printf %s "$answer" | sed -n 's/.*"uuid": *"\\([^"]*\\)".*/\\1/p')
}}
for kind in neighbor prefixlist; do
  {{ ask "bgp/search_$kind" '{{"current": 1, "rowCount": -1, "searchPhrase": "{MARK}"}}'; echo; }} | tr '{{' '\\n' |
    sed -n '/"description": *"{MARK}[" ]/s/.*"uuid": *"\\([^"]*\\)".*/\\1/p' |
    while read -r old; do ask "bgp/del_$kind/$old" '{{}}' > /dev/null; done
done
if [ "${{1:-}}" = remove ]; then ask service/reconfigure '{{}}'; exit; fi
"""
"""The start of the script: its own functions, and the removal of what it wrote before."""


def opnsense(router: Router) -> tuple[Part, ...]:
    """OPNsense: what its os-frr plugin is told through the firewall's API."""
    bgp = Part(
        "bgp",
        SHELL + "\n".join(_calls(router)) + "\n",
        "a shell with curl; OPNSENSE=https://your.firewall, KEY and SECRET of an API key with the right Routing",
        "sh FILE (the last line reconfigures the service); the plugin os-frr, 1.33 or later, must be installed",
        "Routing, Diagnostics, BGP: the table lists each address once per node",
        "this command; the AS number and the router identifier stay, Routing, BGP switches BGP off",
        ("sh FILE remove",),
        tuple(_notes(router)),
    )
    return (bgp, *dnsmasq_override(router))


def _notes(router: Router) -> Iterator[str]:
    yield "a new node needs the script again: its neighbors are written one by one; --diff names what the firewall lacks"
    yield "no maximum-prefix: the plugin has no such setting; its filter takes our pools and nothing else"
    yield "several nodes at once need os-frr 1.52 or later; before that the setting is not known and one node carries all"
    missing = len(router.accepted) - (LAST_RULE - FIRST_RULE + 1)
    if missing > 0:
        most = LAST_RULE - FIRST_RULE + 1
        yield f"{missing} prefixes are left out: a list has at most {most} rules; choose ranges that are networks"
    if router.has_password:
        yield "write the peer's password into each neighbor: it is kept out of this file"
    if router.bfd is not None:
        yield "switch BFD on under Routing, BFD; its timers are FRR's own, 300 ms" if has_bfd(router) else BLIND
    if router.ttl_security:
        yield "no TTL security: the plugin has no such setting, so do without it in the peer, or use another filter"
    if router.connects:
        yield f"in each neighbor choose the interface that has {router.address} as Update-Source Interface"


def dnsmasq_override(router: Router) -> tuple[Part, ...]:
    """The forwarder's file, at the place where OPNsense's Dnsmasq looks."""
    path = "/usr/local/etc/dnsmasq.conf.d/suite.conf"
    return tuple(
        Part(
            each.name,
            each.text,
            f"{path} (Unbound: Services, Unbound DNS, Query Forwarding, one entry for each zone and server)",
            "restart the service in the web interface",
            each.check,
            "this command, then restart the service in the web interface",
            (f"rm {path}",),
        )
        for each in dnsmasq(router)
    )


def _calls(router: Router) -> Iterator[str]:
    identifier = {"routerid": str(router.identifier)} if router.identifier else {}
    paths = {"maximumpathsibgp" if router.is_internal else "maximumpaths": str(router.paths)}
    yield _save("set", {"bgp": {"enabled": "1", "asnumber": str(router.asn), **identifier, **paths}})
    rules = [_rule(entry, number) for number, entry in enumerate(router.accepted[: LAST_RULE - FIRST_RULE + 1])]
    yield from (_save("add_prefixlist", {"prefixlist": rule}) for rule in rules)
    if rules:
        yield "taken=$id"
    for family in router.families:
        rule = _named(f"{NAME}-none", family, FIRST_RULE) | {"action": "deny", "network": ANYTHING[family]}
        yield _save("add_prefixlist", {"prefixlist": rule})
    yield "none=$id" if rules else "taken=$id none=$id"
    for node in router.nodes:
        yield _save("add_neighbor", {"neighbor": _neighbor(router, str(node.address), node.name)})
    yield "ask service/reconfigure '{}'"


def _rule(entry: Accepted, number: int) -> dict[str, str]:
    exact = "" if entry.length == entry.network.prefixlen else f" ge {entry.length} le {entry.length}"
    rule = _named(NAME, entry.network.version, FIRST_RULE + number)
    return rule | {"action": "permit", "network": f"{entry.network}{exact}"}


def _named(name: str, family: int, number: int) -> dict[str, str]:
    return {"enabled": "1", "description": MARK, "name": name, "version": f"IPv{family}", "seqnumber": str(number)}


def _neighbor(router: Router, address: str, name: str) -> dict[str, str]:
    return {
        "enabled": "1",
        "description": f"{MARK} {name}",
        "address": address,
        "remoteas": str(router.node_asn),
        "bfd": str(int(has_bfd(router))),
        "multihop": str(int(bool(router.hops))),
        "multiprotocol": str(int(len(router.families) > 1)),
        "linkedPrefixlistIn": "$taken",
        "linkedPrefixlistOut": "$none",
    }


def _save(method: str, document: Mapping[str, Mapping[str, str]]) -> str:
    """A call; ``"$name"`` in the document is what the shell knows under that name."""
    text = shlex.quote(json.dumps(document))
    for name in ("taken", "none"):
        text = text.replace(f'"${name}"', f'"\'"${name}"\'"')
    return f"save {method} {text}"
