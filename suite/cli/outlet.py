"""Standard output that says when it is the one that fails: a full disk behind ``>``, a reader that went away.

Any other OSError is somebody else's fault; this one must not be told as a fault of the database or of this program.
"""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SIGPIPE_CODE = 141
"""What a shell says of a program that SIGPIPE ended; a reader that has seen enough (``| head``) is no error."""


class LostOutput(Exception):  # noqa: N818 - somebody else's disk or decision
    """Standard output takes no more; nothing else is wrong."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(cause.strerror or str(cause))
        self.is_closed = isinstance(cause, BrokenPipeError)


class Outlet(io.TextIOWrapper):
    """Text to standard output."""

    def write(self, text: str, /) -> int:
        """See :class:`io.TextIOWrapper`."""
        with watched():
            return super().write(text)

    def flush(self) -> None:
        """See :class:`io.TextIOWrapper`."""
        with watched():
            super().flush()


@contextmanager
def watched() -> Iterator[None]:
    """Whatever cannot be written in the block is standard output's fault."""
    try:
        yield
    except OSError as error:
        raise LostOutput(error) from error


def install() -> None:
    """Let standard output say so from now on; a closed one (``>&-``) stays as it is."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        old, settings = sys.stdout, (sys.stdout.encoding, sys.stdout.errors, None, sys.stdout.line_buffering)
        sys.stdout = sys.__stdout__ = Outlet(old.detach(), *settings)  # type: ignore[misc]  # final for typeshed alone


def give_up() -> None:
    """Throw away what is left, so that the interpreter does not try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
