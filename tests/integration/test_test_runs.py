"""What a run of the tests says about skips, seen from outside: a run of its own over a file of three tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = """\
import pytest

def test_runs(): pass
def test_skips(): pytest.skip("needs a tool")
def test_needs_another_machine(): pytest.skip("beyond this machine: no cluster")
@pytest.mark.soak
def test_takes_long(): raise AssertionError
"""


def outcome(tmp_path: Path, *options: str) -> str:
    """The summary line of a run with the project's own conftest."""
    (tmp_path / "test_three.py").write_text(TESTS, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "--rootdir", tmp_path, "-p", "conftest"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests"), "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        [*command, *options, tmp_path], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    return done.stdout.splitlines()[-1].strip("= ").rpartition(" in ")[0]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "1 passed, 2 skipped, 1 deselected"),
        (["--no-skips"], "1 failed, 1 passed, 1 skipped, 1 deselected"),
        (["--soak"], "1 failed, 1 passed, 2 skipped"),
    ],
    ids=["a-skip-is-fine", "a-skip-fails", "soak-runs"],
)
def test_skips_and_soak(tmp_path: Path, options: list[str], expected: str) -> None:
    assert outcome(tmp_path, *options) == expected
