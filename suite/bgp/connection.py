"""One connection to a peer: a state machine with its timers, and the octets between it and TCP.

`fire` looks a cell up in the table of `fsm` and carries its actions out. What concerns the peer as a whole (which
connection stays, which routes go out) is the owner's business, reached through `Owner`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Protocol

from suite.bgp.fsm import Action, Event, State, step
from suite.bgp.message import KEEPALIVE, Message, MessageReader, encode
from suite.bgp.negotiation import Negotiated, SessionConfig, open_message
from suite.bgp.notification import Cease, Code, FsmError, Notification
from suite.bgp.prefix import Address

LONG_HOLD = 240.0  # RFC 4271 section 8.2.2: the suggested wait for an OPEN
SEND_HOLD = 480.0  # RFC 9687 section 3: at least eight minutes, or twice the hold time if that is more


class Origin(Enum):
    """Where the end of a connection came from."""

    SENT = "sent"
    RECEIVED = "received"
    TCP = "tcp"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a connection ended: a NOTIFICATION sent or received, TCP, or this side's own wish; `text` says it whole."""

    origin: Origin
    text: str
    notification: Notification | None = None


class Owner(Protocol):
    """What a connection asks of its session."""

    def begin_tcp(self) -> int:
        """Begin a TCP connection; its number."""

    def end_tcp(self, link: int, last: bytes) -> None:
        """Send the last octets and close."""

    def on_established(self, connection: "Connection", now: float) -> None:
        """The session is up on this connection."""

    def on_released(self, connection: "Connection") -> None:
        """What the connection held is gone."""

    def on_ended(self, connection: "Connection", cause: Cause, now: float, *, damped: bool) -> None:
        """The connection fell back to Idle."""

    def on_sent(self, kind: str) -> None:
        """A message of this kind was queued."""

    def on_message(self, connection: "Connection", message: Message, now: float) -> None:
        """An UPDATE or a ROUTE-REFRESH arrived while established."""


