"""``suite explain``."""

import click

from suite.cli.arguments import read_ref
from suite.cli.desk import ask, snapshot_of
from suite.cli.fault import Exit, Fault
from suite.cli.options import format_option, target_options
from suite.cli.output import Format, plain, show, show_one
from suite.cli.target import Target

COLUMNS = ("stage", "verdict", "text")


@click.command(
    "explain",
    epilog="\b\nExamples:\n  suite explain default/coffee\n  suite explain coffee -o json\n\n"
    "Ends with 0 when no link is broken, 1 when one is, 4 when nobody knows the Service.",
)
@click.argument("service", metavar="[NAMESPACE/]NAME")
@target_options
@format_option
def command(service: str, target: Target, output: Format) -> None:
    """Show the chain from a Service to its answer, and where it breaks.

    A running suite is asked, because it knows who announces and what is answered; without one the database is read.
    """
    ref = read_ref(service)
    try:
        document = ask(target, f"/v1/services/{ref.namespace}/{ref.name}", expected=(200, 404))
    except Fault as fault:
        if fault.exit_code != Exit.UNAVAILABLE:
            raise
        document = _from_database(target, service)
    if output in {Format.TABLE, Format.CSV}:
        show(document["chain"], COLUMNS, output)
    else:
        show_one(document, output)
    if len(document["chain"]) == 1:
        raise click.exceptions.Exit(int(Exit.NOT_FOUND))
    if document["verdict"] == "broken":
        raise click.exceptions.Exit(int(Exit.PROBLEM))


def _from_database(target: Target, service: str) -> dict[str, object]:
    from suite.model.explain import explain
    from suite.web.documents import service_document

    snapshot = snapshot_of(target)
    document: dict[str, object] = plain(service_document(snapshot, explain(snapshot, read_ref(service))))
    return document
