"""``suite drain``: a node gives up all that it announces."""

import time
from typing import TYPE_CHECKING

import click

from suite.cli.desk import ask, carry_out, order, snapshot_of
from suite.cli.fault import Exit, Fault
from suite.cli.moves import COLUMNS, moves, this_node
from suite.cli.options import format_option, reason_option, target_options
from suite.cli.output import Format, show
from suite.cli.target import Target

if TYPE_CHECKING:
    from suite.model.changes import Changes
    from suite.model.refusal import Refusal
    from suite.model.snapshot import Snapshot

LOOK_AGAIN = 0.05
"""Seconds between two looks at what the node still announces."""


@click.command(
    "drain",
    epilog='\b\nExamples:\n  suite drain compute2 --reason "new kernel"\n  suite drain compute2 --wait 10\n'
    "  suite drain --dry-run\n\nEnds with 6 when the node still announces addresses after --wait.",
)
@click.argument("node", default="")
@target_options
@click.option("--dry-run", is_flag=True, help="Show what would move; change nothing.")
@click.option(
    "--wait",
    type=click.FloatRange(0),
    default=0.0,
    metavar="SECONDS",
    help="Wait until the node announces nothing by layer 2, as the suite that runs here hears it.",
)
@reason_option
@format_option
def command(node: str, target: Target, dry_run: bool, wait: float, reason: str, output: Format) -> None:
    """Let a node announce nothing, and show what moves where.

    NODE is this machine where none is said, and stays silent until `suite undrain`.
    Its layer 2 addresses go to their successors by goodbye, without a gap; its BGP routes are withdrawn while the
    sessions stay.  Leases and names stay as they are.  A restart changes nothing about it.
    """
    from suite.controller.operator import drain_node

    name, given = node or this_node(), order(reason)

    def decide(snapshot: "Snapshot") -> "Changes | Refusal":
        return drain_node(snapshot, name, given)

    snapshot = snapshot_of(target)
    rows = moves(target, snapshot, name)
    changes = None if dry_run else carry_out(target, decide)[0]
    show(rows, COLUMNS, output, empty=f"no layer 2 address moves without {name}")
    if output is Format.TABLE:
        _say(name, snapshot, dry_run=dry_run, is_news=bool(changes))
    if wait and not dry_run:
        _await_silence(target, name, wait)


def _say(name: str, snapshot: "Snapshot", *, dry_run: bool, is_news: bool) -> None:
    from suite.speaker.plan import plan

    routes = len(plan(snapshot, name).prefixes)
    if routes:
        click.echo(f"BGP: {routes} prefixes {'would be' if dry_run else 'are'} withdrawn from the peers of {name}")
    if dry_run:
        click.echo("nothing was changed")
    else:
        click.echo(f"{name} is drained" if is_news else f"{name} was drained before")


def _await_silence(target: Target, name: str, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        nodes = {each["name"]: each for each in ask(target, "/v1/layer2")["nodes"]}
        if name not in nodes or not nodes[name]["addresses"]:
            return
        if time.monotonic() > deadline:
            text = f"{name} still announces {nodes[name]['addresses']} addresses after {patience:g} s"
            raise Fault(text, where=str(target.state), fix="suite l2 status", code=Exit.TIMEOUT)
        time.sleep(LOOK_AGAIN)
