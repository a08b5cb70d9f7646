"""Every cell of the state machine, one line per row of the table and in the order of the RFC's chapters."""

import pytest

from suite.bgp.fsm import TABLE, Action, Event, State, Transition, is_complete, step

# Outcomes in short, in the order Idle, Connect, Active, OpenSent, OpenConfirm, Established:
#   .  nothing happens          d  fails: Idle, damped, nothing sent         s  stopped: Idle, no damping
#   N  NOTIFICATION for the fault, Idle, damped        F  state machine error, Idle, damped
#   C  Cease, Idle, no damping   A  Cease, Idle, damped   H  hold timer NOTIFICATION   W  send hold NOTIFICATION
#   2 to 6  on to that state
CELLS = {
    Event.MANUAL_START: "2.....",
    Event.MANUAL_STOP: ".ssCCC",
    Event.AUTOMATIC_START: "2.....",
    Event.MANUAL_START_PASSIVE: "3.....",
    Event.AUTOMATIC_START_PASSIVE: "3.....",
    Event.AUTOMATIC_START_DAMPED: "1.....",
    Event.AUTOMATIC_START_DAMPED_PASSIVE: "3.....",
    Event.AUTOMATIC_STOP: ".ddAAA",
    Event.CONNECT_RETRY_EXPIRES: ".22FFF",
    Event.HOLD_EXPIRES: ".ddHHH",
    Event.KEEPALIVE_EXPIRES: ".ddF56",
    Event.DELAY_OPEN_EXPIRES: ".44FFF",
    Event.IDLE_HOLD_EXPIRES: "2ddFFF",
    Event.TCP_VALID: "......",
    Event.TCP_INVALID: "......",
    Event.TCP_ACKED: ".44...",
    Event.TCP_ACKED_DELAY_OPEN: ".23...",
    Event.TCP_CONFIRMED: ".44...",
    Event.TCP_CONFIRMED_DELAY_OPEN: ".23...",
    Event.TCP_FAILS: ".dd3dd",
    Event.TCP_FAILS_DELAY_OPEN: ".3d3dd",
    Event.OPEN: ".dd5FF",
    Event.OPEN_DELAY_OPEN: ".55FFF",
    Event.HEADER_ERROR: ".NNNNN",
    Event.OPEN_ERROR: ".NNNNN",
    Event.OPEN_COLLISION_DUMP: ".ddAAA",
    Event.NOTIFICATION_VERSION_ERROR: ".ddssd",
    Event.NOTIFICATION_VERSION_ERROR_DELAY_OPEN: ".ssssd",
    Event.NOTIFICATION: ".ddddd",
    Event.KEEPALIVE: ".ddF66",
    Event.UPDATE: ".ddFF6",
    Event.UPDATE_ERROR: ".ddFFN",
    Event.SEND_HOLD_EXPIRES: ".ddFWW",
    Event.ROUTE_REFRESH: ".ddFF6",
    Event.ROUTE_REFRESH_ERROR: ".ddFFN",
}
SENDS = {
    "N": Action.SEND_NOTIFICATION,
    "F": Action.SEND_FSM_ERROR,
    "C": Action.SEND_CEASE,
    "A": Action.SEND_CEASE,
    "H": Action.SEND_HOLD_EXPIRED,
    "W": Action.SEND_SEND_HOLD_EXPIRED,
}
PAIRS = [
    pytest.param(event, state, CELLS[event][state - 1], id=f"{event.name.lower()}-{state}")
    for event in Event
    for state in State
]


@pytest.mark.parametrize(("event", "state", "outcome"), PAIRS)
def test_each_cell_leads_where_the_rfc_says(event: Event, state: State, outcome: str) -> None:
    cell = step(state, event)

    if outcome == ".":
        assert cell == Transition(state)
    elif outcome.isdigit():
        assert (cell.state, cell.is_error, bool(cell.actions)) == (State(int(outcome)), False, True)
    else:
        sent = {action for action in cell.actions if action in SENDS.values()}
        assert (cell.state, sent) == (State.IDLE, {SENDS[outcome]} if outcome in SENDS else set())
        assert (Action.DAMP in cell.actions) == (outcome not in {"s", "C"})


@pytest.mark.parametrize(("event", "state"), [(event, state) for event, row in TABLE.items() for state in row])
def test_falling_to_idle_stops_every_timer_and_frees_everything(event: Event, state: State) -> None:
    cell = step(state, event)

    if state is not State.IDLE and cell.state is State.IDLE:
        assert set(cell.actions) >= {
            Action.STOP_CONNECT_RETRY,
            Action.STOP_DELAY_OPEN,
            Action.STOP_HOLD,
            Action.STOP_KEEPALIVE,
            Action.RELEASE,
            Action.DROP_TCP,
        }


@pytest.mark.parametrize(("event", "state"), [(event, state) for event, row in TABLE.items() for state in row])
def test_a_notification_is_sent_before_the_connection_is_dropped(event: Event, state: State) -> None:
    cell = step(state, event)

    if cell.is_error:
        assert cell.actions[0] in SENDS.values()


def test_there_is_a_cell_for_every_event_in_every_state() -> None:
    assert is_complete()


WAYS = [
    (State.IDLE, Event.MANUAL_START, "reset retry counter, start connect retry, initiate tcp"),
    (State.CONNECT, Event.TCP_ACKED, "stop connect retry, stop delay open, send open, start long hold"),
    (State.ACTIVE, Event.TCP_CONFIRMED, "stop connect retry, stop delay open, send open, start long hold"),
    (State.CONNECT, Event.TCP_ACKED_DELAY_OPEN, "stop connect retry, start delay open"),
    (State.CONNECT, Event.DELAY_OPEN_EXPIRES, "stop connect retry, stop delay open, send open, start long hold"),
    (State.CONNECT, Event.CONNECT_RETRY_EXPIRES, "drop tcp, stop delay open, start connect retry, initiate tcp"),
    (State.OPEN_SENT, Event.TCP_FAILS, "stop hold, release, drop tcp, start connect retry"),
    (
        State.OPEN_SENT,
        Event.OPEN,
        "stop delay open, stop connect retry, send keepalive, start keepalive, start hold",
    ),
    (
        State.ACTIVE,
        Event.OPEN_DELAY_OPEN,
        "stop connect retry, stop delay open, send open, send keepalive, start keepalive, start hold",
    ),
    (State.OPEN_CONFIRM, Event.KEEPALIVE, "restart hold, establish"),
    (State.ESTABLISHED, Event.KEEPALIVE, "restart hold"),
    (State.ESTABLISHED, Event.UPDATE, "process update, restart hold"),
    (State.ESTABLISHED, Event.KEEPALIVE_EXPIRES, "send keepalive, start keepalive"),
    (State.IDLE, Event.AUTOMATIC_START_DAMPED, "start idle hold"),
    (State.IDLE, Event.IDLE_HOLD_EXPIRES, "start connect retry, initiate tcp"),
]


@pytest.mark.parametrize(("state", "event", "actions"), WAYS)
def test_the_way_up_does_these_things_in_this_order(state: State, event: Event, actions: str) -> None:
    cell = step(state, event)

    assert ", ".join(map(str, cell.actions)) == actions
