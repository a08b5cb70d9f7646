"""``suite migrate-from-metallb``: shows what a move comes to, saves what the way back needs, and follows the order."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from suite.cli.fault import Exit, Fault
from suite.cli.options import format_option
from suite.cli.output import Format, show

if TYPE_CHECKING:
    from suite.cli.migration import Move
    from suite.cluster.handover import Workload
    from suite.cluster.kubernetes import KubernetesConnection
    from suite.model.address import Address
    from suite.model.configuration import Configuration, KubernetesSettings
    from suite.model.service import ServiceRef

COLUMNS = ("service", "address", "pool", "speaker", "successor", "note")
ORDER = """\
The order, which --go follows:
  1. The suite runs in namespace {ours}, with `kubernetes: {{stand-by-for: metallb}}` in its settings: its controller
     takes the addresses over, its speakers are ready and silent.
  2. MetalLB's controller is scaled to none ({controllers}).
  3. Every Service says that its address is the suite's: the same address, and the condition suite/AddressAssigned.
  4. MetalLB's speakers are removed ({speakers}); when the last is gone, ours announce.
  5. What is left of MetalLB stays, its namespace too: your configuration stands there.
"""
LOOK_AGAIN = 0.5
ASK_EVERY = 0.02
"""Seconds between two questions for one address."""
MOST_ASKED = 64
SETTLING = 1.0
"""Seconds that the LAN is asked on after ours announce."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Journey:
    """One move: between which namespaces, and with what patience."""

    settings: "KubernetesSettings"
    ours: str
    save: Path
    interface: str
    patience: float


@dataclass(slots=True)
class Heard:
    """What the LAN answers while the change is made."""

    answers: "list[tuple[float, Address]]" = field(default_factory=list)
    is_over: bool = False


@click.command(
    "migrate-from-metallb",
    epilog="\b\nExamples:\n  suite migrate-from-metallb --kubeconfig ~/.kube/config\n"
    "  suite migrate-from-metallb --go --interface eth0\n\n"
    "Ends with 1 when an address would be lost or change, with 6 when a step does not come about in time.",
)
@click.option("--kubeconfig", default="", metavar="FILE", help="The cluster; KUBECONFIG or ~/.kube/config without.")
@click.option("--context", default="", help="One of the file's contexts.")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The suite's own settings, where they say more than the cluster.",
)
@click.option("--suite-namespace", default="suite-system", show_default=True, help="Where the suite runs.")
@click.option(
    "--save",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("metallb-saved"),
    show_default=True,
    help="Where MetalLB's configuration and workloads are saved, for the way back.",
)
@click.option(
    "--interface", default="", help="Measure the gap by ARP on this interface of the LAN (needs CAP_NET_RAW)."
)
@click.option("--timeout", type=click.FloatRange(1), default=300.0, show_default=True, help="Patience with each step.")
@click.option("--go", is_flag=True, help="Do it; without, nothing is changed but the saved files.")
@format_option
def command(
    kubeconfig: str,
    context: str,
    config: Path | None,
    suite_namespace: str,
    save: Path,
    interface: str,
    timeout: float,
    go: bool,
    output: Format,
) -> None:
    """Move a cluster from MetalLB to the suite: no address moves, and each stays on its node where it can.

    Shows what will be taken over, saves MetalLB's configuration, says the order of the steps, and with --go follows it and
    measures how long nobody answered.  The rights are those of the kubeconfig, not of the suite.
    """
    from suite.cluster.connection import ApiError, Lost

    configuration, problems = _own_settings(config)
    if problems:
        raise Fault("\n".join(problems), where=str(config), fix="suite config check", code=Exit.PROBLEM)
    journey = Journey(configuration.kubernetes, suite_namespace, save, interface, timeout)
    try:
        asyncio.run(_travel(journey, kubeconfig, context, config, output, go=go))
    except (ApiError, Lost) as error:
        raise Fault(str(error), where=kubeconfig or "the kubeconfig", code=Exit.UNAVAILABLE) from None


