"""What this node does on its interfaces: answer for the addresses it owns there, announce them, ask before it takes them.

Who owns what is decided by `duty`; the LAN is told here. Each usable interface is a `Wire`: its sockets, the questions that are
open there, and the strangers that were seen. Reports to the speaker go out through `tell`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from random import Random

from suite.l2 import conflict, probe
from suite.l2.arp import Claim
from suite.l2.bind_address import BindError, BoundAddresses
from suite.l2.burst import Bursts
from suite.l2.frames import Templates
from suite.l2.hardware import Mac
from suite.l2.link import Address, Answerer, Link, MissingPrivilegeError, Overhearer
from suite.l2.netlink import Interfaces
from suite.speaker.control import Configure, Message
from suite.speaker.heartbeat import UsableLink
from suite.speaker.lookahead import Lookahead
from suite.speaker.proving import Proving
from suite.speaker.reports import conflict_report, dhcp_report, finding_report, owned_report
from suite.speaker.selector import Reader, Selector
from suite.speaker.troubles import BINDING, DEVICE, INTERFACE, Troubles
from suite.speaker.usable_links import EXCLUDED, UsableLinks

ANNOUNCED_AT_ONCE = 64
"""Announcements sent before the loop looks at its sockets again."""

MOST_CONFLICTS = 16
"""Conflicts of each interface in one report."""

MOST_GIVEN = 1024
"""Addresses given out by DHCP that are remembered for each interface."""

TIMINGS = {"quick": (probe.QUICK, probe.QUICK), "rfc": (probe.RFC5227, probe.RFC4862)}


@dataclass(eq=False, slots=True)
class Wire:
    """One interface with what is asked and seen on it."""

    link: Link
    probes: probe.Probes = field(default_factory=probe.Probes)
    strangers: conflict.Watch = field(default_factory=conflict.Watch)
    overhearer: Overhearer | None = None
    given: dict[Address, None] = field(default_factory=dict)
    """Addresses that DHCP gave out here, as far as they were told."""

    def is_news(self, address: Address) -> bool:
        """Whether DHCP has not been heard to give it out before; the oldest of many are forgotten."""
        if address in self.given:
            return False
        if len(self.given) >= MOST_GIVEN:
            del self.given[next(iter(self.given))]
        self.given[address] = None
        return True


class Lan:
    """All interfaces of this node. `random` gives the times of probes."""

    def __init__(self, selector: Selector, tell: Callable[[Message], None], troubles: Troubles, random: Random) -> None:
        self._selector, self._tell, self._troubles, self._random = selector, tell, troubles, random
        self._interfaces = Interfaces()
        self._usable = UsableLinks()
        self._wires: dict[str, Wire] = {}
        self._bursts: Bursts[tuple[str, Address]] = Bursts()
        self._timing = "quick"
        self._templates: Templates | None = None
        self._bound: BoundAddresses | None = None
        self._bind_device: str | None = None
        self._answers_ping = False
        self._watches_dhcp = False
        self.proving = Proving()
        self.ahead = Lookahead()
        self.links: tuple[UsableLink, ...] = ()
        """The links that can announce now."""
        self.fleet_macs: frozenset[Mac] = frozenset()
        """Hardware of the fleet's nodes; what they say is settled by election."""
        self.settles_at: float | None = None
        """When to look at the interfaces again though the kernel said nothing."""

    def fileno(self) -> int:
        """Readable when the kernel has news of interfaces."""
        return self._interfaces.fileno()

    def has_changed(self) -> bool:
        """Read the kernel's news; whether any of it is for us."""
        return bool(self._interfaces.changes())

    def sockets(self) -> Iterator[Link]:
        """The sockets of each usable interface."""
        return (wire.link for wire in self._wires.values())

    def conflicts(self, now: float) -> list[Message]:
        """Who claimed addresses of ours lately; the newest of each interface, so that the report stays small."""
        return [
            conflict_report(each, wire.link.interface.name)
            for wire in self._wires.values()
            for each in wire.strangers.conflicts(now)[-MOST_CONFLICTS:]
        ]

    def configure(self, wanted: Configure) -> None:
        """Take up settings; `look` comes next."""
        self._templates = Templates.from_text(dict(wanted.templates))
        self._usable.excluded = re.compile(wanted.excluded) if wanted.excluded is not None else EXCLUDED
        self._change_sockets(wanted)
        self._bursts.refresh = wanted.refresh or float("inf")
        self.proving.is_on = wanted.probe != "off"
        self._timing = wanted.probe if wanted.probe in TIMINGS else "quick"
        self._open_bound(wanted.bind_device)

    def look(self, now: float) -> None:
        """Compare the sockets we have with the interfaces there are."""
        interfaces = self._interfaces.by_name()
        self.links = self._usable.update(interfaces, now)
        self.settles_at = self._usable.next_timer(now)
        usable = {link.name for link in self.links}
        self._troubles.keep_interfaces(usable)
        for name, wire in list(self._wires.items()):
            current = interfaces.get(name)
            if name not in usable or current is None or current.index != wire.link.interface.index:
                self._drop(name)
            elif current != wire.link.interface:
                self._update(wire.link, now)
        for name in sorted(usable - self._wires.keys()):
            self._add(name)

    def place(self, where: Mapping[str, Iterable[Address]], now: float) -> None:
        """Make each interface own exactly what `where` says, by its name, and tell what changed."""
        wanted = {name: frozenset(where.get(name, ())) for name in self._wires}
        admitted = {}
        for name, each in wanted.items():
            self.proving.trust(name, (address for address in each if self.ahead.is_clean(name, address, now)))
            admitted[name] = self.proving.admit(name, each, now)
        self._bind(frozenset[Address]().union(*admitted.values()))
        for name, addresses in admitted.items():
            self._equip(self._wires[name], addresses, now)
        for name, address in self.proving.to_ask():
            self._ask(name, address, self._timing)

    def announce(self, addresses: Iterable[Address], now: float) -> None:
        """Tell the neighbours of addresses that were ours already, as after a contest."""
        for address in addresses:
            for wire in self._wires.values():
                if address in wire.link.owned:
                    self._bursts.start((wire.link.interface.name, address), now)

    def ask(self, addresses: Iterable[Address], timing: str) -> None:
        """Start probes on every link whose network holds the address."""
        for address in addresses:
            names = {link.name for link in self.links if address in link.network} & self._wires.keys()
            for name in names:
                self._ask(name, address, timing)
            if not names:
                self._tell({"kind": "found", "address": str(address), "verdict": "no_link"})

    def turn(self, now: float) -> bool:
        """Send what is due; whether the LAN has answered a question, so that `place` has to be done again."""
        for name, address in self._bursts.due(now, ANNOUNCED_AT_ONCE):
            if name in self._wires:
                self._wires[name].link.announce(address)
        if self.proving.is_on:
            for name, address in self.ahead.to_ask(self.links, now):
                if name in self._wires:
                    self._ask(name, address, self._timing)
        again = self.proving.next_timer()
        is_proven = again is not None and again <= now
        for wire in self._wires.values():
            is_proven |= self._advance(wire, now)
        return is_proven

    def next_timer(self) -> float | None:
        """When to call `turn` at the latest."""
        moments = [self._bursts.next_timer(), self.settles_at, self.proving.next_timer()]
        moments += [self.ahead.next_timer()] if self.proving.is_on else []
        moments += [wire.probes.next_timer() for wire in self._wires.values()]
        return min((moment for moment in moments if moment is not None), default=None)

    def close(self) -> None:
        """Release every socket; nothing is announced any more."""
        for wire in self._wires.values():
            wire.link.close()
            if wire.overhearer is not None:
                wire.overhearer.close()
        if self._bound:
            self._bound.close()
        self._interfaces.close()

    # Interfaces

    def _change_sockets(self, wanted: Configure) -> None:
        """Links are made anew with or without echo and DHCP; what they own is placed on them again in the same turn."""
        settings = wanted.answers_ping, wanted.watches_dhcp
        if settings != (self._answers_ping, self._watches_dhcp):
            self._answers_ping, self._watches_dhcp = settings
            for name in list(self._wires):
                self._drop(name)

    def _open_bound(self, device: str | None) -> None:
        """Find the device that is to carry owned addresses; without one, its kernel's owner carries them."""
        if device == self._bind_device:
            return
        self._troubles.clear(BINDING)
        self._bind_device = device
        interface = self._interfaces.by_name().get(device) if device else None
        if self._bound is not None:
            self._bound.close()
        self._bound = BoundAddresses(interface.index) if interface else None
        is_lacking = device is not None and interface is None
        self._troubles.say(DEVICE, f"{device}: does not exist; no address is bound" if is_lacking else "")

    def _update(self, link: Link, now: float) -> None:
        old = link.interface.mac
        link.update(self._interfaces.by_name()[link.interface.name])
        if link.interface.mac != old:
            for address in link.owned:
                self._bursts.start((link.interface.name, address), now)
                self._tell(owned_report(link, address))

    def _add(self, name: str) -> None:
        if self._templates is None:
            return
        try:
            link = Link(self._interfaces.by_name()[name], self._templates, answers_ping=self._answers_ping)
            overhearer = Overhearer(name) if self._watches_dhcp else None
        except MissingPrivilegeError as missing:
            self._troubles.say(INTERFACE + name, f"{name}: {missing}")
            return
        except OSError as fault:  # it vanished in between; netlink will say so
            self._troubles.say(INTERFACE + name, f"{name}: cannot be listened on: {fault}")
            return
        self._troubles.clear(INTERFACE + name)
        wire = self._wires[name] = Wire(link, overhearer=overhearer)
        if overhearer is not None:
            self._selector.watch(overhearer.socket.fileno(), lambda _now: self._overhear(wire, overhearer))
        self._listen(wire)

    def _drop(self, name: str) -> None:
        wire = self._wires.pop(name)
        link = wire.link
        if wire.overhearer is not None:
            self._selector.forget(wire.overhearer.socket.fileno())
            wire.overhearer.close()
        for answerer in link.answerers:
            self._selector.forget(answerer.socket.fileno())
        for address in link.owned:
            self._bursts.stop((name, address))
            self._tell_released(name, address)
        link.close()
        self.proving.lose(name)
        self.ahead.lose(name)

    def _listen(self, wire: Wire) -> None:
        for answerer in wire.link.answerers:
            if answerer.socket.fileno() not in self._selector:
                self._selector.watch(answerer.socket.fileno(), self._answering(wire, answerer))

    def _answering(self, wire: Wire, answerer: Answerer) -> Reader:
        def answer(now: float) -> None:
            for claim in answerer.serve():
                self._hear_claim(wire, claim, now)

        return answer

    def _overhear(self, wire: Wire, overhearer: Overhearer) -> None:
        for said in overhearer.serve():
            if wire.is_news(said.address):
                self._tell(dhcp_report(said, wire.link.interface.name))

    def _hear_claim(self, wire: Wire, claim: Claim, now: float) -> None:
        """Somebody else uses an address that is ours, or that we probe for."""
        wire.probes.observe(claim, now, self.fleet_macs)
        if not wire.link.answers_for(claim.address):
            return
        notice = wire.strangers.observe(claim, now, self.fleet_macs)
        if notice.defend:
            wire.link.announce(ip_address(claim.address))
        if notice.report is not None:
            self._tell(conflict_report(notice.report, wire.link.interface.name))

    # Addresses

    def _bind(self, owned: frozenset[Address]) -> None:
        """Before the LAN hears of an address, this machine must accept its packets."""
        if self._bound is None:
            return
        try:
            self._bound.hold(owned)
        except BindError as refused:
            self._troubles.say(BINDING, str(refused))
        else:
            self._troubles.clear(BINDING)

    def _equip(self, wire: Wire, addresses: frozenset[Address], now: float) -> None:
        link, name = wire.link, wire.link.interface.name
        before, watched = link.owned, wire.probes.addresses()
        if addresses == before and watched == link.watched:
            return
        if not self._own(wire, addresses, watched):
            return
        for address in addresses - before:
            self._bursts.start((name, address), now)
            self._tell(owned_report(link, address))
        for address in before - addresses:
            self._bursts.stop((name, address))
            wire.strangers.forget(address.packed)
            self._tell_released(name, address)

    def _own(self, wire: Wire, addresses: frozenset[Address], watched: frozenset[bytes]) -> bool:
        """Whether the interface took it; one that vanished in between is dropped as soon as the kernel says so."""
        about = INTERFACE + wire.link.interface.name
        try:
            wire.link.own(addresses, watched)
        except OSError as fault:
            self._troubles.say(about, f"{wire.link.interface.name}: cannot be listened on: {fault}")
            return False
        self._troubles.clear(about)
        self._listen(wire)
        return True

    def _ask(self, name: str, address: Address, timing: str) -> None:
        chosen = TIMINGS[timing][address.version == 6]
        self._wires[name].probes.ask(address.packed, chosen, [self._random.random() for _ in range(chosen.count)])

    def _advance(self, wire: Wire, now: float) -> bool:
        """Send the probes that are due on one interface; whether a question was answered."""
        link, probes, is_proven = wire.link, wire.probes, False
        due = probes.advance(now)
        if probes.addresses() != link.watched and not self._own(wire, link.owned, probes.addresses()):
            return False
        for packed in due:
            link.probe(packed)
        for finding in probes.findings():
            self.proving.note(link.interface.name, finding, now)
            self.ahead.note(link.interface.name, finding, now)
            self._tell(finding_report(finding, link.interface.name))
            is_proven = True
        return is_proven

    # Reports

    def _tell_released(self, name: str, address: Address) -> None:
        self._tell({"kind": "released", "address": str(address), "interface": name})
