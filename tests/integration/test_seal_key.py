"""A sealed audit log: the program and the command line use the same key, and a log rewritten without it is found out."""

import subprocess
import sys
from pathlib import Path

import pytest

from suite.store import read_seal_key
from suite.store.errors import StoreError

ROOT = Path(__file__).resolve().parents[2]


def suite(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "suite", *words, "--config", f"{folder}/suite.yaml", "--state", f"{folder}/state"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "seal.key").write_text("0123456789abcdef0123456789abcdef\n", encoding="ascii")
    (tmp_path / "suite.yaml").write_text(f"database: {{seal-key-file: {tmp_path}/seal.key}}\n", encoding="utf-8")
    return tmp_path


def test_a_log_sealed_by_the_command_line_verifies_with_the_key_and_not_with_another(folder: Path) -> None:
    suite(folder, "db", "upgrade")
    good = suite(folder, "audit", "verify").returncode
    (folder / "seal.key").write_text("ffffffffffffffffffffffffffffffff\n", encoding="ascii")

    assert (good, suite(folder, "audit", "verify").returncode) == (0, 1)


def test_a_short_key_is_refused_with_the_command_that_makes_a_good_one(tmp_path: Path) -> None:
    (tmp_path / "short").write_text("secret", encoding="ascii")

    with pytest.raises(StoreError, match="openssl rand -hex 32"):
        read_seal_key(str(tmp_path / "short"))
