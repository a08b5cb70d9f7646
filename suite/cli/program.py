"""The root of the command tree, and the entry point of the ``suite`` command."""

import os
import sys

import click

from suite import __version__
from suite.cli import outlet
from suite.cli.fault import Exit, Fault, end_with_defect
from suite.cli.lazy import LazyGroup

PLACES = {
    "run": ("suite.cli.run", "Run the suite: give Services addresses, announce them, answer for their names."),
    "status": ("suite.cli.status", "Say what runs, which revision it follows, and what is wrong."),
    "explain": ("suite.cli.explain", "Show the chain from a Service to its answer, and where it breaks."),
    "plan": ("suite.cli.plan", "Show the next turn before it happens, or confirm releases that wait."),
    "pool": ("suite.cli.pool", "Pools: what is used, what is free, and taking one out of use."),
    "lease": ("suite.cli.lease", "Leases: who has, had or is to have an address."),
    "l2": ("suite.cli.l2", "Layer 2: who answers for which address, what the network says, and what if a node fails."),
    "drain": ("suite.cli.drain", "Let a node announce nothing, and show what moves where."),
    "undrain": ("suite.cli.undrain", "Let a drained node announce again."),
    "dns": ("suite.cli.dns", "Names: which there are, and what a server answers."),
    "audit": ("suite.cli.audit", "The audit log: read, verify, export, prune."),
    "migrate-from-metallb": (
        "suite.cli.migrate_from_metallb",
        "Move a cluster from MetalLB to the suite: no address moves, and each stays on its node where it can.",
    ),
    "bgp": ("suite.cli.bgp", "BGP: sessions of this node, routes of every node, and which path is best."),
    "router-config": (
        "suite.cli.router_config",
        "Write what the router on the other side of a BGP peer needs: neighbors, AS numbers, our prefixes, our zones.",
    ),
    "hosts": ("suite.cli.hosts", "Host tables: from leases to a router's, and from a router's to the configuration."),
    "token": ("suite.cli.token", "Tokens: who may follow this suite, ask it or order something over the network."),
    "config": ("suite.cli.config", "Configuration files: check, convert, schema, reference."),
    "db": ("suite.cli.db", "The database: upgrade, check, back up, restore."),
    "doctor": ("suite.cli.doctor", "Check this machine and say how to mend what is wrong."),
    "completion": ("suite.cli.completion", "Print the completion script for a shell."),
    "version": ("suite.cli.version", "Print the version."),
}

EPILOG = """\
\b
Try it:
  suite run --config deploy/examples/suite.yaml --manifests deploy/examples/manifests
  suite lease who 10.0.42.7 --at "tue 14:03"
  suite explain default/coffee

\b
Exit codes:
  0 fine   1 found a problem   2 wrong usage    3 not running or no database
  4 no such thing   5 refused, nothing changed   6 waited too long
"""


@click.group(
    "suite",
    cls=LazyGroup,
    places=PLACES,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", message="suite %(version)s")
def program() -> None:
    """Load balancers and DNS on the metal: addresses, announcements and names from one database."""


def main() -> None:
    """Run the command line and end the process with its exit code."""
    if not os.environ.get("SUITE_TRACEBACK"):
        sys.excepthook = end_with_defect
    outlet.install()
    try:
        code = _run()
    except outlet.LostOutput as lost:
        outlet.give_up()
        code = outlet.SIGPIPE_CODE if lost.is_closed else _say_lost(lost)
    sys.exit(code)


def _run() -> int:
    """The exit code of the command that the command line names."""
    try:
        code = program.main(prog_name="suite", standalone_mode=False)
    except click.exceptions.Exit as end:
        code = end.exit_code
    except click.Abort:
        click.echo("interrupted", err=True)
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    return code if isinstance(code, int) else int(Exit.OK)


def _say_lost(lost: outlet.LostOutput) -> int:
    fault = Fault(
        f"cannot write to standard output: {str(lost).lower()}",
        fix="make room where the output goes, or send it elsewhere",
        code=Exit.OUTPUT,
    )
    fault.show()
    return fault.exit_code
