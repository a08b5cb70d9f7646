"""``suite explain``."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from suite.cli.arguments import read_ref
from suite.cli.desk import ask, instant_of
from suite.cli.fault import Exit, Fault
from suite.cli.options import format_option, target_options, time_options
from suite.cli.output import Format, plain, show, show_one
from suite.cli.target import Target

if TYPE_CHECKING:
    from datetime import datetime

    from suite.model.explain_past import Witness
    from suite.model.service import ServiceRef
    from suite.model.snapshot import Snapshot
    from suite.store.store import Store

COLUMNS = ("stage", "verdict", "text")


@click.command(
    "explain",
    epilog='\b\nExamples:\n  suite explain default/coffee\n  suite explain coffee -o json\n  suite explain coffee --at "tue 14:03"\n\n'
    "Ends with 0 when no link is broken, 1 when one is, 4 when nobody knows the Service.",
)
@click.argument("service", metavar="[NAMESPACE/]NAME")
@target_options
@time_options
@format_option
def command(service: str, target: Target, at: str, tz: str, output: Format) -> None:
    """Show the chain from a Service to its answer, and where it breaks.

    A running suite is asked, because it knows who announces and what is answered; without one the database is read.  With
    --at the history is: it tells the address and who announced it, not what the Service asked for.
    """
    instant = instant_of(at, tz, target)
    document: dict[str, Any] = _now(target, service) if instant is None else _then(target, read_ref(service), instant)
    if output in {Format.TABLE, Format.CSV}:
        show(document["chain"], COLUMNS, output)
    else:
        show_one(document, output)
    if len(document["chain"]) == 1:
        raise click.exceptions.Exit(int(Exit.NOT_FOUND))
    if document["verdict"] == "broken":
        raise click.exceptions.Exit(int(Exit.PROBLEM))


def _now(target: Target, service: str) -> Any:
    ref = read_ref(service)
    try:
        return ask(target, f"/v1/services/{ref.namespace}/{ref.name}", expected=(200, 404))
    except Fault as fault:
        if fault.exit_code != Exit.UNAVAILABLE:
            raise
        return _from_database(target, service)


def _from_database(target: Target, service: str) -> dict[str, Any]:
    from suite.model.explain import Live, explain
    from suite.web.documents import service_document
    from suite.web.elsewhere import told_by_others

    ref = read_ref(service)
    with target.store() as store:
        snapshot = store.read()
        live = Live(told=told_by_others(store, store.fellows(), snapshot.bound(ref)))
    document: dict[str, Any] = plain(service_document(snapshot, explain(snapshot, ref, live)))
    return document


def _then(target: Target, ref: "ServiceRef", instant: "datetime") -> dict[str, Any]:
    from suite.model.explain_past import explain_past
    from suite.web.documents import service_document

    with target.store() as store:
        past = store.past(instant)
        witness = _witness(store, past, ref, instant)
    document: dict[str, Any] = plain(service_document(past, explain_past(past, ref, witness)))
    return document


def _witness(store: "Store", past: "Snapshot", ref: "ServiceRef", instant: "datetime") -> "Witness":
    from suite.model.event import Action
    from suite.model.explain_past import Witness

    told = store.events(ref=ref, until=instant + timedelta(microseconds=1), limit=1_000)
    refused = next((each for each in told if each.event.action in {Action.REFUSED, Action.ALLOCATED}), None)
    is_refused = refused is not None and refused.event.action is Action.REFUSED
    return Witness(
        [each for lease in past.bound(ref) for each in store.announced(lease.address, instant)],
        (refused.event.reason, refused.at) if refused is not None and is_refused else None,
        bool(told) or ref in past.holdings,
    )
