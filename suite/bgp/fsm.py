"""The state machine of RFC 4271 section 8 as a table: one row per event, one cell per state.

Every cell names the next state and the actions in order; a cell that the RFC calls an error ends in Idle with a
NOTIFICATION among its actions. The table knows nothing of bytes, clocks or sockets: `connection` carries the
actions out. docs/bgp-fsm.md is drawn from this file.

Numbers are the RFC's (RFC 9687 for 29). Where the RFC makes a cell depend on DelayOpen, the row is split in two, as
the RFC itself splits 19 and 20. Events 30 and 31 stand for ROUTE-REFRESH, which the RFC predates; they are treated
as UPDATE is, except that they do not prove that the hold timer may be restarted. Two deliberate choices:
a refused connection (event 18 in Connect) goes to Idle and comes back through the IdleHoldTimer, counted apart, since
the RFC's text leaves the ConnectRetryCounter alone there, and a passive connection never starts the ConnectRetryTimer, since it would make it active.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum, auto


class State(IntEnum):
    """The six states, in the order in which a session passes them."""

    IDLE = 1
    CONNECT = 2
    ACTIVE = 3
    OPEN_SENT = 4
    OPEN_CONFIRM = 5
    ESTABLISHED = 6

    def __str__(self) -> str:
        return self.name.title().replace("_", "")


class Event(Enum):
    """The events; the value starts with the RFC's number."""

    MANUAL_START = "1"
    MANUAL_STOP = "2"
    AUTOMATIC_START = "3"
    MANUAL_START_PASSIVE = "4"
    AUTOMATIC_START_PASSIVE = "5"
    AUTOMATIC_START_DAMPED = "6"
    AUTOMATIC_START_DAMPED_PASSIVE = "7"
    AUTOMATIC_STOP = "8"
    CONNECT_RETRY_EXPIRES = "9"
    HOLD_EXPIRES = "10"
    KEEPALIVE_EXPIRES = "11"
    DELAY_OPEN_EXPIRES = "12"
    IDLE_HOLD_EXPIRES = "13"
    TCP_VALID = "14"
    TCP_INVALID = "15"
    TCP_ACKED = "16"
    TCP_ACKED_DELAY_OPEN = "16 with DelayOpen"
    TCP_CONFIRMED = "17"
    TCP_CONFIRMED_DELAY_OPEN = "17 with DelayOpen"
    TCP_FAILS = "18"
    TCP_FAILS_DELAY_OPEN = "18 with DelayOpenTimer running"
    OPEN = "19"
    OPEN_DELAY_OPEN = "20"
    HEADER_ERROR = "21"
    OPEN_ERROR = "22"
    OPEN_COLLISION_DUMP = "23"
    NOTIFICATION_VERSION_ERROR = "24"
    NOTIFICATION_VERSION_ERROR_DELAY_OPEN = "24 with DelayOpenTimer running"
    NOTIFICATION = "25"
    KEEPALIVE = "26"
    UPDATE = "27"
    UPDATE_ERROR = "28"
    SEND_HOLD_EXPIRES = "29"
    ROUTE_REFRESH = "30"
    ROUTE_REFRESH_ERROR = "31"


class Action(Enum):
    """What a cell asks for, in the words of the RFC."""

    RESET_RETRY_COUNTER = auto()
    COUNT_RETRY = auto()
    COUNT_UNANSWERED = auto()
    START_CONNECT_RETRY = auto()
    STOP_CONNECT_RETRY = auto()
    START_DELAY_OPEN = auto()
    STOP_DELAY_OPEN = auto()
    START_LONG_HOLD = auto()
    START_HOLD = auto()
    RESTART_HOLD = auto()
    STOP_HOLD = auto()
    START_KEEPALIVE = auto()
    STOP_KEEPALIVE = auto()
    START_IDLE_HOLD = auto()
    INITIATE_TCP = auto()
    DROP_TCP = auto()
    SEND_OPEN = auto()
    SEND_KEEPALIVE = auto()
    SEND_NOTIFICATION = auto()
    SEND_CEASE = auto()
    SEND_HOLD_EXPIRED = auto()
    SEND_SEND_HOLD_EXPIRED = auto()
    SEND_FSM_ERROR = auto()
    ESTABLISH = auto()
    PROCESS_UPDATE = auto()
    PROCESS_REFRESH = auto()
    RELEASE = auto()
    DAMP = auto()

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class Transition:
    """One cell: where the machine goes, and what it does on the way."""

    state: State
    actions: tuple[Action, ...] = ()

    @property
    def is_error(self) -> bool:
        """Whether the cell answers the event with a NOTIFICATION."""
        return not _NOTIFYING.isdisjoint(self.actions)


