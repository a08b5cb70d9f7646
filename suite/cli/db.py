"""``suite db``: upgrade, current."""

import click

from suite.cli.options import format_option, target_options
from suite.cli.output import Format, show_one
from suite.cli.target import Target


@click.group("db", epilog="\b\nExample:\n  suite db backup suite.backup.db")
def command() -> None:
    """The database: upgrade, check, back up, restore."""


@command.command("upgrade", epilog="\b\nExample:\n  suite db upgrade --database postgresql://suite@db/suite")
@target_options
def upgrade(target: Target) -> None:
    """Make the database, or bring its schema up to this release's.

    A SQLite file is copied first, beside itself.  `suite run` does the same by itself.
    """
    target.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with target.store(create=True) as store:
        click.echo(f"{target.database_url()} has schema {store.current_schema()}, the newest this release knows")


@command.command("current", epilog="\b\nExample:\n  suite db current -o json")
@target_options
@format_option
def current(target: Target, output: Format) -> None:
    """The database's schema, epoch and revision, and how much stands in it."""
    with target.store() as store:
        snapshot = store.read()
        schema = store.current_schema()
    show_one(
        {
            "database": target.database_url(),
            "schema": schema,
            "epoch": snapshot.epoch,
            "revision": snapshot.revision,
            "at": snapshot.at,
            "services": len(snapshot.services),
            "leases": sum(1 for _ in snapshot.open_leases()),
            "reservations": len(snapshot.reservations),
        },
        output,
    )
