"""Free addresses of which speakers found a moment ago that nobody on the network has them."""

from datetime import datetime, timedelta

from suite.model.address import Address

PROVEN_FOR = 60.0
"""Seconds that an address counts as nobody's after the network was asked."""


class Proven:
    """Addresses, and when each was found to be nobody's."""

    def __init__(self) -> None:
        self._found: dict[Address, datetime] = {}

    def note(self, address: Address, now: datetime) -> None:
        """Nobody answers for ``address``; what was found long ago is forgotten."""
        recent = {known: at for known, at in self._found.items() if _counts(at, now)}
        self._found = recent | {address: now}

    def at(self, now: datetime) -> tuple[Address, ...]:
        """Those that count now, lowest first."""
        found = [address for address, at in self._found.items() if _counts(at, now)]
        return tuple(sorted(found, key=lambda address: (address.version, int(address))))


def _counts(at: datetime, now: datetime) -> bool:
    """Whether an answer of the network still means something; a clock that was set says nothing."""
    return abs(now - at) < timedelta(seconds=PROVEN_FOR)
