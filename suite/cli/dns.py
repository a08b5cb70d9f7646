"""``suite dns``: list, query."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from suite.cli.arguments import read_listen
from suite.cli.desk import snapshot_of
from suite.cli.fault import Exit, Fault
from suite.cli.options import format_option, target_options
from suite.cli.output import Format, show, show_one
from suite.cli.target import Target

if TYPE_CHECKING:
    from suite.cli.resolver import Reply
    from suite.dns.zone import Zone
    from suite.model.configuration import Listen
    from suite.model.snapshot import Snapshot

COLUMNS = ("name", "ttl", "type", "data")


@click.group("dns", epilog="\b\nExample:\n  suite dns query coffee.default.service")
def command() -> None:
    """Names: which there are, and what a server answers."""


@command.command("list", epilog="\b\nExamples:\n  suite dns list\n  suite dns list --zone service --type A -o csv")
@target_options
@click.option("--zone", default="", metavar="NAME", help="Only this zone.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only records of this type; several may be given.")
@format_option
def list_names(target: Target, zone: str, types: tuple[str, ...], output: Format) -> None:
    """Every record that the database makes, zone by zone."""
    rows = [
        row
        for row in _records(snapshot_of(target))
        if (not zone or row["zone"] == f"{zone.rstrip('.')}.") and (not types or row["type"] in map(str.upper, types))
    ]
    show(rows, COLUMNS, output, empty="no such name")


@command.command(
    "query",
    epilog="\b\nExamples:\n  suite dns query coffee.default.service\n  suite dns query -o json coffee.default.service AAAA --server 127.0.0.1:1053\n\n"
    "Ends with 0 when there is an answer, 1 when the name or type does not exist, 3 when nobody answers.",
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
@format_option
def query(name: str, type: str, target: Target, server: str, timeout: float, output: Format) -> None:  # noqa: A002
    """Ask a server for a name, without search list and without a cache between."""
    from suite.cli.resolver import ask

    qname, qtype = _question(name, type)
    place = read_listen(server) if server else _own_server(target)
    try:
        reply = asyncio.run(ask(place, qname, qtype, timeout))
    except OSError as error:
        what = "nobody answered in time" if isinstance(error, TimeoutError) else f"{error.strerror or error}"
        raise Fault(what, where=str(place), fix="is the suite running? `suite status`", code=Exit.UNAVAILABLE) from None
    _show_reply(reply, place, output)
    if reply.rcode != "NOERROR" or not reply.answers:
        raise click.exceptions.Exit(int(Exit.PROBLEM))


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
    """Where this suite's configuration makes it listen; a wildcard address is asked on the loopback."""
    from ipaddress import ip_address

    from suite.cli.documents import load_configuration
    from suite.model.configuration import Listen

    configuration = load_configuration(target.config) if target.config else snapshot_of(target).configuration
    listens = configuration.dns.listen
    if not listens:
        return Listen(ip_address("127.0.0.1"), 53)
    first = listens[0]
    if not first.address.is_unspecified:
        return first
    return Listen(ip_address("127.0.0.1" if first.address.version == 4 else "::1"), first.port)


def _records(snapshot: "Snapshot") -> Iterator[dict[str, Any]]:
    from suite.nameserver.plan import ZonePlanner

    planner = ZonePlanner()
    planner.plan(snapshot)
    for origin in sorted(planner.zones):
        yield from _zone_records(planner.zones[origin])


def _zone_records(zone: "Zone") -> Iterator[dict[str, Any]]:
    from suite.dns.name import canonical_key, to_text
    from suite.dns.presentation import rdata_text
    from suite.dns.rrtype import type_to_text

    for owner in sorted(zone.nodes.keys(), key=canonical_key):
        for rrset in zone.nodes[owner].rrsets:
            for rdata in rrset.rdatas:
                yield {
                    "zone": to_text(zone.origin),
                    "name": to_text(rrset.name),
                    "ttl": rrset.ttl,
                    "type": type_to_text(rrset.rtype),
                    "data": rdata_text(rrset.rtype, rdata),
                }
