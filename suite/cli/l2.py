"""``suite l2``: status, watch, simulate."""

import time
from typing import Any

import click

from suite.cli.desk import ask, carry_out, done, order, snapshot_of
from suite.cli.fault import Exit, Fault
from suite.cli.moves import COLUMNS, moves
from suite.cli.options import format_option, reason_option, target_options
from suite.cli.output import Format, show, show_one
from suite.cli.target import Target

NODE_COLUMNS = ("node", "state", "addresses", "links", "revision")
OWNER_COLUMNS = ("address", "owner", "interfaces", "mac", "successors", "why")


@click.group("l2", epilog="\b\nExample:\n  suite l2 simulate --down compute2")
def command() -> None:
    """Layer 2: who answers for which address, what the network says, and what if a node fails."""


@command.command(
    "status",
    epilog="\b\nExamples:\n  suite l2 status\n  suite l2 status -o json\n\n"
    "Ends with 1 when an address has no owner or a node is not heard.",
)
@target_options
@format_option
def status(target: Target, output: Format) -> None:
    """The nodes and the owner of each address, with the reason, as the speaker that runs here sees them."""
    document = ask(target, "/v1/layer2")
    if output in {Format.JSON, Format.YAML}:
        show_one(document, output)
    else:
        show([_node_row(each) for each in document["nodes"]], NODE_COLUMNS, output, empty="no node is known yet")
        click.echo()
        owners = [_owner_row(each) for each in document["owners"]]
        show(owners, OWNER_COLUMNS, output, empty="no address is to be announced by layer 2")
    if not all(each["is_live"] for each in document["nodes"]) or not all(each["node"] for each in document["owners"]):
        raise click.exceptions.Exit(int(Exit.PROBLEM))


@command.command(
    "simulate", epilog="\b\nExamples:\n  suite l2 simulate --down compute2\n  suite l2 simulate --down compute2 -o csv"
)
@target_options
@click.option("--down", required=True, metavar="NODE", help="The node that would fail.")
@format_option
def simulate(target: Target, down: str, output: Format) -> None:
    """Which addresses would move, and where to, if a node failed now; nothing is changed.

    The plan comes from the database.  Who lives now is asked of the running suite; without one, every node counts as healthy.
    """
    rows = moves(target, snapshot_of(target), down)
    show(rows, COLUMNS, output, empty=f"no address would move without {down}")


@command.command("watch", epilog="\b\nExamples:\n  suite l2 watch eth0\n  suite l2 watch eth0 --timeout 60")
@click.argument("interface")
@click.option("--timeout", type=click.FloatRange(0), default=None, metavar="SECONDS", help="End after this long.")
def watch(interface: str, timeout: float | None) -> None:
    """Write a line for each ARP and neighbour discovery frame on INTERFACE, until interrupted.  Needs CAP_NET_RAW."""
    from suite.l2.describe import describe
    from suite.l2.listening import listen

    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        for frame in listen(interface, lambda: None if deadline is None else deadline - time.monotonic()):
            said, moment = describe(frame), time.time()
            clock = time.strftime("%H:%M:%S", time.localtime(moment))
            click.echo(f"{clock}.{int(moment % 1 * 1000):03d}  {said.source} > {said.destination}  {said.text}")
    except OSError as error:
        fix = "run it as root, or with CAP_NET_RAW" if isinstance(error, PermissionError) else "see `ip -br link`"
        raise Fault(f"it cannot be listened on: {error.strerror}", where=interface, fix=fix) from None


@command.command("rotate-key", epilog='\b\nExample:\n  suite l2 rotate-key --reason "a machine was sold"')
@click.option(
    "--settle",
    type=click.FloatRange(0, 3600),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long all nodes get to hear of the new key before it signs.",
)
@target_options
@reason_option
def rotate_key(settle: float, target: Target, reason: str) -> None:
    """Let speakers know each other by another key than the one in the database.

    Two keys count at a time.  First the new one is believed beside the old, then it signs.  The key before the last counts no
    more, so rotate twice when a key is known to somebody who should not have it.  A node that hears nothing of this is taken
    for dead by the others once it signs, so look at `suite l2 status` first.
    """
    import secrets

    from suite.controller.credentials import introduce_key, promote_key

    given, key = order(reason), secrets.token_hex(32)
    carry_out(target, lambda snapshot: introduce_key(snapshot.heartbeat_keys, key, given))
    click.echo(f"a new key is believed; it signs in {settle:g} seconds", err=True)
    time.sleep(settle)
    changes, _ = carry_out(target, lambda snapshot: promote_key(snapshot.heartbeat_keys, given))
    done(changes, "the new key signs; the one before it is believed until the next rotation")


def _node_row(node: dict[str, Any]) -> dict[str, Any]:
    state = "leaving" if node["is_draining"] else "ready" if node["is_ready"] else "starting"
    return {
        "node": node["name"],
        "state": state if node["is_live"] else "not heard",
        "addresses": node["addresses"],
        "links": ", ".join(f"{each['interface']} {each['network']} {each['mac']}" for each in node["links"]),
        "revision": node["revision"],
    }


def _owner_row(owner: dict[str, Any]) -> dict[str, Any]:
    lists = {name: ", ".join(owner[name]) for name in ("interfaces", "successors")}
    return {**owner, **lists, "owner": owner["node"] or "nobody"}
