"""A session with one peer: up to three connections, one of which comes to carry it, and the routes it announces.

Sans-IO: the shell reports what TCP does (`connected`, `accepted`, `receive`, `lost`), asks for octets
(`bytes_to_send`), obeys events (`next_event`) and calls `handle_timer` when `next_timer` is due. `now` is seconds of
any clock that does not go backwards. Memory is bounded: output is made when asked for, input is counted and dropped.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import Enum

from suite.bgp.collision import Contender, Speakers, keeps_new
from suite.bgp.connection import Cause, Connection, Origin
from suite.bgp.export import Exporter
from suite.bgp.fsm import Event, State
from suite.bgp.intake import Intake
from suite.bgp.message import Message, MessageType, RefreshKind, RouteRefresh, decode
from suite.bgp.negotiation import Negotiated, SessionConfig, negotiate
from suite.bgp.notification import Cease, Code, Notification, OpenError, ProtocolError
from suite.bgp.open import Open
from suite.bgp.prefix import Address, Prefix
from suite.bgp.rib import AdjRibOut, Routes
from suite.bgp.status import Connect, Disconnect, SessionEvent, SessionStatus, StateChanged
from suite.bgp.update import Dialect, Update

CHUNK = 65536  # octets of UPDATEs made per call; a few TCP windows, so that 100 sessions share a loop fairly
SHOWN = 20  # changes of state kept for people to look at
COLLISION = Notification(Code.CEASE, Cease.COLLISION)
NO_ANSWER = Cause(Origin.TCP, "connect: no answer")


class Stop(Enum):
    """How a session is left: with a NOTIFICATION, or silently so that the peer keeps the routes (RFC 4724)."""

    CEASE = "cease"
    GRACEFUL = "graceful"


class Session:
    """One peer. `random` gives numbers from 0 to 1 and is used for jitter only."""

    def __init__(self, config: SessionConfig, random: Callable[[], float]) -> None:
        self.config = config
        self._random = random
        self._rib = AdjRibOut()
        self._outgoing = Connection(config, self, random, incoming=False)
        self._connections = [self._outgoing]
        self._events: deque[SessionEvent] = deque()
        self._is_running = False
        self._next_link = 0
        self._state = State.IDLE
        self._since = 0.0
        self._cause: Cause | None = None
        self._current: Connection | None = None
        self._counters: Counter[str] = Counter()
        self._history: deque[StateChanged] = deque(maxlen=SHOWN)
        self._intake = Intake()
        self._established_at: float | None = None

    # What the shell tells

    def start(self, now: float) -> None:
        """Begin: connect unless passive, and take connections the shell accepts."""
        self._is_running = True
        if not self.config.passive:
            self._outgoing.fire(Event.AUTOMATIC_START, now)
        self._settle(now)

    def stop(self, now: float, how: Stop = Stop.CEASE, notification: Notification | None = None) -> None:
        """End the session and stay down until `start`.

        CEASE sends `notification`, by default an administrative shutdown without a message. GRACEFUL closes without
        one if graceful restart was announced to this peer and by it, so that its routes stay; otherwise it is CEASE.
        """
        self._is_running = False
        cease = notification or Notification.shutdown()
        for connection in list(self._connections):
            if how is Stop.GRACEFUL and self._may_leave_silently(connection):
                connection.fire(Event.TCP_FAILS, now, Cause(Origin.STOPPED, "left for a graceful restart"))
            else:
                connection.fire(Event.MANUAL_STOP, now, Cause(Origin.STOPPED, "stopped", cease))
            connection.timers.clear()
        self._settle(now)

    def reset(self, now: float, notification: Notification) -> None:
        """End the connection with a Cease and come back after the pause; with BFD_DOWN for RFC 9384."""
        for connection in [c for c in self._connections if c.state >= State.OPEN_SENT]:
            connection.fire(Event.AUTOMATIC_STOP, now, Cause(Origin.SENT, f"sent {notification}", notification))
        self._settle(now)

    def accepted(self, local: Address, remote: Address, now: float) -> int | None:
        """The peer connected; the number of the connection, None if it is not wanted and shall be closed.

        Of incoming connections that are not established only the newest is kept: the peer gave the others up.
        """
        if not self._is_running:
            return None
        for rival in [c for c in self._connections if c.incoming and c.state is not State.ESTABLISHED]:
            self._dump(rival, now)
        connection = Connection(self.config, self, self._random, incoming=True)
        self._connections.append(connection)
        connection.fire(Event.AUTOMATIC_START_PASSIVE, now)
        connection.link = self._number()
        events = Event.TCP_CONFIRMED, Event.TCP_CONFIRMED_DELAY_OPEN
        self._open_up(connection, (local, remote), events, now)
        return connection.link

    def connected(self, link: int, local: Address, remote: Address, now: float) -> None:
        """The connection asked for by `Connect` stands."""
        connection = self._by_link(link)
        if connection is not None:
            events = Event.TCP_ACKED, Event.TCP_ACKED_DELAY_OPEN
            self._open_up(connection, (local, remote), events, now)

    def lost(self, link: int, now: float, text: str = "connection closed by the peer") -> None:
        """The connection failed or was closed by the peer."""
        connection = self._by_link(link)
        if connection is None:
            return
        delayed = Event.DELAY_OPEN_EXPIRES in connection.timers
        event = Event.TCP_FAILS_DELAY_OPEN if delayed else Event.TCP_FAILS
        if connection.state is State.OPEN_SENT:  # what a router does that does not know this node
            text += " before its OPEN"
        connection.fire(event, now, Cause(Origin.TCP, text))
        if connection.state is State.ACTIVE and self._current is None:
            self._cause = Cause(Origin.TCP, text)  # a fall that is no end: the machine goes on from Active
        if connection.incoming and connection.state is State.ACTIVE:
            # OpenSent falls back to Active to wait for a connection, but this machine only lived for the one it lost.
            connection.fire(Event.MANUAL_STOP, now, Cause(Origin.TCP, text))
        self._settle(now)

    def receive(self, link: int, octets: bytes, now: float) -> None:
        """Octets arrived; never raises, whatever they are."""
        connection = self._by_link(link)
        if connection is None:
            return
        try:
            for kind, body in connection.reader.feed(octets):
                self._counters[f"{kind.name.lower()}_received"] += 1
                self._take(connection, kind, body, now)
                if connection.link != link:
                    break
        except ProtocolError as error:
            self._refuse(connection, error, now)
        self._settle(now)

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        for connection in list(self._connections):
            connection.handle_timers(now)
        self._settle(now)

    # What the shell asks

    def next_timer(self) -> float | None:
        """When `handle_timer` must be called next, None if nothing is to come."""
        times = [c.next_timer() for c in self._connections if c.timers]
        return min((t for t in times if t is not None), default=None)

    def next_event(self) -> SessionEvent | None:
        """The next thing to do or to know, None if there is none."""
        return self._events.popleft() if self._events else None

    def bytes_to_send(self, link: int, now: float, limit: int = CHUNK) -> bytes:
        """What to send on a connection now, about `limit` octets at most; empty if nothing waits."""
        connection = self._by_link(link)
        if connection is None:
            return b""
        if connection is not self._current or not self._rib.has_output:
            return connection.take_output()
        parts = [connection.take_output()]
        size = 0
        while size < limit and (message := self._rib.next_message()) is not None:
            parts.append(message)
            size += len(message)
            self.on_sent("update" if message[18] == MessageType.UPDATE else "route_refresh")
        if self._rib.has_output:
            connection.await_sending(now)
        return b"".join(parts)

    # What is announced

    def announce(self, routes: Routes, now: float) -> None:
        """Make `routes` everything the peer shall have; only differences are sent."""
        self._rib.replace(routes)
        self._await_sending(now)

    def change(self, routes: Routes, withdrawn: Iterable[Prefix], now: float) -> None:
        """Add or change `routes`, take `withdrawn` away, and leave all others alone."""
        self._rib.change(routes, withdrawn)
        self._await_sending(now)

    @property
    def routes(self) -> Routes:
        """Everything the peer shall have."""
        return self._rib.wanted

    def is_announced(self, prefix: Prefix) -> bool:
        """Whether the peer has been sent the prefix and not its withdrawal."""
        return self._rib.is_held(prefix)

    @property
    def state(self) -> State:
        """The state of the connection that got furthest."""
        return self._state

    @property
    def link(self) -> int | None:
        """The connection that is established, if one is."""
        return self._current.link if self._current else None

    @property
    def negotiated(self) -> Negotiated | None:
        """What was agreed on, while established."""
        return self._current.negotiated if self._current else None

    def status(self) -> SessionStatus:
        """A picture for people and metrics."""
        current, agreed = self._current, self.negotiated
        return SessionStatus(
            state=self._state,
            since=self._since,
            peer_as=agreed.peer.asn if agreed else None,
            peer_identifier=agreed.peer.identifier if agreed else None,
            internal=agreed.dialect.internal if agreed else None,
            local=current.local if current else None,
            remote=current.remote if current else None,
            hold_time=agreed.hold_time if agreed else None,
            keepalive_time=agreed.keepalive_time if agreed else None,
            families=self._rib.families,
            unannounced_families=self.config.families - self._rib.families if agreed else frozenset(),
            announced=self._rib.held,
            pending=self._rib.pending,
            counters=dict(self._counters),
            last_cause=self._cause,
            history=tuple(self._history),
            received=self._intake.routes,
            faults=self._intake.faults,
        )

    # What the connections tell (connection.Owner)

    def begin_tcp(self) -> int:
        link = self._number()
        self._events.append(Connect(link))
        return link

    def end_tcp(self, link: int, last: bytes) -> None:
        if self._current is None and self._outgoing.link == link and self._outgoing.local is None:
            self._cause = NO_ANSWER  # unless somebody knows better, who says so behind this
        self._events.append(Disconnect(link, last))

    def on_established(self, connection: Connection, now: float) -> None:
        """One connection carries the session from now on; all others go."""
        agreed = connection.negotiated
        if agreed is None or connection.local is None or connection.remote is None:
            return
        self._current = connection
        self._established_at = now
        self._outgoing.unanswered = 0
        self._counters["established"] += 1
        # The R bit speaks of the first connection after a restart only (RFC 4724 section 3).
        self.config = replace(self.config, restarting=False)
        for each in self._connections:
            each.config = self.config
        for rival in [c for c in self._connections if c is not connection]:
            self._dump(rival, now)
        exporter = Exporter(self.config, agreed, connection.local, connection.remote)
        self._rib.open(exporter, mark_end=agreed.graceful is not None, enhanced=agreed.enhanced_refresh)
        self._await_sending(now)

    def on_released(self, connection: Connection) -> None:
        """The connection that carried the session is gone, and with it all that the peer was sent."""
        if connection is self._current:
            self._current = None
            self._rib.close()

    def on_ended(self, connection: Connection, cause: Cause, now: float, *, damped: bool) -> None:
        """A connection fell to Idle: remember why, and begin the way back.

        Failures in a row lengthen the pause; a session that had stood for longer than the longest pause clears them.
        """
        if self._current is None:
            self._cause = cause
        if connection.incoming:
            self._connections.remove(connection)
            is_collision = cause.notification == COLLISION
            self._outgoing.retries += damped and not is_collision
        if self._established_at is not None and self._current is None:
            self._counters["dropped"] += 1
            if now - self._established_at > self.config.idle_hold_max:
                self._outgoing.retries = int(damped)
            self._established_at = None
        self._come_back(now)

    def on_message(self, connection: Connection, message: Message, now: float) -> None:
        """Count what the peer announces, answer what it asks for."""
        if isinstance(message, Update):
            self._counters.update(self._intake.take(message, now))
        elif isinstance(message, RouteRefresh) and message.kind == RefreshKind.REQUEST:
            self._rib.refresh(message.family)
            self._await_sending(now)

    def on_sent(self, kind: str) -> None:
        self._counters[f"{kind}_sent"] += 1

    # Decisions

    def _take(self, connection: Connection, kind: MessageType, body: bytes, now: float) -> None:
        """One message; UPDATEs are read only where they may come, since their meaning depends on both OPENs."""
        if kind is MessageType.KEEPALIVE:
            connection.fire(Event.KEEPALIVE, now)
        elif kind is MessageType.UPDATE and connection.state is not State.ESTABLISHED:
            connection.fire(Event.UPDATE, now)
        else:
            agreed = connection.negotiated
            message = decode(kind, body, agreed.dialect if agreed else Dialect())
            self._take_message(connection, message, now)

    def _take_message(self, connection: Connection, message: Message, now: float) -> None:
        match message:
            case Open():
                self._take_open(connection, message, now)
            case Notification():
                self._take_notification(connection, message, now)
            case RouteRefresh():
                connection.fire(Event.ROUTE_REFRESH, now, message=message)
            case Update():
                connection.fire(Event.UPDATE, now, message=message)

    def _take_open(self, connection: Connection, message: Open, now: float) -> None:
        """Agree with the peer, unless another connection to it wins (RFC 4271 section 6.8).

        The OPEN tells who the peer is on its other connections too, so those in OpenSent are judged with it, as that
        section allows. Both sides then drop the same connection at the first OPEN; waiting until a second one is in
        OpenConfirm lets one side be Established on the connection that the other is about to drop.
        """
        delayed = Event.DELAY_OPEN_EXPIRES in connection.timers
        if connection.state is not State.OPEN_SENT and not delayed:
            connection.fire(Event.OPEN, now)
            return
        agreed = negotiate(self.config, message)
        speakers = Speakers(
            local=(self.config.identifier, self.config.local_as),
            remote=(message.identifier, message.asn),
        )
        for rival in [c for c in self._connections if c is not connection and c.state >= State.OPEN_SENT]:
            if not keeps_new(_contender(rival), _contender(connection), speakers):
                self._dump(connection, now)
                return
            self._supersede(rival, now)
        if self._outgoing is not connection:
            # An attempt that has not got to its OPEN yet would only collide with this one.
            self._outgoing.fire(Event.MANUAL_STOP, now, Cause(Origin.STOPPED, "the peer connected first"))
            self._outgoing.timers.clear()
        connection.negotiated = agreed
        connection.fire(Event.OPEN_DELAY_OPEN if delayed else Event.OPEN, now)

    def _take_notification(self, connection: Connection, message: Notification, now: float) -> None:
        delayed = Event.DELAY_OPEN_EXPIRES in connection.timers
        event = Event.NOTIFICATION
        if (message.code, message.subcode) == (Code.OPEN, OpenError.UNSUPPORTED_VERSION):
            event = Event.NOTIFICATION_VERSION_ERROR
            event = Event.NOTIFICATION_VERSION_ERROR_DELAY_OPEN if delayed else event
        connection.fire(event, now, Cause(Origin.RECEIVED, f"received {message}", message))

    def _refuse(self, connection: Connection, error: ProtocolError, now: float) -> None:
        """Answer a fault with its NOTIFICATION, where the state allows one."""
        event = _FAULTS.get(error.notification.code, Event.UPDATE_ERROR)
        connection.fire(event, now, Cause(Origin.SENT, f"sent {error}", error.notification))

    def _supersede(self, rival: Connection, now: float) -> None:
        """Drop a connection for a newer one; an established one is dead already and is told nothing (RFC 4724 4.2)."""
        if rival.state is State.ESTABLISHED:
            rival.fire(Event.TCP_FAILS, now, Cause(Origin.TCP, "the peer restarted"))
        else:
            self._dump(rival, now)

    def _dump(self, connection: Connection, now: float) -> None:
        """Drop a connection that lost against another (RFC 4486 for the subcode)."""
        connection.fire(Event.OPEN_COLLISION_DUMP, now, Cause(Origin.SENT, f"sent {COLLISION}", COLLISION))
        if self._current is not None:
            connection.timers.clear()

    def _come_back(self, now: float) -> None:
        """Start the pause before the next attempt, unless another connection is on its way."""
        if not self._is_running or self.config.passive or self._outgoing.state is not State.IDLE:
            return
        is_on_its_way = any(connection.state >= State.OPEN_CONFIRM for connection in self._connections)
        if not is_on_its_way and Event.IDLE_HOLD_EXPIRES not in self._outgoing.timers:
            self._outgoing.fire(Event.AUTOMATIC_START_DAMPED, now)

    def _may_leave_silently(self, connection: Connection) -> bool:
        agreed = connection.negotiated
        return bool(self.config.graceful_restart and agreed and agreed.graceful and connection is self._current)

    def _open_up(
        self, connection: Connection, addresses: tuple[Address, Address], events: tuple[Event, Event], now: float
    ) -> None:
        """TCP stands: say so to the machine, in the row for DelayOpen if that is configured."""
        connection.local, connection.remote = addresses
        connection.fire(events[self.config.delay_open_time > 0], now)
        self._settle(now)

    def _by_link(self, link: int) -> Connection | None:
        return next((connection for connection in self._connections if connection.link == link), None)

    def _number(self) -> int:
        self._next_link += 1
        return self._next_link

    def _await_sending(self, now: float) -> None:
        if self._current is not None and self._rib.has_output:
            self._current.await_sending(now)

    def _settle(self, now: float) -> None:
        """Tell of a change of state, once per call of the shell; a passive session that waits is Active."""
        state = max(connection.state for connection in self._connections)
        if state is State.IDLE and self._is_running and self.config.passive:
            state = State.ACTIVE
        if state is self._state:
            return
        cause = self._cause if state < self._state else None
        change = StateChanged(self._state, state, now, cause)
        self._events.append(change)
        self._history.append(change)
        self._state, self._since = state, now


def _contender(connection: Connection) -> Contender:
    graceful = connection.negotiated is not None and connection.negotiated.graceful is not None
    return Contender(connection.state, connection.incoming, graceful)


_FAULTS: dict[int, Event] = {
    Code.HEADER: Event.HEADER_ERROR,
    Code.OPEN: Event.OPEN_ERROR,
    Code.UPDATE: Event.UPDATE_ERROR,
    Code.ROUTE_REFRESH: Event.ROUTE_REFRESH_ERROR,
}
