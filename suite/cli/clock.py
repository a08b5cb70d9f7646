"""The present and this user's zone, for commands that read history."""

import os
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from suite.cli.fault import Exit, Fault
from suite.cli.timeword import Understood, understand

LOCALTIME = Path("/etc/localtime")


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def understood(text: str, zone_name: str, option: str = "--at") -> datetime | None:
    """The instant that ``option`` and ``--tz`` mean, None without it; what was understood is told on stderr.

    Raises:
        Fault: no such time or zone.
    """
    if not text:
        return None
    zone = find_zone(zone_name or os.environ.get("TZ", ""))
    try:
        meant = understand(text, now(), zone)
    except ValueError as error:
        raise Fault(str(error), where=option, code=Exit.USAGE) from None
    tell(meant)
    return meant.instant


def tell(meant: Understood) -> None:
    """Say which instant was understood, and the warning where there is one."""
    click.echo(f"as of {meant}", err=True)
    if meant.warning:
        click.echo(f"note: {meant.warning}", err=True)


def find_zone(name: str) -> tzinfo:
    """The zone of that name; without a name this machine's, UTC where it has none.

    Raises:
        Fault: there is no such zone.
    """
    if name in {"UTC", "utc", "Z"}:
        return UTC
    name = name.removeprefix(":")
    try:
        if name and not name.startswith("/"):
            return ZoneInfo(name)
        path = Path(name) if name else LOCALTIME
        with path.open("rb") as file:
            return ZoneInfo.from_file(file, key=_zone_name(path))
    except (ZoneInfoNotFoundError, ValueError, IsADirectoryError):
        raise Fault(
            f"{name!r} is no time zone this machine knows",
            where="--tz" if name else str(LOCALTIME),
            fix="write a name such as Europe/Berlin or UTC; the package tzdata has the list",
            code=Exit.USAGE,
        ) from None
    except FileNotFoundError:
        return UTC


def _zone_name(path: Path) -> str:
    return str(path.resolve()).partition("zoneinfo/")[2] or "local"
