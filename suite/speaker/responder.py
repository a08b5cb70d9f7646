"""The time-critical process: heartbeats, ARP, NDP and BFD, and nothing that could make them wait. No database, no disk, no scapy.

    python -m suite.speaker.responder FD        started by `responder_process`, which holds the other end of FD

Loop: wait for a socket or a timer; answer the LAN (`lan`); hear the fleet; take one turn of `duty`; carry out its decision; watch
the paths to BGP peers (`path_watch`). When the speaker ends, however it ends, the process says goodbye to the fleet, keeps
answering until the successors have taken over, at most a dead interval, and ends as well; BFD falls silent at once, since it
vouches for the speaker.
"""

import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from ipaddress import ip_address
from random import Random, SystemRandom

from suite.l2.link import Address
from suite.speaker.accounts import Teller
from suite.speaker.control import Adopt, Amend, Channel, Configure, Message
from suite.speaker.duty import Duty
from suite.speaker.heartbeat import Standing
from suite.speaker.heartbeat_link import HeartbeatLink
from suite.speaker.lan import Lan
from suite.speaker.membership import Membership, NodeView, Settings
from suite.speaker.ownership import Decision, Entry, Ownership, placements
from suite.speaker.path_watch import PathWatch
from suite.speaker.reports import contest_report, node_report, state_report
from suite.speaker.selector import Selector
from suite.speaker.troubles import PORT, Troubles

NICENESS = -15
"""It works little and seldom, and a second's delay is a death: it goes before the rest of the program, which may wait.

Linux weighs it within the session (autogroup) or control group: other programs are not pushed aside.
"""

PORT_PAUSE = 1.0
"""Seconds until a heartbeat port that somebody else has is tried again."""


