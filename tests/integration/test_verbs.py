"""suite.sh from the outside: in a copy of the checkout whose Python only says how it was called."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("deploy/requirements.lock", "tests/requirements.lock")
TOOLS = ("sh", "cat", "dirname", "readlink", "sha256sum", "grep", "id", "flock", "env", "sed")


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """suite.sh and what it reads; no .venv yet."""
    for name in ("suite.sh", *LOCKS):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def prepared(checkout: Path) -> Path:
    """The same with a .venv that is up to date."""
    python = script(checkout / ".venv/bin/python", 'echo "$PWD: $*"; echo "state: ${STATE_DIRECTORY:-none}"')
    for lock, stamp in zip(LOCKS, ("runtime_lock", "test_lock"), strict=True):
        digest = hashlib.sha256((checkout / lock).read_bytes()).hexdigest()
        (checkout / f".venv/.stamp-{stamp}").write_text(f"{digest} {python.resolve()}\n", encoding="ascii")
    return checkout


def verb(checkout: Path, *arguments: str, cwd: Path | None = None, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [checkout / "suite.sh", *arguments],
        cwd=cwd or checkout,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_run_starts_the_sample(prepared: Path) -> None:
    _, said = verb(prepared, "run")

    sample = f"--config {prepared}/deploy/examples/suite.yaml --manifests {prepared}/deploy/examples/manifests"
    assert f"-P -m suite run {sample} --state {prepared}/.state\n" in said


def test_own_files_replace_the_sample(prepared: Path) -> None:
    _, said = verb(prepared, "run", "--config", "mine.yaml", "--manifests=mine")

    assert f"-m suite run --state {prepared}/.state --config mine.yaml --manifests=mine\n" in said


def test_own_database_serves_the_sample(prepared: Path) -> None:
    _, said = verb(prepared, "run", "--database", "postgresql:///suite", "--state", "there")

    assert said.splitlines()[0].endswith("/manifests --database postgresql:///suite --state there")


def test_own_files_are_named_from_where_the_user_stands(
    prepared: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    _, said = verb(prepared, "run", "--config", "mine.yaml", cwd=elsewhere)

    assert said.startswith(f"{elsewhere}: -P -m suite run")


def test_link_to_the_script_finds_its_checkout(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    link = tmp_path_factory.mktemp("bin") / "suite"
    link.symlink_to(prepared / "suite.sh")

    said = subprocess.run([link, "status"], capture_output=True, text=True, check=True).stdout

    assert said.splitlines()[1] == f"state: {prepared}/.state"


def test_changed_lock_is_installed_before_anything_starts(prepared: Path) -> None:
    with (prepared / LOCKS[0]).open("a", encoding="utf-8") as lock:
        lock.write("extra==1.0 \\\n    --hash=sha256:00\n")

    _, said = verb(prepared, "run")

    assert "pip install -qq" in said
    assert said.index("pip install") < said.index("suite run")


def test_next_start_after_an_installation_is_instant(prepared: Path) -> None:
    (prepared / ".venv/.stamp-runtime_lock").unlink()
    verb(prepared, "version")

    assert "pip" not in verb(prepared, "version")[1]


def test_failed_installation_starts_nothing(prepared: Path) -> None:
    script(prepared / ".venv/bin/python", 'case "$*" in *install*) echo no wheel; exit 1;; *) echo "$*";; esac')
    (prepared / ".venv/.stamp-runtime_lock").unlink()

    code, said = verb(prepared, "run")

    assert code == 1
    assert said.endswith("no wheel\nsuite.sh: pip could not install the packages; the lines above say why\n")


def test_too_old_python_is_refused_in_words(checkout: Path) -> None:
    script(checkout / "bin/python3", 'case "$2" in *print*) echo 3.9;; *) exit 1;; esac')
    for tool in TOOLS:
        (checkout / "bin" / tool).symlink_to(str(shutil.which(tool)))

    code, said = verb(checkout, "run", SUITE_PYTHON="python3", PATH=str(checkout / "bin"))

    assert code == 1
    assert said.splitlines() == [
        "suite.sh: python3 is 3.9: too old",
        "suite.sh: SUITE_PYTHON=python3 is no Python 3.11 or later with venv and ensurepip",
    ]


@pytest.fixture
def benches(prepared: Path) -> Path:
    for name in ("l2/bench_arp.py", "bench_names.py", "store/bench.py"):
        script(prepared / "tests/bench" / name, "")
    return prepared


def started(said: str) -> list[str]:
    return [
        line.partition(": tests/bench/")[2] for line in said.splitlines() if not line.startswith(("suite", "state"))
    ]


def test_benchmark_that_does_not_exist_is_named(benches: Path) -> None:
    assert verb(benches, "bench", "speed") == (1, "suite.sh: there is no benchmark speed in tests/bench\n")


def test_all_benchmarks_run_where_none_is_named(benches: Path) -> None:
    _, said = verb(benches, "bench")

    assert started(said) == ["bench_names.py", "l2/bench_arp.py", "store/bench.py"]


@pytest.mark.parametrize(("name", "file"), [("arp", "l2/bench_arp.py"), ("store", "store/bench.py")])
def test_benchmark_is_named_by_its_file_or_its_folder(benches: Path, name: str, file: str) -> None:
    _, said = verb(benches, "bench", name)

    assert started(said) == [file]


def test_help_needs_nothing(checkout: Path) -> None:
    code, said = verb(checkout)

    assert code == 0
    assert said.startswith("usage: ./suite.sh VERB")
    assert not (checkout / ".venv").exists()
