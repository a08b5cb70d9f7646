"""The BGP sessions of this node, kept in step with the configuration and the plan.

A session is made anew only when its own settings change; a changed plan is told as a difference.  Nothing here decides
what is announced.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from suite.bgp.bfd import BfdChange
from suite.bgp.bfd_link import BfdLink, BfdPeer
from suite.bgp.bfd_packet import BfdState
from suite.bgp.export import RouteAttributes
from suite.bgp.fsm import State
from suite.bgp.notification import Cease
from suite.bgp.peer import Peer
from suite.bgp.prefix import Prefix
from suite.bgp.session import Stop
from suite.bgp.status import SessionStatus, StateChanged
from suite.metrics import names
from suite.metrics.registry import Registry
from suite.speaker.neighbours import Neighbour, told
from suite.speaker.plan import Plan

_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Running:
    """One session, what it was told last, and the number of the BFD session that watches its path."""

    neighbour: Neighbour
    peer: Peer
    told: dict[Prefix, RouteAttributes]
    bfd: int | None = None


class Sessions:
    """All BGP sessions of one process; ``random`` gives numbers from 0 to 1."""

    def __init__(self, random: Callable[[], float], registry: Registry) -> None:
        self._random = random
        self._registry = registry
        self._running: dict[str, _Running] = {}
        self._bfd: BfdLink | None = None

    async def follow(self, neighbours: list[Neighbour], plan: Plan) -> None:
        """Have exactly these sessions, each told what ``plan`` says."""
        wanted = {neighbour.name: neighbour for neighbour in neighbours}
        for name in [name for name, running in self._running.items() if wanted.get(name) != running.neighbour]:
            await self._end(name, Stop.CEASE, "configuration changed")
        for name, neighbour in wanted.items():
            running = self._running.get(name)
            if running is None:
                self._begin(neighbour, told(plan.routes(name).values()))
            else:
                self._tell(running, told(plan.routes(name).values()))

    def status(self) -> dict[str, SessionStatus]:
        """A picture of each session, by the peer's name."""
        return {name: running.peer.status() for name, running in self._running.items()}

    async def stop(self, *, is_drain: bool = False) -> None:
        """End every session: gracefully where the peer agreed to keep our routes, unless this node is drained."""
        ending = []
        for name, running in list(self._running.items()):
            keeps = running.neighbour.config.session.graceful_restart > 0 and not is_drain
            ending.append(self._end(name, Stop.GRACEFUL if keeps else Stop.CEASE, "the suite ends"))
        await asyncio.gather(*ending)
        if self._bfd is not None:
            self._bfd.close()

    def _begin(self, neighbour: Neighbour, routes: dict[Prefix, RouteAttributes]) -> None:
        peer = Peer(neighbour.config, self._random, lambda change: self._note(neighbour.name, change))
        running = _Running(neighbour, peer, routes)
        self._running[neighbour.name] = running
        peer.announce(routes)
        peer.start()
        self._registry.set(names.BGP_SESSION_UP, 0, neighbour.name)
        self._registry.set(names.BGP_ANNOUNCED, len(routes), neighbour.name)
        if neighbour.bfd is not None:
            self._watch(running)

    def _tell(self, running: _Running, routes: dict[Prefix, RouteAttributes]) -> None:
        changed = {prefix: each for prefix, each in routes.items() if running.told.get(prefix) != each}
        withdrawn = running.told.keys() - routes.keys()
        running.told = routes
        if changed or withdrawn:
            running.peer.change(changed, withdrawn)
            self._registry.set(names.BGP_ANNOUNCED, len(routes), running.neighbour.name)

    async def _end(self, name: str, how: Stop, text: str) -> None:
        running = self._running.pop(name)
        if running.bfd is not None and self._bfd is not None:
            self._bfd.unwatch(running.bfd)
        if how is Stop.CEASE:
            running.peer.announce({})
        await running.peer.stop(how, text)
        self._registry.set(names.BGP_SESSION_UP, 0, name)
        self._registry.set(names.BGP_ANNOUNCED, 0, name)

    def _watch(self, running: _Running) -> None:
        """Watch the path with BFD: the session is dropped as soon as the path is dead."""
        neighbour = running.neighbour
        if neighbour.bfd is None:
            return
        if self._bfd is None:
            self._bfd = BfdLink(self._random)
        config = neighbour.config
        watched = BfdPeer(
            config.address, config.source, config.device, multihop=neighbour.multihop, profile=neighbour.bfd
        )

        def changed(change: BfdChange) -> None:
            up = change.new is BfdState.UP
            self._registry.set(names.BFD_SESSION_UP, up, neighbour.name)
            self._registry.add(names.BFD_UP_EVENTS if up else names.BFD_DOWN_EVENTS, neighbour.name)
            if change.old is BfdState.UP and not up:
                running.peer.reset(Cease.BFD_DOWN)

        try:
            running.bfd = self._bfd.watch(watched, changed)
        except OSError as error:
            _log.error("BFD for peer %s cannot start: %s", neighbour.name, error)

    def _note(self, name: str, change: StateChanged) -> None:
        is_up = change.new is State.ESTABLISHED
        self._registry.set(names.BGP_SESSION_UP, is_up, name)
        if is_up or change.old is State.ESTABLISHED:
            _log.info("BGP session with %s: %s%s", name, change.new.value, f" ({change.cause})" if change.cause else "")
