"""The time-critical process: heartbeats, ARP and NDP, and nothing that could make them wait. No database, no disk, no scapy.

    python -m suite.speaker.responder FD        started by `responder_process`, which holds the other end of FD

Loop: wait for a socket or a timer; answer the LAN; hear the fleet; take one turn of `duty`; carry out its decision; send bursts
and probes that are due. When the speaker ends, however it ends, the process says goodbye to the fleet, keeps answering
until the successors have taken over, at most a dead interval, and ends as well.
"""

import gc
import re
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from random import Random, SystemRandom

from suite.l2 import conflict, probe
from suite.l2.arp import Claim
from suite.l2.bind_address import BindError, BoundAddresses
from suite.l2.burst import Bursts
from suite.l2.frames import Templates
from suite.l2.hardware import Mac
from suite.l2.link import Address, Answerer, Link, MissingPrivilegeError
from suite.l2.netlink import Interfaces
from suite.speaker.control import Adopt, Amend, Channel, Configure, Message
from suite.speaker.duty import Duty
from suite.speaker.heartbeat import Standing
from suite.speaker.heartbeat_link import HeartbeatLink
from suite.speaker.membership import Membership, NodeView, Settings
from suite.speaker.ownership import Decision, Entry, Ownership, placements
from suite.speaker.proving import Proving
from suite.speaker.reports import (
    conflict_report,
    contest_report,
    finding_report,
    node_report,
    owned_report,
    state_report,
)
from suite.speaker.usable_links import EXCLUDED, UsableLinks

ANNOUNCED_AT_ONCE = 64
"""Announcements sent before the loop looks at its sockets again."""

TIMINGS = {"quick": (probe.QUICK, probe.QUICK), "rfc": (probe.RFC5227, probe.RFC4862)}


