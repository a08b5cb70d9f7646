"""``suite doctor``."""

import click

from suite.cli.fault import Exit
from suite.cli.options import format_option, target_options
from suite.cli.output import Format, painter, show
from suite.cli.target import Target

COLUMNS = ("check", "severity", "text", "fix")


@click.command(
    "doctor",
    epilog="\b\nExamples:\n  suite doctor --config config.yaml\n  suite doctor -o json\n\n"
    "Ends with 0 when all is well, 1 when there are warnings, 2 when something will not work.",
)
@target_options
@format_option
def command(target: Target, output: Format) -> None:
    """Check this machine and say how to mend what is wrong.

    Its database and its configuration are looked at too.  It changes nothing, and may be run before the suite is started as well as beside it.
    """
    from suite.cli.facts import gather
    from suite.cli.health import Severity, examine

    findings = examine(gather(target))
    if output is Format.TABLE:
        paint = painter()
        for each in findings:
            click.echo(f"{paint(f'{each.severity.value:<7}')}  {each.check:<13}  {each.text}")
            if each.fix and each.severity is not Severity.OK:
                click.echo(f"{'':<24}fix: {each.fix}")
    else:
        show(findings, COLUMNS, output)
    worst = {finding.severity for finding in findings}
    if Severity.ERROR in worst:
        raise click.exceptions.Exit(int(Exit.USAGE))
    if Severity.WARNING in worst:
        raise click.exceptions.Exit(int(Exit.PROBLEM))
