"""``suite audit``: log, verify, export, prune."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from suite.cli import clock
from suite.cli.arguments import read_range, read_ref
from suite.cli.desk import instant_of, order
from suite.cli.fault import Exit, Fault
from suite.cli.options import format_option, reason_option, target_options
from suite.cli.outlet import watched
from suite.cli.output import Format, plain, show, show_one
from suite.cli.target import Target, store_errors

if TYPE_CHECKING:
    from suite.model.event import Action
    from suite.store.audit import Anchor, VerifyReport

COLUMNS = ("at", "action", "address", "service", "pool", "actor", "reason")


@click.group("audit", epilog="\b\nExample:\n  suite audit log --address 10.0.42.7")
def command() -> None:
    """The audit log: read, verify, export, prune."""


@command.command(
    "log",
    epilog="\b\nExamples:\n  suite audit log --since yesterday\n  suite audit log --address 10.0.42.0/24 --action released -o csv\n"
    '  suite audit log --service coffee --at "tue 14:03" --limit 5',
)
@target_options
@click.option(
    "--address", default="", metavar="ADDRESS|RANGE", help="Only events about this address, network or range."
)
@click.option("--service", default="", metavar="[NAMESPACE/]NAME", help="Only events about this Service.")
@click.option("--action", default="", metavar="WORD", help="Only this action, such as allocated or released.")
@click.option("--since", default="", metavar="TIME", help="From then on.")
@click.option("--until", default="", metavar="TIME", help="Before then.")
@click.option("--at", default="", metavar="TIME", help="As the log was then: up to that time, and that included.")
@click.option("--tz", default="", metavar="ZONE", help="The zone of the times.  [default: $TZ]")
@click.option(
    "--limit", type=click.IntRange(1), default=100, show_default=True, help="How many at most, the newest first."
)
@format_option
def log(
    target: Target,
    address: str,
    service: str,
    action: str,
    since: str,
    until: str,
    at: str,
    tz: str,
    limit: int,
    output: Format,
) -> None:
    """What happened, who did it and why, the newest first."""
    from suite.web.documents import event_document

    if at and until:
        raise click.UsageError("give --until or --at, not both")
    wanted = read_range(address) if address else None
    ref = read_ref(service) if service else None
    chosen = _action(action) if action else None
    begin, end = clock.understood(since, tz, "--since"), clock.understood(until, tz, "--until")
    if (instant := instant_of(at, tz, target)) is not None:
        end = instant + timedelta(microseconds=1)
    with target.store() as store:
        found = store.events(address=wanted, ref=ref, action=chosen, since=begin, until=end, limit=limit)
    show(map(event_document, found), COLUMNS, output, empty="no such event")


@command.command(
    "verify",
    epilog="\b\nExamples:\n"
    "  suite audit verify\n"
    "  suite audit verify --anchor 1795347336.1:9f86d0...      # an end of the log that was written down\n"
    "  suite audit verify archive.jsonl                        # an export, without any database\n\n"
    "Ends with 1 when something is wrong.  Write the anchor down elsewhere: without one, a log that was shortened together "
    "with its head, or written anew from some place to the end, looks whole.",
)
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@target_options
@click.option(
    "--anchor", "anchors", multiple=True, metavar="PLACE:HASH", help="Hold the log to this; several may be given."
)
@format_option
def verify(file: Path | None, target: Target, anchors: tuple[str, ...], output: Format) -> None:
    """Walk the whole log, or an export of it, and say where it was changed."""
    from suite.store.audit import verify_lines

    if file is None:
        given = [_anchor(text) for text in anchors]
        with target.store() as store:
            report = store.verify(anchors=given)
    else:
        with store_errors(str(file)), file.open("rb") as lines:
            report = verify_lines(lines)
    if output is Format.TABLE:
        _tell(report)
    else:
        show_one({"good": report.is_good, **plain(report), "last": str(report.last or "")}, output)
    if not report.is_good:
        raise click.exceptions.Exit(int(Exit.PROBLEM))


@command.command(
    "export",
    epilog="\b\nExamples:\n  suite audit export log.jsonl\n  suite audit export - --before 2026-01-01 | gzip > 2025.jsonl.gz",
)
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@target_options
@click.option("--before", default="", metavar="TIME", help="Only what a prune up to then would remove.")
@click.option("--tz", default="", metavar="ZONE", help="The zone of --before.  [default: $TZ]")
def export(file: Path, target: Target, before: str, tz: str) -> None:
    """Write the log and the lease history as lines of JSON, hashes included, to a new FILE or - for stdout."""
    until = clock.understood(before, tz, "--before")
    with target.store() as store, _opened(file) as stream:
        exported = store.export(stream, before=until)
    click.echo(f"{exported.events} events and {exported.leases} leases, SHA-256 {exported.sha256}", err=True)
    if exported.last is not None:
        click.echo(f"anchor: {exported.last}", err=True)


@command.command(
    "prune",
    epilog='\b\nExample:\n  suite audit prune --before 2025-01-01 --archive 2024.jsonl --reason "kept for a year"',
)
@target_options
@click.option(
    "--before", required=True, metavar="TIME", help="Remove events before then, and leases that ended before then."
)
@click.option("--tz", default="", metavar="ZONE", help="The zone of --before.  [default: $TZ]")
@click.option(
    "--archive",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file that what is removed is written to first.",
)
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@reason_option
def prune(target: Target, before: str, tz: str, archive: Path, is_sure: bool, reason: str) -> None:
    """Move the oldest part of the log out of the database into an archive.

    Who did it and why is an event, and a checkpoint lets `suite audit verify` go on from there.
    """
    until = clock.understood(before, tz, "--before")
    if until is None:
        raise click.UsageError("--before needs a time")
    if not is_sure:
        click.confirm("Remove it from the database?", abort=True, err=True)
    given = order(reason)
    with target.store(writes=True) as store:
        done = store.prune(until, archive, now=clock.now(), actor=given.actor, reason=given.reason)
    click.echo(f"{done.events} events and {done.leases} leases are in {archive} now, SHA-256 {done.archive_sha256}")


def _tell(report: "VerifyReport") -> None:
    for fault in report.faults:
        click.echo(f"error: {fault}", err=True)
    first = f" from {report.first[0]}.{report.first[1]}" if report.first else ""
    seals = f", {report.sealed} seals right" if report.sealed else ""
    pruned = f"; {report.pruned} older ones are in archives" if report.pruned else ""
    word = "whole" if report.is_good else "good up to there"
    click.echo(f"{word}: {report.events} events{first}{seals}{pruned}")
    if report.last is not None:
        click.echo(f"anchor: {report.last}")


@contextmanager
def _opened(file: Path) -> "Iterator[IO[bytes]]":
    """A new file only this user may read, or stdout."""
    if str(file) == "-":
        with watched():
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        what = "exists" if isinstance(error, FileExistsError) else f"cannot be made: {error.strerror}"
        fix = "give a path where nothing stands, and that can be written"
        raise Fault(f"{file} {what}", fix=fix, code=Exit.USAGE) from None
    with os.fdopen(descriptor, "wb") as stream:
        yield stream


def _anchor(text: str) -> "Anchor":
    from suite.store.audit import parse_anchor

    try:
        return parse_anchor(text)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _action(text: str) -> "Action":
    from suite.model.event import Action

    try:
        return Action(text)
    except ValueError:
        words = ", ".join(sorted(each.value for each in Action))
        raise click.UsageError(f"there is no action {text!r}; there are: {words}") from None
