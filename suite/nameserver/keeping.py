"""The file beside the database in which a server with secondaries keeps its zones (``kept`` says why and how)."""

import os
from collections.abc import Mapping
from pathlib import Path

from suite.dns.journal import Difference
from suite.dns.zone import Zone
from suite.nameserver.kept import Kept, lines_of, read

NAME = "zones.last"


def keep(path: Path, zones: Mapping[bytes, Zone], differences: Mapping[bytes, tuple[Difference, ...]]) -> None:
    """Replace the file, durably and all at once.

    Raises:
        OSError: it cannot be written; the old one is still there.
    """
    fresh = path.with_name(f"{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in lines_of(zones.values(), differences))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def recall(path: Path) -> dict[bytes, Kept]:
    """What the file holds; nothing where there is none.

    Raises:
        KeptError: it is damaged.
        OSError: it cannot be read.
    """
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            return read(file)
    except FileNotFoundError:
        return {}
