"""What the program cannot start with is told in one line with exit code 3; it is no mistake in the program."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "suite", "run", *map(str, options)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def busy():
    """A TCP port of the loopback that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_state_directory_that_cannot_be_made_is_told(tmp_path: Path):
    (tmp_path / "file").touch()

    ended = run("--role", "web", "--state", tmp_path / "file" / "state")

    assert (ended.returncode, "cannot be made: Not a directory" in ended.stderr) == (3, True)


def test_a_state_directory_too_deep_for_a_socket_is_told(tmp_path: Path):
    ended = run("--role", "web", "--state", tmp_path / ("x" * 110))

    assert (ended.returncode, "choose a shorter state directory" in ended.stderr) == (3, True)


def test_a_port_of_the_api_that_is_taken_is_told(tmp_path: Path, busy: int):
    (tmp_path / "suite.yaml").write_text(f"web: {{listen: '127.0.0.1:{busy}'}}\n", encoding="utf-8")

    ended = run("--role", "web", "--state", tmp_path / "state", "--config", tmp_path / "suite.yaml")

    assert (ended.returncode, f"127.0.0.1:{busy}: Address already in use" in ended.stderr) == (3, True)


def test_a_kubeconfig_that_leads_nowhere_is_told(tmp_path: Path):
    ended = run("--role", "controller", "--state", tmp_path / "state", "--kubeconfig", tmp_path / "none")

    assert (ended.returncode, "ERROR   no way to a cluster" in ended.stderr) == (3, True)
