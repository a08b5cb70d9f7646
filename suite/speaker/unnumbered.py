"""Peers that are named by an interface: finding the router on the link, and letting it find us.

Who the router is says `advert.RouterOnLink`; here are the sockets' turns on the event loop and nothing else.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from suite.bgp.advert import FIRST_COUNT, FIRST_INTERVAL, INTERVAL, RouterOnLink
from suite.bgp.advert_link import AdvertLink
from suite.model.peer import Peer

_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Watched:
    """One interface; `link` is None while it is not there."""

    link: AdvertLink | None = None
    router: RouterOnLink = field(default_factory=RouterOnLink)
    sent: int = 0
    fault: str = ""
    timer: asyncio.TimerHandle | None = None


class Unnumbered:
    """The interfaces with unnumbered sessions. ``on_change`` is called when the router of one is found or replaced."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._watched: dict[str, _Watched] = {}

    def follow(self, interfaces: Iterable[str]) -> None:
        """Look for a router on exactly these."""
        wanted = set(interfaces)
        for name in self._watched.keys() - wanted:
            self._end(self._watched.pop(name))
        for name in sorted(wanted - self._watched.keys()):
            self._watched[name] = _Watched()
            self._turn(name)

    def with_router(self, peer: Peer) -> Peer | str:
        """``peer`` with the link-local address of the router on its interface, or why there is none yet."""
        watched = self._watched.get(peer.interface, _Watched())
        if watched.router.address is None:
            fault = watched.fault or "has no router that advertises itself yet"
            return f"peer {peer.name} waits: {peer.interface} {fault}"
        return replace(peer, address=watched.router.address)

    def close(self) -> None:
        """Stop looking."""
        self.follow(())

    def _turn(self, name: str) -> None:
        """Open what is not open, advertise, and come again."""
        watched = self._watched[name]
        if watched.link is not None and watched.link.is_gone:
            self._let_go(watched.link)
            watched.link = None
        if watched.link is None:
            self._open(name, watched)
        if watched.link is not None:
            watched.link.send()
        watched.sent += 1
        pause = FIRST_INTERVAL if watched.sent < FIRST_COUNT or watched.link is None else INTERVAL
        watched.timer = asyncio.get_running_loop().call_later(pause, self._turn, name)

    def _open(self, name: str, watched: _Watched) -> None:
        try:
            link = AdvertLink(name)
        except OSError as error:
            fault = f"cannot be listened on: {(error.strerror or str(error)).lower()}"
            if fault != watched.fault:
                _log.error("the unnumbered session on %s waits: it %s", name, fault)
            watched.fault = fault
            return
        watched.fault, watched.link, watched.sent = "", link, 0
        asyncio.get_running_loop().add_reader(link.fileno(), self._receive, name)

    def _receive(self, name: str) -> None:
        watched, now = self._watched[name], asyncio.get_running_loop().time()
        if watched.link is None:
            return
        news = [watched.router.hear(address, now) for address in watched.link.receive()]
        if any(news):
            _log.info("the router on %s is %s", name, watched.router.address)
            self._answer(name, watched)
            self._on_change()

    def _answer(self, name: str, watched: _Watched) -> None:
        """A router that has just come has not heard of us: tell it now, not at the next beat."""
        watched.sent = 0
        if watched.timer is not None:
            watched.timer.cancel()
        self._turn(name)

    def _end(self, watched: _Watched) -> None:
        if watched.timer is not None:
            watched.timer.cancel()
        if watched.link is not None:
            self._let_go(watched.link)

    @staticmethod
    def _let_go(link: AdvertLink) -> None:
        asyncio.get_running_loop().remove_reader(link.fileno())
        link.close()
