"""What ``suite doctor`` concludes about BGP: sessions that are down, routers that lack a node, answers that take another way."""

from collections.abc import Iterable
from dataclasses import dataclass

from suite.bgp.way_back import WayBack
from suite.cli.finding import Finding, Severity
from suite.model.address import Address

WAYS_OUT = (
    "let the router send ICMP redirects, or masquerade what comes from the nodes' network for the pool, or exempt it from state, "
    "or put such clients into another network; docs/bgp.md has each of them"
)


@dataclass(frozen=True, slots=True)
class Line:
    """The session that one node is to have with one peer, as the database has it."""

    node: str
    peer: str
    address: str
    is_up: bool = False
    is_known: bool = True
    """False where no speaker has said anything of it yet."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """What became of a connection from this machine."""

    address: Address
    port: int
    way: WayBack


@dataclass(frozen=True, slots=True)
class BgpFacts:
    """What was found out; nothing where nobody asked."""

    lines: tuple[Line, ...] = ()
    lacks: tuple[str, ...] = ()
    """What a router's configuration lacks or has wrong."""
    compared: tuple[str, ...] = ()
    """Files of routers that were looked into."""
    reached: tuple[Reach, ...] = ()


def check_sessions(facts: BgpFacts) -> Iterable[Finding]:
    """Every node has its sessions."""
    for line in facts.lines:
        if not line.is_up:
            yield _down(line)
    if facts.lines and all(line.is_up for line in facts.lines):
        yield Finding("bgp", Severity.OK, f"all {len(facts.lines)} session(s) of the nodes are up")


def _down(line: Line) -> Finding:
    where = f"node {line.node} has no session with peer {line.peer} ({line.address})"
    if not line.is_known:
        return Finding(
            "bgp", Severity.WARNING, f"{where}: its speaker has not said anything yet", "start the suite there"
        )
    if "peer as" in line.why.lower():
        fix = "the router's remote-as for this node must be our my-asn, and our peer-asn its own number; `suite router-config`"
        return Finding("bgp", Severity.ERROR, f"{where}: the AS numbers do not fit ({line.why})", fix)
    fix = "does the router know this node? `suite router-config --diff FILE` compares; `suite bgp history` tells since when"
    return Finding("bgp", Severity.ERROR, f"{where}: {line.why}", fix)


def check_routers(facts: BgpFacts) -> Iterable[Finding]:
    """The routers know every node, with the right AS numbers."""
    for fault in facts.lacks:
        yield Finding("router", Severity.ERROR, fault, "write it anew with `suite router-config`, and apply it")
    if facts.compared and not facts.lacks:
        yield Finding("router", Severity.OK, f"{', '.join(facts.compared)} has every node, with the right AS numbers")


def check_ways(facts: BgpFacts) -> Iterable[Finding]:
    """Answers come back, all of them."""
    for each in facts.reached:
        text = f"{each.address} port {each.port} {each.way}"
        if each.way in {WayBack.OPEN, WayBack.REFUSED}:
            yield Finding("reach", Severity.OK, text)
        elif each.way is WayBack.ONE_SIDED:
            why = "its answers come past the router, whose firewall then drops what belongs to no connection it knows"
            yield Finding("reach", Severity.ERROR, f"{text}: {why}", WAYS_OUT)
        else:
            fix = (
                f"`suite explain {each.address}` says who announces it; `suite bgp routes {each.address}` where it goes"
            )
            yield Finding("reach", Severity.ERROR, text, fix)
