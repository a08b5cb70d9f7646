"""Showing rows: a table for people, JSON, YAML and CSV for programs, all from the same values.

A row is a mapping of column names to plain values, or a frozen dataclass of them.  Rendering is pure; only ``show`` and
``show_one`` write.  Colour is used for words that mean good or bad, on a terminal, unless NO_COLOR is set (no-color.org).
"""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum, StrEnum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import click


class Format(StrEnum):
    """What ``-o`` takes."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"


COLOURS = {
    "ok": "green",
    "ready": "green",
    "yes": "green",
    "bound": "green",
    "held": "yellow",
    "cooling": "yellow",
    "draining": "yellow",
    "warning": "yellow",
    "unknown": "yellow",
    "waiting": "yellow",
    "no": "red",
    "broken": "red",
    "error": "red",
    "declined": "red",
    "not ready": "red",
    "gone": "red",
}


def show(rows: Iterable[object], columns: Sequence[str], chosen: Format, *, empty: str = "") -> None:
    """Write rows to stdout; an empty table says ``empty`` on stderr, so that a pipe stays clean."""
    plain_rows = [plain(row) for row in rows]
    if chosen is Format.TABLE and not plain_rows:
        click.echo(empty or "nothing to show", err=True)
        return
    click.echo(render(plain_rows, columns, chosen, paint=painter()), nl=False)


def show_one(value: object, chosen: Format) -> None:
    """Write one thing to stdout: a table becomes a line for each field, CSV one row."""
    document = plain(value)
    if chosen is Format.TABLE:
        click.echo(_lines(document, painter()), nl=False)
    elif chosen is Format.CSV:
        click.echo(render([document], list(document), chosen), nl=False)
    else:
        click.echo(_structured(document, chosen), nl=False)


def plain(value: Any) -> Any:
    """``value`` as numbers, strings, booleans, None, lists and dicts: what JSON knows."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, IPv4Address | IPv6Address | Path):
        return str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    return value


def time_text(moment: datetime) -> str:
    """UTC in ISO 8601 with a Z, microseconds only where there are any."""
    return moment.isoformat().replace("+00:00", "Z")


def render(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], chosen: Format, *, paint: Callable[[str], str] = str
) -> str:
    """Rows as text, with a newline at the end; JSON and YAML hold every field, tables and CSV the columns."""
    if chosen is Format.TABLE:
        return _table([[cell(row.get(column)) for column in columns] for row in rows], columns, paint)
    if chosen is Format.CSV:
        return _csv([[cell(row.get(column)) for column in columns] for row in rows], columns)
    return _structured(list(rows), chosen)


def cell(value: Any) -> str:
    """One value as the text of a table or CSV cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(cell(each) for each in value)
    if isinstance(value, dict):
        return " ".join(f"{key}={cell(each)}" for key, each in value.items())
    return str(value)


def wants_colour(environment: Mapping[str, str], is_terminal: bool) -> bool:
    """NO_COLOR with any text in it means no; so do a pipe and a dumb terminal."""
    return is_terminal and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def painter() -> Callable[[str], str]:
    """What colours a cell on this stdout."""
    return _painted if wants_colour(os.environ, sys.stdout.isatty()) else str


def _painted(text: str) -> str:
    colour = COLOURS.get(text.strip())
    return click.style(text, fg=colour) if colour else text


def _table(cells: Sequence[Sequence[str]], columns: Sequence[str], paint: Callable[[str], str]) -> str:
    head = [column.replace("_", " ").upper() for column in columns]
    widths = [max(len(row[at]) for row in (head, *cells)) for at in range(len(columns))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(head, widths, strict=True)).rstrip()]
    for row in cells:
        padded = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        padded[-1] = padded[-1].rstrip()
        lines.append("  ".join(map(paint, padded)).rstrip())
    return "\n".join(lines) + "\n"


def _csv(cells: Sequence[Sequence[str]], columns: Sequence[str]) -> str:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(cells)
    return text.getvalue()


def _structured(document: Any, chosen: Format) -> str:
    if chosen is Format.JSON:
        import json

        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    import yaml

    dumped: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    return dumped


def _lines(document: Mapping[str, Any], paint: Callable[[str], str]) -> str:
    width = max(map(len, document), default=0) + 1
    return "".join(
        f"{name.replace('_', ' ') + ':':<{width}} {paint(cell(value))}".rstrip() + "\n"
        for name, value in document.items()
    )
