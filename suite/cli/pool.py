"""``suite pool``: list, show, drain, undrain."""

from typing import TYPE_CHECKING

import click

from suite.cli.desk import carry_out, done, order, past_of
from suite.cli.fault import Exit, Fault
from suite.cli.options import format_option, reason_option, target_options, time_options
from suite.cli.output import Format, show, show_one
from suite.cli.target import Target

if TYPE_CHECKING:
    from suite.model.changes import Changes
    from suite.model.refusal import Refusal
    from suite.model.snapshot import Snapshot

COLUMNS = (
    "name",
    "ranges",
    "total",
    "free",
    "bound",
    "held",
    "cooling",
    "declined",
    "reserved",
    "auto_assign",
    "draining",
)


@click.group("pool", epilog="\b\nExample:\n  suite pool list")
def command() -> None:
    """Pools: what is used, what is free, and taking one out of use."""


@command.command(
    "list", epilog="\b\nExamples:\n  suite pool list\n  suite pool list -o csv\n  suite pool list --at yesterday"
)
@target_options
@time_options
@format_option
def list_pools(target: Target, at: str, tz: str, output: Format) -> None:
    """Every pool, in the order they are tried, and how much of it is used, now or at another time."""
    from suite.web.documents import pool_documents

    show(pool_documents(past_of(target, at, tz)), COLUMNS, output, empty="no pool is configured")


@command.command("show", epilog="\b\nExamples:\n  suite pool show default\n  suite pool show default --at -7d")
@click.argument("name")
@target_options
@time_options
@format_option
def show_pool(name: str, target: Target, at: str, tz: str, output: Format) -> None:
    """One pool: its ranges, its numbers, and what is excluded, now or at another time."""
    from suite.web.documents import pool_documents

    found = next((each for each in pool_documents(past_of(target, at, tz)) if each.name == name), None)
    if found is None:
        raise Fault(
            f"there was no pool {name!r}" if at else f"there is no pool {name!r}",
            fix="`suite pool list` names those that there are",
            code=Exit.NOT_FOUND,
        )
    show_one(found, output)


@command.command("drain", epilog='\b\nExample:\n  suite pool drain old --reason "moving to 10.0.43.0/24"')
@click.argument("name")
@target_options
@reason_option
def drain_pool(name: str, target: Target, reason: str) -> None:
    """Give no new leases from a pool; those that exist stay."""
    from suite.controller.operator import drain

    given = order(reason)

    def decide(snapshot: "Snapshot") -> "Changes | Refusal":
        return drain(snapshot, name, given)

    changes, _ = carry_out(target, decide)
    done(changes, f"pool {name} gives no new leases; those it has given stay")


@command.command("undrain", epilog="\b\nExample:\n  suite pool undrain old")
@click.argument("name")
@target_options
@reason_option
def undrain_pool(name: str, target: Target, reason: str) -> None:
    """Give leases from a drained pool again."""
    from suite.controller.operator import undrain

    given = order(reason)

    def decide(snapshot: "Snapshot") -> "Changes | Refusal":
        return undrain(snapshot, name, given)

    changes, _ = carry_out(target, decide)
    done(changes, f"pool {name} gives leases again")
