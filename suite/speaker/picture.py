"""What the time-critical process says, kept for people, metrics and reports; and what follows from it at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from suite.metrics import names
from suite.metrics.registry import Registry
from suite.model.address import Address, parse_address
from suite.model.snapshot import Snapshot
from suite.speaker.accounts import Listener
from suite.speaker.control import Message
from suite.speaker.host import hardware_neighbours
from suite.speaker.plan import known_nodes
from suite.speaker.reports import counts

Decline = Callable[[Address, str], Awaitable[None]]
"""Tells that a stranger, known by its MAC, has an address."""

Probed = Callable[[Address], None]
"""Tells that nobody answered for a free address just now."""

MOST_GIVEN = 256
"""Addresses given out by DHCP that are remembered; the first ones tell enough."""

MOST_SAID = 8
"""Conflicts that the status names one by one."""

_CONTEST = ("address", "winner", "loser", "winner")

_log = logging.getLogger(__name__)


async def nobody_to_tell(_address: Address, _mac: str) -> None:
    """For a speaker beside no controller."""


def nobody_asked(_address: Address) -> None:
    """The same, for what is no trouble."""


class Picture:
    """What the responder said last."""

    def __init__(self, node: str, registry: Registry, decline: Decline, probed: Probed) -> None:
        self._node, self._registry = node, registry
        self._decline, self._probed = decline, probed
        self._telling: set[asyncio.Future[None]] = set()
        self.snapshot = Snapshot()
        """The one that the speaker acts on."""
        self.ahead: frozenset[Address] = frozenset()
        """Free addresses that the LAN is asked for."""
        self.owned: dict[Address, dict[str, str]] = {}
        """Interfaces and MACs each address is announced on."""
        self.edition = 0
        """Raised whenever `owned` changes."""
        self._listener = Listener()
        self._labelled: tuple[int, object] = -1, None
        """The edition and the leases that the metric of what is announced was made of."""
        self.nodes: dict[str, Message] = {}
        self.given: dict[Address, str] = {}
        """Addresses of pools that DHCP gives out, and the server, where it is known."""
        self.conflicts: list[Message] = []
        """Who else claimed addresses of ours within the last minutes."""
        self.is_drained = False
        self.troubles: dict[str, str] = {}
        """What keeps layer 2 from working, by what it concerns."""

    def forget(self) -> None:
        """The process ended; another one will say anew."""
        self.owned, self.nodes, self.conflicts, self.is_drained, self.troubles = {}, {}, [], False, {}
        self.edition, self._listener = self.edition + 1, Listener()

    def take(self, message: Message) -> None:
        """A report of layer 2."""
        match message["kind"]:
            case "owned":
                self._take_owned(message)
            case "released":
                self._take_released(parse_address(message["address"]), message["interface"])
            case "trouble":
                self._take_trouble(message["about"], message["text"])
            case "state":
                self._take_state(message)
            case "node":
                self._take_node(message)
            case "contest":
                self._registry.add(names.L2_CONTESTS, message["address"])
                _log.warning("%s was claimed by %s and %s; %s keeps it", *(message[key] for key in _CONTEST))
            case "conflict":
                self._take_conflict(message)
            case "dhcp":
                self._take_dhcp(message)
            case "found":
                self._take_finding(message)

    def dhcp_notes(self) -> list[str]:
        """One sentence for each pool that shares addresses with DHCP, as long as it holds them."""
        found: dict[str, list[str]] = {}
        for address in sorted(self.given, key=lambda each: each.packed):
            pool = self.snapshot.configuration.pool_of(address)
            if pool is not None and address in pool:
                found.setdefault(pool.name, []).append(str(address))
        return [
            f"DHCP gives out {addresses[0]}{f' and {len(addresses) - 1} more' if addresses[1:] else ''} of pool {name}: "
            "divide the range, or exclude it from the pool"
            for name, addresses in found.items()
        ]

    def notes(self) -> list[str]:
        """What people should know of this node's networks."""
        mine = self.nodes.get(self._node)
        lacks = (
            ["no interface of it can announce: none is up, has a network and no master"]
            if mine and not mine["links"]
            else []
        )
        return [*lacks, *self._conflict_notes(), *self.dhcp_notes()]

    def _conflict_notes(self) -> list[str]:
        """The same words as long as a conflict lasts: whoever writes the status down need not write again."""
        said = {
            f"{each['address']} is ours, and {'another node' if each['in_fleet'] else 'a stranger'}, {each['mac']}, claims it on "
            f"{each['interface']}"
            for each in self.conflicts
        }
        left = [f"{len(said) - MOST_SAID} more such conflicts"] if len(said) > MOST_SAID else []
        return sorted(said)[:MOST_SAID] + left

    def _take_dhcp(self, message: Message) -> None:
        """A DHCP server gave an address to somebody; only those of pools matter."""
        address, server = parse_address(message["address"]), message["server"]
        pool = self.snapshot.configuration.pool_of(address)
        if pool is None or address not in pool or address in self.given or len(self.given) >= MOST_GIVEN:
            return
        self.given[address] = server
        by = f" by {server}" if server else ""
        _log.warning("%s of pool %s is given out by DHCP%s on %s", address, pool.name, by, message["interface"])

    def _take_node(self, message: Message) -> None:
        """Somebody is heard or not: the log keeps every change, so that a short silence shows afterwards as well."""
        name, known = message["name"], self.nodes.get(message["name"])
        self.nodes[name] = message
        self._registry.set(names.SPEAKERS_ALIVE, sum(bool(each["live"]) for each in self.nodes.values()))
        if name == self._node or message["live"] == (known is not None and known["live"]):
            return
        if message["live"]:
            _log.info("node %s is heard", name)
        else:
            _log.warning("node %s is not heard any more", name)

    def _take_owned(self, message: Message) -> None:
        address = parse_address(message["address"])
        self.owned.setdefault(address, {})[message["interface"]] = message["mac"]
        self.edition += 1
        self._registry.add(names.TAKEOVERS)
        _log.info("%s is announced on %s (%s)", address, message["interface"], message["mac"])

    def _take_released(self, address: Address, interface: str) -> None:
        places = self.owned.get(address, {})
        places.pop(interface, None)
        if not places:
            self.owned.pop(address, None)
        self.edition += 1
        _log.info("%s is not announced on %s any more", address, interface)

    def _take_trouble(self, about: str, text: str) -> None:
        """One begins, changes or, with an empty text, is over; the log has both ends."""
        if self.troubles.get(about, "") == text:
            return
        if text:
            self.troubles[about] = text
            _log.error("layer 2: %s", text)
        else:
            _log.info("layer 2: over: %s", self.troubles.pop(about))

    def _take_conflict(self, message: Message) -> None:
        """Somebody else uses an address that this node announces; the responder defends it, people must end it."""
        address, mac = message["address"], message["mac"]
        self.conflicts = [*self.conflicts, message]  # until the next state, which has all of them
        if message["in_fleet"]:
            _log.warning("%s is answered by another node of the fleet as well (%s)", address, mac)
            return
        self._registry.add(names.L2_CONFLICTS, address)
        text = "%s is ours, and %s answers for it on %s too: find that machine and give it another address"
        _log.error(text, address, mac, message["interface"])

    def _take_finding(self, message: Message) -> None:
        """What the network said before an address is announced."""
        address, mac = parse_address(message["address"]), message.get("mac") or ""
        if message["verdict"] == "clean" and address in self.ahead:
            self._probed(address)
        if message["verdict"] != "taken":
            return
        node = self._node_with(mac)
        if node and address in self.ahead:
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
        for name, report in self.nodes.items():
            if any(link[2] == mac for link in report["links"]):
                return name
        addresses = hardware_neighbours(mac)
        nodes = known_nodes(self.snapshot, self._node).values()
        return next((node.name for node in nodes if not addresses.isdisjoint(node.addresses)), "")

    def _take_state(self, message: Message) -> None:
        if self._listener.take(message["links"]):
            self._own_anew()
        for each in message["nodes"]:
            self._take_node(each)
        self.nodes = {each["name"]: each for each in message["nodes"]}
        self.conflicts = message["conflicts"]
        for about in self.troubles.keys() | message["troubles"].keys():
            self._take_trouble(about, message["troubles"].get(about, ""))
        self.is_drained = bool(message["drained"])
        deaths: dict[tuple[str, ...], float] = {(name,): each["deaths"] for name, each in self.nodes.items()}
        self._registry.replace(names.SPEAKER_DEATHS, deaths)
        faults: dict[tuple[str, ...], float] = {(fault,): count for fault, count in message["faults"].items()}
        self._registry.replace(names.HEARTBEAT_FAULTS, faults)
        counted = counts(self._listener.links.values())
        self._registry.replace(names.L2_REQUESTS, counted.answered)
        self._registry.replace(names.L2_RESPONSES, counted.answered)
        self._registry.replace(names.L2_GRATUITOUS, counted.announced)
        self._registry.replace(names.L2_DROPS, counted.dropped)
        self._label()

    def _own_anew(self) -> None:
        owned: dict[Address, dict[str, str]] = {}
        for link in self._listener.links.values():
            for text in link["owned"]:
                owned.setdefault(parse_address(text), {})[link["interface"]] = link["mac"]
        self.owned = owned
        self.edition += 1

    def _label(self) -> None:
        """The metric that names the Service of each announced address; a thousand labels are made only when one changes."""
        made_of = self.edition, self.snapshot.leases
        if self._labelled[0] == made_of[0] and self._labelled[1] is made_of[1]:
            return
        self._labelled = made_of
        held: dict[tuple[str, ...], float] = {
            (str(lease.ref), "layer2", self._node, str(address)): 1.0
            for address in self.owned
            for lease in self.snapshot.leases.get(address) or ()
        }
        self._registry.replace(names.ANNOUNCED, held)
