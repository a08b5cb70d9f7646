"""``suite run``: reads the options; everything else is :mod:`suite.run`."""

from pathlib import Path

import click

from suite.cli.options import manifests_option, target_options
from suite.cli.target import Target

ROLES = ("controller", "speaker", "nameserver", "web")


@click.command(
    "run",
    epilog="\b\nExamples:\n"
    "  suite run --config config.yaml --manifests manifests/\n"
    "  suite run --config config.yaml --dns-listen 127.0.0.1:1053 --state .state",
)
@target_options
@manifests_option
@click.option(
    "--kubeconfig",
    default="",
    envvar="KUBECONFIG",
    metavar="FILE",
    help="Watch the cluster of this file instead of manifests.  [default: the pod's own cluster, inside one]",
)
@click.option(
    "--dns-listen",
    multiple=True,
    metavar="ADDRESS[:PORT]",
    help="Answer DNS there instead of where the configuration says.",
)
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice(ROLES),
    help="Run this role; several may be given.  [default: the configuration's]",
)
@click.option(
    "--node",
    default="",
    metavar="NAME",
    help="This machine's name among the nodes.  [default: $NODE_NAME, else the host name]",
)
@click.option("-v", "--verbose", count=True, help="Say more; twice for everything.")
def command(
    target: Target,
    manifests: Path | None,
    kubeconfig: str,
    dns_listen: tuple[str, ...],
    roles: tuple[str, ...],
    node: str,
    verbose: int,
) -> None:
    """Run the suite: give Services addresses, announce them, answer for their names.

    It stays in the foreground until it is told to end.  Everything it needs is made: the state directory, the database and its tables.  A missing privilege is said once, and
    what does not need it goes on.
    """
    from suite.cli.arguments import read_listen
    from suite.run import RunOptions, main

    options = RunOptions(
        config=target.config,
        manifests=manifests,
        kubeconfig=kubeconfig,
        database=target.database,
        state=target.state,
        dns_listen=tuple(map(read_listen, dns_listen)),
        roles=roles,
        node=node,
        verbose=verbose,
    )
    raise click.exceptions.Exit(main(options))
