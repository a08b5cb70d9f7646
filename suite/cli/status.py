"""``suite status``."""

import time
from typing import Any

import click

from suite.cli.desk import ask
from suite.cli.fault import Exit, Fault
from suite.cli.options import format_option, target_options
from suite.cli.output import Format, plain, show, show_one
from suite.cli.target import Target

COLUMNS = ("role", "node", "version", "revision", "state", "why")
PAUSE = 0.1
"""Seconds between two looks while waiting."""


@click.command(
    "status",
    epilog="\b\nExamples:\n  suite status\n  suite status --wait --timeout 30\n  suite status -o json\n"
    "  suite status --database postgresql://suite@db/suite      # of all machines, from one that runs none\n\n"
    "Ends with 0 when all is well, 1 when something is not, 3 when no suite runs, 6 when --wait waited too long.",
)
@target_options
@click.option("--wait", "waits", is_flag=True, help="Wait until every role of the suite asked is ready.")
@click.option(
    "--timeout", type=click.FloatRange(0), default=60.0, show_default=True, metavar="SECONDS", help="How long."
)
@format_option
def command(target: Target, waits: bool, timeout: float, output: Format) -> None:
    """Say what runs, which revision it follows, and what is wrong.

    The suite of this state directory is asked; the database tells it of every other one, on this machine and on others;
    machines that follow its feed tell it themselves.
    Where none runs here, a database that is named (--database, or the configuration) tells the same; one named by --database that the
    suite here does not live on tells of those that do.
    """
    document = _await(target, timeout) if waits else _status(target)
    if output is Format.TABLE:
        _show(document)
    elif output is Format.CSV:
        show(_rows(document), COLUMNS, output)
    else:
        show_one(document, output)
    if document["troubles"] or not document["ready"]:
        raise click.exceptions.Exit(int(Exit.PROBLEM))


def _status(target: Target) -> Any:
    try:
        document = ask(target, "/v1/status")
    except Fault as fault:
        if fault.exit_code != Exit.UNAVAILABLE or not (target.database or target.settings.url):
            raise
        return _from_database(target)
    return _from_database(target) if target.database and _is_another(document, target) else document


def _is_another(document: Any, target: Target) -> bool:
    """Whether the database that was named is surely not the one that the suite asked lives on: nobody on it shares its epoch."""
    try:
        with target.store() as store:
            told = {each.instance.epoch for each in store.fellows()}
    except Fault:
        return False  # the suite here may know it, and say what is wrong with it
    return not told & {each["epoch"] for each in document["instances"] if each["here"]}


def _from_database(target: Target) -> dict[str, Any]:
    """What every program on the database said, for whoever runs none here."""
    from suite.model.status import Status
    from suite.web.documents import status_document

    with target.store() as store:
        snapshot, fellows = store.read(), store.fellows()
    living = [each for each in fellows if each.gone is None]
    document: dict[str, Any] = plain(status_document(Status(fellows=fellows, withheld=snapshot.withheld), snapshot))
    is_ready = bool(living) and all(each.instance.is_ready for each in living)
    return document | {"ready": is_ready}


def _await(target: Target, timeout: float) -> Any:
    """The status once everything is ready, a suite that is only starting included."""
    deadline = time.monotonic() + timeout
    document: Any = None
    while True:
        try:
            document = ask(target, "/v1/status")
        except Fault:
            if time.monotonic() >= deadline:
                raise
        if document and document["ready"]:
            return document
        if time.monotonic() >= deadline:
            _show(document)
            raise Fault(
                f"not everything was ready within {timeout:g} seconds",
                where=str(target.socket),
                fix="the reasons stand above; `suite doctor` checks this machine",
                code=Exit.TIMEOUT,
            )
        time.sleep(PAUSE)


def _rows(document: Any) -> list[dict[str, Any]]:
    return [{**each, "state": _state(each), "why": _why(each)} for each in document["instances"]]


def _state(instance: Any) -> str:
    if instance["gone"]:
        return "gone"
    return "ready" if instance["ready"] else "not ready"


def _why(instance: Any) -> str:
    gone = [f"ended without a word, noticed {instance['gone']}"] if instance["gone"] else []
    return "; ".join(gone or instance["reasons"] + instance["notes"])


def _show(document: Any) -> None:
    show(_rows(document), COLUMNS, Format.TABLE, empty="no role has reported yet")
    unready = {f"{each['role']} on {each['node']} is not ready" for each in document["instances"]}
    troubles = [text for text in document["troubles"] if text.partition(":")[0] not in unready]
    if troubles:
        click.echo("\nTo look at:\n" + "\n".join(f"  {text}" for text in troubles))
