"""The speaker's loop: each publication becomes a plan, and the plan becomes ARP, NDP and BGP.

Layer 2, the heartbeats between nodes and BFD live in a process of their own (``responder``), which is told the plan and goes
on without us for as long as we are busy; BGP sessions live here.  Without the privilege that layer 2 needs, everything
else goes on and the role says what it lacks.
"""

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace

from suite import __version__
from suite.metrics.registry import Registry
from suite.model.address import Address
from suite.model.announcement import Announcement
from suite.model.layer2 import Layer2, Owner
from suite.model.node import Node, standing_by
from suite.model.peering import Peering, SessionState
from suite.model.publication import Publication
from suite.model.refusal import Reason, Refusal
from suite.model.snapshot import Snapshot
from suite.model.status import Instance
from suite.speaker.ahead import own_ahead
from suite.speaker.control import ASK, DRAIN, Configure, Message, look_ahead
from suite.speaker.heartbeat import Standing
from suite.speaker.host import heartbeat_keys, may_open_packet_sockets
from suite.speaker.layer2_view import barred_notes, node_state, node_view, owner, picture
from suite.speaker.neighbours import Neighbour, neighbour
from suite.speaker.own_networks import own_networks
from suite.speaker.paths import Paths
from suite.speaker.peer_password import with_password
from suite.speaker.peerings import session_states
from suite.speaker.picture import Decline, Picture, Probed, nobody_asked, nobody_to_tell
from suite.speaker.plan import Plan, known_nodes, peers_of, plan, replan
from suite.speaker.responder_process import ResponderProcess
from suite.speaker.route_view import by_bgp, silence
from suite.speaker.sessions import Sessions
from suite.speaker.unnumbered import Unnumbered

RESTART_PAUSE = 1.0
"""Seconds before a responder that ended by itself is started again."""
ASK_INTERVAL = 2.0
"""Seconds between two pictures of what the responder owns."""
DRAIN_PATIENCE = 2.0
"""Seconds that the successors get to take over when the speaker ends."""
BIND_DEVICE = "lo"
NEEDS = (
    "answering ARP and NDP needs CAP_NET_RAW (run as root, or AmbientCapabilities=CAP_NET_RAW in the systemd unit, or "
    "NET_RAW in the pod's securityContext)"
)
LACKS = f"it cannot announce by layer 2: {NEEDS}"

WEAK_KEY = (
    "heartbeats are signed with a key made of the database's epoch, which the API and the metrics show, because no other "
    "is known here: name a file in l2.heartbeat-key-file"
)

_log = logging.getLogger(__name__)


