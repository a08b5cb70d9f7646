"""Options that many commands share: where the suite is, how to show, at which time, and who asks why."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from suite.cli.output import Format
from suite.cli.target import Target

Command = TypeVar("Command", bound=Callable[..., Any])

_PLACES = (
    click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="SUITE_CONFIG",
        help="The configuration file.",
    ),
    click.option(
        "--state",
        type=click.Path(file_okay=False, readable=False, path_type=Path),
        envvar="SUITE_STATE",
        help="The state directory: database, socket, last snapshot.  [default: $STATE_DIRECTORY, else /var/lib/suite for "
        "root, else ~/.local/state/suite]",
    ),
    click.option(
        "--database",
        metavar="URL",
        default="",
        envvar="SUITE_DATABASE",
        help="The database, without a password: sqlite:///FILE or postgresql://USER@HOST/NAME.  [default: the "
        "configuration's, else suite.db in the state directory]",
    ),
)


def target_options(command: Command) -> Command:
    """``--config``, ``--state`` and ``--database``, given to the command as one ``target``."""

    @wraps(command)
    def wrapped(*arguments: Any, config: Path | None, state: Path | None, database: str, **options: Any) -> Any:
        return command(*arguments, target=Target.of(config, state, database), **options)

    for option in reversed(_PLACES):
        wrapped = option(wrapped)
    return cast("Command", wrapped)


manifests_option = click.option(
    "--manifests",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="SUITE_MANIFESTS",
    help="The directory of Kubernetes manifests.",
)

format_option = click.option(
    "-o",
    "--output",
    type=click.Choice([each.value for each in Format]),
    default=Format.TABLE.value,
    show_default=True,
    callback=lambda _context, _parameter, value: Format(value),
    help="How to show it.",
)


def time_options(command: Command) -> Command:
    """``--at`` and ``--tz``: the time is understood by :mod:`suite.cli.clock`."""
    at = click.option(
        "--at",
        metavar="TIME",
        default="",
        help='As of then: "tue 14:03", "yesterday 9:00", "-2h", "2026-11-22 14:03", ISO 8601.',
    )
    zone = click.option(
        "--tz", metavar="ZONE", default="", help="The zone of --at, such as Europe/Berlin.  [default: $TZ]"
    )
    return at(zone(command))


def reason_option(command: Command) -> Command:
    """``--reason``: a sentence for the audit log."""
    return click.option("--reason", default="", metavar="TEXT", help="Why, in one sentence, for the audit log.")(
        command
    )