class Responder:
    """The loop and what it holds. `clock` is monotonic, in seconds; `random` gives nonces and probe times."""

    def __init__(
        self, channel: Channel, clock: Callable[[], float] = time.monotonic, random: Random | None = None
    ) -> None:
        self._channel, self._clock, self._random = channel, clock, random or SystemRandom()
        self._poll = select.epoll()
        self._readers: dict[int, Callable[[float], None]] = {}
        self._interfaces = Interfaces()
        self._usable = UsableLinks()
        self._links: dict[str, Link] = {}
        self._bursts: Bursts[tuple[str, Address]] = Bursts()
        self._probes: dict[str, probe.Probes] = {}
        self._watches: dict[str, conflict.Watch] = {}
        self._proving = Proving()
        self._timing = "quick"
        self._templates: Templates | None = None
        self._duty: Duty | None = None
        self._heartbeats: HeartbeatLink | None = None
        self._bound: BoundAddresses | None = None
        self._bind_device: str | None = None
        self._answers_ping = False
        self._draft: dict[Address, Entry] = {}
        self._nodes: Mapping[str, NodeView] = {}
        self._fleet_macs: frozenset[Mac] = frozenset()
        self._settles_at: float | None = None
        self._leaving_at: float | None = None
        self._is_done = False
        self._watch_for(channel.fileno(), self._hear_orders)
        self._watch_for(self._interfaces.fileno(), self._hear_kernel)

    def run(self) -> None:
        """Serve until told to stop, or until the speaker is gone and the goodbye is said."""
        while not self._is_done:
            self.step()

    def step(self) -> None:
        """Wait for one event or timer, and deal with all that is due."""
        now = self._clock()
        for descriptor, _ in self._poll.poll(max(0.0, self._next_timer(now) - now)):
            reader = self._readers.get(descriptor)
            if reader is not None:
                reader(self._clock())
        self._turn(self._clock())

    def close(self) -> None:
        """Release every socket; nothing is announced any more."""
        for link in self._links.values():
            link.close()
        if self._heartbeats:
            self._heartbeats.close()
        if self._bound:
            self._bound.close()
        self._interfaces.close()
        self._channel.close()
        self._poll.close()

    # Orders from the speaker

    def _hear_orders(self, now: float) -> None:
        try:
            for message in self._channel.receive():
                self._obey(message, now)
        except EOFError:
            self._forget(self._channel.fileno())
            self._leave(now)

    def _obey(self, message: Message, now: float) -> None:
        kind = message["kind"]
        if kind == "configure":
            self._configure(Configure.from_message(message), now)
        elif kind == "stop":
            self._is_done = True
        elif kind == "ask":
            self._tell_state()
        elif kind == "drain":
            self._leave(now)
        elif self._duty is not None and kind == "adopt":
            adopt = Adopt.from_message(message)
            self._draft = {entry.address: entry for entry in adopt.entries}
            self._adopt(self._duty, adopt.standing, now)
        elif self._duty is not None and kind == "amend":
            self._amend(self._duty, Amend.from_message(message), now)
        elif kind == "probe":
            self._ask_lan([ip_address(text) for text in message["addresses"]], message["timing"], now)

    def _amend(self, duty: Duty, amend: Amend, now: float) -> None:
        """Change the draft; the last part of an amendment makes it the plan."""
        self._draft.update((entry.address, entry) for entry in amend.entries)
        for address in amend.gone:
            self._draft.pop(address, None)
        if amend.standing is not None:
            self._adopt(duty, amend.standing, now)

    def _adopt(self, duty: Duty, standing: Standing, now: float) -> None:
        self._proving.keep(self._draft)
        duty.adopt(dict(self._draft), standing, now)

    def _configure(self, wanted: Configure, now: float) -> None:
        self._templates = Templates.from_text(dict(wanted.templates))
        self._usable.excluded = re.compile(wanted.excluded) if wanted.excluded is not None else EXCLUDED
        self._change_ping(answers=wanted.answers_ping)
        self._bursts.refresh = wanted.refresh or float("inf")
        self._proving.is_on = wanted.probe != "off"
        self._timing = wanted.probe if wanted.probe in TIMINGS else "quick"
        settings = Settings(wanted.interval, wanted.dead_after, wanted.rejoin_delay)
        if self._duty is None:
            membership = Membership(wanted.name, self._random.randbytes(8), now, settings)
            self._duty = Duty(membership, Ownership(wanted.name, linger=wanted.dead_after))
        self._duty.membership.settings = settings
        self._duty.membership.configure(wanted.addresses, wanted.keys)
        self._open_heartbeats(wanted)
        self._open_bound(wanted.bind_device)
        self._look_at_links(now)

    def _change_ping(self, *, answers: bool) -> None:
        """Links are made anew with or without echo; what they own is placed on them again in the same turn."""
        if answers != self._answers_ping:
            self._answers_ping = answers
            for name in list(self._links):
                self._drop_link(name)

    def _open_heartbeats(self, wanted: Configure) -> None:
        if self._heartbeats is not None and self._heartbeats.port != wanted.port:
            for descriptor in self._heartbeats.filenos():
                self._forget(descriptor)
            self._heartbeats.close()
            self._heartbeats = None
        if self._heartbeats is None:
            try:
                self._heartbeats = HeartbeatLink(wanted.port)
            except OSError as fault:
                # Deaf to the fleet it would claim everything. The speaker starts this process again after a while.
                self._channel.send({"kind": "trouble", "interface": "", "text": str(fault)})
                self._is_done = True
                return
            for descriptor in self._heartbeats.filenos():
                self._watch_for(descriptor, self._hear_fleet)
        self._heartbeats.know({name: each for name, each in wanted.addresses.items() if name != wanted.name})

    def _open_bound(self, device: str | None) -> None:
        """Find the device that is to carry owned addresses; without one, its kernel's owner carries them."""
        if device == self._bind_device:
            return
        self._bind_device = device
        interface = self._interfaces.by_name().get(device) if device else None
        if self._bound is not None:
            self._bound.close()
        self._bound = BoundAddresses(interface.index) if interface else None
        if device and interface is None:
            self._channel.send({"kind": "trouble", "interface": device, "text": "does not exist; no address is bound"})

    def _leave(self, now: float) -> None:
        """Say goodbye, and stay until the successors have taken over or had the time to."""
        if self._duty is None:
            self._is_done = True
        elif self._leaving_at is None:
            # Without anybody to hand over to there is nothing to wait for.
            others = any(node.is_live for name, node in self._nodes.items() if name != self._duty.membership.name)
            self._leaving_at = now + (self._duty.membership.settings.dead_after if others else 0.0)
            self._duty.drain(now)

    # News from the kernel, the fleet and the LAN

    def _hear_kernel(self, now: float) -> None:
        if self._interfaces.changes():
            self._look_at_links(now)

    def _look_at_links(self, now: float) -> None:
        """Compare the sockets we have with the interfaces there are."""
        if self._duty is None or self._templates is None:
            return
        interfaces = self._interfaces.by_name()
        links = self._usable.update(interfaces, now)
        self._settles_at = self._usable.next_timer(now)
        usable = {link.name for link in links}
        for name, link in list(self._links.items()):
            current = interfaces.get(name)
            if name not in usable or current is None or current.index != link.interface.index:
                self._drop_link(name)
            elif current != link.interface:
                self._update_link(link, now)
        for name in sorted(usable - self._links.keys()):
            self._add_link(name)
        self._duty.link_up(links, now)
        self._place(now)

    def _update_link(self, link: Link, now: float) -> None:
        old = link.interface.mac
        link.update(self._interfaces.by_name()[link.interface.name])
        if link.interface.mac != old:
            for address in link.owned:
                self._bursts.start((link.interface.name, address), now)
                self._tell_owned(link, address)

    def _add_link(self, name: str) -> None:
        if self._templates is None:
            return
        try:
            link = Link(self._interfaces.by_name()[name], self._templates, answers_ping=self._answers_ping)
        except MissingPrivilegeError as missing:
            self._channel.send({"kind": "trouble", "interface": name, "text": str(missing)})
            return
        except OSError as fault:  # it vanished in between; netlink will say so
            self._channel.send({"kind": "trouble", "interface": name, "text": f"cannot be listened on: {fault}"})
            return
        self._links[name] = link
        self._probes[name], self._watches[name] = probe.Probes(), conflict.Watch()
        self._listen(link)

    def _drop_link(self, name: str) -> None:
        link = self._links.pop(name)
        for answerer in link.answerers:
            self._forget(answerer.socket.fileno())
        for address in link.owned:
            self._bursts.stop((name, address))
            self._channel.send({"kind": "released", "address": str(address), "interface": name})
        link.close()
        self._proving.lose(name)
        del self._probes[name], self._watches[name]

    def _hear_fleet(self, now: float) -> None:
        if self._duty is None or self._heartbeats is None:
            return
        for datagram in self._heartbeats.receive():
            self._duty.receive(datagram, now)

    def _listen(self, link: Link) -> None:
        for answerer in link.answerers:
            if answerer.socket.fileno() not in self._readers:
                self._watch_for(answerer.socket.fileno(), self._answering(link, answerer))

    def _answering(self, link: Link, answerer: Answerer) -> Callable[[float], None]:
        def answer(now: float) -> None:
            for claim in answerer.serve():
                self._hear_claim(link, claim, now)

        return answer

    def _hear_claim(self, link: Link, claim: Claim, now: float) -> None:
        """Somebody else uses an address that is ours, or that we probe for."""
        name = link.interface.name
        self._probes[name].observe(claim, now, self._fleet_macs)
        if not link.answers_for(claim.address):
            return
        notice = self._watches[name].observe(claim, now, self._fleet_macs)
        if notice.defend:
            link.announce(ip_address(claim.address))
        if notice.report is not None:
            self._channel.send(conflict_report(notice.report, name))

    # Timers

    def _turn(self, now: float) -> None:
        if self._duty is None or self._heartbeats is None:
            return
        turn = self._duty.turn(now)
        for name, datagram in turn.datagrams:
            self._heartbeats.send(name, datagram)
        if turn.decision is not None:
            self._carry_out(turn.decision, now)
        self._announce(now)
        self._advance_probes(now)
        if self._settles_at is not None and now >= self._settles_at:
            self._look_at_links(now)
        if self._leaving_at is not None and (now >= self._leaving_at or not self._duty.ownership.owned):
            self._finish(now)
        self._catch_up()

    def _finish(self, now: float) -> None:
        """Drained: nothing is ours any more. With a speaker there, it decides when to stop; without one, we do."""
        if self._duty is not None and now >= (self._leaving_at or now):
            self._place(now, nothing=True)
        if self._channel.fileno() not in self._readers:
            self._is_done = True
        elif self._duty is not None and self._leaving_at != float("inf"):
            self._leaving_at = float("inf")
            self._tell_state(drained=True)

    def _carry_out(self, decision: Decision, now: float) -> None:
        self._place(now)
        for address in decision.announce:
            for link in self._links.values():
                if address in link.owned:
                    self._bursts.start((link.interface.name, address), now)
        for contest in decision.contests:
            self._channel.send(contest_report(contest))
        self._tell_nodes()

    def _place(self, now: float, *, nothing: bool = False) -> None:
        """Make each link own exactly what it should, and tell what changed."""
        if self._duty is None:
            return
        owned: frozenset[Address] = frozenset() if nothing else self._duty.ownership.owned
        where: dict[str, set[Address]] = {name: set() for name in self._links}
        for address in owned:
            entry = self._duty.plan.get(address)
            for name in placements(entry, self._duty.membership.name, self._duty.state.links) if entry else ():
                if name in where:
                    where[name].add(address)
        self._proving.hear(self._duty.nodes(), self._duty.membership.name)
        admitted = {name: self._proving.admit(name, frozenset(each), now) for name, each in where.items()}
        self._bind(frozenset[Address]().union(*admitted.values()))
        for name, addresses in admitted.items():
            self._equip(self._links[name], addresses, now)
        self._prove()

    def _prove(self) -> None:
        """Ask the LAN for what was kept back."""
        for name, address in self._proving.to_ask():
            self._ask(name, address, self._timing)

    def _bind(self, owned: frozenset[Address]) -> None:
        """Before the LAN hears of an address, this machine must accept its packets."""
        if self._bound is None or self._bound.held == owned:
            return
        try:
            self._bound.hold(owned)
        except BindError as refused:
            self._channel.send({"kind": "trouble", "interface": "", "text": str(refused)})

    def _equip(self, link: Link, addresses: frozenset[Address], now: float) -> None:
        before, watched = link.owned, self._probes[link.interface.name].addresses()
        if addresses == before and watched == link.watched:
            return
        if not self._own(link, addresses, watched):
            return
        for address in addresses - before:
            self._bursts.start((link.interface.name, address), now)
            self._tell_owned(link, address)
        for address in before - addresses:
            self._bursts.stop((link.interface.name, address))
            self._watches[link.interface.name].forget(address.packed)
            self._channel.send({"kind": "released", "address": str(address), "interface": link.interface.name})

    def _own(self, link: Link, addresses: frozenset[Address], watched: frozenset[bytes]) -> bool:
        """Whether the interface took it; one that vanished in between is dropped as soon as the kernel says so."""
        try:
            link.own(addresses, watched)
        except OSError as fault:
            text = f"cannot be listened on: {fault}"
            self._channel.send({"kind": "trouble", "interface": link.interface.name, "text": text})
            return False
        self._listen(link)
        return True

    def _announce(self, now: float) -> None:
        for name, address in self._bursts.due(now, ANNOUNCED_AT_ONCE):
            if name in self._links:
                self._links[name].announce(address)

    def _ask_lan(self, addresses: list[Address], timing: str, now: float) -> None:
        """Start probes on every link whose network holds the address."""
        if self._duty is None:
            return
        for address in addresses:
            names = {link.name for link in self._duty.state.links if address in link.network} & self._links.keys()
            for name in names:
                self._ask(name, address, timing)
            if not names:
                self._channel.send({"kind": "found", "address": str(address), "verdict": "no_link"})

    def _ask(self, name: str, address: Address, timing: str) -> None:
        chosen = TIMINGS[timing][address.version == 6]
        self._probes[name].ask(address.packed, chosen, [self._random.random() for _ in range(chosen.count)])

    def _advance_probes(self, now: float) -> None:
        again = self._proving.next_timer()
        is_proven = again is not None and again <= now
        for name, link in self._links.items():
            probes = self._probes[name]
            due = probes.advance(now)
            if probes.addresses() != link.watched and not self._own(link, link.owned, probes.addresses()):
                continue
            for packed in due:
                link.probe(packed)
            for finding in probes.findings():
                self._proving.note(name, finding, now)
                self._channel.send(finding_report(finding, name))
                is_proven = True
        if is_proven:
            self._place(now)

    def _next_timer(self, now: float) -> float:
        moments = [
            self._duty.next_timer() if self._duty else None,
            self._bursts.next_timer(),
            self._settles_at,
            self._leaving_at,
            self._proving.next_timer(),
            now + 0.05 if self._channel.is_behind else None,
            *(probes.next_timer() for probes in self._probes.values()),
        ]
        return min((moment for moment in moments if moment is not None), default=now + 3600.0)

    # Reports to the speaker

    def _tell_owned(self, link: Link, address: Address) -> None:
        self._channel.send(owned_report(link, address))

    def _tell_nodes(self) -> None:
        if self._duty is None:
            return
        before, self._nodes = self._nodes, self._duty.nodes()
        self._fleet_macs = frozenset(link.mac for node in self._nodes.values() for link in node.links)
        for name, node in self._nodes.items():
            known = before.get(name, NodeView(name))
            if node_report(node) != node_report(known):
                self._channel.send({"kind": "node", **node_report(node)})

    def _catch_up(self) -> None:
        """After reports were dropped because nobody read them, the whole state replaces them."""
        if self._channel.flush() and self._channel.dropped:
            self._channel.dropped = 0
            self._tell_state()

    def _tell_state(self, *, drained: bool = False) -> None:
        faults = self._duty.membership.faults if self._duty else {}
        self._channel.send(state_report(self._nodes.values(), faults, self._links.values(), drained=drained))

    # The selector

    def _watch_for(self, descriptor: int, reader: Callable[[float], None]) -> None:
        self._readers[descriptor] = reader
        self._poll.register(descriptor, select.EPOLLIN)

    def _forget(self, descriptor: int) -> None:
        if self._readers.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)


def main(descriptor: int) -> None:
    """Run on an inherited socket until the speaker ends."""
    # The speaker says when to stop; a terminal's Ctrl-C reaches the whole process group and is its to judge.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    responder = Responder(Channel(socket.socket(fileno=descriptor)))
    # What exists now lives as long as the process: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    try:
        responder.run()
    finally:
        responder.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
