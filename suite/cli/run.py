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
    "  suite run --config config.yaml --dns-listen 127.0.0.1:1053 --state .state\n"
    "  suite run --role nameserver --database postgresql://suite@db/suite --probe-listen 0.0.0.0:17953\n"
    "  suite run --role speaker --follow https://10.0.10.1:7473 --token-file token --fingerprint sha256:0123...",
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
    "--follow",
    default="",
    envvar="SUITE_FOLLOW",
    metavar="URL",
    help="Follow the controller at this https:// address instead of a database.",
)
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="SUITE_TOKEN_FILE",
    help="The token that the controller knows this machine by; see `suite token`.",
)
@click.option(
    "--authority",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="SUITE_AUTHORITY",
    help="The certificate of the controller's authority.",
)
@click.option(
    "--fingerprint",
    default="",
    envvar="SUITE_FINGERPRINT",
    metavar="sha256:HEX",
    help="Instead of --authority: its fingerprint, as `suite token create` prints it.",
)
@click.option(
    "--dns-listen",
    multiple=True,
    metavar="ADDRESS[:PORT]",
    help="Answer DNS there instead of where the configuration says.",
)
@click.option(
    "--probe-listen",
    metavar="ADDRESS:PORT",
    help="Tell there, whatever the roles, whether the program lives (/healthz), is ready (/readyz) and what it counts (/metrics); nothing else.",
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
    follow: str,
    token_file: Path | None,
    authority: Path | None,
    fingerprint: str,
    dns_listen: tuple[str, ...],
    probe_listen: str | None,
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
    from suite.store.remote.client import Remote

    if follow and "controller" in roles:
        raise click.UsageError("who follows a controller is none: leave out --follow, or --role controller")
    if follow and not follow.startswith(("https://", "http://")):
        raise click.UsageError("--follow takes an address like https://controller.example:7473")
    options = RunOptions(
        config=target.config,
        manifests=manifests,
        kubeconfig=kubeconfig,
        database=target.database,
        state=target.state,
        follow=Remote(follow, token_file, authority, fingerprint) if follow else None,
        dns_listen=tuple(map(read_listen, dns_listen)),
        probe_listen=read_listen(probe_listen) if probe_listen else None,
        roles=roles,
        node=node,
        verbose=verbose,
    )
    raise click.exceptions.Exit(main(options))
