"""``suite router-config``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from suite.cli.documents import load_configuration
from suite.cli.fault import Exit, Fault
from suite.cli.options import target_options
from suite.cli.target import Target

if TYPE_CHECKING:
    from suite.model.peer import Peer
    from suite.model.snapshot import Snapshot
    from suite.speaker.router_config import Part, Router

UNNUMBERED = ("frr", "unifi")
VENDORS = ("frr", "bird", "usg", "unifi", "edgeos", "vyos", "mikrotik", "opnsense")


@click.command(
    "router-config",
    epilog="\b\nExamples:\n  suite router-config --vendor frr --config suite.yaml --part bgp > suite.conf\n"
    "  suite router-config --vendor usg --config suite.yaml --merge config.gateway.json > new.json\n"
    "  suite router-config --vendor frr --config suite.yaml --interface eth1 --interface eth2 --asn 64512\n"
    "  suite router-config --vendor edgeos --config suite.yaml --diff running-config.txt\n\n"
    "What to do with it is written to stderr. --diff ends with 1 when something is missing or wrong.",
)
@target_options
@click.option("--vendor", type=click.Choice(VENDORS), required=True, help="Whose words to use.")
@click.option("--peer", default="", metavar="NAME", help="For the router of this peer.  [default: the only one]")
@click.option("--part", type=click.Choice(["bgp", "dns"]), help="Only this part.")
@click.option(
    "--paths",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="How many nodes carry the traffic of an address at a time; 1 for one, the others standing by.",
)
@click.option(
    "--interface",
    "interfaces",
    multiple=True,
    metavar="NAME",
    help="An interface of the router that nodes are behind, for a peer without an address (frr, unifi).",
)
@click.option(
    "--asn",
    type=click.IntRange(1, 0xFFFFFFFF),
    help="The router's AS number, for a peer that takes any.",
    metavar="NUMBER",
)
@click.option(
    "--merge",
    type=click.Path(dir_okay=False, path_type=Path),
    help="usg: the config.gateway.json there is; everything in it stays.",
)
@click.option(
    "--diff",
    "existing",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Only name what this file of the router lacks or has wrong.",
)
def command(
    target: Target,
    vendor: str,
    peer: str,
    part: str | None,
    paths: int,
    interfaces: tuple[str, ...],
    asn: int | None,
    merge: Path | None,
    existing: Path | None,
) -> None:
    """Write what the router on the other side of a BGP peer needs: neighbors, AS numbers, our prefixes, our zones."""
    if merge is not None and vendor != "usg":
        raise click.UsageError("--merge is for --vendor usg, the one whose configuration is a document")
    router = _router(snapshot_or_configuration(target), peer, paths, interfaces, asn or 0)
    if router.address is None and vendor not in UNNUMBERED:
        raise click.UsageError(f"{vendor} has no sessions without addresses; {' and '.join(UNNUMBERED)} have")
    if existing is not None:
        _compare(router, existing)
        return
    for each in _parts(router, vendor, merge, part or ""):
        if part in {None, each.name}:
            click.echo(each.instructions(), err=True)
            click.echo(each.text, nl=False)


def snapshot_or_configuration(target: Target) -> "Snapshot":
    """What the database says, or the configuration file alone where there is none yet; the file's configuration goes first."""
    from dataclasses import replace

    from suite.cli.desk import snapshot_of
    from suite.model.snapshot import Snapshot

    configuration = load_configuration(target.config) if target.config is not None else None
    try:
        snapshot = snapshot_of(target)
    except Fault:
        if configuration is None:
            raise
        snapshot = Snapshot()
    return snapshot if configuration is None else replace(snapshot, configuration=configuration)


def _router(snapshot: "Snapshot", name: str, paths: int, interfaces: tuple[str, ...], asn: int) -> "Router":
    from suite.speaker.router_config import Own, router_of

    nodes = {each.name: each for each in snapshot.configuration.nodes} | dict(snapshot.nodes.items())
    peer, own = _peer(snapshot, name), Own(interfaces, asn)
    router = router_of(snapshot.configuration, nodes.values(), peer, _zones(snapshot), paths=paths, own=own)
    if isinstance(router, str):
        raise Fault(router, fix="mend the configuration, then ask again", code=Exit.REFUSED)
    return router


def _peer(snapshot: "Snapshot", name: str) -> "Peer":
    peers = snapshot.configuration.peers
    chosen = [peer for peer in peers if name in {"", peer.name}]
    if len(chosen) == 1:
        return chosen[0]
    known = ", ".join(peer.name for peer in peers)
    if not peers:
        raise Fault("the configuration has no BGP peer", fix="write one under `peers`", code=Exit.NOT_FOUND)
    if name:
        raise Fault(f"there is no peer {name!r}", fix=f"there are: {known}", code=Exit.NOT_FOUND)
    raise Fault("there are several peers", fix=f"choose one with --peer: {known}", code=Exit.USAGE)


def _zones(snapshot: "Snapshot") -> list[str]:
    """Every forward zone that is served, those of one name included."""
    from suite.dns import name
    from suite.nameserver.plan import ZonePlanner

    planner = ZonePlanner()
    planner.plan(snapshot)
    texts = [name.to_text(origin) for origin in planner.zones]
    return sorted(text for text in texts if not text.endswith(".arpa."))


def _parts(router: "Router", vendor: str, merge: Path | None, only: str) -> "tuple[Part, ...]":
    from suite.speaker import router_bird, router_frr, router_mikrotik, router_opnsense, router_vyatta, router_vyos

    if vendor == "usg":
        try:
            return router_vyatta.usg(router, merge.read_text(encoding="utf-8") if merge is not None else "", only)
        except (OSError, ValueError) as error:
            fix = "the file was not changed and nothing was written; mend it first"
            raise Fault(str(error), where=str(merge), fix=fix, code=Exit.REFUSED) from None
    writers = {
        "frr": router_frr.frr,
        "unifi": router_frr.unifi,
        "bird": router_bird.bird,
        "edgeos": router_vyatta.edgeos,
        "vyos": router_vyos.vyos,
        "mikrotik": router_mikrotik.mikrotik,
        "opnsense": router_opnsense.opnsense,
    }
    return writers[vendor](router)


def _compare(router: "Router", path: Path) -> None:
    """Name what is missing or wrong in the router's file, and end with 1 when anything is."""
    from suite.speaker.router_diff import differences

    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Fault(error.strerror or str(error), where=str(path), code=Exit.USAGE) from None
    found = differences(router, text)
    for line in found:
        click.echo(line)
    if found:
        raise click.exceptions.Exit(int(Exit.PROBLEM))
    click.echo("the router knows every node, with the right AS numbers", err=True)