def _own_settings(config: Path | None) -> "tuple[Configuration, list[str]]":
    from suite.config.document import read_file
    from suite.config.loading import load

    outcome = load(read_file(config) if config else [], strict=False)
    return outcome.attempt, [str(each) for each in outcome.problems if not each.is_warning and config is not None]


async def _travel(
    journey: Journey, kubeconfig: str, context: str, config: Path | None, output: Format, *, go: bool
) -> None:
    from suite.cluster.handover import workloads
    from suite.cluster.kubernetes import connect

    connection = await connect(kubeconfig, context=context, instance="migration")
    try:
        found = await _survey(connection, journey, config)
        show([_row(move) for move in found], COLUMNS, output, empty="no Service has or wants an address")
        speakers = await workloads(connection, journey.settings.namespace, "speaker")
        controllers = await workloads(connection, journey.settings.namespace, "controller")
        await _save(connection, journey)
        click.echo(
            "\n" + ORDER.format(ours=journey.ours, controllers=_listed(controllers), speakers=_listed(speakers)),
            err=True,
        )
        broken = [move for move in found if move.before is not None and move.before != move.after]
        if broken:
            names = ", ".join(f"{move.ref} ({move.before})" for move in broken[:5])
            fix = "give these addresses a pool first; nothing was changed"
            raise Fault(f"{len(broken)} addresses would not stay: {names}", fix=fix, code=Exit.PROBLEM)
        if go:
            await _go(connection, journey, found, controllers, speakers)
    finally:
        await connection.close()


async def _survey(connection: "KubernetesConnection", journey: Journey, config: Path | None) -> "tuple[Move, ...]":
    from dataclasses import replace

    from suite.cli.migration import moves
    from suite.cluster.handover import listen_once, our_nodes
    from suite.config.document import read_file
    from suite.config.loading import load

    settings = replace(journey.settings, stand_by_for="metallb", hostnames=())
    batch, documents = await _in_time(listen_once(connection, settings), journey.patience, "the cluster is not listed")
    outcome = load([*(read_file(config) if config else []), *documents], strict=False)
    if outcome.configuration is None:
        told = "\n".join(str(each) for each in outcome.problems if not each.is_warning)
        raise Fault(f"the configuration in the cluster cannot be used:\n{told}", code=Exit.PROBLEM)
    running = await our_nodes(connection, journey.ours)
    return moves(batch, outcome.configuration, datetime.now(UTC), running or None)


def _row(move: "Move") -> dict[str, str]:
    return {
        "service": str(move.ref),
        "address": str(move.before or move.after or "-"),
        "pool": move.pool or "-",
        "speaker": move.speaker or "-",
        "successor": move.successor or "-",
        "note": move.note,
    }


def _listed(found: "Sequence[Workload]") -> str:
    return ", ".join(map(str, found)) or "there is none"


async def _save(connection: "KubernetesConnection", journey: Journey) -> None:
    """Write the copies; what an earlier call saved stays, for by now it may be all there is."""
    import yaml

    from suite.cluster.handover import copies

    for name, bodies in (await copies(connection, journey.settings)).items():
        path = journey.save / name
        if not bodies or path.exists():
            continue
        journey.save.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = yaml.safe_dump_all(bodies, sort_keys=False, allow_unicode=True)
        path.touch(mode=0o600)  # a peer's password may be among it
        path.write_text(text, encoding="utf-8")
        click.echo(f"saved {len(bodies)} objects in {path}", err=True)


# --- The steps


