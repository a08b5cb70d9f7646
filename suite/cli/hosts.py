"""``suite hosts``: export, import."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from suite.cli.desk import snapshot_of
from suite.cli.fault import Exit, Fault
from suite.cli.options import target_options
from suite.cli.router_config import snapshot_or_configuration
from suite.cli.target import Target

if TYPE_CHECKING:
    from suite.model.address import Address
    from suite.model.snapshot import Snapshot


@click.group("hosts", epilog="\b\nExample:\n  suite hosts export --format hosts")
def command() -> None:
    """Host tables: from leases to a router's, and from a router's to the configuration."""


@command.command(
    "export",
    epilog="\b\nExamples:\n  suite hosts export > hosts\n  suite hosts export --format usg --merge config.gateway.json > new.json",
)
@target_options
@click.option(
    "--format",
    "kind",
    type=click.Choice(["hosts", "dnsmasq", "usg"]),
    default="hosts",
    show_default=True,
    help="How the table is written.",
)
@click.option(
    "--merge",
    type=click.Path(dir_okay=False, path_type=Path),
    help="usg: the config.gateway.json there is; everything else in it stays.",
)
def export(target: Target, kind: str, merge: Path | None) -> None:
    """Write every name with its addresses as leases have them now, for a router that cannot forward a zone.

    Such a table has to be written again when leases change.
    """
    from suite.cli.host_table import dnsmasq_file, hosts_file, hosts_of, usg_tree

    if merge is not None and kind != "usg":
        raise click.UsageError("--merge is for --format usg")
    hosts = hosts_of(_names(snapshot_of(target)))
    if kind == "usg":
        click.echo(_merged(usg_tree(hosts), merge, [host.names[0] for host in hosts]), nl=False)
    else:
        click.echo(hosts_file(hosts) if kind == "hosts" else dnsmasq_file(hosts), nl=False)


def _merged(tree: dict[str, object], path: Path | None, names: list[str]) -> str:
    """``tree`` in the file there is; no old address of ``names`` stays beside the new one."""
    import json

    from suite.speaker.router_vyatta import merge, parsed, without

    try:
        existing = path.read_text(encoding="utf-8") if path is not None else ""
        known = parsed(existing) if existing.strip() else {}
        old = [("system", "static-host-mapping", "host-name", each, "inet") for each in names]
        merged = merge(without(known, old), tree)
    except (OSError, ValueError) as error:
        raise Fault(str(error), where=str(path), fix="nothing was written; mend it first", code=Exit.REFUSED) from None
    return existing if merged == known and existing else json.dumps(merged, indent=2, ensure_ascii=False) + "\n"


def _names(snapshot: "Snapshot") -> "Iterator[tuple[str, Address]]":
    """Every A and AAAA record of the forward zones, wildcards and the server's own name left out."""
    from ipaddress import ip_address

    from suite.dns import name, rrtype
    from suite.nameserver.plan import ZonePlanner

    planner = ZonePlanner()
    planner.plan(snapshot)
    for zone in planner.zones.values():
        servers = {rdata for rrset in zone.rrsets() if rrset.rtype == rrtype.NS for rdata in rrset.rdatas}
        for rrset in zone.rrsets():
            text = name.to_text(rrset.name)
            if rrset.rtype in {rrtype.A, rrtype.AAAA} and not text.startswith("*") and rrset.name not in servers:
                for rdata in rrset.rdatas:
                    yield text, ip_address(rdata)


@command.command(
    "import", epilog="\b\nExamples:\n  suite hosts import config.gateway.json\n  suite hosts import /etc/hosts"
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@target_options
def propose(file: Path, target: Target) -> None:
    """Propose what to write into the configuration for each host of a table; nothing is changed.

    A name whose address is leased follows that Service from then on; an address of a pool that nobody has is reserved.
    """
    from suite.cli.host_table import proposals, read_table

    try:
        hosts = read_table(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Fault(str(error), where=str(file), fix="nothing was changed", code=Exit.REFUSED) from None
    found = proposals(hosts, snapshot_or_configuration(target))
    for section in ("dns.hosts", "reservations"):
        chosen = [each for each in found if each.section == section]
        if chosen:
            click.echo("dns:\n  hosts:" if section == "dns.hosts" else "reservations:")
        for each in chosen:
            indent = "    " if section == "dns.hosts" else "  "
            click.echo(f"{indent}- {each.text}  # {each.why}")
    for each in found:
        if each.section == "left":
            click.echo(f"not taken over: {each.text}: {each.why}", err=True)
    if not any(each.section == "dns.hosts" for each in found):
        click.echo("the table has no host to take over", err=True)
