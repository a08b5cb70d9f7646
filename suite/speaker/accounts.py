"""What the time-critical process tells of its interfaces again and again: all of it once, then only what has changed. Pure.

A thousand addresses with their counters are some sixty kilobytes of text every other second, for news that nobody has; so
both ends remember what was told last. The stream between them keeps its order; when it had to drop something, `Teller.forget`
has the next account tell everything.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from suite.l2.hardware import to_text
from suite.l2.link import Address, Link
from suite.speaker.control import Message

CHANGING = ("answered", "announced")
"""Counters by address; in an account without `owned` only those that have changed, as totals."""


@dataclass(slots=True)
class _Told:
    """One interface when it was told of last."""

    mac: bytes
    owned: frozenset[Address]
    answered: dict[bytes, int]
    announced: dict[Address, int]


@dataclass(slots=True)
class Teller:
    """The end that tells."""

    _told: dict[str, _Told] = field(default_factory=dict)

    def forget(self) -> None:
        """The other end may have missed something."""
        self._told = {}

    def tell(self, links: Iterable[Link]) -> list[Message]:
        """The account of each interface; the other end's `Listener.take` makes the whole of it."""
        before, self._told = self._told, {}
        return [self._account(link, before.get(link.interface.name)) for link in links]

    def _account(self, link: Link, before: _Told | None) -> Message:
        answered = {packed: count for each in link.answerers for packed, count in each.answered.items()}
        now = _Told(link.interface.mac, link.owned, answered, dict(link.announced))
        self._told[link.interface.name] = now
        if before is None or before.owned is not now.owned or before.mac != now.mac:
            return link_report(link, sorted(map(str, now.owned)), now.answered, now.announced)
        news = _changed(before.answered, now.answered), _changed(before.announced, now.announced)
        return link_report(link, None, *news)


def _changed(before: Mapping[Any, int], now: Mapping[Any, int]) -> dict[Any, int]:
    return {} if now == before else {key: count for key, count in now.items() if before.get(key) != count}


def link_report(
    link: Link, owned: list[str] | None, answered: Mapping[bytes, int], announced: Mapping[Address, int]
) -> Message:
    """What is owned on an interface (None for the same as before), and the counters of its sockets."""
    answerers = {answerer.family.name: answerer for answerer in link.answerers}
    return {
        "interface": link.interface.name,
        "mac": to_text(link.interface.mac),
        "owned": owned,
        "answered": {str(ip_address(packed)): count for packed, count in answered.items()},
        "announced": {str(address): count for address, count in announced.items()},
        "dropped": {
            name: {str(drop): count for drop, count in each.dropped.items()} for name, each in answerers.items()
        },
        "unsent": sum(each.unsent for each in answerers.values()),
    }


@dataclass(slots=True)
class Listener:
    """The end that is told."""

    links: dict[str, Message] = field(default_factory=dict)
    """The whole account of each interface, by its name."""

    def take(self, accounts: Iterable[Message]) -> bool:
        """Take these accounts in; whether any says anew what is owned."""
        before = self.links
        self.links = {each["interface"]: _whole(before.get(each["interface"]), each) for each in accounts}
        is_same = self.links.keys() == before.keys()
        return not (is_same and all(each["owned"] is before[name]["owned"] for name, each in self.links.items()))


def _whole(before: Message | None, account: Message) -> Message:
    if account["owned"] is not None or before is None:
        return account | {"owned": account["owned"] or []}
    counters = {name: before[name] | account[name] for name in CHANGING}
    return account | {"owned": before["owned"]} | counters
