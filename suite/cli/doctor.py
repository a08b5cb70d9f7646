"""``suite doctor``."""

from dataclasses import replace

import click

from suite.cli.arguments import read_listen
from suite.cli.fault import Exit
from suite.cli.finding import Severity
from suite.cli.options import format_option, target_options
from suite.cli.output import Format, painter, show
from suite.cli.target import Target

COLUMNS = ("check", "severity", "text", "fix")


@click.command(
    "doctor",
    epilog="\b\nExamples:\n  suite doctor --config config.yaml\n  suite doctor -o json\n"
    "  suite doctor --router running-config.txt\n  suite doctor --reach 10.10.10.10:80\n"
    "  suite doctor --forwarder 192.168.1.1 --forwarder-kind unbound\n\n"
    "Ends with 0 when all is well, 1 when there are warnings, 2 when something will not work.",
)
@target_options
@click.option(
    "--router",
    "routers",
    multiple=True,
    metavar="[PEER=]FILE",
    help="A router's configuration: name the nodes it lacks and wrong AS numbers.",
)
@click.option(
    "--reach",
    multiple=True,
    metavar="ADDRESS[:PORT]",
    help="Connect from this machine, and see whether all of the answers come back.",
)
@click.option(
    "--forwarder",
    "forwarders",
    multiple=True,
    metavar="ADDRESS[:PORT]",
    envvar="SUITE_FORWARDER",
    help="The network's resolver, asked for a Service's name; several may be given, `none` asks nobody.  "
    "[default: those of /etc/resolv.conf]",
)
@click.option(
    "--forwarder-kind",
    type=click.Choice(
        ["dnsmasq", "unbound", "bind", "knot-resolver", "pdns-recursor", "dnsdist", "smartdns", "dnscache"]
    ),
    help="What it is, where it does not say so itself.",
)
@format_option
def command(
    target: Target,
    routers: tuple[str, ...],
    reach: tuple[str, ...],
    forwarders: tuple[str, ...],
    forwarder_kind: str | None,
    output: Format,
) -> None:
    """Check this machine and say how to mend what is wrong.

    Its database and its configuration are looked at too.  It changes nothing, and may be run before the suite is started as well as beside it.

    While the suite answers, the network's resolver is asked for the name of a Service: whether it forwards the zone, keeps the address,
    believes that the zone exists, has forgotten that the name did not, and finds the name of the address.
    """
    from suite.cli.bgp_facts import gather_bgp
    from suite.cli.facts import gather
    from suite.cli.forwarder import NameFacts
    from suite.cli.forwarder_lines import Product
    from suite.cli.forwarder_probes import gather_names
    from suite.cli.health import examine

    facts = gather(target)
    has_database = facts.has_database and not facts.database_fault
    bgp = gather_bgp(target, facts.configuration, routers, reach, has_database=has_database)
    places = None if not forwarders else [read_listen(each) for each in forwarders if each != "none"]
    kind = Product(forwarder_kind) if forwarder_kind else None
    names = gather_names(target, places, kind) if has_database else NameFacts()
    findings = examine(replace(facts, bgp=bgp, names=names))
    if output is Format.TABLE:
        paint = painter()
        for each in findings:
            click.echo(f"{paint(f'{each.severity.value:<7}')}  {each.check:<13}  {each.text}")
            if each.fix and each.severity is not Severity.OK:
                click.echo("\n".join(f"{'':<24}{line}" for line in f"fix: {each.fix}".split("\n")))
    else:
        show(findings, COLUMNS, output)
    worst = {finding.severity for finding in findings}
    if Severity.ERROR in worst:
        raise click.exceptions.Exit(int(Exit.USAGE))
    if Severity.WARNING in worst:
        raise click.exceptions.Exit(int(Exit.PROBLEM))
