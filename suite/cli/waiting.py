"""``--wait`` of writes: until every DNS server of the database answers from the commit."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from suite.cli.desk import ask
from suite.cli.fault import Exit, Fault
from suite.cli.target import Target

if TYPE_CHECKING:
    from suite.model.snapshot import Snapshot

Command = TypeVar("Command", bound=Callable[..., Any])

LOOK_AGAIN = 0.02
"""Seconds between two looks.  A server on another machine tells the database every five seconds how far it is."""


def wait_option(command: Command) -> Command:
    """``--wait``: how long to wait for the names, none without."""
    return click.option(
        "--wait",
        type=click.FloatRange(0),
        default=0.0,
        metavar="SECONDS",
        help="Wait until every DNS server of this database answers by this change; 6 where that takes longer.",
    )(command)


def await_names(target: Target, snapshot: "Snapshot", patience: float) -> None:
    """Return once every DNS server answers from ``snapshot`` or a newer one.

    Raises:
        Fault: one of them did not within ``patience`` seconds; 0 waits for nobody.
    """
    deadline = time.monotonic() + patience
    while patience and (behind := _behind(target, snapshot)):
        if time.monotonic() > deadline:
            raise Fault(
                f"the change is committed (revision {snapshot.revision}); after {patience:g} s these do not answer by it: "
                + ", ".join(behind),
                where=str(target.state),
                fix="suite status",
                code=Exit.TIMEOUT,
            )
        time.sleep(LOOK_AGAIN)


def _behind(target: Target, snapshot: "Snapshot") -> list[str]:
    """The nodes whose DNS server answers from something older."""
    return [
        each["node"]
        for each in _instances(target)
        if each["role"] == "nameserver"
        and not each["gone"]
        and (each["epoch"] != snapshot.epoch or each["revision"] < snapshot.revision)
    ]


def _instances(target: Target) -> list[dict[str, Any]]:
    """The suite of this state directory knows itself at once; where none runs, the database tells of the others."""
    try:
        return list(ask(target, "/v1/status")["instances"])
    except Fault:
        with target.store() as store:
            told = [(each.instance, each.gone) for each in store.fellows()]
        return [
            {"role": each.role, "node": each.node, "epoch": each.epoch, "revision": each.revision, "gone": gone}
            for each, gone in told
        ]
