"""What speakers found out a moment ago, passed on between the programs on one PostgreSQL without a row: nobody has this address.

It leaves and arrives as NOTIFY while a program waits for commits, which it nearly always does.  It is worth something for a
minute only, and the network is asked again every half of one: so a word that is lost (nobody waited just then, or a pooler
swallowed it) needs no second try.  On SQLite all programs are on one machine, and there is no such channel.
"""

import threading
from contextlib import suppress
from dataclasses import dataclass, field

from suite.model.address import Address, parse_address
from suite.store.database import Transaction

CHANNEL = "suite_clean"
MOST = 256
"""Addresses kept for each way while nobody takes them; several times what is ever looked ahead."""


@dataclass(slots=True)
class Hearsay:
    """Words that wait to be sent, and words that were heard; from any thread."""

    _unsent: dict[Address, None] = field(default_factory=dict)
    _heard: dict[Address, None] = field(default_factory=dict)
    _busy: threading.Lock = field(default_factory=threading.Lock)

    def say(self, address: Address) -> None:
        """Let the others know with the next wait."""
        with self._busy:
            _keep(self._unsent, address)

    def take(self) -> tuple[Address, ...]:
        """What was heard since the last call."""
        with self._busy:
            heard, self._heard = self._heard, {}
        return tuple(heard)

    def send(self, tx: Transaction) -> None:
        """Say what waits to be said."""
        with self._busy:
            unsent, self._unsent = self._unsent, {}
        for address in unsent:
            tx.execute("SELECT pg_notify(?, ?)", (CHANNEL, str(address)))

    def hear(self, channel: str, payload: str) -> None:
        """A notification came; whoever may connect may send anything."""
        if channel == CHANNEL:
            with suppress(ValueError), self._busy:
                _keep(self._heard, parse_address(payload))


def _keep(words: dict[Address, None], address: Address) -> None:
    if len(words) < MOST:
        words[address] = None