async def _go(
    connection: "KubernetesConnection",
    journey: Journey,
    found: "Sequence[Move]",
    controllers: "Sequence[Workload]",
    speakers: "Sequence[Workload]",
) -> None:
    from suite.cluster.handover import our_nodes, remove, scale_to_none

    if not speakers:
        raise Fault("MetalLB has no speakers here; there is nothing to take over from", code=Exit.PROBLEM)
    await _require_silence(connection, journey)
    _say("1. waiting for speakers of the suite that are ready")

    async def are_ready() -> bool:
        return bool(await our_nodes(connection, journey.ours))

    await _until(are_ready, journey, f"no pod of the suite in {journey.ours} is ready")
    for controller in controllers:
        await scale_to_none(connection, controller)
        _say(f"2. {controller} is scaled to none")
    expected = {(move.ref, str(move.before)) for move in found if move.before is not None}
    _say(f"3. waiting until {len(expected)} addresses are the suite's")

    async def are_ours() -> bool:
        return not await _missing(connection, expected)

    await _until(are_ours, journey, "Services that the suite has not taken over yet; MetalLB's speakers stay")

    async def delete() -> None:
        for each in speakers:
            await remove(connection, each)
            _say(f"4. {each} is removed")

    await _change_over(connection, journey, found, delete)
    _say("5. done; the way back is in docs/from-metallb.md")


async def _require_silence(connection: "KubernetesConnection", journey: Journey) -> None:
    """The suite must not announce beside MetalLB: its settings say so."""
    from suite.cluster.handover import settings_of

    where = f"ConfigMap {journey.ours}/suite"
    text = await settings_of(connection, journey.ours)
    stands_by = text is not None and _stand_by_for(text, where) == "metallb"
    if not stands_by:
        said = "put `kubernetes: {stand-by-for: metallb}` into its suite.yaml (component beside-metallb, or the chart's"
        fix = f"{said} kubernetes.standByForMetallb), restart the suite, and call this again"
        raise Fault("the suite would announce beside MetalLB; nothing was changed", where=where, fix=fix)


def _stand_by_for(text: str, where: str) -> str:
    from suite.config.document import read_text
    from suite.config.loading import load

    return load(read_text(text, where), strict=False).attempt.kubernetes.stand_by_for


async def _missing(connection: "KubernetesConnection", expected: "set[tuple[ServiceRef, str]]") -> "list[ServiceRef]":
    from suite.cluster.handover import standings

    now = await standings(connection)
    return [
        ref
        for ref, address in expected
        if ref not in now or address not in now[ref].ingress or (now[ref].condition or ("",))[0] != "True"
    ]


async def _change_over(
    connection: "KubernetesConnection", journey: Journey, found: "Sequence[Move]", delete: Callable[[], Awaitable[None]]
) -> None:
    """Remove the speakers, wait for ours, and say how long nobody announced."""
    from suite.cluster.handover import events_version, speakers

    heard = Heard()
    addresses = _asked_for({move.after for move in found if move.successor and move.after is not None})
    version = await events_version(connection)
    asking = asyncio.create_task(_listen(journey.interface, addresses, heard)) if journey.interface else None
    try:
        began = time.monotonic()
        if asking is not None:
            await asyncio.wait({asking}, timeout=SETTLING / 4)
            if asking.done():
                await asking  # it cannot be measured, and says why, before anything is removed
        await delete()

        async def gone() -> float:
            async for pods in speakers(connection, journey.settings.namespace):
                if not pods:
                    break
            return time.monotonic()

        silent = await _in_time(gone(), journey.patience, "speakers of MetalLB do not end")
        _say(f"   MetalLB's last speaker was gone {silent - began:.2f} s after the deletion")
        refs = {move.ref for move in found if move.successor}
        await _await_announcements(connection, journey, version, refs, silent)
        if asking is not None:
            await asyncio.sleep(SETTLING)
    finally:
        heard.is_over = True
        if asking is not None:
            await asking
    if asking is not None:
        _say_gap(heard, addresses, (began, silent, time.monotonic()))


