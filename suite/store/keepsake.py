"""The last leases, kept in a small file apart from the database: what is left when the database is lost.

A new database adopts them, so Services get back the addresses that the network knows them by.  The file is text (one
line per lease), readable by its owner only, replaced as a whole, and written some seconds after the last change: many
changes together cost one write, and a suite in which nothing happens writes nothing.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from suite.model.address import Address, parse_address
from suite.model.lease import LeaseState
from suite.model.service import ServiceRef, parse_ref
from suite.model.snapshot import Snapshot

NAME = "leases.last"
HEADER = "# The last leases of this suite; a new database takes them over.  address namespace/name"


def lines_of(snapshot: Snapshot) -> list[str]:
    """One line for each bound lease, in the order of addresses, so that equal leases make equal files."""
    bound = [lease for lease in snapshot.open_leases() if lease.state is LeaseState.BOUND]
    bound.sort(key=lambda lease: (lease.address.version, int(lease.address), lease.ref))
    return [f"{lease.address} {lease.ref}" for lease in bound]


def keep(path: Path, lines: Iterable[str]) -> None:
    """Replace the file, durably and all at once."""
    fresh = path.with_name(f"{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii", errors="replace") as file:  # "?" is in no name: recall skips it
        file.write("\n".join((HEADER, *lines)) + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def recall(path: Path) -> dict[ServiceRef, tuple[Address, ...]]:
    """Addresses by Service, as the file remembers them; nothing where there is no file, and no line that is broken."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return {}
    found: dict[ServiceRef, tuple[Address, ...]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) != 2 or line.startswith("#"):
            continue
        try:
            address, ref = parse_address(words[0]), parse_ref(words[1])
        except ValueError:
            continue
        found[ref] = (*found.get(ref, ()), address)
    return found
