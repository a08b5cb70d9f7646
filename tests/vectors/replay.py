"""Replay files of peer behaviour: ``python tests/vectors/replay.py FILE...``.

The format of a file is recognised by its shape.  Every row that differs is printed, then one line of figures for each
file; the exit status is 1 when a row differs that ``settled.py`` does not explain, 2 when a file is of no known format.
"""

import importlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent), str(HERE.parent)]

from vectors.settled import SETTLED  # noqa: E402  (the path is set above)

Row = tuple[str, Any, Any]
"""Name of the row, what it wants, what we do."""


def format_of(data: Any) -> str:
    """``allocator``, ``announce`` or ``config``; empty for anything else."""
    sections = data.get("sections", {}) if isinstance(data, dict) else {}
    if "legacy_configmap_parse_v0_12" in sections or "parse" in sections:
        return "config"
    if "l2_should_announce" in sections or "bgp_should_announce" in sections:
        return "announce"
    return "allocator" if isinstance(data, dict) and "cases" in data else ""


def replay(data: Any) -> Iterable[Row]:
    """Every row of a file of a known format."""
    rows: Iterable[Row] = importlib.import_module(f"vectors.replay_{format_of(data)}").replay(data)
    return rows


def report(path: str) -> int:
    """Print what differs in one file; the exit status."""
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    kind = format_of(data)
    if not kind:
        print(f"{path}: no format that is known here")
        return 2
    rows = list(replay(data))
    differing = [row for row in rows if row[1] != row[2]]
    settled = [name for name, _, _ in differing if (kind, name) in SETTLED]
    for name, wanted, got in differing:
        if name not in settled:
            print(f"differs: {name}\n    wanted {wanted}\n    got    {got}")
    for name in settled:
        print(f"settled: {name}: {SETTLED[kind, name]}")
    unexplained = len(differing) - len(settled)
    print(
        f"{path}: {len(rows)} rows, {unexplained} differ" + (f", {len(settled)} settled otherwise" if settled else "")
    )
    return 1 if unexplained else 0


def main(paths: list[str]) -> int:
    """The worst exit status of all files."""
    if not paths:
        print(__doc__)
        return 2
    return max(report(path) for path in paths)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
