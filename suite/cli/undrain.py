"""``suite undrain``: a drained node announces again."""

from typing import TYPE_CHECKING

import click

from suite.cli.desk import carry_out, done, order
from suite.cli.moves import this_node
from suite.cli.options import reason_option, target_options
from suite.cli.target import Target

if TYPE_CHECKING:
    from suite.model.changes import Changes
    from suite.model.refusal import Refusal
    from suite.model.snapshot import Snapshot


@click.command("undrain", epilog='\b\nExamples:\n  suite undrain compute2 --reason "it is back"\n  suite undrain')
@click.argument("node", default="")
@target_options
@reason_option
def command(node: str, target: Target, reason: str) -> None:
    """Let a drained node announce again.

    NODE is this machine where none is said. The addresses that are its own by election return to it.
    """
    from suite.controller.operator import undrain_node

    name, given = node or this_node(), order(reason)

    def decide(snapshot: "Snapshot") -> "Changes | Refusal":
        return undrain_node(snapshot, name, given)

    changes, _ = carry_out(target, decide)
    done(changes, f"{name} may announce again")
