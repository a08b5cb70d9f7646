"""Where commands get their facts and leave their orders: the running suite's socket, or the database itself."""

import json
import os
import pwd
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from suite.cli.clock import now
from suite.cli.fault import Exit, Fault
from suite.cli.target import Target

if TYPE_CHECKING:
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

    with target.store() as store:
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
