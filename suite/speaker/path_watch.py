"""BFD in the time-critical process: sessions by their peer's name, started and ended by order, their changes reported at once.

Packets go out and deadlines are judged here, so nothing that keeps the speaker busy can make a path look dead, or a dead one
look alive.
"""

from collections.abc import Callable

from suite.bgp.bfd import BfdChange
from suite.bgp.bfd_link import BfdLink
from suite.speaker.path_message import Message, PathNews, path_report, watched_peer
from suite.speaker.selector import Selector


class PathWatch:
    """The BFD sessions of this process. `random` gives numbers from 0 to 1; reports go out through `tell`."""

    def __init__(self, selector: Selector, tell: Callable[[Message], None], random: Callable[[], float]) -> None:
        self._selector, self._tell = selector, tell
        self._link = BfdLink(random)
        self._numbers: dict[str, int] = {}
        self._failed: dict[str, Message] = {}

    def watch(self, order: Message, now: float) -> None:
        """Start a session, in place of the one of that name; one that cannot be is tried again whenever `tell_all` is called."""
        name = order["name"]
        self.unwatch(name, now)
        try:
            self._numbers[name] = self._link.watch(watched_peer(order), now)
        except OSError as fault:
            self._failed[name] = order
            self._tell(path_report(PathNews(name, fault=str(fault))))
            return
        for descriptor in self._link.filenos():
            if descriptor not in self._selector:
                self._selector.watch(descriptor, self._link.receive)

    def unwatch(self, name: str, now: float) -> None:
        """End a session by order."""
        self._failed.pop(name, None)
        number = self._numbers.pop(name, None)
        if number is not None:
            self._link.unwatch(number, now)

    def turn(self, now: float) -> None:
        """Send what is due and report what changed."""
        changes = self._link.turn(now)
        if changes:
            names = {number: name for name, number in self._numbers.items()}
            for number, change in changes:
                self._tell_of(names[number], change)

    def next_timer(self) -> float | None:
        """When to call `turn` at the latest."""
        return self._link.next_timer()

    def tell_all(self, now: float) -> None:
        """Report every session as it is."""
        for order in list(self._failed.values()):
            self.watch(order, now)
        for name in self._numbers:
            self._tell_of(name, None)

    def close(self) -> None:
        """End every session without a word."""
        for descriptor in self._link.filenos():
            self._selector.forget(descriptor)
        self._link.close()
        self._numbers.clear()

    def _tell_of(self, name: str, change: BfdChange | None) -> None:
        self._tell(path_report(PathNews(name, self._link.status(self._numbers[name]), change)))
