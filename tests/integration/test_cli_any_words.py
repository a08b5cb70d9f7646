"""Whatever words are typed behind a command, it ends with a documented code and no traceback."""

import click
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suite.cli.fault import Exit
from suite.cli.manual import commands, root
from suite.cli.program import program

LONG = {"suite run", "suite status", "suite db backup", "suite db restore", "suite audit export", "suite audit prune"}
"""Those that wait, or write where the words say."""
TREE = {
    context.command_path: command
    for command, context in commands(program, root())
    if not isinstance(command, click.Group) and context.command_path not in LONG
}
VALUES = st.sampled_from(
    ["10.0.42.7", "10.0.42.0/24", "10.0.42.9-10.0.42.1", "::1", "coffee", "a/b", "json", "csv", "table", "tue 14:03", "-2h", "-", "0", "-1", "default", "/", "..", "A", "bash", "\udcff"]
)  # fmt: skip

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4)
"""No argument of a program holds a NUL."""


def words(command):
    """Options of the command and others, with values that fit and values that do not."""
    options = [option for parameter in command.params for option in parameter.opts if option.startswith("-")]
    known = [
        option
        for option in options
        if option not in {"--state", "--database", "--config", "--manifests", "--import", "--timeout", "--server"}
    ]
    return st.lists(st.one_of(st.sampled_from([*known, "--help", "-x"]), VALUES, TEXTS), max_size=5)


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """A fresh database."""
    path = tmp_path_factory.mktemp("state")
    assert CliRunner().invoke(program, ["db", "upgrade", "--state", str(path)]).exit_code == 0
    return path


@pytest.mark.parametrize("path", TREE)
def test_any_words_end_with_a_documented_code(state, path):
    @given(words(TREE[path]))
    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    def type_them(typed):
        arguments = [*path.split()[1:], *typed]
        has_places = any(option in each.opts for each in TREE[path].params for option in ("--state",))
        places = ["--state", str(state)] if has_places else []
        head = len(path.split()) - 1

        result = CliRunner().invoke(program, [*arguments[:head], *places, *arguments[head:]], catch_exceptions=False)

        assert result.exit_code in set(Exit) - {Exit.DEFECT}

    type_them()
