"""Asking for the next free addresses before anybody gets them, so that a new Service need not wait for the answer. Pure.

What nobody answered for within the last minute may be announced at once (RFC 5227 asks before *using* an address; how long
before, it leaves open). Each address is asked for again every half a minute, so that a machine that came meanwhile is found.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

from suite.l2.probe import Finding, Verdict
from suite.speaker.heartbeat import UsableLink
from suite.speaker.ownership import Address

CLEAN_FOR = 60.0
"""Seconds that silence counts for."""
ASK_EVERY = 25.0
"""Seconds between two questions for one address: one may get lost, and the address still counts as clean."""

Key = tuple[str, Address]
"""An interface and an address."""


@dataclass(slots=True)
class Lookahead:
    """The free addresses that this node asks for, on each interface whose network holds them."""

    addresses: tuple[Address, ...] = ()
    _asked: dict[Key, float] = field(default_factory=dict)
    """When each was asked for last."""
    _clean: dict[Key, float] = field(default_factory=dict)
    """When silence was the answer."""
    _links: tuple[UsableLink, ...] = ()
    """Those that `_next` was worked out for."""
    _next: float = float("-inf")
    """When a question is due; the loop comes by far more often."""

    def keep(self, addresses: Iterable[Address]) -> None:
        """Ask for exactly these from now on; what is known of others stays until it is too old to count."""
        self.addresses = tuple(addresses)
        wanted = set(self.addresses)
        self._asked = {key: moment for key, moment in self._asked.items() if key[1] in wanted}
        self._next = float("-inf")

    def to_ask(self, links: tuple[UsableLink, ...], now: float) -> list[Key]:
        """The questions that are due, each given once per interval; ``links`` are the usable ones."""
        if now < self._next and links is self._links:
            return []
        found = dict.fromkeys((link.name, each) for link in links for each in self.addresses if each in link.network)
        due = [key for key in found if self._asked.get(key, float("-inf")) + ASK_EVERY <= now]
        self._asked.update(dict.fromkeys(due, now))
        self._clean = {key: moment for key, moment in self._clean.items() if now < moment + CLEAN_FOR}
        self._links, self._next = links, min((self._asked[key] for key in found), default=float("inf")) + ASK_EVERY
        return due

    def note(self, interface: str, finding: Finding, now: float) -> None:
        """What the LAN has said."""
        key = (interface, ip_address(finding.address))
        if finding.verdict is not Verdict.CLEAN:
            self._clean.pop(key, None)
        elif key[1] in self.addresses:
            self._clean[key] = now

    def is_clean(self, interface: str, address: Address, now: float) -> bool:
        """Whether nobody answered for it on this interface a moment ago."""
        return now < self._clean.get((interface, address), float("-inf")) + CLEAN_FOR

    def lose(self, interface: str) -> None:
        """The interface is gone: what was said there counts no more."""
        self._asked = {key: moment for key, moment in self._asked.items() if key[0] != interface}
        self._clean = {key: moment for key, moment in self._clean.items() if key[0] != interface}
        self._next = float("-inf")

    def next_timer(self) -> float | None:
        """When a question is due; None for never."""
        return None if self._next == float("inf") else self._next
