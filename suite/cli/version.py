"""``suite version``."""

import click

from suite import __version__
from suite.cli.options import format_option
from suite.cli.output import Format, show_one


@click.command("version", epilog="\b\nExample:\n  suite version -o json")
@format_option
def command(output: Format) -> None:
    """Print the version."""
    if output is Format.TABLE:
        click.echo(f"suite {__version__}")
    else:
        import platform

        show_one({"suite": __version__, "python": platform.python_version()}, output)
