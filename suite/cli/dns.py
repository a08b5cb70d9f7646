"""``suite dns``: list, query, import, remove, zone."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from suite.cli.arguments import read_listen
from suite.cli.desk import carry_out, done, instant_of, login_name, snapshot_of
from suite.cli.fault import Exit, Fault
from suite.cli.options import format_option, reason_option, target_options, time_options
from suite.cli.output import Format, show, show_one
from suite.cli.target import Target
from suite.cli.waiting import await_names, wait_option

if TYPE_CHECKING:
    from suite.cli.resolver import Reply
    from suite.dns.zonefile import Reading
    from suite.model.changes import Changes
    from suite.model.configuration import Listen
    from suite.model.event import Actor
    from suite.model.snapshot import Snapshot
    from suite.nameserver.why import Why
    from suite.nameserver.zone_import import Import

COLUMNS = ("name", "ttl", "type", "data")
WHY_COLUMNS = ("step", "text", "sql")


@click.group("dns", epilog="\b\nExample:\n  suite dns query coffee.default.service")
def command() -> None:
    """Names: which there are, and what a server answers."""


@command.command("list", epilog="\b\nExamples:\n  suite dns list\n  suite dns list --zone service --type A -o csv")
@target_options
@click.option("--zone", default="", metavar="NAME", help="Only this zone.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only records of this type; several may be given.")
@time_options
@format_option
def list_names(target: Target, zone: str, types: tuple[str, ...], at: str, tz: str, output: Format) -> None:
    """Every record that the database makes, zone by zone.

    --at is refused with what to ask instead: the names that Services asked for then are not kept.
    """
    if instant_of(at, tz, target) is not None:
        raise Fault(
            "names are made of Services as they are now, and those of the past are not kept",
            where="--at",
            fix="`suite lease list --at TIME` has every Service with its address then, and its own name follows from that",
            code=Exit.USAGE,
        )
    rows = [
        row
        for row in _records(snapshot_of(target))
        if (not zone or row["zone"] == f"{zone.rstrip('.')}.") and (not types or row["type"] in map(str.upper, types))
    ]
    show(rows, COLUMNS, output, empty="no such name")


@command.command(
    "query",
    epilog="\b\nExamples:\n  suite dns query coffee.default.service\n  suite dns query --short coffee.default.service\n"
    "  suite dns query -o json coffee.default.service AAAA --server 127.0.0.1:1053\n\n"
    "Ends with 0 when there is an answer, 1 when the name or type does not exist, 3 when nobody answers.\n\n"
    "Below the answer stands why it is so, read from the database: who holds the name, who else asked for it, the lease, and "
    "the SQL that shows the row. Of JSON, YAML and CSV the answer is all there is; --explain gives the explanation in these.",
)
@click.argument("name")
@click.argument("type", default="A", metavar="[TYPE]")
@target_options
@click.option(
    "--server", default="", metavar="ADDRESS[:PORT]", help="Whom to ask.  [default: where this suite listens]"
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.01),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for each of three tries.",
)
@click.option("--short", is_flag=True, help="Only the data of the answer, one a line, as dig +short has it.")
@click.option(
    "--explain/--no-explain",
    default=None,
    help="Only the explanation, without asking a server, or only the answer.  [default: in a table both]",
)
@format_option
def query(
    name: str,
    type: str,  # noqa: A002
    target: Target,
    server: str,
    timeout: float,
    short: bool,
    explain: bool | None,
    output: Format,
) -> None:
    """Ask a server for a name, without search list and without a cache between, and tell why it answers so."""
    if short and (explain or output is not Format.TABLE):
        raise click.UsageError("--short is a form of its own: leave out --explain and -o")
    qname, qtype = _question(name, type)
    if explain:
        show(_why(target, qname), WHY_COLUMNS, output)
        return
    place = read_listen(server) if server else _own_server(target)
    reply = _asked(place, qname, qtype, timeout)
    if short:
        click.echo("".join(f"{each.data}\n" for each in reply.answers), nl=False)
    else:
        _show_reply(reply, place, output)
        if explain is None and output is Format.TABLE:
            _show_why(target, qname)
    if reply.rcode != "NOERROR" or not reply.answers:
        raise click.exceptions.Exit(int(Exit.PROBLEM))


@command.command(
    "import",
    epilog="\b\nExamples:\n  suite dns import lan.zone\n  suite dns import --origin lab.service lab.zone --skip-refused\n\n"
    "Ends with 0 when everything is there now, 1 when lines were skipped, 5 when nothing was taken because of some.",
)
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@target_options
@click.option(
    "--origin", default="", metavar="ZONE", help="Where names without a dot at the end lie.  [default: the first zone]"
)
@click.option("--skip-refused", is_flag=True, help="Import the lines that can be had, instead of none.")
@reason_option
@wait_option
def import_zone(file: Path, target: Target, origin: str, skip_refused: bool, reason: str, wait: float) -> None:
    """Put the records of a zone file (RFC 1035) into the database as static names; - reads standard input.

    Every refused line is named.  SOA and NS of the zone itself are the suite's own.
    """
    from suite.nameserver.zone_import import imported

    text, found = _read_text(file), None

    def decide(snapshot: "Snapshot") -> "Changes":
        nonlocal found
        found = imported(snapshot, _reading(text, origin, snapshot), _actor(), reason)
        if found.refused and not skip_refused:
            raise Fault(
                f"{len(found.refused)} lines are refused:\n" + "\n".join(found.refused),
                where=str(file),
                fix="mend them, or import the others with --skip-refused; nothing was changed",
                code=Exit.REFUSED,
            )
        return found.changes

    _, snapshot = carry_out(target, decide)
    await_names(target, snapshot, wait)
    _tell_import(found)


def _tell_import(found: "Import | None") -> None:
    refused = found.refused if found else ()
    known = found.known if found else 0
    renewed = f" ({found.renewed} of them with another TTL before)" if found and found.renewed else ""
    imported = len(found.kept) - known if found else 0
    click.echo(f"{imported} imported{renewed}, {known} were there already, {len(refused)} refused")
    if refused:
        click.echo("\n".join(refused), err=True)
        raise click.exceptions.Exit(int(Exit.PROBLEM))


@command.command("remove", epilog="\b\nExample:\n  suite dns remove printer.service A --wait 10")
@click.argument("name")
@click.argument("type", default="", metavar="[TYPE]")
@target_options
@reason_option
@wait_option
def remove(name: str, type: str, target: Target, reason: str, wait: float) -> None:  # noqa: A002
    """Take the imported records of a name out of the database, all of them or those of one type."""
    from suite.nameserver.zone_import import removed

    owner, number = _question(name, type or "ANY")
    changes, snapshot = carry_out(
        target, lambda snapshot: removed(snapshot, owner, number if type else None, _actor(), reason)
    )
    await_names(target, snapshot, wait)
    done(changes, f"{len(changes.records_gone)} removed")


@command.command("zone", epilog="\b\nExamples:\n  suite dns zone\n  suite dns zone 42.0.10.in-addr.arpa > reverse.zone")
@click.argument("origin", default="")
@target_options
def write_zone(origin: str, target: Target) -> None:
    """Write a zone as a zone file; the first zone unless another is named."""
    from suite.dns.name import to_text
    from suite.dns.zonefile import write
    from suite.nameserver.plan import ZonePlanner

    snapshot, planner = snapshot_of(target), ZonePlanner()
    planner.plan(snapshot)
    wanted, _ = _question(origin or snapshot.configuration.dns.zones[0], "SOA")
    zone = planner.zones.get(wanted.lower())
    if zone is None:
        have = " ".join(sorted(to_text(each) for each in planner.zones))
        raise Fault(f"there is no zone {to_text(wanted)}", fix=f"there are: {have or 'none'}", code=Exit.NOT_FOUND)
    for line in write(zone.rrsets(), zone.origin):
        click.echo(line)


def _read_text(file: Path) -> str:
    try:
        octets = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return octets.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Fault(f"the file cannot be read: {reason}", where=str(file), code=Exit.USAGE) from None


def _reading(text: str, origin: str, snapshot: "Snapshot") -> "Reading":
    from suite.dns.zonefile import read

    zone, _ = _question(origin or snapshot.configuration.dns.zones[0], "SOA")
    return read(text, zone, snapshot.configuration.dns.ttl)


def _actor() -> "Actor":
    from suite.model.event import Actor

    return Actor("operator", login_name())


def _asked(place: "Listen", qname: bytes, qtype: int, timeout: float) -> "Reply":
    from suite.cli.resolver import ask

    try:
        return asyncio.run(ask(place, qname, qtype, timeout))
    except OSError as error:
        what = "nobody answered in time" if isinstance(error, TimeoutError) else f"{error.strerror or error}"
        raise Fault(what, where=str(place), fix="is the suite running? `suite status`", code=Exit.UNAVAILABLE) from None


def _why(target: Target, qname: bytes) -> "tuple[Why, ...]":
    from suite.nameserver.why import why

    return why(snapshot_of(target), qname)


def _show_why(target: Target, qname: bytes) -> None:
    """The explanation below an answer, which is good without one: a database out of reach is told and changes no exit code."""
    try:
        steps = _why(target, qname)
    except Fault as fault:
        click.echo(f"not explained: {fault.message}", err=True)
        return
    click.echo()
    show(steps, WHY_COLUMNS, Format.TABLE)


def _show_reply(reply: "Reply", place: "Listen", output: Format) -> None:
    if output in {Format.JSON, Format.YAML}:
        show_one(reply, output)
        return
    kind = "authoritative" if reply.is_authoritative else "not authoritative"
    click.echo(f"{reply.rcode}, {kind}, from {place} over {reply.transport}", err=True)
    show(reply.answers, COLUMNS, output, empty="no such record")


def _question(name: str, kind: str) -> tuple[bytes, int]:
    from suite.dns import rrtype
    from suite.dns.name import DomainNameError, from_text

    try:
        return from_text(name.rstrip(".") + "."), rrtype.type_from_text(kind)
    except (DomainNameError, ValueError) as error:
        raise click.UsageError(f"{error} (write coffee.default.service A)") from None


def _own_server(target: Target) -> "Listen":
    """Where this suite's configuration makes it listen."""
    from suite.cli.documents import load_configuration
    from suite.cli.resolver import own_server

    if target.config is None:
        return own_server(snapshot_of(target).configuration)
    try:
        return own_server(load_configuration(target.config))
    except Fault as fault:
        try:  # the last good one, which a running suite goes on with
            return own_server(snapshot_of(target).configuration)
        except Fault:
            raise fault from None


def _records(snapshot: "Snapshot") -> Iterator[dict[str, Any]]:
    from suite.dns.listing import records
    from suite.nameserver.plan import ZonePlanner

    planner = ZonePlanner()
    planner.plan(snapshot)
    for origin in sorted(planner.zones):
        yield from map(asdict, records(planner.zones[origin]))
