"""The manual page of the command line, made from the command tree: ``python -m suite.cli.manual > docs/cli.md``."""

import re
from collections.abc import Iterator

import click

from suite.cli.fault import Exit
from suite.cli.program import program

HEAD = """\
# The command line

Made by `python -m suite.cli.manual > docs/cli.md`; a test compares this page with the program.

Every command has `--help` with an example. Lists take `-o table|json|yaml|csv`; JSON and YAML hold every field. Times are
shown in UTC and understood as people write them (`--at "tue 14:03"`, `-2h`, `yesterday 9:00`), in the zone of `--tz` or
`$TZ`. Tables are coloured on a terminal only, and never when `NO_COLOR` is set. Errors go to stderr as what, where and the
fix. `SUITE_CONFIG`, `SUITE_STATE`, `SUITE_DATABASE` and `SUITE_MANIFESTS` stand for the options of those names.
`suite completion bash|zsh|fish` prints a completion script.
"""

MEANINGS = {
    Exit.OK: "fine",
    Exit.PROBLEM: "the command worked and found something wrong",
    Exit.USAGE: "the command line is wrong (`doctor`: something will not work)",
    Exit.UNAVAILABLE: "no suite runs, or the database cannot be reached",
    Exit.NOT_FOUND: "there is no such Service, address or pool",
    Exit.REFUSED: "the change was refused, nothing was changed",
    Exit.TIMEOUT: "what was waited for did not happen in time",
    Exit.DEFECT: "a mistake in the program; please report it",
    Exit.OUTPUT: "standard output could not be written, the disk behind it is full for one",
}


def manual() -> str:
    """The page as Markdown."""
    codes = "".join(f"| {code.value} | {meaning} |\n" for code, meaning in MEANINGS.items())
    pages = "".join(_page(command, context) for command, context in commands(program, root()))
    return f"{HEAD}\n## Exit codes\n\n| code | meaning |\n|---|---|\n{codes}\n{pages}".rstrip() + "\n"


def root() -> click.Context:
    """The context every command's help is shown in."""
    return click.Context(program, info_name="suite", **program.context_settings)


def commands(group: click.Group, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Every command below ``group`` with its context, in the order of the help."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None:
            here = click.Context(command, info_name=name, parent=context)
            yield command, here
            if isinstance(command, click.Group):
                yield from commands(command, here)


def _page(command: click.Command, context: click.Context) -> str:
    """One command: its usage, what it does, its options as a table, its examples."""
    if isinstance(command, click.Group):
        return f"## {context.command_path}\n\n{_flat(command.help)}\n\n"
    depth = "##" if context.parent is not None and context.parent.parent is None else "###"
    usage = " ".join(command.collect_usage_pieces(context))
    options = [each.get_help_record(context) for each in command.params if isinstance(each, click.Option)]
    rows = "".join(f"| `{_cell(record[0])}` | {_cell(record[1])} |\n" for record in options if record)
    table = f"| option | meaning |\n|---|---|\n{rows}\n"
    return f"{depth} {context.command_path}\n\n`{context.command_path} {usage}`\n\n{_flat(command.help)}\n\n{table}{_epilog(command.epilog)}"


def _flat(text: str | None) -> str:
    paragraphs = (text or "").replace("\b", "").split("\n\n")
    return "\n\n".join(" ".join(each.split()) for each in paragraphs)


def _epilog(text: str | None) -> str:
    """Examples as code, the rest as prose."""
    parts = []
    for block in re.split(r"\n\n", text or ""):
        lines = [line for line in block.replace("\b", "").splitlines() if line.strip()]
        if lines and lines[0].startswith("Example"):
            parts.append("```\n" + "\n".join(line.strip() for line in lines[1:]) + "\n```")
        elif lines:
            parts.append(" ".join(line.strip() for line in lines))
    return "".join(f"{part}\n\n" for part in parts)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    click.echo(manual(), nl=False)