def step(state: State, event: Event) -> Transition:
    """The cell for an event in a state; total, there is one for every pair."""
    return TABLE[event][state]


_NOTIFYING = {
    Action.SEND_NOTIFICATION,
    Action.SEND_CEASE,
    Action.SEND_HOLD_EXPIRED,
    Action.SEND_SEND_HOLD_EXPIRED,
    Action.SEND_FSM_ERROR,
}
_A, _E = Action, Event
_IDLE, _CONNECT, _ACTIVE = State.IDLE, State.CONNECT, State.ACTIVE
_SENT, _CONFIRM, _UP = State.OPEN_SENT, State.OPEN_CONFIRM, State.ESTABLISHED


def _to(state: State, *actions: Action) -> Transition:
    return Transition(state, actions)


_NO_TIMERS = (_A.STOP_CONNECT_RETRY, _A.STOP_DELAY_OPEN, _A.STOP_HOLD, _A.STOP_KEEPALIVE)
_LEAVE = (*_NO_TIMERS, _A.RELEASE, _A.DROP_TCP)
_FAIL = (*_LEAVE, _A.COUNT_RETRY, _A.DAMP)

# Cells used more than once. "Stop" is wanted by this side, "fail" is not and is damped.
_STAY = {state: _to(state) for state in State}
_FAILED = _to(_IDLE, *_FAIL)
_UNANSWERED = _to(_IDLE, *_LEAVE, _A.COUNT_UNANSWERED, _A.DAMP)
_STOPPED = _to(_IDLE, *_LEAVE, _A.RESET_RETRY_COUNTER)
_CLOSED = _to(_IDLE, *_LEAVE)
_CEASED = _to(_IDLE, _A.SEND_CEASE, *_LEAVE, _A.RESET_RETRY_COUNTER)
_AUTO_CEASED = _to(_IDLE, _A.SEND_CEASE, *_FAIL)
_REFUSED = _to(_IDLE, _A.SEND_NOTIFICATION, *_FAIL)
_FSM_ERROR = _to(_IDLE, _A.SEND_FSM_ERROR, *_FAIL)
_HOLD_EXPIRED = _to(_IDLE, _A.SEND_HOLD_EXPIRED, *_FAIL)
_SEND_HOLD_EXPIRED = _to(_IDLE, _A.SEND_SEND_HOLD_EXPIRED, *_FAIL)

# The ways from one state to the next.
_START = _to(_CONNECT, _A.RESET_RETRY_COUNTER, _A.START_CONNECT_RETRY, _A.INITIATE_TCP)
_START_PASSIVE = _to(_ACTIVE, _A.RESET_RETRY_COUNTER, _A.START_CONNECT_RETRY)
_RETRY = _to(_CONNECT, _A.DROP_TCP, _A.STOP_DELAY_OPEN, _A.START_CONNECT_RETRY, _A.INITIATE_TCP)
_OPENING = _to(_SENT, _A.STOP_CONNECT_RETRY, _A.STOP_DELAY_OPEN, _A.SEND_OPEN, _A.START_LONG_HOLD)
_OPENING_LATE = _to(_SENT, _A.SEND_OPEN, _A.START_LONG_HOLD)
_BACK_TO_ACTIVE = _to(_ACTIVE, _A.STOP_DELAY_OPEN, _A.RELEASE, _A.DROP_TCP, _A.START_CONNECT_RETRY)
_LOST_IN_SENT = _to(_ACTIVE, _A.STOP_HOLD, _A.RELEASE, _A.DROP_TCP, _A.START_CONNECT_RETRY)
_CONFIRMING = _to(
    _CONFIRM,
    _A.STOP_DELAY_OPEN,
    _A.STOP_CONNECT_RETRY,
    _A.SEND_KEEPALIVE,
    _A.START_KEEPALIVE,
    _A.START_HOLD,
)
_CONFIRMING_EARLY = _to(
    _CONFIRM,
    _A.STOP_CONNECT_RETRY,
    _A.STOP_DELAY_OPEN,
    _A.SEND_OPEN,
    _A.SEND_KEEPALIVE,
    _A.START_KEEPALIVE,
    _A.START_HOLD,
)


