"""Importing reservations: all lines or, when asked for, all that can be had; every line that cannot is named."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from suite.cli.desk import carry_out, order
from suite.cli.fault import Exit, Fault
from suite.cli.reservations import Line, read_lines
from suite.cli.target import Target

if TYPE_CHECKING:
    from suite.controller.operator import Booking
    from suite.model.changes import Changes
    from suite.model.snapshot import Snapshot


def import_file(target: Target, source: Path, reason: str, *, skip_refused: bool) -> None:
    """Reserve what the file says, in one commit.

    Raises:
        Fault: a line is refused and ``skip_refused`` is not set (then nothing is changed), or the file cannot be read.
    """
    from suite.controller.operator import Booking, reserve
    from suite.model.changes import Changes

    lines = _read(source)
    good = [(line, line.reservation) for line in lines if line.reservation is not None]
    given = order(reason)
    booking = Booking(Changes())

    def decide(snapshot: "Snapshot") -> "Changes":
        nonlocal booking
        booking = reserve(snapshot, [reservation for _, reservation in good], given)
        if (found := _refused(lines, [line for line, _ in good], booking)) and not skip_refused:
            raise Fault(
                f"{len(found)} of {len(lines)} lines are refused:\n" + "\n".join(found),
                where=str(source),
                fix="mend them, or import the others with --skip-refused; nothing was changed",
                code=Exit.REFUSED,
            )
        return booking.changes

    changes, _ = carry_out(target, decide)
    found = _refused(lines, [line for line, _ in good], booking)
    already = len(lines) - len(found) - len(changes.reserved)
    click.echo(f"{len(changes.reserved)} reserved, {already} were already, {len(found)} refused")
    if found:
        click.echo("\n".join(found), err=True)
        raise click.exceptions.Exit(int(Exit.PROBLEM))


def _read(source: Path) -> list[Line]:
    try:
        if str(source) == "-":
            return read_lines(sys.stdin)
        with source.open(newline="", encoding="utf-8-sig") as file:
            return read_lines(file)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Fault(f"the file cannot be read: {reason}", where=str(source), code=Exit.USAGE) from None


def _refused(lines: list[Line], good: list[Line], booking: "Booking") -> list[str]:
    """Each refused line with its number, its text and the reason, in the order of the file."""
    faults = {line.number: (line.text, line.fault) for line in lines if line.fault}
    faults |= {good[index].number: (good[index].text, refusal.message) for index, refusal in booking.refused}
    return [f"line {number}: {text}: {fault}" for number, (text, fault) in sorted(faults.items())]
