"""``suite plan``."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from suite.cli.clock import now
from suite.cli.desk import ask, carry_out, done, order
from suite.cli.fault import Exit, Fault
from suite.cli.options import format_option, manifests_option, reason_option, target_options
from suite.cli.output import Format, plain, show, show_one
from suite.cli.target import Target

if TYPE_CHECKING:
    from suite.cluster.source import Batch
    from suite.model.changes import Changes
    from suite.model.refusal import Refusal
    from suite.model.snapshot import Snapshot

COLUMNS = ("action", "service", "address", "pool", "reason")
PATIENCE = 30.0
"""Seconds to wait for a directory of manifests that is being written."""


@click.command(
    "plan",
    epilog="\b\nExamples:\n"
    "  suite plan                                              # what a running suite would do next\n"
    "  suite plan --config new.yaml --manifests manifests/    # what these files would do\n"
    "  suite plan --confirm 3f1c09d27ab4                       # let exactly these releases happen\n\n"
    "Ends with 1 when releases wait for a confirmation.",
)
@target_options
@manifests_option
@click.option("--confirm", "digest", default="", metavar="DIGEST", help="Let the releases with this digest happen.")
@reason_option
@format_option
def command(target: Target, manifests: Path | None, digest: str, reason: str, output: Format) -> None:
    """Show the next turn before it happens, or confirm releases that wait.

    A running suite is asked.  With --config or --manifests those files are read instead, and compared with the database;
    nothing is written either way.
    """
    if digest:
        _confirm(target, digest, reason)
        return
    document = _from_files(target, manifests) if _names_files() else ask(target, "/v1/plan")
    if output in {Format.TABLE, Format.CSV}:
        _show(document, output)
    else:
        show_one(document, output)
    if document["withheld"]:
        raise click.exceptions.Exit(int(Exit.PROBLEM))


def _names_files() -> bool:
    """Whether the command line names files; the environment names those that the running suite reads anyway."""
    context = click.get_current_context()
    return any(context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in ("config", "manifests"))


def _confirm(target: Target, digest: str, reason: str) -> None:
    from suite.controller.operator import confirm

    given = order(reason)

    def decide(snapshot: "Snapshot") -> "Changes | Refusal":
        return confirm(snapshot, digest, given)

    changes, _ = carry_out(target, decide)
    done(changes, "confirmed; the next turn carries the releases out")


def _show(document: Any, output: Format) -> None:
    rows = [*document["actions"], *({**each, "action": "release-withheld"} for each in document["withheld"])]
    show(rows, COLUMNS, output, empty="nothing to do")
    if document["digest"]:
        count = len(document["withheld"])
        click.echo(
            f"\n{count} releases wait; let them happen with `suite plan --confirm {document['digest']}`", err=True
        )


def _from_files(target: Target, manifests: Path | None) -> Any:
    from suite.cli.documents import load_configuration
    from suite.controller.plan import preview
    from suite.web.documents import plan_document

    snapshot = _known(target)
    configuration = load_configuration(target.config) if target.config else None
    batch = _unchanged(snapshot) if manifests is None else asyncio.run(_first_batch(manifests))
    turn = preview(batch, snapshot, max(now(), snapshot.at), configuration)
    held_back = [(each.lease, each.why) for each in turn.held_back]
    return plain(plan_document(turn.changes, held_back, turn.digest))


def _known(target: Target) -> "Snapshot":
    """What the database says; an empty one where there is none yet, so that a first turn can be looked at."""
    from suite.model.snapshot import Snapshot

    try:
        with target.store() as store:
            return store.read()
    except Fault as fault:
        if fault.exit_code != Exit.UNAVAILABLE or target.database:
            raise
        click.echo("there is no database yet; this is what the first turn would do", err=True)
        return Snapshot()


def _unchanged(snapshot: "Snapshot") -> "Batch":
    from suite.cluster.source import Batch

    return Batch(
        services=tuple(snapshot.services.values()),
        endpoints=tuple(snapshot.endpoints.values()),
        nodes=tuple(snapshot.nodes.values()),
        namespaces=tuple(snapshot.namespaces.values()),
        is_full=True,
    )


async def _first_batch(manifests: Path) -> "Batch":
    """The first complete picture of a directory."""
    from suite.cluster.files import FileSource

    first: asyncio.Future[Batch] = asyncio.get_running_loop().create_future()

    async def deliver(batch: "Batch") -> None:
        if batch.is_full and not first.done():
            first.set_result(batch)
        for problem in batch.problems:
            click.echo(f"{'warning' if problem.is_warning else 'error'}: {problem}", err=True)

    watching = asyncio.create_task(FileSource(manifests).run(deliver))
    try:
        return await asyncio.wait_for(first, PATIENCE)
    except TimeoutError:
        raise Fault("the manifests cannot be read", where=str(manifests), code=Exit.USAGE) from None
    finally:
        watching.cancel()