def _wait(state: State) -> Transition:
    return _to(state, _A.STOP_CONNECT_RETRY, _A.START_DELAY_OPEN)


def _beat(state: State) -> Transition:
    return _to(state, _A.SEND_KEEPALIVE, _A.START_KEEPALIVE)


def _row(idle: Transition, connect: Transition, active: Transition, *later: Transition) -> dict[State, Transition]:
    return dict(zip(State, (idle, connect, active, *later), strict=True))


def _only_idle(cell: Transition) -> dict[State, Transition]:
    """Starts matter in Idle alone (RFC 4271 section 8.2.2: ignored everywhere else)."""
    return {**_STAY, _IDLE: cell}


def _unexpected() -> dict[State, Transition]:
    """Ignored in Idle, the end of an attempt before OPEN was sent, a state machine error after."""
    return _row(_STAY[_IDLE], _FAILED, _FAILED, _FSM_ERROR, _FSM_ERROR, _FSM_ERROR)


def _bad_message() -> dict[State, Transition]:
    """A message that did not decode is answered wherever there is a connection to answer on."""
    return _row(_STAY[_IDLE], _REFUSED, _REFUSED, _REFUSED, _REFUSED, _REFUSED)


def _connected(opening: Transition) -> dict[State, Transition]:
    """A TCP connection stands; a second one is a second machine, so later states see nothing of it."""
    return {**_STAY, _CONNECT: opening, _ACTIVE: opening}


