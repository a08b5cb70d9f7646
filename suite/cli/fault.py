"""How a command ends badly: an exit code that scripts may rely on, and what, where and how to mend it on stderr."""

import os
import sys
from enum import IntEnum
from types import TracebackType
from typing import IO, Any

import click


class Exit(IntEnum):
    """Exit codes; they are part of the interface and never change their meaning."""

    OK = 0
    PROBLEM = 1
    """The command worked and found something wrong."""
    USAGE = 2
    """The command line itself is wrong; click's code."""
    UNAVAILABLE = 3
    """The suite is not running, or the database cannot be reached."""
    NOT_FOUND = 4
    """There is no such Service, address, pool or revision."""
    REFUSED = 5
    """The change was refused and nothing was changed."""
    TIMEOUT = 6
    """What was waited for did not happen in time."""
    DEFECT = 70
    """A mistake in this program (EX_SOFTWARE of sysexits.h)."""
    OUTPUT = 74
    """What was found out could not be written to standard output (EX_IOERR)."""


class Fault(click.ClickException):
    """An error that a person can mend."""

    def __init__(self, what: str, *, where: str = "", fix: str = "", code: Exit = Exit.PROBLEM) -> None:
        super().__init__(what)
        self.where = where
        self.fix = fix
        self.exit_code = int(code)  # type: ignore[misc]  # click's own subclasses do the same

    def show(self, file: IO[Any] | None = None) -> None:
        """Write what, where and the fix, each where there is one."""
        for line in self.lines():
            click.echo(line, file=file, err=file is None)

    def lines(self) -> list[str]:
        """``error: ...``, ``where: ...``, ``fix: ...``; a text of several lines is indented under its word."""
        parts = (("error", self.message), ("where", self.where), ("fix", self.fix))
        return [f"{word + ':':<7}" + text.replace("\n", "\n" + " " * 7) for word, text in parts if text]


def end_with_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An exception hook: name the mistake and end with its exit code, which a hook can do in no gentler way."""
    show_defect(kind, error, trace)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(Exit.DEFECT))


def show_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A mistake of ours is named in three lines as well, for a traceback helps nobody at a prompt."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    fault = Fault(
        f"this is a defect in suite: {kind.__name__}: {error}",
        where=where,
        fix="please report it together with what this command shows when SUITE_TRACEBACK=1 is set",
        code=Exit.DEFECT,
    )
    fault.show(sys.stderr)
