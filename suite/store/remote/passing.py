"""What a speaker learns of addresses that nobody has yet: worth telling now and nothing in a minute, so never on the disk.

Whoever could not tell it asks the network again, half a minute later.
"""

import threading
from dataclasses import dataclass, field
from typing import Any

from suite.model.address import Address

SERIAL = "ahead-0"
"""Of every such report; only what is announced is told apart by its serial."""


@dataclass(slots=True)
class Passing:
    """The newest finding about each address, from any thread; taken once, told or not."""

    _found: dict[Address, dict[str, Any] | None] = field(default_factory=dict)
    """The report of a stranger; None where nobody answers."""
    _busy: threading.Lock = field(default_factory=threading.Lock)

    def clean(self, address: Address) -> None:
        """Nobody answers for ``address``."""
        with self._busy:
            self._found[address] = None

    def stranger(self, address: Address, report: dict[str, Any]) -> None:
        """``report`` tells which stranger has ``address``."""
        with self._busy:
            self._found[address] = report | {"serial": SERIAL}

    def take(self) -> dict[str, Any] | None:
        """All of it as a document for the controller, and nothing is left; None when there is nothing to tell."""
        with self._busy:
            found, self._found = self._found, {}
        if not found:
            return None
        reports = [report for report in found.values() if report is not None]
        return {"reports": reports, "clean": sorted(str(each) for each, report in found.items() if report is None)}
