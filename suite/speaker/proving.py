"""Which addresses may be announced at once, and which the LAN must be asked for first (RFC 5227 section 2.1). Pure.

An address that one of our nodes answers for, or did, is ours: taking it over does not wait. Any other is asked for on each
interface before it is announced there. While a stranger has it, it is kept back and asked for again from time to time, so
that a report that was lost, or a stranger that has left, needs nobody's hand.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from suite.l2.conflict import DEFEND_INTERVAL
from suite.l2.probe import Finding, Verdict
from suite.speaker.membership import NodeView
from suite.speaker.ownership import Address

ASK_AGAIN = DEFEND_INTERVAL
"""Seconds until an address that a stranger has is asked for again."""


@dataclass(slots=True)
class Proving:
    """What one node knows of the addresses it may have to announce. `is_on` is False where nothing is ever asked."""

    is_on: bool = True
    _of_fleet: set[Address] = field(default_factory=set)
    _clean: set[tuple[str, Address]] = field(default_factory=set)
    _asked: set[tuple[str, Address]] = field(default_factory=set)
    _taken: dict[tuple[str, Address], float] = field(default_factory=dict)
    """When to ask again."""

    def hear(self, nodes: Mapping[str, NodeView], own: str) -> None:
        """What the others answer for is no stranger's."""
        for node in nodes.values():
            if node.name != own:
                self._of_fleet.update(ip_address(packed) for packed in node.claims)

    def keep(self, plan: Iterable[Address]) -> None:
        """Only addresses of the plan count; one that comes back into it later is asked for anew."""
        known = set(plan)
        self._of_fleet &= known
        self._clean = {key for key in self._clean if key[1] in known}
        self._asked = {key for key in self._asked if key[1] in known}
        self._taken = {key: moment for key, moment in self._taken.items() if key[1] in known}

    def trust(self, interface: str, addresses: Iterable[Address]) -> None:
        """The LAN was asked for these a moment ago, and nobody answered."""
        self._clean.update((interface, address) for address in addresses)

    def admit(self, interface: str, addresses: frozenset[Address], now: float) -> frozenset[Address]:
        """Those of ``addresses`` that may be announced on ``interface`` now; the others are to be asked for."""
        for key in [key for key in self._taken if key[0] == interface and (key[1] not in addresses or not self.is_on)]:
            del self._taken[key]
        if not self.is_on:
            return addresses
        admitted = frozenset(each for each in addresses if each in self._of_fleet or (interface, each) in self._clean)
        for address in addresses - admitted:
            key = (interface, address)
            if self._taken.get(key, now) <= now:
                self._taken.pop(key, None)
                self._asked.add(key)
        return admitted

    def to_ask(self) -> list[tuple[str, Address]]:
        """The questions that came up since the last call, each given once."""
        asked, self._asked = sorted(self._asked, key=lambda key: (key[0], key[1].packed)), set()
        for key in asked:
            self._taken[key] = float("inf")
        return asked

    def note(self, interface: str, finding: Finding, now: float) -> None:
        """The LAN has said what it says. A double inside the fleet is settled by election, not here."""
        key = (interface, ip_address(finding.address))
        if self._taken.pop(key, None) is None:
            return
        if finding.verdict is Verdict.TAKEN:
            self._taken[key] = now + ASK_AGAIN
        else:
            self._clean.add(key)

    def lose(self, interface: str) -> None:
        """The interface is gone, and with it the questions that were asked there."""
        for key in [key for key in self._taken if key[0] == interface]:
            del self._taken[key]

    def next_timer(self) -> float | None:
        """When an address is to be asked for again."""
        return min((moment for moment in self._taken.values() if moment != float("inf")), default=None)
