"""Where commands get their facts and leave their orders: the running suite's socket, or the database itself."""

import json
import os
import pwd
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from suite.cli.clock import now, understood
from suite.cli.fault import Exit, Fault
from suite.cli.target import Target

if TYPE_CHECKING:
    from datetime import datetime

    from suite.controller.operator import Order
    from suite.model.changes import Changes
    from suite.model.refusal import Refusal
    from suite.model.snapshot import Snapshot

ATTEMPTS = 20
"""How often an order is decided anew when somebody else commits first; a running suite commits now and then, not always."""

_NOT_THERE = frozenset({"PoolUnknown", "AddressNotInPool", "NotFound"})
"""Reasons of refusals that mean that what was named does not exist."""


def ask(target: Target, path: str, *, expected: tuple[int, ...] = (200,)) -> Any:
    """What the running suite answers to GET ``path``.

    Raises:
        Fault: no suite runs with this state directory, or it answered with an error.
    """
    from suite.web.client import ask as ask_socket

    try:
        status, body = ask_socket(target.socket, path)
    except OSError as error:
        raise not_running(target, error) from None
    document = json.loads(body)
    if status not in expected:
        said = document if isinstance(document, dict) else {}
        raise Fault(
            said.get("error", f"HTTP {status}"),
            where=str(target.socket),
            fix=said.get("fix", ""),
            code=Exit.UNAVAILABLE,
        )
    return document


def not_running(target: Target, error: OSError) -> Fault:
    """The fault of a socket that nobody, or somebody else, listens on."""
    if isinstance(error, PermissionError):
        return Fault(
            "the suite's socket belongs to another user",
            where=str(target.socket),
            fix="run this command as the user who runs the suite, or with sudo",
            code=Exit.UNAVAILABLE,
        )
    return Fault(
        "no suite runs with this state directory",
        where=str(target.state),
        fix="start it with `suite run`, or name its state directory with --state DIRECTORY",
        code=Exit.UNAVAILABLE,
    )


def instant_of(at: str, tz: str, target: Target) -> "datetime | None":
    """The instant that ``--at`` means, None without it.

    Raises:
        Fault: no such time, or it lies in the future by this machine's clock and by the database's newest commit.
    """
    instant = understood(at, tz)
    if instant is None or instant <= now():
        return instant
    newest = snapshot_of(target).at
    if instant <= newest:
        return instant
    raise Fault(
        "that time is yet to come",
        where="--at",
        fix="leave --at away for the present" + (f"; the database ends at {newest:%Y-%m-%d %H:%M:%S} UTC"),
        code=Exit.USAGE,
    )


def past_of(target: Target, at: str, tz: str) -> "Snapshot":
    """The snapshot at the time of ``--at``, the newest one without it.

    A past one holds what has a history: configuration, leases, reservations and drained pools.
    """
    instant = instant_of(at, tz, target)
    if instant is None:
        return snapshot_of(target)
    with target.store() as store:
        return store.past(instant)


def snapshot_of(target: Target) -> "Snapshot":
    """The newest snapshot, read from the database."""
    with target.store() as store:
        return store.read()


def order(reason: str) -> "Order":
    """An order of whoever runs this command."""
    from suite.controller.operator import Order
    from suite.model.event import Actor

    return Order(Actor("operator", login_name()), reason.encode(errors="replace").decode()[:200])


def login_name() -> str:
    """The user behind this command, also behind sudo."""
    if behind := os.environ.get("SUDO_USER"):
        return behind
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def carry_out(target: Target, decide: "Callable[[Snapshot], Changes | Refusal]") -> "tuple[Changes, Snapshot]":
    """Decide against the newest snapshot and commit; when somebody else was first, decide again.

    Raises:
        Fault: the order was refused, or the database is not to be had.
    """
    from suite.model.refusal import Refusal
    from suite.store.errors import Conflict

    with target.store(writes=True) as store:
        snapshot = store.read()
        for attempt in range(ATTEMPTS):
            decided = decide(snapshot)
            if isinstance(decided, Refusal):
                raise refused(decided)
            if not decided:
                return decided, snapshot
            try:
                return decided, store.commit(decided, snapshot, now=now())
            except Conflict:
                if attempt == ATTEMPTS - 1:
                    raise
                snapshot = store.refresh(snapshot)
    raise AssertionError("the last attempt returns or raises")


def refused(refusal: "Refusal") -> Fault:
    """A refusal as the end of a command."""
    code = Exit.NOT_FOUND if refusal.reason.value in _NOT_THERE else Exit.REFUSED
    return Fault(refusal.message, fix="nothing was changed", code=code)


def done(changes: "Changes", said: str) -> None:
    """Say what was done, or that nothing had to be."""
    click.echo(said if changes else "nothing to change")