async def _await_announcements(
    connection: "KubernetesConnection", journey: Journey, version: str, refs: "set[ServiceRef]", silent: float
) -> None:
    from suite.cluster.handover import assigned

    missing, moments = set(refs), list[float]()

    async def all_assigned() -> None:
        if not missing:
            return
        async for ref in assigned(connection, version):
            if ref in missing:
                missing.discard(ref)
                moments.append(time.monotonic() - silent)
            if not missing:
                return

    try:
        async with asyncio.timeout(journey.patience):
            await all_assigned()
    except TimeoutError:
        names = ", ".join(str(ref) for ref in sorted(missing)[:5])
        fix = "suite explain NAMESPACE/NAME says why; the way back is `kubectl apply` of metallb-workloads.yaml"
        raise Fault(f"{len(missing)} Services are not announced: {names}", fix=fix, code=Exit.TIMEOUT) from None
    if moments:
        _say(
            f"   {len(moments)} Services announced by ours, told by Events {min(moments):.2f} s to {max(moments):.2f} s"
            " after that (an Event comes up to a second or two after what it tells)"
        )


def _asked_for(found: "set[Address]") -> "list[Address]":
    """As many as are asked for, of both families alike."""
    ordered = sorted(found, key=int)
    families = [[each for each in ordered if each.version == version] for version in (4, 6)]
    pairs = zip_longest(*families)
    return [each for pair in pairs for each in pair if each is not None][:MOST_ASKED]


async def _listen(interface: str, addresses: "Sequence[Address]", heard: Heard) -> None:
    from suite.l2.asking import ask
    from suite.l2.netlink import Interfaces

    interfaces = Interfaces()
    try:
        known = interfaces.by_name().get(interface)
    finally:
        interfaces.close()
    own: dict[int, Address] = {each.ip.version: each.ip for each in known.addresses} if known else {}
    if not own:
        raise Fault("it is no interface with an address", where=interface, fix="see `ip -br address`")
    if unasked := [each for each in addresses if each.version not in own]:
        _say(f"   {len(unasked)} addresses are not asked for: {interface} has no IPv{unasked[0].version} address")

    def collect() -> None:
        for answer in ask(interface, own, addresses, ASK_EVERY, lambda: heard.is_over):
            heard.answers.append(answer)

    try:
        await asyncio.to_thread(collect)
    except OSError as error:
        raise Fault(f"the gap cannot be measured: {error.strerror}", where=interface, fix="run it as root") from None


def _say_gap(heard: Heard, addresses: "Iterable[Address]", moments: tuple[float, float, float]) -> None:
    """``moments`` are the deletion, the end of MetalLB's last speaker, and the end."""
    from suite.cli.migration import silences, taken_over

    began, silent, ended = moments

    answering = {address for _, address in heard.answers}
    gaps = silences(heard.answers, [each for each in addresses if each in answering], began, ended)
    if not gaps:
        _say("   nobody answered for any address, before or after: is this the LAN?")
    for version, how in ((4, "ARP"), (6, "Neighbor Discovery")):
        mine = {address: gap for address, gap in gaps.items() if address.version == version}
        if mine:
            worst = max(mine, key=lambda address: mine[address])
            _say(
                f"   longest time without an answer to {how}: {mine[worst]:.2f} s ({worst}); {len(mine)} addresses were asked for"
            )
    if last := taken_over(heard.answers, silent):
        _say(f"   ours answered {last:.2f} s after MetalLB's last speaker was gone, for the last of these addresses")


async def _until(fact: Callable[[], Awaitable[bool]], journey: Journey, what: str) -> None:
    deadline = time.monotonic() + journey.patience
    while not await fact():
        if time.monotonic() > deadline:
            raise Fault(f"in {journey.patience:g} s nothing came of it: {what}", code=Exit.TIMEOUT)
        await asyncio.sleep(LOOK_AGAIN)


async def _in_time(work: Awaitable[T], patience: float, what: str) -> T:
    try:
        async with asyncio.timeout(patience):
            return await work
    except TimeoutError:
        raise Fault(f"in {patience:g} s nothing came of it: {what}", code=Exit.TIMEOUT) from None


def _say(line: str) -> None:
    click.echo(line, err=True)
