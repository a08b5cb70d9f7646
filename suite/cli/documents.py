"""Reading a configuration file for a command: the configuration, or every problem at once."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from suite.cli.fault import Exit, Fault

if TYPE_CHECKING:
    from suite.config.loading import Outcome
    from suite.model.configuration import Configuration
    from suite.model.problem import Problem


def load_file(path: Path, *, strict: bool = True) -> "Outcome":
    """What loading the file came to."""
    from suite.config.document import read_file
    from suite.config.loading import load

    return load(read_file(path), strict=strict)


def load_configuration(path: Path) -> "Configuration":
    """The configuration in a file.

    Raises:
        Fault: it has errors, all of which are named.
    """
    outcome = load_file(path)
    if outcome.configuration is None:
        raise with_errors(path, outcome)
    return outcome.configuration


def with_errors(path: Path, outcome: "Outcome") -> Fault:
    """The fault of a file with errors, each of which is named."""
    return Fault(
        "the configuration has errors:\n" + told(outcome.errors),
        where=str(path),
        fix=f"mend them and look again with `suite config check {path}`",
        code=Exit.PROBLEM,
    )


def told(problems: "Iterable[Problem]") -> str:
    """Problems, one a line, each with its place."""
    return "\n".join(("warning: " if problem.is_warning else "") + str(problem) for problem in problems)
