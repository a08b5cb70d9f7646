"""The router's side in BIRD's words (BIRD 2): a file that an existing bird.conf includes."""

from collections.abc import Iterator

from suite.model.address import Network
from suite.speaker.router_config import Accepted, Part, Router
from suite.speaker.router_frr import FAMILY_NAMES, dnsmasq

BIRD_TTL = 63
"""What is left after one hop of the 64 that BIRD sends its multihop BFD packets with."""


def bird(router: Router) -> tuple[Part, ...]:
    """BIRD on any Linux router, with dnsmasq as its forwarder."""
    merge, export = f"merge paths on limit {router.paths};", "ipv4 { export where source = RTS_BGP; };"
    notes = [f"for up to {router.paths} nodes at once, `protocol kernel` of bird.conf says `{merge} {export}`"]
    if router.bfd is not None and router.bfd.minimum_ttl > BIRD_TTL:
        notes.append(f"BIRD sends BFD with TTL 64: the BFD profile of the suite needs `minimum-ttl: {BIRD_TTL}`")
    if router.bfd is not None and router.restart_time:
        kept = f"BIRD keeps the routes of a node that dies for {router.restart_time} s (graceful-restart-time)"
        notes.append(f"{kept}: with graceful restart it takes every silence of BFD for a restart")
    bgp = Part(
        "bgp",
        "\n".join(bird_lines(router)) + "\n",
        '/etc/bird/suite.conf, and in /etc/bird/bird.conf the line: include "/etc/bird/suite.conf";',
        "birdc configure",
        "birdc show route all for 10.10.10.10 (one of your addresses); birdc show protocols",
        "remove the line with include from bird.conf, then",
        ("rm /etc/bird/suite.conf", "birdc configure"),
        tuple(notes),
    )
    return (bgp, *dnsmasq(router))


def bird_lines(router: Router) -> Iterator[str]:
    """The file."""
    yield f"# The nodes of the suite, for the router that is their peer {router.peer}."
    for family in router.families:
        yield from _filter(family, router.takes(family))
    if router.bfd is not None:
        yield from _bfd(router)
    for family in router.families:
        yield from _next_hops(family)
    yield "template bgp suite_node {"
    yield from (f"  {line}" for line in _session(router))
    yield "}"
    if router.connects:
        for number, node in enumerate(router.nodes, 1):
            neighbor = f"neighbor {node.address} as {router.node_asn}"
            yield f"protocol bgp suite{number} from suite_node {{ {neighbor}; }}  # {node.name}"
    else:
        for number, network in enumerate(router.ranges(), 1):
            yield _dynamic(router, number, network)


def _dynamic(router: Router, number: int, network: Network) -> str:
    neighbor = f"neighbor range {network} as {router.node_asn}"
    return f'protocol bgp suite{number} from suite_node {{ {neighbor}; dynamic name "suite{number}_"; }}'


def _filter(family: int, entries: tuple[Accepted, ...]) -> Iterator[str]:
    yield f"filter suite_{FAMILY_NAMES[family]} {{"
    if entries:
        patterns = ", ".join(f"{each.network}{{{each.length},{each.length}}}" for each in entries)
        yield f"  if net ~ [ {patterns} ] then accept;"
    yield "  reject;"
    yield "}"


def _next_hops(family: int) -> Iterator[str]:
    """A table of the links alone, in which the nodes are looked up, beside whatever else this BIRD knows."""
    name = FAMILY_NAMES[family]
    yield f"{name} table suite_links{family};"
    yield f"protocol direct suite_direct{family} {{ {name} {{ table suite_links{family}; import all; }}; }}"


def _bfd(router: Router) -> Iterator[str]:
    if router.bfd is None:
        return
    timers = f"min rx interval {router.bfd.receive_interval} ms; min tx interval {router.bfd.transmit_interval} ms;"
    yield "protocol bfd suite_bfd {"
    yield f'  interface "*" {{ {timers} multiplier {router.bfd.detect_multiplier}; }};'
    yield f"  multihop {{ {timers} multiplier {router.bfd.detect_multiplier}; }};"
    yield "}"


def _session(router: Router) -> Iterator[str]:
    yield f"local {router.address} as {router.asn};"
    yield "direct;" if router.is_beside else f"multihop {router.ttl_security or router.hops or 2};"
    if router.ttl_security:
        yield "ttl security on;"
    yield f"hold time {router.hold_time};"
    if router.has_password:
        yield '# password "...";  (the peer\'s password; it is kept out of this file)'
    if router.bfd is not None:
        # "on" ends the session, and with it the routes, when BFD goes down, as it does while the suite restarts; "graceful"
        # takes every silence for a restart. BIRD 2 has no third way, such as asking whether TCP was closed before.
        yield "bfd graceful;" if router.restart_time else "bfd on;"
    for family in router.families:
        name = FAMILY_NAMES[family]
        limit = f" import limit {router.maximum(family)} action block;" if router.maximum(family) else ""
        links = "" if router.is_beside else f" igp table suite_links{family};"
        yield f"{name} {{ import filter suite_{name}; export none;{links}{limit} }};"
