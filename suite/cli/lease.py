"""``suite lease``: list, show, who, history, release, reserve, unreserve."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from suite.cli import clock
from suite.cli.arguments import read_address, read_ref
from suite.cli.desk import carry_out, done, instant_of, order, past_of, snapshot_of
from suite.cli.fault import Exit, Fault
from suite.cli.options import format_option, reason_option, target_options, time_options
from suite.cli.output import Format, show
from suite.cli.target import Target
from suite.cli.waiting import await_names, wait_option

if TYPE_CHECKING:
    from suite.model.address import Range
    from suite.model.changes import Changes
    from suite.model.refusal import Refusal
    from suite.model.service import ServiceRef
    from suite.model.snapshot import Snapshot

COLUMNS = ("address", "state", "service", "pool", "ports", "since", "until")
HISTORY = ("address", "state", "service", "pool", "since", "ended", "end_reason", "revision")
RESERVATIONS = ("address", "name", "note")
MOST_ROWS = 1_000_000


@click.group("lease", epilog='\b\nExample:\n  suite lease who 10.0.42.7 --at "tue 14:03"')
def command() -> None:
    """Leases: who has, had or is to have an address."""


@command.command(
    "list",
    epilog="\b\nExamples:\n  suite lease list --status held\n  suite lease list --pool default --at yesterday -o csv",
)
@target_options
@click.option("--pool", default="", metavar="NAME", help="Only those of this pool.")
@click.option(
    "--status",
    "states",
    multiple=True,
    type=click.Choice(["bound", "held", "cooling", "declined"]),
    help="Only those in this state; several may be given.",
)
@click.option("--service", default="", metavar="[NAMESPACE/]NAME", help="Only those of this Service.")
@time_options
@format_option
def list_leases(
    target: Target, pool: str, states: tuple[str, ...], service: str, at: str, tz: str, output: Format
) -> None:
    """Open leases in the order of their addresses, now or at another time."""
    from suite.web.documents import lease_documents

    instant = instant_of(at, tz, target)
    with target.store() as store:
        leases = list(store.read().open_leases()) if instant is None else store.history(at=instant, limit=MOST_ROWS)
    ref = read_ref(service) if service else None
    chosen = [
        lease
        for lease in leases
        if (not pool or lease.pool == pool) and (not states or lease.state in states) and ref in {None, lease.ref}
    ]
    show(lease_documents(chosen), COLUMNS, output, empty="no such lease")


@command.command(
    "show",
    epilog="\b\nExamples:\n  suite lease show 10.0.42.7\n  suite lease show default/coffee -o yaml\n  suite lease show 10.0.42.0/28 --at yesterday",
)
@click.argument("what", metavar="ADDRESS|RANGE|[NAMESPACE/]NAME")
@target_options
@time_options
@format_option
def show_lease(what: str, target: Target, at: str, tz: str, output: Format) -> None:
    """The open leases on an address, in a network or range, or of a Service, now or at another time."""
    from suite.web.documents import lease_documents

    snapshot = past_of(target, at, tz)
    span, ref = _span_or_ref(what)
    if ref is not None:
        found = list(snapshot.holdings.get(ref) or ())
    else:
        found = [lease for lease in snapshot.open_leases() if span is not None and lease.address in span]
    if not found:
        raise Fault(
            f"there was no open lease then: {what}" if at else f"there is no open lease: {what}",
            fix=f"`suite lease history {what}` shows those that ended",
            code=Exit.NOT_FOUND,
        )
    show(lease_documents(found), COLUMNS, output)


@command.command(
    "who",
    epilog='\b\nExamples:\n  suite lease who 10.0.42.7\n  suite lease who 10.0.42.7 --at "tue 14:03" --tz Europe/Berlin',
)
@click.argument("address")
@target_options
@time_options
@format_option
def who_had(address: str, target: Target, at: str, tz: str, output: Format) -> None:
    """Who has an address, or had it at a time.

    Ends with 4 when nobody did.
    """
    from suite.web.documents import lease_documents

    wanted = read_address(address)
    instant = instant_of(at, tz, target)
    with target.store() as store:
        # Now means what is open, whatever this machine's clock says.
        found = store.history(address=wanted, at=instant) if instant else list(store.read().leases.get(wanted) or ())
    if not found:
        raise Fault(
            f"nobody had {wanted} at that time" if instant else f"nobody has {wanted}",
            fix=f"`suite lease history {wanted}` shows who ever had it",
            code=Exit.NOT_FOUND,
        )
    show(lease_documents(found), COLUMNS, output)


@command.command(
    "history",
    epilog="\b\nExamples:\n  suite lease history 10.0.42.7\n  suite lease history default/coffee --limit 10\n  suite lease history 10.0.42.0/24 --at -30d -o csv",
)
@click.argument("what", metavar="ADDRESS|RANGE|[NAMESPACE/]NAME")
@target_options
@click.option(
    "--limit", type=click.IntRange(1), default=100, show_default=True, help="How many rows at most, the newest first."
)
@time_options
@format_option
def history(what: str, target: Target, limit: int, at: str, tz: str, output: Format) -> None:
    """Every lease that an address, a network or range, or a Service ever had, the newest first.

    With --at it is what this command would have shown then.
    """
    from suite.web.documents import lease_document

    span, ref = _span_or_ref(what)
    instant = instant_of(at, tz, target)
    with target.store() as store:
        found = store.history(address=span, ref=ref, until=instant, limit=limit)
    show(map(lease_document, found), HISTORY, output, empty=f"{what} never had a lease" + (" until then" if at else ""))


@command.command("release", epilog='\b\nExample:\n  suite lease release 10.0.42.7 --reason "coffee is not coming back"')
@click.argument("address")
@target_options
@click.option(
    "--service", default="", metavar="[NAMESPACE/]NAME", help="Only this Service's lease on a shared address."
)
@click.option(
    "--now", "at_once", is_flag=True, help="Free at once, without cooling: caches may still lead to who had it."
)
@reason_option
@wait_option
def release_lease(address: str, target: Target, service: str, at_once: bool, reason: str, wait: float) -> None:
    """End what waits on an address: held, cooling (with --now) or declined.

    A Service that still wants its address keeps it.
    """
    from suite.controller.operator import release

    wanted, ref, given = read_address(address), read_ref(service) if service else None, order(reason)

    def decide(snapshot: "Snapshot") -> "Changes | Refusal":
        return release(snapshot, wanted, max(clock.now(), snapshot.at), given, ref=ref, at_once=at_once)

    changes, snapshot = carry_out(target, decide)
    await_names(target, snapshot, wait)
    until = next((lease.until for lease in changes.opened if lease.until), None)
    done(
        changes, f"{wanted} is released" + (f" and cools until {until:%Y-%m-%d %H:%M:%S} UTC" if until else " and free")
    )


@command.command(
    "reserve",
    epilog="\b\nExamples:\n"
    "  suite lease reserve 10.0.42.7 default/coffee --note 'front door'\n"
    "  suite lease reserve 10.0.42.10-10.0.42.20 --note printers\n"
    "  suite lease reserve --import reservations.csv\n"
    "  suite lease reserve -o csv > reservations.csv",
)
@click.argument("address", required=False, metavar="[ADDRESS[-LAST]]")
@click.argument("name", required=False, default="", metavar="[[NAMESPACE/]NAME]")
@target_options
@click.option("--note", default="", metavar="TEXT", help="A note for people.")
@click.option(
    "--import",
    "source",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Reserve every line of a CSV file (address, name, note); - is stdin.",
)
@click.option("--skip-refused", is_flag=True, help="With --import: reserve the lines that can be had, instead of none.")
@reason_option
@format_option
def reserve_address(
    address: str | None,
    name: str,
    target: Target,
    note: str,
    source: Path | None,
    skip_refused: bool,
    reason: str,
    output: Format,
) -> None:
    """Reserve an address for a name, which need not exist yet, or for nobody; without an address, list reservations.

    The list as CSV can be imported again.
    """
    from suite.web.documents import reservation_documents

    if address is not None and source is not None:
        raise click.UsageError("give an address or --import, not both")
    if source is not None:
        from suite.cli.importing import import_file

        import_file(target, source, reason, skip_refused=skip_refused)
    elif address is None:
        documents = reservation_documents(snapshot_of(target))
        if output is Format.CSV:
            documents = [each for each in documents if each.source != "config"]
        show(
            documents,
            RESERVATIONS if output is Format.CSV else (*RESERVATIONS, "source"),
            output,
            empty="nothing is reserved",
        )
    else:
        _reserve_one(target, address, name, note, reason)


@command.command("unreserve", epilog="\b\nExample:\n  suite lease unreserve 10.0.42.7")
@click.argument("address")
@target_options
@reason_option
def unreserve_address(address: str, target: Target, reason: str) -> None:
    """Give a reserved address, or the block that begins with it, back to its pool."""
    from suite.controller.operator import unreserve

    wanted, given = read_address(address), order(reason)

    def decide(snapshot: "Snapshot") -> "Changes | Refusal":
        return unreserve(snapshot, wanted, given)

    changes, _ = carry_out(target, decide)
    done(changes, f"{wanted} is not reserved any more")


def _span_or_ref(text: str) -> "tuple[Range | None, ServiceRef | None]":
    """What can be read as an address, a network or a range is one; everything else is a Service."""
    from suite.model.address import parse_range

    try:
        return parse_range(text), None
    except ValueError:
        return None, read_ref(text)


def _reserve_one(target: Target, address: str, name: str, note: str, reason: str) -> None:
    from suite.cli.reservations import reservation
    from suite.controller.operator import reserve

    try:
        wanted = reservation(address, name, note)
    except ValueError as error:
        raise click.UsageError(f"{error} (write 10.0.42.7 default/coffee, or a block without a name)") from None
    given = order(reason)

    def decide(snapshot: "Snapshot") -> "Changes | Refusal":
        booking = reserve(snapshot, [wanted], given)
        return booking.refused[0][1] if booking.refused else booking.changes

    changes, _ = carry_out(target, decide)
    done(changes, f"{address} is reserved for {wanted.ref or 'nobody'}")