TABLE: dict[Event, dict[State, Transition]] = {
    #                            Idle          Connect   Active    OpenSent  OpenConfirm  Established
    _E.MANUAL_START: _only_idle(_START),
    _E.MANUAL_STOP: _row(_STAY[_IDLE], _STOPPED, _STOPPED, _CEASED, _CEASED, _CEASED),
    _E.AUTOMATIC_START: _only_idle(_START),
    _E.MANUAL_START_PASSIVE: _only_idle(_START_PASSIVE),
    _E.AUTOMATIC_START_PASSIVE: _only_idle(_START_PASSIVE),
    _E.AUTOMATIC_START_DAMPED: _only_idle(_to(_IDLE, _A.START_IDLE_HOLD)),
    _E.AUTOMATIC_START_DAMPED_PASSIVE: _only_idle(_START_PASSIVE),
    _E.AUTOMATIC_STOP: _row(_STAY[_IDLE], _FAILED, _FAILED, _AUTO_CEASED, _AUTO_CEASED, _AUTO_CEASED),
    _E.CONNECT_RETRY_EXPIRES: _row(_STAY[_IDLE], _RETRY, _RETRY, _FSM_ERROR, _FSM_ERROR, _FSM_ERROR),
    _E.HOLD_EXPIRES: _row(_STAY[_IDLE], _FAILED, _FAILED, _HOLD_EXPIRED, _HOLD_EXPIRED, _HOLD_EXPIRED),
    _E.KEEPALIVE_EXPIRES: _row(_STAY[_IDLE], _FAILED, _FAILED, _FSM_ERROR, _beat(_CONFIRM), _beat(_UP)),
    _E.DELAY_OPEN_EXPIRES: _row(_STAY[_IDLE], _OPENING, _OPENING, _FSM_ERROR, _FSM_ERROR, _FSM_ERROR),
    _E.IDLE_HOLD_EXPIRES: {
        **_unexpected(),
        _IDLE: _to(_CONNECT, _A.START_CONNECT_RETRY, _A.INITIATE_TCP),
    },
    _E.TCP_VALID: dict(_STAY),
    _E.TCP_INVALID: dict(_STAY),
    _E.TCP_ACKED: _connected(_OPENING),
    _E.TCP_ACKED_DELAY_OPEN: {**_STAY, _CONNECT: _wait(_CONNECT), _ACTIVE: _wait(_ACTIVE)},
    _E.TCP_CONFIRMED: _connected(_OPENING),
    _E.TCP_CONFIRMED_DELAY_OPEN: {**_STAY, _CONNECT: _wait(_CONNECT), _ACTIVE: _wait(_ACTIVE)},
    _E.TCP_FAILS: _row(_STAY[_IDLE], _UNANSWERED, _FAILED, _LOST_IN_SENT, _FAILED, _FAILED),
    _E.TCP_FAILS_DELAY_OPEN: _row(_STAY[_IDLE], _BACK_TO_ACTIVE, _FAILED, _LOST_IN_SENT, _FAILED, _FAILED),
    _E.OPEN: _row(_STAY[_IDLE], _FAILED, _FAILED, _CONFIRMING, _FSM_ERROR, _FSM_ERROR),
    _E.OPEN_DELAY_OPEN: _row(_STAY[_IDLE], _CONFIRMING_EARLY, _CONFIRMING_EARLY, _FSM_ERROR, _FSM_ERROR, _FSM_ERROR),
    _E.HEADER_ERROR: _bad_message(),
    _E.OPEN_ERROR: _bad_message(),
    _E.OPEN_COLLISION_DUMP: _row(_STAY[_IDLE], _FAILED, _FAILED, _AUTO_CEASED, _AUTO_CEASED, _AUTO_CEASED),
    _E.NOTIFICATION_VERSION_ERROR: _row(_STAY[_IDLE], _FAILED, _FAILED, _CLOSED, _CLOSED, _FAILED),
    _E.NOTIFICATION_VERSION_ERROR_DELAY_OPEN: _row(_STAY[_IDLE], _CLOSED, _CLOSED, _CLOSED, _CLOSED, _FAILED),
    _E.NOTIFICATION: _row(_STAY[_IDLE], _FAILED, _FAILED, _FAILED, _FAILED, _FAILED),
    _E.KEEPALIVE: _row(
        _STAY[_IDLE],
        _FAILED,
        _FAILED,
        _FSM_ERROR,
        _to(_UP, _A.RESTART_HOLD, _A.ESTABLISH),
        _to(_UP, _A.RESTART_HOLD),
    ),
    _E.UPDATE: {**_unexpected(), _UP: _to(_UP, _A.PROCESS_UPDATE, _A.RESTART_HOLD)},
    _E.UPDATE_ERROR: {**_unexpected(), _UP: _REFUSED},
    _E.SEND_HOLD_EXPIRES: {**_unexpected(), _CONFIRM: _SEND_HOLD_EXPIRED, _UP: _SEND_HOLD_EXPIRED},
    _E.ROUTE_REFRESH: {**_unexpected(), _UP: _to(_UP, _A.PROCESS_REFRESH)},
    _E.ROUTE_REFRESH_ERROR: {**_unexpected(), _UP: _REFUSED},
}


def is_complete() -> bool:
    """Whether there is a cell for every pair of event and state."""
    return set(TABLE) == set(Event) and all(set(row) == set(State) for row in TABLE.values())


def draw() -> Iterator[str]:
    """The table as lines of Markdown: one row per event, `=` where nothing happens."""
    yield "| event | " + " | ".join(str(state) for state in State) + " |"
    yield "|---|" + "---|" * len(State)
    for event, row in TABLE.items():
        name = event.name.lower().replace("_", " ")
        yield f"| {event.value}: {name} | " + " | ".join(_draw_cell(state, row[state]) for state in State) + " |"


def _draw_cell(state: State, cell: Transition) -> str:
    if cell == Transition(state):
        return "="
    return f"**{cell.state}** " + ", ".join(map(str, cell.actions))
