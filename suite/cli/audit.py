"""``suite audit``: log."""

from typing import TYPE_CHECKING

import click

from suite.cli import clock
from suite.cli.arguments import read_range, read_ref
from suite.cli.options import format_option, target_options
from suite.cli.output import Format, show
from suite.cli.target import Target

if TYPE_CHECKING:
    from suite.model.event import Action

COLUMNS = ("at", "action", "address", "service", "pool", "actor", "reason")


@click.group("audit", epilog="\b\nExample:\n  suite audit log --address 10.0.42.7")
def command() -> None:
    """The audit log: read, verify, export, prune."""


@command.command(
    "log",
    epilog="\b\nExamples:\n  suite audit log --since yesterday\n  suite audit log --address 10.0.42.0/24 --action released -o csv",
)
@target_options
@click.option(
    "--address", default="", metavar="ADDRESS|RANGE", help="Only events about this address, network or range."
)
@click.option("--service", default="", metavar="[NAMESPACE/]NAME", help="Only events about this Service.")
@click.option("--action", default="", metavar="WORD", help="Only this action, such as allocated or released.")
@click.option("--since", default="", metavar="TIME", help="From then on.")
@click.option("--until", default="", metavar="TIME", help="Before then.")
@click.option("--tz", default="", metavar="ZONE", help="The zone of --since and --until.  [default: $TZ]")
@click.option(
    "--limit", type=click.IntRange(1), default=100, show_default=True, help="How many at most, the newest first."
)
@format_option
def log(
    target: Target, address: str, service: str, action: str, since: str, until: str, tz: str, limit: int, output: Format
) -> None:
    """What happened, who did it and why, the newest first."""
    from suite.web.documents import event_document

    wanted = read_range(address) if address else None
    ref = read_ref(service) if service else None
    chosen = _action(action) if action else None
    begin, end = clock.understood(since, tz), clock.understood(until, tz)
    with target.store() as store:
        found = store.events(address=wanted, ref=ref, action=chosen, since=begin, until=end, limit=limit)
    show(map(event_document, found), COLUMNS, output, empty="no such event")


def _action(text: str) -> "Action":
    from suite.model.event import Action

    try:
        return Action(text)
    except ValueError:
        words = ", ".join(sorted(each.value for each in Action))
        raise click.UsageError(f"there is no action {text!r}; there are: {words}") from None
