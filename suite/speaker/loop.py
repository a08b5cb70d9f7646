"""The speaker's loop: each publication becomes a plan, and the plan becomes ARP, NDP and BGP.

Layer 2, the heartbeats between nodes and BFD live in a process of their own (``responder``), which is told the plan and goes
on without us for as long as we are busy; BGP sessions live here.  Without the privilege that layer 2 needs, everything
else goes on and the role says what it lacks.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from suite import __version__
from suite.metrics import names
from suite.metrics.registry import Registry
from suite.model.address import Address, parse_address
from suite.model.announcement import Announcement
from suite.model.layer2 import Layer2, Owner
from suite.model.node import Node, standing_by
from suite.model.peering import Peering, SessionState
from suite.model.publication import Publication
from suite.model.snapshot import Snapshot
from suite.model.status import Instance
from suite.speaker.ahead import own_ahead
from suite.speaker.control import ASK, DRAIN, Configure, Message, look_ahead
from suite.speaker.heartbeat import Standing
from suite.speaker.layer2_view import node_state, node_view, owner, picture
from suite.speaker.neighbours import Neighbour, neighbour
from suite.speaker.own_networks import own_networks
from suite.speaker.paths import Paths
from suite.speaker.peer_password import with_password
from suite.speaker.peerings import session_states
from suite.speaker.plan import Plan, known_nodes, peers_of, plan, replan
from suite.speaker.reports import counts
from suite.speaker.responder_process import ResponderProcess
from suite.speaker.route_view import by_bgp
from suite.speaker.sessions import Sessions
from suite.speaker.unnumbered import Unnumbered

CAP_NET_RAW = 13
RESTART_PAUSE = 1.0
"""Seconds before a responder that ended by itself is started again."""
ASK_INTERVAL = 2.0
"""Seconds between two pictures of what the responder owns."""
DRAIN_PATIENCE = 2.0
"""Seconds that the successors get to take over when the speaker ends."""
BIND_DEVICE = "lo"
LACKS = (
    "it cannot announce by layer 2: answering ARP and NDP needs CAP_NET_RAW (run as root, or "
    "AmbientCapabilities=CAP_NET_RAW in the systemd unit, or NET_RAW in the pod's securityContext)"
)

WEAK_KEY = (
    "heartbeats are signed with a key made of the database's epoch, which the API and the metrics show, because no other "
    "is known here: name a file in l2.heartbeat-key-file"
)

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Picture:
    """What the responder said last."""

    owned: dict[Address, dict[str, str]] = field(default_factory=dict)
    """Interfaces and MACs each address is announced on."""
    nodes: dict[str, Message] = field(default_factory=dict)
    is_drained: bool = False


Decline = Callable[[Address, str], Awaitable[None]]
"""Tells that a stranger, known by its MAC, has an address."""


Probed = Callable[[Address], None]
"""Tells that nobody answered for a free address just now."""


async def _nobody_to_tell(_address: Address, _mac: str) -> None:
    """For a speaker beside no controller."""


def _nobody_asked(_address: Address) -> None:
    """The same, for what is no trouble."""


class Speaker:
    """One node's speaker; ``random`` gives numbers from 0 to 1."""

    def __init__(
        self,
        node: str,
        registry: Registry,
        random: Callable[[], float],
        decline: Decline = _nobody_to_tell,
        probed: Probed = _nobody_asked,
    ) -> None:
        self._node = node
        self._probed = probed
        self._ahead: frozenset[Address] = frozenset()
        self._decline = decline
        self._telling: set[asyncio.Future[None]] = set()
        self._registry = registry
        self._paths = Paths(self._order)
        self._sessions = Sessions(random, registry, self._paths, own_networks)
        self._responder: ResponderProcess | None = None
        self._has_ended = asyncio.Event()
        self._unnumbered = Unnumbered(self._look_for_routers)
        self._configured: Configure | None = None
        self._plan = Plan()
        self._told_by_bgp: tuple[Plan, frozenset[str], frozenset[Announcement]] = Plan(), frozenset(), frozenset()
        self._snapshot = Snapshot()
        self._templates: Mapping[str, str] | None = None
        self._lack = ""
        self._trouble = ""
        self._peer_faults: dict[str, str] = {}
        self._wanted_sessions: list[Neighbour] = []
        self._following = asyncio.Lock()
        self.picture = Picture()

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
            self._snapshot = snapshot
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

    async def stop(self, *, is_drain: bool = False) -> None:
        """Withdraw: successors take the addresses over, sessions end."""
        self._unnumbered.close()
        ending = asyncio.create_task(self._sessions.stop(is_drain=is_drain))
        if self._responder is not None and self._configured is not None and self._responder.exit_code is None:
            self._responder.send(DRAIN)
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
        reasons = [each for each in (self._lack, self._trouble) if each]
        if not self._snapshot.is_complete:
            reasons.append("it has no snapshot yet")
        notes = [*self._peer_faults.values()]
        if waits_for := standing_by(self._snapshot.nodes.values()):
            notes.append(waits_for.message)
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
        for name, status in self._sessions.status().items():
            if status.announced:
                for prefix in self._plan.routes(name):
                    address = prefix.network_address
                    places[address] = (*places.get(address, ()), f"{self._node} (bgp, {name})")
        return places

    def announcements(self) -> frozenset[Announcement]:
        """Everything that this node announces now: addresses by layer 2, and by BGP each with the route that leads to it."""
        found = {
            Announcement(address, self._node, "layer2", interface, mac=mac)
            for address, where in self.picture.owned.items()
            for interface, mac in where.items()
        }
        up = frozenset(name for name, status in self._sessions.status().items() if status.announced)
        if self._told_by_bgp[0] is not self._plan or self._told_by_bgp[1] != up:
            self._told_by_bgp = self._plan, up, by_bgp(self._plan, self._node, up)
        return self._told_by_bgp[2] | found

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
        return picture(self._node, states, self._plan.entries.values(), owned, self._snapshot.is_drained)

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
        if ahead != self._ahead:
            self._ahead = ahead
            self._send_ahead()

    def _send_ahead(self) -> None:
        if self._responder is not None and self._configured is not None:
            self._responder.send(look_ahead(sorted(self._ahead, key=lambda address: address.packed)))

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
        self._trouble = ""
        self.picture = Picture()
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
                self._take(message)
        except EOFError:
            asyncio.get_running_loop().remove_reader(self._responder.fileno())
            self._has_ended.set()

    def _take(self, message: Message) -> None:
        match message["kind"]:
            case "owned":
                address = parse_address(message["address"])
                self.picture.owned.setdefault(address, {})[message["interface"]] = message["mac"]
                self._registry.add(names.TAKEOVERS)
                _log.info("%s is announced on %s (%s)", address, message["interface"], message["mac"])
            case "released":
                self.picture.owned.get(parse_address(message["address"]), {}).pop(message["interface"], None)
                _log.info("%s is not announced on %s any more", message["address"], message["interface"])
            case "trouble":
                trouble = ": ".join(filter(None, (message["interface"], message["text"])))
                if trouble and trouble != self._trouble:
                    _log.error("layer 2: %s", trouble)
                self._trouble = trouble
            case "state":
                self._take_state(message)
            case "node":
                self.picture.nodes[message["name"]] = message
                self._registry.set(
                    names.SPEAKERS_ALIVE, sum(bool(each["live"]) for each in self.picture.nodes.values())
                )
            case "path":
                self._paths.hear(message)
            case "contest":
                _log.warning("%s was claimed by %s and %s; %s keeps it", *(message[key] for key in _CONTEST))
            case "conflict":
                self._take_conflict(message)
            case "found":
                self._take_finding(message)

    def _take_conflict(self, message: Message) -> None:
        """Somebody else uses an address that this node announces; the responder defends it, people must end it."""
        address, mac = message["address"], message["mac"]
        if message["in_fleet"]:
            _log.warning("%s is answered by another node of the fleet as well (%s)", address, mac)
            return
        self._registry.add(names.L2_CONFLICTS, address)
        text = "%s is ours, and %s answers for it on %s too: find that machine and give it another address"
        _log.error(text, address, mac, message["interface"])

    def _take_finding(self, message: Message) -> None:
        """What the network said before an address is announced."""
        address, mac = parse_address(message["address"]), message["mac"]
        if message["verdict"] == "clean" and address in self._ahead:
            self._probed(address)
        if message["verdict"] != "taken":
            return
        node = self._node_with(mac)
        if node and address in self._ahead:
            return  # nobody is to announce it yet, and another one goes first
        self._registry.add(names.L2_CONFLICTS, str(address))
        if node:
            text = "%s is not announced: %s, the hardware of node %s, answers for it; set arp_ignore=1 there"
            _log.error(text, address, mac, node)
            return
        _log.error("%s is in use by %s on %s and is declined", address, mac, message["interface"])
        told = asyncio.ensure_future(self._decline(address, mac))
        self._telling.add(told)
        told.add_done_callback(self._telling.discard)

    def _node_with(self, mac: str) -> str:
        """The node of the fleet that has this hardware, as far as its speaker or our kernel says; empty for none."""
        for name, report in self.picture.nodes.items():
            if any(link[2] == mac for link in report["links"]):
                return name
        addresses = hardware_neighbours(mac)
        nodes = known_nodes(self._snapshot, self._node).values()
        return next((node.name for node in nodes if not addresses.isdisjoint(node.addresses)), "")

    def _take_state(self, message: Message) -> None:
        owned: dict[Address, dict[str, str]] = {}
        for link in message["links"]:
            for text in link["owned"]:
                owned.setdefault(parse_address(text), {})[link["interface"]] = link["mac"]
        self.picture.owned = owned
        self.picture.nodes = {each["name"]: each for each in message["nodes"]}
        self.picture.is_drained = bool(message["drained"])
        answered, dropped = counts(message["links"])
        self._registry.replace(names.L2_REQUESTS, answered)
        self._registry.replace(names.L2_RESPONSES, answered)
        self._registry.replace(names.L2_DROPS, dropped)
        self._registry.replace(
            names.ANNOUNCED,
            {
                (str(lease.ref), "layer2", self._node, str(address)): 1.0
                for address in owned
                for lease in self._snapshot.leases.get(address) or ()
            },
        )


