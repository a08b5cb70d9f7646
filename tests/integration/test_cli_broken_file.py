"""Looking needs nothing of a configuration file but its database: errors elsewhere in it do not stand in the way."""

import pytest
from click.testing import CliRunner

from suite.cli.program import program

GOOD = "address-pools: [{name: default, protocol: layer2, addresses: [10.0.42.0/24]}]\n"
BAD_POOL = "address-pools: [{name: default, protocol: layer2, addresses: [nonsense]}]\n"
NO_YAML = "address-pools: [\n"


@pytest.fixture
def ask(tmp_path):
    """Run a command with the file in the environment and a state directory that has a database."""
    path, state = tmp_path / "suite.yaml", tmp_path / "state"

    def run(text, *words):
        path.write_text(text)
        environment = {"SUITE_CONFIG": str(path), "SUITE_STATE": str(state), "SUITE_DATABASE": ""}
        return CliRunner().invoke(program, list(words), env=environment, catch_exceptions=False)

    run(GOOD, "db", "upgrade")
    return run


@pytest.mark.parametrize(
    "words", [("lease", "list"), ("audit", "log"), ("audit", "verify"), ("db", "current")], ids=" ".join
)
def test_an_error_elsewhere_in_the_file_does_not_stand_in_the_way(ask, words):
    result = ask(BAD_POOL, *words)

    assert result.exit_code == 0
    assert "configuration" not in result.stderr


def test_a_database_that_the_file_names_is_the_one_that_is_looked_into(ask, tmp_path):
    other = f"database: {{url: 'sqlite:///{tmp_path / 'other.db'}'}}\n"

    assert ask(BAD_POOL + other, "lease", "list").exit_code == 1
    ask(GOOD + other, "db", "upgrade")

    assert ask(BAD_POOL + other, "lease", "list").exit_code == 0


def test_a_file_that_is_no_yaml_is_told_of_and_the_database_there_is_looked_into(ask, tmp_path):
    result = ask(NO_YAML, "lease", "list")

    assert result.exit_code == 0
    assert "no YAML" in result.stderr
    assert f"warning: looking into {tmp_path / 'state' / 'suite.db'}" in result.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (NO_YAML, ("lease", "reserve", "10.0.42.7", "coffee")),
        (NO_YAML, ("db", "upgrade")),
        (BAD_POOL + "database: {password: 3}\n", ("lease", "list")),
    ],
    ids=["an order", "an upgrade", "the database's own section"],
)
def test_who_writes_or_whose_database_is_not_said_rightly_has_to_mend_the_file_first(ask, text, words):
    result = ask(text, *words)

    assert result.exit_code == 1
    assert "the configuration has errors" in result.stderr


@pytest.mark.usefixtures("ask")
def test_a_file_that_is_not_there_is_told(tmp_path):
    arguments = ["lease", "list", "--config", str(tmp_path / "none.yaml"), "--state", str(tmp_path / "state")]

    result = CliRunner().invoke(program, arguments, catch_exceptions=False)

    assert result.exit_code == 1
    assert "No such file or directory" in result.stderr
