"""``suite completion SHELL``."""

import click

HOWTO = {
    "bash": "suite completion bash > ~/.local/share/bash-completion/completions/suite",
    "zsh": "suite completion zsh > ~/.zfunc/_suite   # a directory in your fpath",
    "fish": "suite completion fish > ~/.config/fish/completions/suite.fish",
}


@click.command("completion", epilog="\b\nExamples:\n  " + "\n  ".join(HOWTO.values()))
@click.argument("shell", type=click.Choice(list(HOWTO)))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script for a shell."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:  # the choice above is what click knows
        raise click.UsageError(f"no completions for {shell}")
    click.echo(kind(context.find_root().command, {}, "suite", "_SUITE_COMPLETE").source())
