"""The whole program, treated badly: killed at any instruction, left alone for a minute, given rubbish, a full disk."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fix_netns import eventually

ROOT = Path(__file__).resolve().parents[2]

CONFIG = """
address-pools:
  - {name: default, protocol: layer2, addresses: [10.0.42.0/23]}
hold-time: 0
cooling-time: 0
"""


def service(name: str, port: int = 80) -> str:
    return (
        "apiVersion: v1\nkind: Service\n"
        f"metadata: {{name: {name}}}\n"
        f"spec: {{type: LoadBalancer, ports: [{{port: {port}}}]}}\n"
    )


@dataclass
class Program:
    """A suite with a controller and nothing that needs a network."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        (self.folder / "manifests").mkdir(parents=True)
        (self.folder / "suite.yaml").write_text(CONFIG, encoding="utf-8")

    def start(self, *roles: str) -> None:
        command = [sys.executable, "-m", "suite", "run"]
        command += [word for role in roles or ("controller", "web") for word in ("--role", role)]
        command += ["--config", f"{self.folder}/suite.yaml", "--manifests", f"{self.folder}/manifests"]
        command += ["--state", f"{self.folder}/state"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        return self.process.wait(20)

    def write(self, name: str, text: str) -> None:
        """As a careful editor does: aside, then renamed over the old file."""
        aside = self.folder / f"{name}.aside"
        aside.write_text(text, encoding="utf-8")
        aside.rename(self.folder / "manifests" / name)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(f"file:{self.folder}/state/suite.db?mode=ro", uri=True)) as database:
            return database.execute(sql).fetchall()

    def bound(self) -> dict[str, str]:
        with contextlib.suppress(sqlite3.OperationalError):
            return dict(
                self.rows("SELECT service, address FROM lease WHERE valid_to IS NULL AND state = 'bound'")  # type: ignore[arg-type]
            )
        return {}

    def chain_is_whole(self) -> bool:
        command = [sys.executable, "-m", "suite", "audit", "verify", "--state", f"{self.folder}/state"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path / "run")
    yield program
    if program.process is not None:
        program.end(signal.SIGKILL)


def test_sigterm_ends_the_program_at_once_and_cleanly(program: Program) -> None:
    program.write("a.yaml", service("a"))
    program.start()
    assert eventually(lambda: program.bound() == {"a": "10.0.42.0"}, within=20)

    assert program.end() == 0


def test_a_bad_configuration_is_kept_out_across_a_restart_too(program: Program) -> None:
    program.write("a.yaml", service("a"))
    program.start()
    assert eventually(lambda: "a" in program.bound(), within=20)
    (program.folder / "suite.yaml").write_text("address-pools: [{name: x, protocol: layer2, addresses: [nonsense]}]")
    assert eventually(lambda: "nonsense" in program.log(), within=20)
    program.end()

    program.write("b.yaml", service("b"))
    program.start()

    assert eventually(lambda: program.bound() == {"a": "10.0.42.0", "b": "10.0.42.1"}, within=20)


def test_a_configuration_that_is_no_yaml_at_a_start_leaves_dns_where_it_was(program: Program) -> None:
    (program.folder / "suite.yaml").write_text(CONFIG + "dns: {listen: [127.0.0.1:5399]}\n", encoding="utf-8")
    program.write("a.yaml", service("a"))
    program.start("controller", "nameserver", "web")
    assert eventually(lambda: "a" in program.bound(), within=20)
    program.end()
    (program.folder / "suite.yaml").write_text("address-pools: [\n", encoding="utf-8")

    program.start("controller", "nameserver", "web")

    assert eventually(lambda: dig("a.default.service", 5399) == "10.0.42.0", within=20)


def dig(name: str, port: int) -> str:
    command = ["dig", "+short", "+time=1", "+tries=1", "@127.0.0.1", "-p", str(port), name]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def test_a_lost_database_gives_every_service_its_old_address_back(program: Program) -> None:
    program.write("a.yaml", service("a"))
    program.start()
    assert eventually(lambda: "a" in program.bound(), within=20)
    program.write("b.yaml", service("b"))
    kept = program.folder / "state" / "leases.last"
    assert eventually(lambda: kept.exists() and "default/b" in kept.read_text(), within=20)
    program.end()
    for file in (program.folder / "state").glob("suite.db*"):
        file.unlink()

    program.write("0.yaml", service("newcomer"))
    program.start()

    expected = {"a": "10.0.42.0", "b": "10.0.42.1", "newcomer": "10.0.42.2"}
    assert eventually(lambda: program.bound() == expected, within=20)


def test_a_second_suite_on_the_same_state_is_refused_in_words(program: Program) -> None:
    program.start()
    assert eventually((program.folder / "state" / "suite.sock").exists, within=20)
    first = program.process

    program.start()

    assert program.process is not None
    assert program.process.wait(20) != 0
    assert "another suite" in program.log()
    program.process = first


@pytest.mark.timeout(600)
@pytest.mark.parametrize("rounds", [pytest.param(4, id="short"), pytest.param(60, id="long", marks=pytest.mark.soak)])
def test_killed_at_any_instruction_no_committed_lease_is_lost_and_the_chain_is_whole(
    program: Program, rounds: int
) -> None:
    dice = random.Random(rounds)
    known: dict[str, str] = {}
    for number in range(rounds):
        program.start()
        program.write(f"s{number}-0.yaml", service(f"s{number}-0"))
        assert eventually(lambda: f"s{number}-0" in program.bound(), within=20)  # noqa: B023 - called at once
        for step in range(1, 5):
            program.write(f"s{number}-{step}.yaml", service(f"s{number}-{step}"))
            time.sleep(dice.uniform(0, 0.1))  # the moment of the kill, amid commits, is what the test is about
        program.end(signal.SIGKILL)
        now = program.bound()
        assert {name: now.get(name) for name in known} == known
        assert len(set(now.values())) == len(now)
        known = now

    program.start()
    assert eventually(lambda: len(program.bound()) == 5 * rounds, within=30)
    assert program.chain_is_whole()


def written(pid: int) -> int:
    """Octets that a process group has caused to be written to the disk."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            if os.getpgid(int(folder.name)) == pid:
                fields = dict(line.split(": ") for line in (folder / "io").read_text().splitlines())
                total += int(fields["write_bytes"])
    return total


@pytest.mark.soak
@pytest.mark.timeout(150)
def test_an_idle_suite_writes_nothing_to_the_disk_for_a_minute(program: Program) -> None:
    program.write("a.yaml", service("a"))
    program.start()
    assert eventually(lambda: "a" in program.bound(), within=20)
    time.sleep(10)  # the last leases are kept some seconds after the last change
    assert program.process is not None
    before = written(program.process.pid)

    time.sleep(60)

    assert written(program.process.pid) == before