class Speaker:
    """One node's speaker; ``random`` gives numbers from 0 to 1."""

    def __init__(
        self,
        node: str,
        registry: Registry,
        random: Callable[[], float],
        decline: Decline = nobody_to_tell,
        probed: Probed = nobody_asked,
    ) -> None:
        self._node = node
        self._telling: set[asyncio.Future[None]] = set()
        self._registry = registry
        self._paths = Paths(self._order)
        self._sessions = Sessions(random, registry, self._paths, own_networks)
        self._responder: ResponderProcess | None = None
        self._has_ended = asyncio.Event()
        self._unnumbered = Unnumbered(self._look_for_routers)
        self._configured: Configure | None = None
        self._plan = Plan()
        self._told_by_bgp: tuple[Plan, dict[str, frozenset[int]], frozenset[Announcement]] = Plan(), {}, frozenset()
        self._told: tuple[int, frozenset[Announcement], frozenset[Announcement]] = -1, frozenset(), frozenset()
        self._snapshot = Snapshot()
        self._templates: Mapping[str, str] | None = None
        self._lack = ""
        self._peer_faults: dict[str, str] = {}
        self._wanted_sessions: list[Neighbour] = []
        self._following = asyncio.Lock()
        self.picture = Picture(node, registry, decline, probed)

    async def run(self) -> None:
        """Keep the picture of what is announced up to date, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ASK_INTERVAL):
                    await self._has_ended.wait()
            if self._responder is None:
                continue
            if self._has_ended.is_set() or self._responder.exit_code is not None:
                await self._restart()
            else:
                self._responder.send(ASK)

    async def follow(self, publication: Publication) -> None:
        """Announce what the publication says."""
        async with self._following:
            snapshot, before = publication.snapshot, self._snapshot
            self._snapshot = self.picture.snapshot = snapshot
            is_anew = publication.touched is None or snapshot.configuration is not before.configuration
            is_anew = is_anew or snapshot.nodes is not before.nodes or snapshot.drained_nodes != before.drained_nodes
            if is_anew:
                self._plan = plan(snapshot, self._node, before=self._plan)
                self._wanted_sessions = self._neighbours()
            else:
                self._plan = replan(self._plan, snapshot, self._node, publication.touched or ())
            await self._announce_layer2()
            self._look_ahead(publication)
            await self._sessions.follow(self._wanted_sessions, self._plan)

    def leave(self) -> None:
        """Say goodbye to the fleet at once; :meth:`stop` waits for the successors."""
        if self._responder is not None and self._configured is not None and self._responder.exit_code is None:
            self._responder.send(DRAIN)

    async def stop(self, *, is_drain: bool = False) -> None:
        """Withdraw: successors take the addresses over, sessions end; routers keep nothing for a node that drains."""
        self._unnumbered.close()
        is_drain = is_drain or self._snapshot.may_not_return(self._node)
        ending = asyncio.create_task(self._sessions.stop(is_drain=is_drain))
        if self._responder is not None and self._configured is not None and self._responder.exit_code is None:
            self.leave()
            deadline = asyncio.get_running_loop().time() + DRAIN_PATIENCE
            while not self.picture.is_drained and self._responder.exit_code is None:
                if asyncio.get_running_loop().time() > deadline:
                    break
                await asyncio.sleep(0.01)
        await ending  # the paths are watched until the sessions that need it have ended
        if self._responder is not None:
            asyncio.get_running_loop().remove_reader(self._responder.fileno())
            await asyncio.to_thread(self._responder.stop)

    def instance(self) -> Instance:
        """What this role says about itself."""
        reasons = [*filter(None, [self._lack]), *self.picture.troubles.values()]
        if not self._snapshot.is_complete:
            reasons.append("it has no snapshot yet")
        notes = [*self._peer_faults.values(), *self.picture.notes()]
        if waits_for := standing_by(self._snapshot.nodes.values()):
            notes.append(waits_for.message)
        if mine := self.picture.nodes.get(self._node):
            notes += barred_notes(node_view(node_state(mine)), self._plan.entries.get)
        l2 = self._snapshot.configuration.l2
        has_key = bool(l2.heartbeat_key_file or self._snapshot.heartbeat_keys)
        if not has_key and len(known_nodes(self._snapshot, self._node)) > 1:
            notes.append(WEAK_KEY)
        for name, status in self._sessions.status().items():
            state = str(status.state)
            notes.append(f"BGP peer {name}: {state}, {status.announced} prefixes announced")
        snapshot = self._snapshot
        return Instance(
            "speaker", self._node, __version__, snapshot.epoch, snapshot.revision, tuple(reasons), tuple(notes)
        )

    def peerings(self) -> tuple[Peering, ...]:
        """The BGP sessions of this node, for people; from any thread."""
        return self._sessions.peerings(self._node)

    def announced(self) -> dict[Address, tuple[str, ...]]:
        """Where each address is announced from by this node."""
        places: dict[Address, tuple[str, ...]] = {
            address: tuple(f"{self._node} (layer2, {name})" for name in sorted(where))
            for address, where in self.picture.owned.items()
        }
        for each in sorted(self._by_bgp(), key=lambda each: each.peer):
            places[each.address] = (*places.get(each.address, ()), f"{self._node} (bgp, {each.peer})")
        return places

    def announcements(self) -> frozenset[Announcement]:
        """Everything that this node announces now: addresses by layer 2, and by BGP each with the route that leads to it.

        The very same set while nothing changes: it is looked at every second, and made of as many values as there are addresses.
        """
        edition, by_bgp = self.picture.edition, self._by_bgp()
        if self._told[0] != edition or self._told[1] is not by_bgp:
            self._told = edition, by_bgp, by_bgp | self._by_layer2()
        return self._told[2]

    def _by_layer2(self) -> frozenset[Announcement]:
        places = ((address, where.items()) for address, where in self.picture.owned.items())
        return frozenset(
            Announcement(address, self._node, "layer2", interface, mac=mac)
            for address, where in places
            for interface, mac in where
        )

    def _by_bgp(self) -> frozenset[Announcement]:
        up = {
            name: frozenset(family.version for family in status.families)
            for name, status in self._sessions.status().items()
            if status.announced
        }
        if self._told_by_bgp[0] is not self._plan or self._told_by_bgp[1] != up:
            self._told_by_bgp = self._plan, up, by_bgp(self._plan, self._node, up)
        return self._told_by_bgp[2]

    def session_states(self) -> frozenset[SessionState]:
        """Which BGP sessions of this node are up, and why the others are not."""
        return session_states(self.peerings())

    def owner(self, address: Address) -> Owner | None:
        """Who announces an address by layer 2, and why, as this node sees it; None where that is not known."""
        entry = self._plan.entries.get(address)
        if entry is None or not self.picture.nodes:
            return None
        nodes = {name: node_view(node_state(report)) for name, report in dict(self.picture.nodes).items()}
        return owner(entry, nodes, self.picture.owned.get(address), self._snapshot.is_drained)

    def layer2(self) -> Layer2 | None:
        """The nodes and the owners of all addresses; None where this node announces nothing by layer 2."""
        if self._configured is None:
            return None
        states = map(node_state, dict(self.picture.nodes).values())
        owned = dict(self.picture.owned)
        shown = picture(self._node, states, self._plan.entries.values(), owned, self._snapshot.is_drained)
        return replace(shown, dhcp=tuple(sorted(map(str, self.picture.given))))

    def silent(self) -> dict[Address, Refusal]:
        """Why this node announces addresses to nobody: by BGP, or by layer 2 where it is the only one that could."""
        unheard = silence(self._plan, self._node, self.peerings(), self._peer_faults)
        if not self._lack or len(known_nodes(self._snapshot, self._node)) > 1:
            return unheard
        refusal = Refusal(Reason.NO_PRIVILEGE, f"{self._node} announces nothing by layer 2: {NEEDS}")
        return unheard | dict.fromkeys(self._plan.entries.keys(), refusal)

    async def _announce_layer2(self) -> None:
        """Tell the responder the plan; from the first pool on that layer 2 announces."""
        if not any(ways.l2 for ways in self._plan.ways.values()):
            self._lack = ""
            if self._configured is None:
                return
        elif self._configured is None and not await self._may_begin():
            return
        responder = self._running_responder()
        configure = self._configure()
        if configure != self._configured:
            self._configured = configure
            responder.send(configure.to_message())
        responder.adopt(Standing(self._snapshot.revision, self._snapshot.epoch), self._plan.entries)

    def _look_ahead(self, publication: Publication) -> None:
        """Let the LAN be asked for the free addresses that this node would own, and for all beside the leader."""
        ahead = frozenset(own_ahead(publication, self._plan, self._node))
        if ahead != self.picture.ahead:
            self.picture.ahead = ahead
            self._send_ahead()

    def _send_ahead(self) -> None:
        if self._responder is not None and self._configured is not None:
            self._responder.send(look_ahead(sorted(self.picture.ahead, key=lambda address: address.packed)))

    async def _may_begin(self) -> bool:
        """Whether this process may do layer 2; makes what it needs for that."""
        if not may_open_packet_sockets():
            if not self._lack:
                _log.warning("%s", LACKS)
            self._lack = LACKS
            return False
        self._lack = ""
        if self._templates is None:
            self._templates = await asyncio.to_thread(_templates)
        return True

    def _running_responder(self) -> ResponderProcess:
        """The time-critical process, started when it is needed first."""
        if self._responder is None:
            self._responder, self._configured = ResponderProcess(), None
            asyncio.get_running_loop().add_reader(self._responder.fileno(), self._hear)
        return self._responder

    def _order(self, order: Message) -> None:
        """What BFD has to do."""
        self._running_responder().send(order)

    async def _restart(self) -> None:
        _log.error("the time-critical process ended by itself and is started again")
        if self._responder is not None:
            asyncio.get_running_loop().remove_reader(self._responder.fileno())
            self._responder.stop()
        self._responder = self._configured = None
        self._has_ended.clear()
        self.picture.forget()
        await asyncio.sleep(RESTART_PAUSE)
        async with self._following:
            await self._announce_layer2()
            self._paths.order_all()
            self._send_ahead()

    def _configure(self) -> Configure:
        settings = self._snapshot.configuration.l2
        nodes = known_nodes(self._snapshot, self._node)
        return Configure(
            self._node,
            {name: node.addresses for name, node in nodes.items()},
            heartbeat_keys(self._snapshot),
            self._templates or {},
            settings.heartbeat_port,
            settings.heartbeat_interval,
            settings.heartbeat_dead,
            settings.rejoin_delay,
            answers_ping=settings.answer_ping,
            bind_device=BIND_DEVICE if settings.bind_address else None,
            refresh=settings.refresh_interval,
            probe=settings.probe,
            watches_dhcp=settings.watch_dhcp,
            is_drained=self._snapshot.is_drained(self._node),
        )

    def _neighbours(self) -> list[Neighbour]:
        configuration = self._snapshot.configuration
        node = known_nodes(self._snapshot, self._node).get(self._node, Node(self._node))
        found: list[Neighbour] = []
        faults: dict[str, str] = {}
        waits = standing_by(self._snapshot.nodes.values())
        peers = () if waits else peers_of(configuration.peers, node)  # two sessions from one node end each other
        self._unnumbered.follow(peer.interface for peer in peers if peer.interface)
        for peer in peers:
            known = peer if not peer.interface else self._unnumbered.with_router(peer)
            made = (
                known if isinstance(known, str) else neighbour(with_password(known), node, configuration.bfd_profiles)
            )
            if isinstance(made, Neighbour):
                found.append(made)
            else:
                faults[peer.name] = made
        for name, fault in faults.items():
            if self._peer_faults.get(name) != fault:
                _log.error("no BGP session: %s", fault)
        self._peer_faults = faults
        return found

    def _look_for_routers(self) -> None:
        """The router of an unnumbered session is known now, or is another one."""
        told = asyncio.ensure_future(self._meet_routers())
        self._telling.add(told)
        told.add_done_callback(self._telling.discard)

    async def _meet_routers(self) -> None:
        async with self._following:
            self._wanted_sessions = self._neighbours()
            await self._sessions.follow(self._wanted_sessions, self._plan)

    def _hear(self) -> None:
        """Reports of the responder."""
        if self._responder is None:
            return
        try:
            for message in self._responder.receive():
                if message["kind"] == "path":
                    self._paths.hear(message)
                else:
                    self.picture.take(message)
        except EOFError:
            asyncio.get_running_loop().remove_reader(self._responder.fileno())
            self._has_ended.set()


def _templates() -> Mapping[str, str]:
    """Made in a process that ends again: scapy is half a second and 30 MB, and nothing needs it a second time."""
    command = (sys.executable, "-m", "suite.l2.frames")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    found: Mapping[str, str] = json.loads(done.stdout)
    return found