class Responder:
    """The loop and what it holds. `clock` is monotonic, in seconds; `random` gives nonces and probe times."""

    def __init__(
        self, channel: Channel, clock: Callable[[], float] = time.monotonic, random: Random | None = None
    ) -> None:
        self._channel, self._clock, self._random = channel, clock, random or SystemRandom()
        self._selector = Selector(clock)
        self._troubles = Troubles(channel.send)
        self._lan = Lan(self._selector, channel.send, self._troubles, self._random)
        self._paths = PathWatch(self._selector, channel.send, self._random.random)
        self._duty: Duty | None = None
        self._heartbeats: HeartbeatLink | None = None
        self._wanted: Configure | None = None
        self._opens_at: float | None = None
        self._draft: dict[Address, Entry] = {}
        self._nodes: Mapping[str, NodeView] = {}
        self._leaving_at: float | None = None
        self._teller = Teller()
        self._is_done = False
        self._selector.watch(channel.fileno(), self._hear_orders)
        self._selector.watch(self._lan.fileno(), self._hear_kernel)

    def run(self) -> None:
        """Serve until told to stop, or until the speaker is gone and the goodbye is said."""
        while not self._is_done:
            self.step()

    def step(self) -> None:
        """Wait for one event or timer, and deal with all that is due."""
        now = self._clock()
        self._selector.wait(max(0.0, self._next_timer(now) - now))
        self._turn(self._clock())

    def close(self) -> None:
        """Release every socket; nothing is announced any more."""
        self._paths.close()
        self._lan.close()
        if self._heartbeats:
            self._heartbeats.close()
        self._channel.close()
        self._selector.close()

    # Orders from the speaker

    def _hear_orders(self, now: float) -> None:
        try:
            for message in self._channel.receive():
                self._obey(message, now)
        except EOFError:
            self._selector.forget(self._channel.fileno())
            self._paths.close()
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
        elif kind == "watch":
            self._paths.watch(message, now)
        elif kind == "unwatch":
            self._paths.unwatch(message["name"], now)
        elif self._duty is not None:
            self._obey_duty(self._duty, message, now)

    def _obey_duty(self, duty: Duty, message: Message, now: float) -> None:
        """Orders that need settings to have come first."""
        kind = message["kind"]
        if kind == "adopt":
            adopt = Adopt.from_message(message)
            self._draft = {entry.address: entry for entry in adopt.entries}
            self._adopt(duty, adopt.standing, now)
        elif kind == "amend":
            self._amend(duty, Amend.from_message(message), now)
        elif kind == "ahead":
            self._lan.ahead.keep(map(ip_address, message["addresses"]))
        elif kind == "probe":
            self._lan.ask([ip_address(text) for text in message["addresses"]], message["timing"])

    def _amend(self, duty: Duty, amend: Amend, now: float) -> None:
        """Change the draft; the last part of an amendment makes it the plan."""
        self._draft.update((entry.address, entry) for entry in amend.entries)
        for address in amend.gone:
            self._draft.pop(address, None)
        if amend.standing is not None:
            self._adopt(duty, amend.standing, now)

    def _adopt(self, duty: Duty, standing: Standing, now: float) -> None:
        self._lan.proving.keep(self._draft)
        duty.adopt(dict(self._draft), standing, now)

    def _configure(self, wanted: Configure, now: float) -> None:
        self._wanted = wanted
        self._lan.configure(wanted)
        settings = Settings(wanted.interval, wanted.dead_after, wanted.rejoin_delay)
        if self._duty is None:
            membership = Membership(wanted.name, self._random.randbytes(8), now, settings)
            self._duty = Duty(membership, Ownership(wanted.name, linger=wanted.dead_after))
        self._duty.membership.settings = settings
        self._duty.membership.configure(wanted.addresses, wanted.keys)
        if self._leaving_at is None and wanted.is_drained != self._duty.state.is_draining:
            self._duty.drain(now, is_draining=wanted.is_drained)
        self._open_heartbeats(wanted, now)
        self._look(now)

    def _open_heartbeats(self, wanted: Configure, now: float) -> None:
        """Hear the fleet. While the port is somebody else's nothing is claimed: deaf, this node would claim everything."""
        self._opens_at = None
        if self._heartbeats is not None and self._heartbeats.port != wanted.port:
            for descriptor in self._heartbeats.filenos():
                self._selector.forget(descriptor)
            self._heartbeats.close()
            self._heartbeats = None
        if self._heartbeats is None:
            try:
                self._heartbeats = HeartbeatLink(wanted.port)
            except OSError as fault:
                self._troubles.say(PORT, str(fault))
                self._opens_at = now + PORT_PAUSE
                return
            self._troubles.clear(PORT)
            for descriptor in self._heartbeats.filenos():
                self._selector.watch(descriptor, self._hear_fleet)
        self._heartbeats.know({name: each for name, each in wanted.addresses.items() if name != wanted.name})

    def _leave(self, now: float) -> None:
        """Say goodbye, and stay until the successors have taken over or had the time to."""
        if self._duty is None:
            self._is_done = True
        elif self._leaving_at is None:
            # Without anybody to hand over to there is nothing to wait for.
            others = any(node.is_live for name, node in self._nodes.items() if name != self._duty.membership.name)
            self._leaving_at = now + (self._duty.membership.settings.dead_after if others else 0.0)
            self._duty.drain(now)

    # News from the kernel and the fleet

    def _hear_kernel(self, now: float) -> None:
        if self._lan.has_changed():
            self._look(now)

    def _look(self, now: float) -> None:
        """Take up the interfaces there are."""
        if self._duty is None:
            return
        self._lan.look(now)
        self._duty.link_up(self._lan.links, now)
        self._place(now)

    def _hear_fleet(self, now: float) -> None:
        if self._duty is None or self._heartbeats is None:
            return
        for datagram in self._heartbeats.receive():
            self._duty.receive(datagram, now)

    # Timers

    def _turn(self, now: float) -> None:
        self._paths.turn(now)
        if self._wanted is not None and self._opens_at is not None and now >= self._opens_at:
            self._open_heartbeats(self._wanted, now)
            self._look(now)
        if self._duty is not None and self._heartbeats is not None:
            self._serve(self._duty, self._heartbeats, now)
        elif self._duty is not None and self._leaving_at is not None:
            self._finish(now)
        self._catch_up()

    def _serve(self, duty: Duty, heartbeats: HeartbeatLink, now: float) -> None:
        """One turn of layer 2."""
        turn = duty.turn(now)
        for name, datagram in turn.greetings:
            heartbeats.send(name, datagram)
        if turn.decision is not None:
            self._carry_out(turn.decision, now)
        for name, datagram in turn.claims:
            heartbeats.send(name, datagram)
        if self._lan.turn(now):
            self._place(now)
        if self._lan.settles_at is not None and now >= self._lan.settles_at:
            self._look(now)
        if self._leaving_at is not None and (now >= self._leaving_at or not duty.ownership.owned):
            self._finish(now)

    def _finish(self, now: float) -> None:
        """Drained: nothing is ours any more. With a speaker there, it decides when to stop; without one, we do."""
        if self._duty is not None and now >= (self._leaving_at or now):
            self._lan.place({}, now)
        if self._channel.fileno() not in self._selector:
            self._is_done = True
        elif self._duty is not None and self._leaving_at != float("inf"):
            self._leaving_at = float("inf")
            self._tell_state()

    def _carry_out(self, decision: Decision, now: float) -> None:
        self._place(now)
        self._lan.announce(decision.announce, now)
        for contest in decision.contests:
            self._channel.send(contest_report(contest))
        self._tell_nodes()

    def _place(self, now: float) -> None:
        """Have each interface own exactly what this node does; nothing while the fleet cannot be heard."""
        if self._duty is None:
            return
        where: dict[str, set[Address]] = {}
        for address in self._duty.ownership.owned if self._heartbeats is not None else ():
            entry = self._duty.plan.get(address)
            for name in placements(entry, self._duty.membership.name, self._duty.state.links) if entry else ():
                where.setdefault(name, set()).add(address)
        self._lan.proving.hear(self._duty.nodes(), self._duty.membership.name)
        self._lan.place(where, now)

    def _next_timer(self, now: float) -> float:
        moments = [
            self._duty.next_timer() if self._duty and self._heartbeats else None,
            self._lan.next_timer() if self._duty and self._heartbeats else None,
            self._paths.next_timer(),
            self._opens_at,
            self._leaving_at,
            now + 0.05 if self._channel.is_behind else None,
        ]
        return min((moment for moment in moments if moment is not None), default=now + 3600.0)

    # Reports to the speaker

    def _tell_nodes(self) -> None:
        if self._duty is None:
            return
        before, self._nodes = self._nodes, self._duty.nodes()
        self._lan.fleet_macs = frozenset(link.mac for node in self._nodes.values() for link in node.links)
        for name, node in self._nodes.items():
            known = before.get(name, NodeView(name))
            if node_report(node) != node_report(known):
                self._channel.send({"kind": "node", **node_report(node)})

    def _catch_up(self) -> None:
        """After reports were dropped because nobody read them, the whole state replaces them."""
        if self._channel.flush() and self._channel.dropped:
            self._channel.dropped = 0
            self._teller.forget()
            self._tell_state()

    def _tell_state(self) -> None:
        faults, drained = self._duty.membership.faults if self._duty else {}, self._leaving_at == float("inf")
        accounts, conflicts = self._teller.tell(self._lan.sockets()), self._lan.conflicts(self._clock())
        troubles = self._troubles.report()
        self._channel.send(state_report(self._nodes.values(), faults, accounts, conflicts, troubles, drained=drained))
        self._paths.tell_all(self._clock())


def main(descriptor: int) -> None:
    """Run on an inherited socket until the speaker ends."""
    # The speaker says when to stop; a terminal's Ctrl-C reaches the whole process group and is its to judge.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with suppress(PermissionError):  # without root or CAP_SYS_NICE it waits its turn
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
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
