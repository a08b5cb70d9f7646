"""``suite config``: check, convert, schema, reference.

These commands need no database and no running suite; they read files and write to stdout.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from suite.cli.fault import Exit, Fault
from suite.cli.options import format_option
from suite.cli.output import Format, plain, show

if TYPE_CHECKING:
    from suite.config.document import Document
    from suite.model.problem import Problem

COLUMNS = ("source", "line", "severity", "path", "message")
FILE = click.Path(dir_okay=False, allow_dash=True, path_type=Path)


@click.group("config", epilog="\b\nExample:\n  suite config check config.yaml")
def command() -> None:
    """Configuration files: check, convert, schema, reference."""


@command.command(
    "check",
    epilog="\b\nExamples:\n  suite config check config.yaml\n  kubectl get -A -o yaml ipaddresspools,l2advertisements | suite config check -\n\n"
    "Ends with 0 when the files can be used, 1 when they cannot.",
)
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@click.option("--lenient", is_flag=True, help="An unknown key is a warning, as in resources from a cluster.")
@format_option
def check(files: tuple[Path, ...], lenient: bool, output: Format) -> None:
    """Check configuration files, all of them together, and name every problem with its file, line and path.

    Any mixture of the suite's own format, MetalLB's ConfigMap and MetalLB's custom resources is understood.
    """
    from suite.config.loading import load
    from suite.web.documents import problem_document

    outcome = load(_documents(files), strict=not lenient)
    if output is Format.TABLE:
        _tell(outcome.problems)
    else:
        show(map(problem_document, outcome.problems), COLUMNS, output)
    if outcome.configuration is None:
        raise click.exceptions.Exit(int(Exit.PROBLEM))
    if output is Format.TABLE:
        pools = len(outcome.configuration.pools)
        click.echo(f"fine: {pools} pool{'' if pools == 1 else 's'}, digest {outcome.configuration.digest[:12]}")


@command.command(
    "convert",
    epilog="\b\nExamples:\n  suite config convert --to resources config.yaml > resources.yaml\n  suite config convert --to native resources.yaml > config.yaml",
)
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@click.option(
    "--to",
    "target",
    type=click.Choice(["resources", "native"]),
    required=True,
    help="MetalLB's custom resources, or the one-file format.",
)
@click.option("--namespace", default="metallb-system", show_default=True, help="Namespace of the resources.")
def convert(files: tuple[Path, ...], target: str, namespace: str) -> None:
    """Convert between the ConfigMap format and custom resources.

    What the other format cannot say is told on stderr.
    """
    import yaml

    from suite.config.convert import to_native, to_resources
    from suite.config.loading import load

    documents = _documents(files)
    errors = load(documents, strict=True).errors
    if errors:
        _tell(errors)
        raise click.exceptions.Exit(int(Exit.PROBLEM))
    made = to_resources(documents, namespace) if target == "resources" else to_native(documents)
    _tell(made.lost)
    click.echo(yaml.safe_dump_all(plain(made.objects), sort_keys=False, allow_unicode=True, width=120), nl=False)


@command.command("schema", epilog="\b\nExample:\n  suite config schema > suite.schema.json   # for an editor")
def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    import json

    from suite.config.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@command.command("reference", epilog="\b\nExample:\n  suite config reference | less")
def reference() -> None:
    """Print the commented configuration file that names every setting with its default."""
    from importlib.resources import files

    click.echo(files("suite.config").joinpath("reference.yaml").read_text("utf-8"), nl=False)


def _documents(files: Sequence[Path]) -> "list[Document]":
    from suite.config.document import read_file, read_text

    documents: list[Document] = []
    for path in files:
        if str(path) == "-":
            documents += read_text(sys.stdin.read(), "stdin")
        elif path.exists():
            documents += read_file(path)
        else:
            raise Fault("there is no such file", where=str(path), code=Exit.USAGE)
    return documents


def _tell(problems: "Sequence[Problem]") -> None:
    for problem in problems:
        word = "warning" if problem.is_warning else "error"
        click.echo(f"{word}: {problem}", err=True)
