"""The paths to BGP peers as the speaker knows them; BFD in the time-critical process watches them.

When that process had to be started anew, it is told all of them again.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from suite.bgp.bfd import BfdChange, BfdStatus
from suite.bgp.bfd_link import BfdPeer
from suite.speaker.path_message import Message, path_news, unwatch_order, watch_order

_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Path:
    """What is watched, who wants to know, and how it was last."""

    peer: BfdPeer
    on_change: Callable[[BfdChange], None]
    status: BfdStatus | None = None
    fault: str = ""


class Paths:
    """The BFD sessions of this node by their peer's name; ``order`` sends to the process, and starts it if need be."""

    def __init__(self, order: Callable[[Message], None]) -> None:
        self._order = order
        self._paths: dict[str, _Path] = {}

    def watch(self, name: str, peer: BfdPeer, on_change: Callable[[BfdChange], None]) -> None:
        """Have the path to a peer watched; one that is watched already, just so, stays as it is."""
        known = self._paths.get(name)
        if known is not None and known.peer == peer:
            known.on_change = on_change
            return
        self._paths[name] = _Path(peer, on_change)
        self._order(watch_order(name, peer))

    def unwatch(self, name: str) -> None:
        """Give a path up; the peer is told that this is by order."""
        if self._paths.pop(name, None) is not None:
            self._order(unwatch_order(name))

    def order_all(self) -> None:
        """Tell a new process everything; the last one's end says nothing about any path."""
        for name, path in self._paths.items():
            path.status = None
            self._order(watch_order(name, path.peer))

    def hear(self, report: Message) -> None:
        """Take a report of the process; one about a path that was given up meanwhile counts for nothing."""
        news = path_news(report)
        path = self._paths.get(news.name)
        if path is None:
            return
        path.status = news.status
        is_news, path.fault = news.fault != path.fault, news.fault
        if news.fault and is_news:
            _log.error("BFD for peer %s cannot start: %s", news.name, news.fault)
        if news.change is not None:
            path.on_change(news.change)

    def status_of(self, name: str) -> BfdStatus | None:
        """The last picture of one session; None while there is none."""
        path = self._paths.get(name)
        return path.status if path is not None else None

    def status(self) -> dict[str, BfdStatus]:
        """The last picture of each session, by the peer's name; from any thread."""
        known = {name: path.status for name, path in list(self._paths.items())}
        return {name: status for name, status in known.items() if status is not None}
