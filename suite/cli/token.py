"""``suite token``: create, list, revoke."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from suite.cli.clock import now
from suite.cli.desk import carry_out, done, order
from suite.cli.fault import Exit, Fault
from suite.cli.options import format_option, reason_option, target_options
from suite.cli.output import Format, show, show_one
from suite.cli.target import Target

if TYPE_CHECKING:
    from suite.model.changes import Changes
    from suite.model.refusal import Refusal
    from suite.model.snapshot import Snapshot
    from suite.model.token import Token

ROLES = ("speaker", "nameserver", "web")
SCOPES = ("read", "write")
COLUMNS = ("id", "name", "for", "node", "created", "by", "expires", "state")


@click.group("token", epilog="\b\nExample:\n  suite token create --role speaker --node compute2 > compute2.token")
def command() -> None:
    """Tokens: who may follow this suite, ask it or order something over the network."""


@command.command(
    "create",
    epilog="\b\nExamples:\n  suite token create --role speaker --node compute2 > compute2.token\n"
    "  suite token create --name grafana --scope read --expires 90d",
)
@click.option(
    "--role", "roles", multiple=True, type=click.Choice(ROLES), help="To follow the feed in this role; may be repeated."
)
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="To use the API; may be repeated.")
@click.option("--name", default="", help="What it is called in lists and logs.  [default: its role and node]")
@click.option("--node", default="", metavar="NAME", help="The only node that it may report for.")
@click.option(
    "--expires", default="365d", show_default=True, metavar="TIME", help="How long it counts: 90d, 12h, never."
)
@target_options
@reason_option
def create(
    roles: tuple[str, ...], scopes: tuple[str, ...], name: str, node: str, expires: str, target: Target, reason: str
) -> None:
    """Make a token and print it, once.

    The token alone goes to standard output; what else a follower needs goes to standard error.
    """
    import secrets

    from suite.controller.credentials import create_token
    from suite.model.token import Scope

    words = (*roles, *scopes)
    if not words:
        raise click.UsageError("say what the token is for with --role or --scope")
    called = name or "-".join(filter(None, (*words, node)))
    identity = (secrets.token_hex(6), secrets.token_urlsafe(32))
    begin = now()
    changes, text = create_token(
        identity, called, tuple(map(Scope, words)), order(reason), begin, node=node,
        expires=None if expires == "never" else begin + _span(expires),
    )  # fmt: skip
    carry_out(target, lambda _snapshot: changes)
    click.echo(text)
    click.echo(f"token {called} counts from now on; it is shown this once", err=True)
    if fingerprint := _fingerprint(target):
        click.echo(f"the authority's fingerprint is {fingerprint}", err=True)


@command.command("list", epilog="\b\nExamples:\n  suite token list\n  suite token list -o json")
@target_options
@format_option
def list_tokens(target: Target, output: Format) -> None:
    """Every token, the newest first; never its secret."""
    with target.store() as store:
        tokens = store.tokens()
    show([_row(each) for each in tokens], COLUMNS, output, empty="there is no token")


@command.command("revoke", epilog='\b\nExample:\n  suite token revoke compute2 --reason "the machine was sold"')
@click.argument("token")
@target_options
@reason_option
def revoke(token: str, target: Target, reason: str) -> None:
    """End TOKEN, named by its id or name; it counts for some seconds more at most."""
    from suite.controller.credentials import revoke_token

    given = order(reason)
    with target.store() as store:
        known = store.tokens()

    def decide(_snapshot: "Snapshot") -> "Changes | Refusal":
        return revoke_token(known, token, given)

    changes, _ = carry_out(target, decide)
    done(changes, f"{len(changes.tokens_revoked)} revoked")


@command.command("authority", epilog="\b\nExample:\n  suite token authority > suite-authority.pem")
@target_options
@format_option
def authority(target: Target, output: Format) -> None:
    """Print the certificate that followers pin."""
    from suite.store.remote.client import fingerprint_of

    with target.store() as store:
        known = store.authority()
    if known is None:
        fix = "set web.feed-listen and start the suite; it makes one"
        raise Fault("there is no authority yet", where=str(target.state), fix=fix, code=Exit.NOT_FOUND)
    if output is Format.TABLE:
        click.echo(known[0], nl=False)
    else:
        show_one({"certificate": known[0], "fingerprint": fingerprint_of(known[0])}, output)


def _span(text: str) -> timedelta:
    """A duration as the configuration writes it."""
    from suite.config.values import parse_duration

    try:
        span = timedelta(seconds=parse_duration(text))
    except ValueError:
        raise click.UsageError(f"--expires {text!r} is no time; write 90d, 12h or never") from None
    if not span:
        raise click.UsageError("--expires 0 would end it at once")
    return span


def _fingerprint(target: Target) -> str:
    from suite.store.remote.client import fingerprint_of

    with target.store() as store:
        known = store.authority()
    return fingerprint_of(known[0]) if known else ""


def _row(token: "Token") -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "for": ", ".join(sorted(token.scopes)),
        "node": token.node,
        "created": token.created,
        "by": token.created_by,
        "expires": token.expires,
        "state": token.fault(now()).removeprefix("the token ") or "counts",
    }
