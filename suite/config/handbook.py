"""The table of settings in the documentation, made of the shapes that the parser reads by.

Write it anew after a change of settings with::

    python -m suite.config.handbook docs/configuration.md
"""

import sys
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from suite.config.schema import Setting, settings
from suite.config.values import duration_text

MARK = "<!-- The rest is made by suite/config/handbook.py. -->\n"
DURATIONS = ("time", "limit", "interval", "dead", "delay")
"""Last words of the keys whose value is a duration."""


def table() -> str:
    """One row for each setting: its path, its default, what it means."""
    rows = [
        f"| `{each.path}` | {_default(each)} | {_doc(each)} |"
        for each in settings()
        if "-selectors[]." not in each.path
    ]
    return "\n".join([MARK, "| setting | default | meaning |", "|---|---|---|", *rows]) + "\n"


def _doc(setting: Setting) -> str:
    escaped = setting.doc.replace("|", "\\|").replace("<", "\\<")
    return escaped[:1].upper() + escaped[1:]


def _default(setting: Setting) -> str:
    if setting.is_required:
        return "required"
    if setting.path.endswith("-asn"):
        return ""
    if setting.path == "dns.claims":
        return "all for all"
    return _written(setting.default, is_duration=setting.path.endswith(DURATIONS))


def _written(value: Any, *, is_duration: bool) -> str:
    """The default as one would write it; empty where it is nothing."""
    match value:
        case None | "" | ():
            return ""
        case bool():
            return "`true`" if value else "`false`"
        case tuple():
            return f"`[{', '.join(map(str, value))}]`"
        case float() if is_duration:
            return f"`{duration_text(value)}`"
        case _ if is_dataclass(value) and fields(value):
            return ""
        case _:
            return f"`{value}`"


def rewrite(path: Path) -> None:
    """Put the table into the documentation, behind its mark."""
    prose, _, _ = path.read_text(encoding="utf-8").partition(MARK)
    path.write_text(prose + table(), encoding="utf-8")


if __name__ == "__main__":
    rewrite(Path(sys.argv[1]))
