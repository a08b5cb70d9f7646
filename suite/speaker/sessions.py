"""The BGP sessions of this node, kept in step with the configuration and the plan.

A session is made anew only when its own settings change; a changed plan is told as a difference.  Nothing here decides
what is announced.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from time import monotonic

from suite.bgp.bfd import BfdChange
from suite.bgp.bfd_link import BfdPeer
from suite.bgp.export import RouteAttributes
from suite.bgp.fsm import State
from suite.bgp.notification import Cease
from suite.bgp.peer import Listener, Peer
from suite.bgp.prefix import Prefix
from suite.bgp.session import Stop
from suite.bgp.status import SessionStatus, StateChanged
from suite.metrics import names
from suite.metrics.registry import Registry
from suite.model.address import Address, Network
from suite.model.peering import Peering
from suite.speaker.neighbours import Neighbour, attributes, is_beyond_a_router, told
from suite.speaker.paths import Paths
from suite.speaker.peerings import peering
from suite.speaker.plan import Plan
from suite.speaker.session_metrics import GAUGES, PREFIX_STATES, Reading, grown, standing, totals

LISTEN_PORT = 179
COUNT_INTERVAL = 2.0
"""Seconds between two looks at what sessions counted."""

SHUTDOWN_TEXT = "the suite ends"

_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Running:
    """One session and what it was told."""

    neighbour: Neighbour
    peer: Peer
    told: dict[Prefix, RouteAttributes]
    counted: Mapping[Reading, int] = field(default_factory=dict)


class Sessions:
    """All BGP sessions of one process.

    ``random`` gives numbers from 0 to 1; ``paths`` watches those to the peers; ``networks`` tells the networks that
    this node has an address in; ``listen_port`` is where peers that connect to us find us.
    """

    def __init__(
        self,
        random: Callable[[], float],
        registry: Registry,
        paths: Paths,
        networks: Callable[[], Iterable[Network]] = tuple,
        listen_port: int = LISTEN_PORT,
    ) -> None:
        self._random = random
        self._registry = registry
        self._paths = paths
        self._networks = networks
        self._port = listen_port
        self._running: dict[str, _Running] = {}
        self._begun: set[str] = set()
        self._listener: Listener | None = None
        self._listens: set[tuple[Address, str | None]] = set()
        self._counting: asyncio.TimerHandle | None = None

    async def follow(self, neighbours: list[Neighbour], plan: Plan) -> None:
        """Have exactly these sessions, each told what ``plan`` says.

        ``plan`` is made from the one of the call before: a session that lives on is told the prefixes it touched.
        """
        wanted = {neighbour.name: neighbour for neighbour in neighbours}
        changed = [name for name, running in self._running.items() if wanted.get(name) != running.neighbour]
        words = {True: Cease.CONFIGURATION_CHANGE, False: Cease.PEER_DECONFIGURED}  # RFC 4486
        await asyncio.gather(*(self._end(name, Stop.CEASE, words[name in wanted]) for name in changed))
        for running in self._running.values():
            self._tell(running, plan)
        for name, neighbour in wanted.items():
            if name not in self._running:
                families = neighbour.config.session.families
                routes = told(plan.routes(name).values())
                await self._begin(neighbour, {each: said for each, said in routes.items() if each.family in families})

    def status(self) -> dict[str, SessionStatus]:
        """A picture of each session, by the peer's name."""
        return {name: running.peer.status() for name, running in list(self._running.items())}

    def peerings(self, node: str) -> tuple[Peering, ...]:
        """The same for people, with BFD and history; from any thread."""
        now, bfd = monotonic(), self._paths.status()
        running = list(self._running.items())
        return tuple(peering(each.neighbour, node, each.peer.status(), bfd.get(name), now) for name, each in running)

    async def stop(self, *, is_drain: bool = False) -> None:
        """End every session: gracefully where the peer agreed to keep our routes, unless this node is drained.

        The paths of those stay watched until the process that does it ends, without a word: a peer that keeps our routes
        sees a path that is silent, not one that failed.
        """
        ending = []
        for name, running in list(self._running.items()):
            keeps = running.neighbour.config.session.graceful_restart > 0 and not is_drain
            ending.append(self._end(name, Stop.GRACEFUL if keeps else Stop.CEASE))
        await asyncio.gather(*ending)
        if self._counting is not None:
            self._counting.cancel()

    async def _begin(self, neighbour: Neighbour, routes: dict[Prefix, RouteAttributes]) -> None:
        """A session, with the routes it has from its first moment on.

        The first one with each peer says that it restarts (RFC 4724 section 4.2): true after a restart, and at the
        very first start it costs nothing, since the peer has nothing of ours to keep.
        """
        config, is_first = neighbour.config, neighbour.name not in self._begun
        self._begun.add(neighbour.name)
        if is_first and config.session.graceful_restart:
            config = replace(config, session=replace(config.session, restarting=True))
        peer = Peer(config, self._random, partial(self._note, neighbour.name))
        self._running[neighbour.name] = _Running(neighbour, peer, routes)
        if config.session.passive:
            await self._listen(neighbour, peer)
        peer.announce(routes)
        peer.start()
        self._count_one(self._running[neighbour.name])
        if self._counting is None:
            self._count()

    async def _listen(self, neighbour: Neighbour, peer: Peer) -> None:
        """Let a passive peer connect to us; the port is taken for such peers only, another daemon may want it."""
        if self._listener is None:
            self._listener = Listener()
        config = neighbour.config
        everywhere = IPv4Address(0) if config.address.version == 4 else IPv6Address(0)
        place = (config.source or everywhere, config.device)
        self._listener.add(peer)
        if place in self._listens:
            return
        try:
            await self._listener.open([place[0]], self._port, config.device)
        except OSError as error:
            _log.error("peer %s cannot connect to us: port %d of %s: %s", neighbour.name, self._port, place[0], error)
        else:
            self._listens.add(place)

    def _unlisten(self, peer: Peer) -> None:
        """Refuse a peer; with the last that may connect to us the port is given back too."""
        if self._listener is None:
            return
        self._listener.remove(peer)
        if not any(running.neighbour.config.session.passive for running in self._running.values()):
            self._listener.close()
            self._listener = None
            self._listens.clear()

    def _tell(self, running: _Running, plan: Plan) -> None:
        """The difference that the touched prefixes make to this peer."""
        name, known = running.neighbour.name, running.told
        changed: dict[Prefix, RouteAttributes] = {}
        withdrawn: list[Prefix] = []
        for network in plan.touched:
            prefix, route = Prefix.of(network), plan.route(name, network)
            if prefix.family not in running.neighbour.config.session.families:
                continue
            if route is None:
                withdrawn += [prefix] if known.pop(prefix, None) is not None else []
            elif known.get(prefix) != (wanted := attributes(route)):
                changed[prefix] = known[prefix] = wanted
        if changed or withdrawn:
            running.peer.change(changed, withdrawn)
            self._show(running, running.peer.status())

    async def _end(self, name: str, how: Stop, subcode: Cease = Cease.ADMINISTRATIVE_SHUTDOWN) -> None:
        """End one session; unless the peer keeps our routes, it hears that they are gone before the session is."""
        running = self._running.pop(name)
        self._unlisten(running.peer)
        if how is Stop.GRACEFUL:
            await running.peer.stop(how, SHUTDOWN_TEXT)
        else:
            text = SHUTDOWN_TEXT if subcode is Cease.ADMINISTRATIVE_SHUTDOWN else ""  # RFC 9003 gives the others none
            await running.peer.drain(text, subcode=subcode)
            self._paths.unwatch(name)
        self._count_one(running)
        for metric in GAUGES:
            self._registry.forget(metric, name)
        for state in PREFIX_STATES:
            self._registry.forget(names.OWN_BGP_PREFIXES, name, state)

    def _count(self) -> None:
        """Take up what the sessions counted, again and again."""
        for running in self._running.values():
            self._count_one(running)
        self._counting = asyncio.get_running_loop().call_later(COUNT_INTERVAL, self._count)

    def _count_one(self, running: _Running) -> None:
        name, has_bfd, status = running.neighbour.name, running.neighbour.bfd is not None, running.peer.status()
        now = totals(status, self._paths.status_of(name), has_bfd=has_bfd)
        for (metric, labels), step in grown(running.counted, now).items():
            self._registry.add(metric, name, *labels, by=step)
        running.counted = now
        self._show(running, status)

    def _show(self, running: _Running, status: SessionStatus) -> None:
        """The gauges of one session."""
        name, has_bfd = running.neighbour.name, running.neighbour.bfd is not None
        for metric, value in standing(status, self._paths.status_of(name), has_bfd=has_bfd).items():
            self._registry.set(metric, value, name)
        prefixes = (len(running.told), status.announced, status.pending)
        for state, count in zip(PREFIX_STATES, prefixes, strict=True):
            self._registry.set(names.OWN_BGP_PREFIXES, count, name, state)

    def _note(self, name: str, change: StateChanged) -> None:
        is_up = change.new is State.ESTABLISHED
        if is_up or change.old is State.ESTABLISHED:
            why = f" ({change.cause.text})" if change.cause else ""
            _log.info("BGP session with %s: %s%s", name, change.new, why)
        running = self._running.get(name)
        if running is None:
            return
        self._show(running, running.peer.status())
        if is_up:
            self._watch(running)

    def _watch(self, running: _Running) -> None:
        """Watch the path of a session that stands with BFD, from the session's own address, as the peer will."""
        neighbour, local = running.neighbour, running.peer.status().local
        if neighbour.bfd is None or local is None:
            return
        config = neighbour.config
        multihop = neighbour.multihop or is_beyond_a_router(config.address, local, self._networks())
        watched = BfdPeer(config.address, local, config.device, multihop, neighbour.bfd)
        self._paths.watch(neighbour.name, watched, partial(self._judge, running))

    def _judge(self, running: _Running, change: BfdChange) -> None:
        """A path that was up and is dead takes its session with it at once (RFC 5882 section 4.2)."""
        self._count_one(running)
        if change.is_failure:
            running.peer.reset(Cease.BFD_DOWN)