class Connection:
    """The state machine of one connection. `random` gives numbers from 0 to 1 for jitter; times are seconds."""

    __slots__ = (
        "_before",
        "_message",
        "_owner",
        "_random",
        "cause",
        "config",
        "incoming",
        "link",
        "local",
        "negotiated",
        "outbox",
        "reader",
        "remote",
        "retries",
        "state",
        "timers",
        "unanswered",
    )

    def __init__(self, config: SessionConfig, owner: Owner, random: Callable[[], float], *, incoming: bool) -> None:
        self.config = config
        self.incoming = incoming
        self.state = State.IDLE
        self.timers: dict[Event, float] = {}
        self.retries = 0
        self.unanswered = 0
        self.link: int | None = None
        self.local: Address | None = None
        self.remote: Address | None = None
        self.negotiated: Negotiated | None = None
        self.outbox = bytearray()
        self.reader = MessageReader()
        self.cause: Cause | None = None
        self._owner = owner
        self._random = random
        self._before = State.IDLE
        self._message: Message | None = None

    def fire(self, event: Event, now: float, cause: Cause | None = None, message: Message | None = None) -> None:
        """Carry out the cell for the event.

        `cause` explains it and carries the NOTIFICATION a fault calls for; `message` is what PROCESS actions process.
        """
        before = self._before = self.state
        self._message = message
        cell = step(before, event)
        if cause is not None:
            self.cause = cause
        self.state = cell.state
        for action in cell.actions:
            self._ACTIONS[action](self, now)
        if cell.state is State.IDLE and before is not State.IDLE:
            ending = self.cause or Cause(Origin.STOPPED, event.name.lower().replace("_", " "))
            self.cause = None
            self._owner.on_ended(self, ending, now, damped=Action.DAMP in cell.actions)

    def next_timer(self) -> float | None:
        """When the next timer expires, None if none runs."""
        return min(self.timers.values()) if self.timers else None

    def handle_timers(self, now: float) -> None:
        """Fire every timer that is due."""
        while self.timers:
            event = min(self.timers, key=self.timers.__getitem__)
            if self.timers[event] > now:
                return
            del self.timers[event]
            self.fire(event, now)

    def take_output(self) -> bytes:
        """The octets to send next; taking them stops the SendHoldTimer, since TCP moves (RFC 9687 section 3)."""
        octets = bytes(self.outbox)
        self.outbox.clear()
        self.timers.pop(Event.SEND_HOLD_EXPIRES, None)
        return octets

    def await_sending(self, now: float) -> None:
        """Something waits to be sent: start the SendHoldTimer unless it runs or the hold time is 0."""
        if self.negotiated is not None and self.negotiated.hold_time:
            wait = max(SEND_HOLD, 2.0 * self.negotiated.hold_time)
            self.timers.setdefault(Event.SEND_HOLD_EXPIRES, now + wait)

    def queue(self, octets: bytes, kind: str) -> None:
        """Put a whole message into the outbox."""
        self.outbox += octets
        self._owner.on_sent(kind)

    def _start(self, event: Event, after: float, now: float) -> None:
        self.timers[event] = now + after

    def _jittered(self, seconds: float) -> float:
        """RFC 4271 section 10: three quarters to all of the time, so that many peers do not move in step."""
        return seconds * (0.75 + 0.25 * self._random())

    def _reset_retry_counter(self, now: float) -> None:
        self.retries = 0

    def _count_retry(self, now: float) -> None:
        self.retries += 1
        self.unanswered = 0

    def _count_unanswered(self, now: float) -> None:
        self.unanswered += 1

    def _start_connect_retry(self, now: float) -> None:
        if not self.incoming:
            self._start(Event.CONNECT_RETRY_EXPIRES, self._jittered(self.config.connect_retry_time), now)

    def _start_delay_open(self, now: float) -> None:
        self._start(Event.DELAY_OPEN_EXPIRES, self.config.delay_open_time, now)

    def _start_long_hold(self, now: float) -> None:
        self._start(Event.HOLD_EXPIRES, LONG_HOLD, now)

    def _start_hold(self, now: float) -> None:
        self.timers.pop(Event.HOLD_EXPIRES, None)
        self._restart_hold(now)

    def _restart_hold(self, now: float) -> None:
        hold = self.negotiated.hold_time if self.negotiated else 0
        if hold:
            self.timers[Event.HOLD_EXPIRES] = now + hold

    def _start_keepalive(self, now: float) -> None:
        if self.negotiated and self.negotiated.hold_time:
            self._start(Event.KEEPALIVE_EXPIRES, self._jittered(self.negotiated.keepalive_time), now)

    def _start_idle_hold(self, now: float) -> None:
        """The pause doubles with each failure in a row (RFC 4271 section 8.1: the method is ours to choose).

        Where nobody takes the connection it grows no longer than the ConnectRetryTime: knocking flaps no session, and a
        router that was away is to have its routes soon after it is back.
        """
        failures, longest = self.retries, self.config.idle_hold_max
        if self.unanswered:
            failures, longest = self.unanswered, min(longest, self.config.connect_retry_time)
        doubled = self.config.idle_hold_time * 2.0 ** min(max(failures - 1, 0), 16)
        self._start(Event.IDLE_HOLD_EXPIRES, self._jittered(min(doubled, longest)), now)

    def _initiate_tcp(self, now: float) -> None:
        self.link = self._owner.begin_tcp()

    def _drop_tcp(self, now: float) -> None:
        if self.link is not None:
            self._owner.end_tcp(self.link, bytes(self.outbox))
        self.link = self.local = self.remote = self.negotiated = None
        self.outbox.clear()
        self.reader = MessageReader()
        self.timers.pop(Event.SEND_HOLD_EXPIRES, None)

    def _release(self, now: float) -> None:
        self._owner.on_released(self)

    def _establish(self, now: float) -> None:
        self._owner.on_established(self, now)

    def _send_open(self, now: float) -> None:
        self.queue(encode(open_message(self.config)), "open")

    def _send_keepalive(self, now: float) -> None:
        """A KEEPALIVE, unless one still waits: a blocked peer costs one message, not one per interval."""
        if not self.outbox.endswith(KEEPALIVE):
            self.queue(KEEPALIVE, "keepalive")
        self.await_sending(now)

    def _send(self, notification: Notification, text: str = "") -> None:
        self.cause = Cause(Origin.SENT, text or f"sent {notification}", notification)
        if self.link is not None:
            self.queue(encode(notification), "notification")

    def _send_notification(self, now: float) -> None:
        if self.cause is not None and self.cause.notification is not None:
            self._send(self.cause.notification, self.cause.text)

    def _send_cease(self, now: float) -> None:
        wanted = self.cause.notification if self.cause else None
        is_cease = wanted is not None and wanted.code == Code.CEASE
        self._send(wanted if wanted is not None and is_cease else Notification(Code.CEASE, Cease.UNSPECIFIC))

    def _send_hold_expired(self, now: float) -> None:
        self._send(Notification(Code.HOLD_TIMER_EXPIRED))

    def _send_send_hold_expired(self, now: float) -> None:
        self._send(Notification(Code.SEND_HOLD_TIMER_EXPIRED))

    def _send_fsm_error(self, now: float) -> None:
        """RFC 6608: the subcode names the state the event came in, which `fire` has already left."""
        self._send(Notification(Code.FSM, _SUBCODES.get(self._before, FsmError.UNSPECIFIED)))

    def _process(self, now: float) -> None:
        if self._message is not None:
            self._owner.on_message(self, self._message, now)

    def _stop_connect_retry(self, now: float) -> None:
        self.timers.pop(Event.CONNECT_RETRY_EXPIRES, None)

    def _stop_delay_open(self, now: float) -> None:
        self.timers.pop(Event.DELAY_OPEN_EXPIRES, None)

    def _stop_hold(self, now: float) -> None:
        self.timers.pop(Event.HOLD_EXPIRES, None)

    def _stop_keepalive(self, now: float) -> None:
        self.timers.pop(Event.KEEPALIVE_EXPIRES, None)

    def _nothing_now(self, now: float) -> None:
        """Damping is the owner's: `fire` tells it when the cell is done."""

    _ACTIONS: ClassVar[dict[Action, Callable[["Connection", float], None]]] = {
        Action.RESET_RETRY_COUNTER: _reset_retry_counter,
        Action.COUNT_RETRY: _count_retry,
        Action.COUNT_UNANSWERED: _count_unanswered,
        Action.START_CONNECT_RETRY: _start_connect_retry,
        Action.STOP_CONNECT_RETRY: _stop_connect_retry,
        Action.START_DELAY_OPEN: _start_delay_open,
        Action.STOP_DELAY_OPEN: _stop_delay_open,
        Action.START_LONG_HOLD: _start_long_hold,
        Action.START_HOLD: _start_hold,
        Action.RESTART_HOLD: _restart_hold,
        Action.STOP_HOLD: _stop_hold,
        Action.START_KEEPALIVE: _start_keepalive,
        Action.STOP_KEEPALIVE: _stop_keepalive,
        Action.START_IDLE_HOLD: _start_idle_hold,
        Action.INITIATE_TCP: _initiate_tcp,
        Action.DROP_TCP: _drop_tcp,
        Action.SEND_OPEN: _send_open,
        Action.SEND_KEEPALIVE: _send_keepalive,
        Action.SEND_NOTIFICATION: _send_notification,
        Action.SEND_CEASE: _send_cease,
        Action.SEND_HOLD_EXPIRED: _send_hold_expired,
        Action.SEND_SEND_HOLD_EXPIRED: _send_send_hold_expired,
        Action.SEND_FSM_ERROR: _send_fsm_error,
        Action.ESTABLISH: _establish,
        Action.PROCESS_UPDATE: _process,
        Action.PROCESS_REFRESH: _process,
        Action.RELEASE: _release,
        Action.DAMP: _nothing_now,
    }


_SUBCODES = {
    State.OPEN_SENT: FsmError.OPEN_SENT,
    State.OPEN_CONFIRM: FsmError.OPEN_CONFIRM,
    State.ESTABLISHED: FsmError.ESTABLISHED,
}