_CONTEST = ("address", "winner", "loser", "winner")


def heartbeat_keys(snapshot: Snapshot) -> tuple[bytes, ...]:
    """Keys of the heartbeats, the one that signs first: the lines of the key file, else those the database made itself.

    Where neither is known, the database's epoch makes one: it is random, and nodes of one suite agree on it without being
    told, but whoever may read the API or the metrics sees it too, and the status says so.
    """
    path = snapshot.configuration.l2.heartbeat_key_file
    if path:
        try:
            lines = Path(path).read_bytes().split(b"\n")
        except OSError as error:
            _log.error("the heartbeat key file %s cannot be read: %s", path, error.strerror)
            lines = []
        keys = tuple(sha256(line.strip()).digest() for line in lines if line.strip())[:2]
        if keys:
            return keys
    if snapshot.heartbeat_keys:
        return tuple(map(bytes.fromhex, snapshot.heartbeat_keys))
    return (sha256(b"suite heartbeat " + snapshot.epoch.encode()).digest(),)


def may_open_packet_sockets() -> bool:
    """Whether this process has CAP_NET_RAW."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return False
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> CAP_NET_RAW & 1)


def hardware_neighbours(mac: str) -> frozenset[Address]:
    """The IPv4 addresses that this machine's kernel reaches by that MAC: of a node whose speaker does not run."""
    try:
        lines = Path("/proc/net/arp").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return frozenset()
    rows = (line.split() for line in lines)
    return frozenset(parse_address(row[0]) for row in rows if len(row) > 3 and row[3].lower() == mac.lower())


def _templates() -> Mapping[str, str]:
    from suite.l2.frames import templates  # scapy: a fifth of a second

    return templates().to_text()
