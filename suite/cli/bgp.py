"""``suite bgp``: peers, routes, history, watch."""

import os
import time
from typing import TYPE_CHECKING, Any

import click

from suite.cli.arguments import read_address
from suite.cli.desk import ask, snapshot_of
from suite.cli.fault import Exit, Fault
from suite.cli.options import format_option, target_options
from suite.cli.output import Format, show
from suite.cli.target import Target

if TYPE_CHECKING:
    from suite.model.peering import SessionSpan
    from suite.speaker.route_view import Announced

PEER_COLUMNS = ("peer", "address", "asn", "state", "since", "announced", "received", "bfd", "why")
ROUTE_COLUMNS = ("prefix", "node", "next_hop", "peer", "local_pref", "communities", "services")
SPAN_COLUMNS = ("node", "peer", "address", "asn", "state", "since", "until", "why")
PAUSE = 0.5
"""Seconds between two looks of ``watch``."""


@click.group("bgp", epilog="\b\nExample:\n  suite bgp routes 10.10.10.10")
def command() -> None:
    """BGP: sessions of this node, routes of every node, and which path is best."""


@command.command(
    "peers",
    epilog="\b\nExamples:\n  suite bgp peers\n  suite bgp peers -o json\n\nEnds with 1 when a session is not established.",
)
@target_options
@format_option
def peers(target: Target, output: Format) -> None:
    """The BGP sessions of the suite that runs here; JSON and YAML hold their history and what they sent last, too."""
    document = ask(target, "/v1/bgp/peers")
    show([_row(each) for each in document], PEER_COLUMNS, output, empty="no BGP session: the configuration has no peer")
    if any(each["state"] != "Established" for each in document):
        raise click.exceptions.Exit(int(Exit.PROBLEM))


@command.command(
    "routes",
    epilog="\b\nExamples:\n  suite bgp routes\n  suite bgp routes 10.10.10.10\n  suite bgp routes --peer gateway -o csv\n\n"
    "With an address, it also says which path the router marks best, by which rule, and what the others are good for. "
    "Ends with 1 when nobody announces that address.",
)
@click.argument("address", required=False)
@target_options
@click.option("--peer", default="", metavar="NAME", help="Only routes to this peer.")
@click.option(
    "--paths",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="How many paths the router uses at a time (as in router-config).",
)
@format_option
def routes(address: str | None, target: Target, peer: str, paths: int, output: Format) -> None:
    """What each node announces to each peer, as the database has it."""
    from suite.bgp.bestpath import Router
    from suite.speaker.route_view import announced, prediction, routes_to

    snapshot = snapshot_of(target)
    names = [each.name for each in snapshot.configuration.peers]
    if peer and peer not in names:
        fix = f"there are: {', '.join(names)}" if names else "the configuration has no peer"
        raise Fault(f"no peer is called {peer!r}", where="--peer", fix=fix, code=Exit.NOT_FOUND)
    found = [each for each in announced(snapshot, os.uname().nodename) if peer in {"", each.peer.name}]
    if address is None:
        show([_route_row(each, snapshot) for each in found], ROUTE_COLUMNS, output, empty="no route: nothing by BGP")
        return
    wanted = read_address(address)
    leading = routes_to(found, wanted)
    show([_route_row(each, snapshot) for each in leading], ROUTE_COLUMNS, output, empty=f"nobody announces {wanted}")
    if not leading:
        raise click.exceptions.Exit(int(Exit.PROBLEM))
    if output is Format.TABLE:
        click.echo("\n" + prediction(leading, Router(keeps_oldest=False, multipath=paths)))


@command.command(
    "history",
    epilog="\b\nExamples:\n  suite bgp history\n  suite bgp history --node node1 --peer gateway -o json",
)
@target_options
@click.option("--node", default="", metavar="NAME", help="Only sessions of this node.")
@click.option("--peer", default="", metavar="NAME", help="Only sessions with this peer.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many rows.")
@format_option
def history(target: Target, node: str, peer: str, limit: int, output: Format) -> None:
    """When the sessions of every node were up or down, and why they were down; the newest first."""
    with target.store() as store:
        spans = store.sessions(node=node, peer=peer, limit=limit)
    show([_span_row(each) for each in spans], SPAN_COLUMNS, output, empty="no session of any node was ever heard of")


@command.command("watch", epilog="\b\nExample:\n  suite bgp watch --timeout 60")
@target_options
@click.option("--timeout", type=click.FloatRange(0), default=None, metavar="SECONDS", help="End after this long.")
def watch(target: Target, timeout: float | None) -> None:
    """Write a line for each change of a session, until interrupted."""
    deadline = None if timeout is None else time.monotonic() + timeout
    known: dict[str, tuple[Any, ...]] = {}
    while True:
        for each in ask(target, "/v1/bgp/peers"):
            now = (each["state"], each["announced"], each["bfd"])
            if known.get(each["peer"]) != now:
                known[each["peer"]] = now
                why = f" ({each['why']})" if each["why"] else ""
                bfd = f", BFD {each['bfd']}" if each["bfd"] else ""
                click.echo(f"{each['peer']}: {each['state']}, {each['announced']} announced{bfd}{why}")
        if deadline is not None and time.monotonic() >= deadline:
            return
        time.sleep(PAUSE)


def _row(document: Any) -> dict[str, Any]:
    return {**document, "since": f"{document['seconds']:.0f}s"}


def _span_row(span: "SessionSpan") -> dict[str, Any]:
    state = span.state
    return {
        "node": state.node,
        "peer": state.peer,
        "address": state.address,
        "asn": state.asn,
        "state": "up" if state.is_up else "down",
        "since": span.since,
        "until": span.until,
        "why": state.why,
    }


def _route_row(each: "Announced", snapshot: Any) -> dict[str, Any]:
    from suite.speaker.route_view import address_towards

    prefix = each.route.prefix
    leases = (
        [lease for lease in snapshot.open_leases() if lease.address in prefix]
        if prefix.num_addresses > 1
        else [*(snapshot.leases.get(prefix.network_address) or ())]
    )
    return {
        "prefix": str(prefix),
        "node": each.node.name,
        "next_hop": address_towards(each.node, each.peer),
        "peer": each.peer.name,
        "local_pref": each.route.local_pref or None,
        "communities": [str(community) for community in each.route.communities],
        "services": sorted({str(lease.ref) for lease in leases}),
    }
