"""What a router's configuration lacks or has wrong, found in its text whatever its vendor. Pure.

Addresses, networks and AS numbers look the same in every vendor's words, so one reading serves all: a node is known when
its address stands in a neighbor line or inside a neighbor range, and its AS number is what stands behind `remote-as`
(Vyatta, FRR), `as` (BIRD) or `.as=` (RouterOS) nearest to it.
"""

import json
import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from suite.model.address import Address, Network
from suite.speaker.router_config import Router

_ASN = re.compile(r"""(?:remote-?as|(?<![\w-])as)["']?[\s:=]+["']?(\d+)""")
_RANGE = re.compile(r"(?:listen range|neighbor range|remote\.address=)\s*([0-9a-fA-F.:]+/\d+)")
_ROUTER_AS = re.compile(
    r"^\s*router bgp (\d+)|protocols bgp (?:system-as )?(\d+)|\blocal [0-9a-fA-F.:]+ as (\d+)|\s\bas=(\d+)",
    re.MULTILINE,
)


def differences(router: Router, text: str) -> list[str]:
    """A sentence for each fault, nodes in the order of their addresses; empty when the router knows what it must."""
    if text.lstrip().startswith("{"):
        try:
            text = "\n".join(_flat(json.loads(text)))
        except json.JSONDecodeError as error:
            return [f"the file is no valid JSON, line {error.lineno}: {error.msg}"]
    return [*_own_as(router, text), *_nodes(router, text)]


def _own_as(router: Router, text: str) -> Iterator[str]:
    found = {int(number) for groups in _ROUTER_AS.findall(text) for number in groups if number}
    if found and router.asn not in found:
        said = ", ".join(map(str, sorted(found)))
        yield f"the router's own AS number is {said}; the suite's peer {router.peer} has {router.asn}"


def _nodes(router: Router, text: str) -> Iterator[str]:
    if router.address is None:
        for interface in router.interfaces:
            if not re.search(rf"neighbor {re.escape(interface)} interface\b", text):
                yield f"interface {interface} has no session of its own"
        return
    ranges = _ranges(text)
    group_as = _first_as(line for line in text.splitlines() if not _addresses(line) or _RANGE.search(line))
    for node in router.nodes:
        lines = [line for line in text.splitlines() if node.address in _addresses(line)]
        neighbors = [line for line in lines if "neighbor" in line or "remote.address" in line or 'address"' in line]
        in_range = any(node.address in network for network in ranges)
        if not neighbors and not in_range:
            yield f"node {node.name} ({node.address}) is no neighbor of the router"
            continue
        asn = _first_as(neighbors)
        asn = group_as if asn is None else asn
        if asn is not None and asn != router.node_asn:
            yield f"node {node.name} ({node.address}) is expected with AS number {asn}; the suite has {router.node_asn}"


def _ranges(text: str) -> list[Network]:
    found: list[Network] = []
    for written in _RANGE.findall(text):
        try:
            found.append(ip_network(written, strict=False))
        except ValueError:
            continue
    return found


def _first_as(lines: "Iterator[str] | list[str]") -> int | None:
    return next((int(match[1]) for line in lines if (match := _ASN.search(line))), None)


def _addresses(line: str) -> set[Address]:
    """The addresses of a line; those with a length are networks and not meant."""
    found: set[Address] = set()
    for word in re.findall(r"[0-9a-fA-F.:]{3,}(?:/\d+)?", line):
        try:
            found.add(ip_address(word.rstrip(".:")))
        except ValueError:
            continue
    return found


def _flat(document: object, path: str = "") -> Iterator[str]:
    """A document as `set` lines, so that one reading serves JSON too."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield from _flat(value, f"{path} {name}")
    elif isinstance(document, list):
        for value in document:
            yield from _flat(value, path)
    else:
        yield f"set{path} {document}"
