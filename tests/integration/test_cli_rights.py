"""Somebody who may not open the state directory is told so, by every command, without a traceback."""

import os
import stat
from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from suite.cli.program import program

NOBODY = 65534
COMMANDS = [
    ["lease", "list"],
    ["lease", "reserve", "10.0.42.7"],
    ["pool", "drain", "default"],
    ["audit", "verify"],
    ["db", "check"],
    ["db", "upgrade"],
    ["dns", "list"],
    ["status"],
    ["explain", "coffee"],
]


@contextmanager
def without_rights():
    """Be nobody for a while; somebody who is not root has no rights in a directory closed to all anyway."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def closed(tmp_path):
    """A state directory with a database, which nobody may enter."""
    state = tmp_path / "state"
    assert CliRunner().invoke(program, ["db", "upgrade", "--state", str(state)]).exit_code == 0
    state.chmod(0)
    yield state
    state.chmod(0o700)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_closed_state_directory_is_told_with_a_fix(closed, arguments):
    with without_rights():
        result = CliRunner().invoke(program, [*arguments, "--state", str(closed)], catch_exceptions=False)

    assert result.exit_code == 3
    assert result.stderr.startswith("error: ")
    assert "fix:   run this command as the user who runs the suite, or with sudo" in result.stderr


def test_doctor_names_the_closed_directory_and_goes_on(closed):
    with without_rights():
        result = CliRunner().invoke(program, ["doctor", "--state", str(closed)], catch_exceptions=False)

    assert result.exit_code == 2
    assert f"{closed} cannot be written" in result.stdout
    assert "configuration" in result.stdout


def test_what_the_suite_makes_is_its_user_s_alone(tmp_path):
    CliRunner().invoke(program, ["db", "upgrade", "--state", str(tmp_path / "state")])

    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state", tmp_path / "state" / "suite.db")
    }
    assert modes == {"state": 0o700, "suite.db": 0o600}
