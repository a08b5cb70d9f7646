"""The command tree: instant, summarised truly, documented wholly, and free of tracebacks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from suite.cli.fault import show_defect
from suite.cli.manual import commands, manual, root
from suite.cli.program import PLACES, program

TREE = {context.command_path: command for command, context in commands(program, root())}
HEAVY = (
    "sqlalchemy",
    "kubernetes",
    "scapy",
    "fastapi",
    "pydantic",
    "prometheus_client",
    "dnslib",
    "yaml",
    "asyncio",
    "rpds",
)


def suite(*arguments, **environment):
    """The real program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "suite", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, **environment},
    )


def test_help_imports_nothing_heavy():
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "suite", "--help"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    imported = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in result.stderr.splitlines() if "|" in line}
    assert imported.isdisjoint(HEAVY)


def test_help_names_every_command():
    output = suite("--help").stdout

    assert all(f"  {name} " in output for name in PLACES)


@pytest.mark.parametrize("name", PLACES)
def test_a_command_s_summary_is_its_own_first_sentence(name):
    command = TREE[f"suite {name}"]

    assert (command.help or "").split("\n\n")[0].replace("\n", " ") == PLACES[name][1]


@pytest.mark.parametrize("path", TREE)
def test_every_command_has_help_with_an_example(path):
    result = CliRunner().invoke(program, [*path.split()[1:], "--help"])

    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert TREE[path].help


def test_the_manual_page_is_that_of_this_program():
    page = Path(__file__).resolve().parents[2] / "docs" / "cli.md"

    assert page.read_text("utf-8") == manual(), "run: python -m suite.cli.manual > docs/cli.md"


def test_options_mean_the_same_everywhere():
    letters = {}
    for command in TREE.values():
        for option in command.params:
            for letter in (each for each in option.opts if len(each) == 2):
                letters.setdefault(letter, set()).add(option.name)

    assert all(len(names) == 1 for names in letters.values())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_there_for_every_shell(shell):
    result = CliRunner().invoke(program, ["completion", shell])

    assert result.exit_code == 0
    assert "_SUITE_COMPLETE" in result.stdout


def test_completion_completes():
    result = suite(COMP_WORDS="suite lea", COMP_CWORD="1", _SUITE_COMPLETE="bash_complete")

    assert result.stdout == "plain,lease\n"


def test_an_unknown_command_is_wrong_usage():
    result = suite("leese")

    assert result.returncode == 2
    assert "No such command 'leese'" in result.stderr


def test_a_mistake_of_ours_is_told_without_a_traceback(capsys):
    try:
        int("ten")
    except ValueError as error:
        show_defect(ValueError, error, error.__traceback__)

    first, second, third = capsys.readouterr().err.splitlines()
    assert first == "error: this is a defect in suite: ValueError: invalid literal for int() with base 10: 'ten'"
    assert second.startswith(f"where: {__file__}:")
    assert third.startswith("fix:   please report it")


def test_output_into_a_closed_pipe_is_no_error():
    program_and_head = f"{sys.executable} -m suite --help | head -1"

    result = subprocess.run(["sh", "-c", program_and_head], capture_output=True, text=True, timeout=30, check=True)

    assert result.stderr == ""


def test_version_is_told_to_people_and_programs():
    assert suite("--version").stdout.startswith("suite ")
    assert json.loads(suite("version", "-o", "json").stdout)["suite"]
