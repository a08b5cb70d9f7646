"""Two BGP sessions and a fake wire between them: no sockets, and a clock that is a number.

    wire = Wire(config(), config(local_as=64513, passive=True))
    wire.start()
    wire.run(until=5)        # deliver, fire timers, obey events, up to that time
    assert wire.a.state is State.ESTABLISHED

`Lone` is one session whose peer is the test itself, octet by octet.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

from suite.bgp.capability import Capability, FourOctetAs, Multiprotocol
from suite.bgp.message import KEEPALIVE, Dialect, Message, MessageReader, decode, encode
from suite.bgp.negotiation import SessionConfig
from suite.bgp.open import Open
from suite.bgp.prefix import IPV4, IPV6
from suite.bgp.session import Session
from suite.bgp.status import Connect, Disconnect, StateChanged

A4, B4 = IPv4Address("10.9.0.1"), IPv4Address("10.9.0.2")


def config(local_as: int = 64512, peer_as: Any = None, identifier: str = "", **changes: Any) -> SessionConfig:
    """A side of the pair: 64512 (10.9.0.1) or anything else (10.9.0.2), each expecting the other."""
    first = local_as == 64512
    expected = (64513 if first else 64512) if peer_as is None else peer_as
    own = identifier or ("10.9.0.1" if first else "10.9.0.2")
    return SessionConfig(local_as, expected, IPv4Address(own), **changes)


class Wire:
    """Delivers what two sessions send; `cut` loses everything, `refuses` answers every connection with a refusal."""

    def __init__(self, a: SessionConfig, b: SessionConfig) -> None:
        self.a, self.b = Session(a, lambda: 1.0), Session(b, lambda: 1.0)
        self.now = 0.0
        self.cut = False
        self.refuses = False
        self.events: dict[Session, list[StateChanged]] = {self.a: [], self.b: []}
        self.pairs: dict[tuple[Session, int], tuple[Session, int]] = {}

    def start(self) -> Wire:
        self.a.start(self.now)
        self.b.start(self.now)
        return self

    def run(self, until: float) -> Wire:
        while True:
            self.settle()
            times = [time for time in (self.a.next_timer(), self.b.next_timer()) if time is not None]
            due = min(times, default=until + 1)
            if due > until:
                self.now = until
                return self
            self.now = max(self.now, due)
            self.a.handle_timer(self.now)
            self.b.handle_timer(self.now)

    def settle(self) -> None:
        """Until nobody has anything to say at this time."""
        while self._obey(self.a, self.b) or self._obey(self.b, self.a) or self._carry():
            pass

    def _obey(self, session: Session, other: Session) -> bool:
        match event := session.next_event():
            case Connect(link) if not self.cut:
                self._connect(session, link, other)
            case Disconnect(link, last):
                self._disconnect(session, link, last)
            case StateChanged():
                self.events[session].append(event)
        return event is not None

    def _connect(self, session: Session, link: int, other: Session) -> None:
        mine, theirs = (A4, B4) if session is self.a else (B4, A4)
        number = None if self.refuses else other.accepted(theirs, mine, self.now)
        if number is None:
            session.lost(link, self.now, "connection refused")
            return
        self.pairs[session, link] = (other, number)
        self.pairs[other, number] = (session, link)
        session.connected(link, mine, theirs, self.now)

    def _disconnect(self, session: Session, link: int, last: bytes) -> None:
        pair = self.pairs.pop((session, link), None)
        if pair is not None and not self.cut:
            self.pairs.pop(pair, None)
            pair[0].receive(pair[1], last, self.now)
            pair[0].lost(pair[1], self.now)

    def _carry(self) -> bool:
        moved = False
        for (session, link), (other, number) in list(self.pairs.items()):
            octets = session.bytes_to_send(link, self.now)
            if octets and not self.cut:
                other.receive(number, octets, self.now)
            moved = moved or bool(octets)
        return moved


class Lone:
    """One session; the test plays its peer (AS 64513, identifier 10.9.0.2)."""

    def __init__(self, own: SessionConfig) -> None:
        self.session = Session(own, lambda: 1.0)
        self.now = 0.0
        self.link = 0
        self.closed: list[bytes] = []
        self.changes: list[StateChanged] = []
        self.session.start(0.0)
        self.settle()

    def settle(self) -> None:
        """Obey: remember connections and what was said last on those that closed."""
        while (event := self.session.next_event()) is not None:
            match event:
                case Connect(link):
                    self.link = link
                case Disconnect(_, last):
                    self.closed.append(last)
                case StateChanged():
                    self.changes.append(event)

    def connect(self) -> Lone:
        self.session.connected(self.link, A4, B4, self.now)
        self.settle()
        return self

    def say(self, *messages: Message | bytes) -> Lone:
        for message in messages:
            octets = message if isinstance(message, bytes) else encode(message)
            self.session.receive(self.link, octets, self.now)
        self.settle()
        return self

    def establish(self, *capabilities: Capability, hold_time: int = 90) -> Lone:
        self.connect().say(peer_open(*capabilities, hold_time=hold_time), KEEPALIVE)
        self.heard()
        return self

    def wait(self, seconds: float) -> Lone:
        """Let timers fire up to then, without anybody speaking."""
        until = self.now + seconds
        while (due := self.session.next_timer()) is not None and due <= until:
            self.now = due
            self.session.handle_timer(due)
            self.settle()
        self.now = until
        return self

    def heard(self) -> list[Message]:
        """What the session has to say on the current connection."""
        return messages(self.session.bytes_to_send(self.link, self.now))

    @property
    def last_words(self) -> list[Message]:
        """What was said on the connection that closed last."""
        return messages(self.closed[-1]) if self.closed else []


def peer_open(*capabilities: Capability, hold_time: int = 90, asn: int = 64513, identifier: str = "10.9.0.2") -> Open:
    """The OPEN of the peer a test plays."""
    return Open(asn, hold_time, IPv4Address(identifier), (FourOctetAs(asn), Multiprotocol(IPV4), *capabilities))


def messages(octets: bytes) -> list[Message]:
    """Whole messages, read as an internal peer of both families would."""
    dialect = Dialect(families=frozenset({IPV4, IPV6}), internal=True)
    return [decode(kind, body, dialect) for kind, body in MessageReader().feed(octets)]
