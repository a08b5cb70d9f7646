"""Configuration and manifests on the command line: checked, converted, planned, without a database or a running suite."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from suite.cli.program import program

EXAMPLES = Path(__file__).resolve().parents[2] / "deploy" / "examples"
GOOD = "address-pools:\n- name: default\n  protocol: layer2\n  addresses: [10.0.42.0/24]\n"
BAD = GOOD.replace("addresses", "adresses").replace("layer2", "layer3")


def suite(*arguments, stdin=None):
    return CliRunner().invoke(program, list(map(str, arguments)), input=stdin, catch_exceptions=False)


@pytest.fixture
def written(tmp_path):
    """Write a file; its path."""

    def write(text, name="suite.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_a_good_file_is_fine(written):
    result = suite("config", "check", written(GOOD))

    assert result.exit_code == 0
    assert result.stdout.startswith("fine: 1 pool, digest ")


def test_every_problem_is_named_with_file_line_and_path(written):
    path = written(BAD)

    result = suite("config", "check", path)

    assert result.exit_code == 1
    places = [line.split(": ")[1:3] for line in result.stderr.splitlines()]
    assert [f"{path}:4", "address-pools[0].adresses"] in places
    assert [f"{path}:3", "address-pools[0].protocol"] in places


def test_problems_are_documents_for_programs(written):
    rows = json.loads(suite("config", "check", written(BAD), "-o", "json").stdout)

    assert {(each["line"], each["severity"]) for each in rows} >= {(3, "error"), (4, "error")}


def test_a_file_may_come_from_a_pipe():
    assert suite("config", "check", "-", stdin=GOOD).exit_code == 0


def test_a_file_that_is_not_there_is_wrong_usage():
    result = suite("config", "check", "missing.yaml")

    assert result.exit_code == 2
    assert result.stderr == "error: there is no such file\nwhere: missing.yaml\n"


def test_the_old_format_becomes_resources_and_comes_back(written):
    resources = suite("config", "convert", "--to", "resources", written(GOOD))
    back = suite("config", "convert", "--to", "native", written(resources.stdout, "resources.yaml"))

    assert [each["kind"] for each in yaml.safe_load_all(resources.stdout)] == ["IPAddressPool", "L2Advertisement"]
    assert yaml.safe_load(back.stdout) == yaml.safe_load(GOOD)


def test_what_cannot_be_converted_is_told(written):
    result = suite("config", "convert", "--to", "resources", written(GOOD + "hold-time: 1h\n"))

    assert result.exit_code == 0
    assert "hold-time: custom resources have no word for hold-time" in result.stderr


def test_a_bad_file_is_not_converted(written):
    result = suite("config", "convert", "--to", "resources", written(BAD))

    assert (result.exit_code, result.stdout) == (1, "")


def test_the_schema_accepts_the_reference_and_the_sample():
    schema = json.loads(suite("config", "schema").stdout)

    for text in (suite("config", "reference").stdout, (EXAMPLES / "suite.yaml").read_text()):
        jsonschema.validate(yaml.safe_load(text), schema)


def test_a_first_turn_is_shown_before_there_is_a_database(tmp_path):
    result = suite(
        "plan",
        "--config",
        EXAMPLES / "suite.yaml",
        "--manifests",
        EXAMPLES / "manifests",
        "--state",
        tmp_path,
        "-o",
        "json",
    )

    actions = {(each["action"], each["service"], each["address"]) for each in json.loads(result.stdout)["actions"]}
    assert ("allocated", "default/coffee", "10.0.42.0") in actions
    assert list(tmp_path.iterdir()) == []


def test_a_plan_needs_a_good_configuration(written, tmp_path):
    result = suite("plan", "--config", written(BAD), "--manifests", EXAMPLES / "manifests", "--state", tmp_path)

    assert result.exit_code == 1
    assert "the configuration has errors:" in result.stderr
    assert "fix:   mend them" in result.stderr


def test_a_database_that_is_no_database_is_told(tmp_path):
    (tmp_path / "suite.db").write_text("this is a letter to my aunt")

    result = suite("lease", "list", "--state", tmp_path)

    assert result.exit_code == 3
    assert result.stderr.startswith("error: ")
    assert (tmp_path / "suite.db").read_text() == "this is a letter to my aunt"


@pytest.mark.parametrize("url", ["mysql://x/y", "suite.db", "postgresql://u:secret@localhost/x", "sqlite://"])
def test_a_database_url_that_cannot_be_used_is_told_without_a_traceback(tmp_path, url):
    result = suite("lease", "list", "--state", tmp_path, "--database", url)

    assert result.exit_code in {3, 5}
    assert result.stderr.startswith("error: ")
    assert "secret" not in result.stderr


def test_a_configuration_that_is_bad_is_told_by_commands_that_need_its_database(written, tmp_path):
    result = suite("lease", "list", "--state", tmp_path, "--config", written(BAD))

    assert result.exit_code == 1
    assert "address-pools[0].protocol" in result.stderr
