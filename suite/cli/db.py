"""``suite db``: upgrade, current, check, backup, restore."""

from pathlib import Path

import click

from suite.cli.desk import order
from suite.cli.fault import Exit
from suite.cli.options import format_option, target_options
from suite.cli.output import Format, show, show_one
from suite.cli.target import Target, store_errors


@click.group("db", epilog="\b\nExample:\n  suite db backup suite.backup.db")
def command() -> None:
    """The database: upgrade, check, back up, restore."""


@command.command("upgrade", epilog="\b\nExample:\n  suite db upgrade --database postgresql://suite@db/suite")
@target_options
def upgrade(target: Target) -> None:
    """Make the database, or bring its schema up to this release's.

    A SQLite file is copied first, beside itself.  `suite run` does the same by itself.
    """
    with target.store(create=True) as store:
        click.echo(f"{target.database_url()} has schema {store.current_schema()[0]}, the one of this release")


@command.command("current", epilog="\b\nExample:\n  suite db current -o json")
@target_options
@format_option
def current(target: Target, output: Format) -> None:
    """The database's schema, epoch and revision, and how much stands in it."""
    with target.store() as store:
        snapshot = store.read()
        schema, newest = store.current_schema()
        anchor = store.anchor()
    show_one(
        {
            "database": target.database_url(),
            "schema": schema,
            "release_schema": newest,
            "epoch": snapshot.epoch,
            "revision": snapshot.revision,
            "at": snapshot.at,
            "services": len(snapshot.services),
            "leases": sum(1 for _ in snapshot.open_leases()),
            "reservations": len(snapshot.reservations),
            "anchor": str(anchor),
        },
        output,
    )


@command.command("check", epilog="\b\nExample:\n  suite db check\n\nEnds with 1 when something is wrong.")
@target_options
@format_option
def check(target: Target, output: Format) -> None:
    """Walk the whole database and say what is wrong with it: pages, constraints, the log's chain."""
    with target.store() as store:
        found = store.check()
    if output is Format.TABLE:
        click.echo("\n".join(f"error: {text}" for text in found) or "nothing is wrong", err=bool(found))
    else:
        show([{"problem": text} for text in found], ("problem",), output)
    if found:
        raise click.exceptions.Exit(int(Exit.PROBLEM))


@command.command("backup", epilog="\b\nExample:\n  suite db backup suite-$(date +%F).backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@target_options
def backup(file: Path, target: Target) -> None:
    """Write a backup to a new FILE while the suite runs: of SQLite a SQLite file, of PostgreSQL compressed lines of JSON."""
    with target.store() as store:
        store.backup(file)
    click.echo(f"{file} holds everything; `suite db restore {file}` makes a database of it")


@command.command(
    "restore",
    epilog="\b\nExamples:\n  mv suite.db suite.db.broken; suite db restore suite.backup\n  suite db restore suite.backup --database postgresql://suite@db/suite",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@target_options
@click.option(
    "--above",
    type=click.IntRange(0),
    default=0,
    metavar="REVISION",
    help="The highest revision that a follower is known to have seen; the new epoch begins above it.",
)
def restore(file: Path, target: Target, above: int) -> None:
    """Make a database of a backup, in a new epoch; the database must not exist yet, or be empty.

    A backup of either kind restores into either kind, so this is also the way from SQLite to PostgreSQL and back.
    """
    from suite.store import read_seal_key
    from suite.store import restore as restore_into

    url = target.database_url()
    with store_errors(url):
        target.make_state()
        settings = target.settings
        key = read_seal_key(settings.seal_key_file)
        restore_into(url, file, above=above, actor=order("").actor, password_file=settings.password_file, key=key)
    with target.store() as store:
        snapshot = store.read()
    click.echo(f"restored: epoch {snapshot.epoch} begins at revision {snapshot.revision}")
