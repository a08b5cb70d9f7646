"""The sample, run as a user runs it: files in, DNS and SQL out, by the tools a user has (dig, nslookup, SQL).

On loopback without the speaker, because the sample names a BGP peer that no packet of a test may reach; the last
tests run `./suite.sh run` itself, with every role, in a network namespace that holds nothing but loopback.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fix_netns import NetLab, eventually, require_tools
from suite_running import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "deploy/examples"
OFFLINE_ROLES = ("--role", "controller", "--role", "nameserver", "--role", "web")

TEA = """\
apiVersion: v1
kind: Service
metadata: {name: tea}
spec:
  type: LoadBalancer
  ports: [{port: 80}]
"""


@dataclass(slots=True)
class Sample:
    """One run of the sample on copies of its files."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def manifests(self) -> Path:
        return self.folder / "manifests"

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text(encoding="utf-8")

    def dig(self, name: str) -> str:
        """The status and the addresses, as in `NOERROR 10.0.42.0`; nothing while nobody answers."""
        command = [
            "dig",
            "@127.0.0.1",
            "-p",
            str(self.port),
            "+time=1",
            "+tries=1",
            "+noall",
            "+comments",
            "+answer",
            name,
        ]
        lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
        status = [line.split("status: ")[1].split(",")[0] for line in lines if "status: " in line]
        return " ".join(status + [line.split()[-1] for line in lines if line and not line.startswith(";")])

    def answers(self, name: str, expected: str) -> bool:
        """Whether the name comes to be answered so."""
        return eventually(lambda: self.dig(name) == expected, within=20, every=0.05)

    def query(self, statement: str, *values: str) -> list[tuple[str, ...]]:
        """What somebody who types SQL sees."""
        with closing(sqlite3.connect(f"file:{self.folder}/state/suite.db?mode=ro", uri=True)) as database:
            return database.execute(statement, values).fetchall()

    def leases(self) -> list[tuple[str, ...]]:
        return self.query("SELECT service, address, state FROM lease_current ORDER BY service")

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10)


@contextmanager
def running(folder: Path) -> Iterator[Sample]:
    """The sample in a folder that holds its files; started, and killed at the latest when the test ends."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "suite",
        "run",
        "--config",
        folder / "suite.yaml",
        "--manifests",
        folder / "manifests",
    ]
    places = ["--state", folder / "state", "--dns-listen", f"127.0.0.1:{port}", *OFFLINE_ROLES]
    environment = {**os.environ, "SUITE_COMMAND": "./suite.sh"}
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [*command, *places],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Sample(folder, port, process)
    finally:
        process.kill()
        process.wait(timeout=5)


def copied(folder: Path) -> Path:
    """The sample's files, to be edited."""
    require_tools("dig", "nslookup")
    shutil.copy(EXAMPLES / "suite.yaml", folder)
    shutil.copytree(EXAMPLES / "manifests", folder / "manifests")
    return folder


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[Sample]:
    with running(copied(tmp_path)) as sample:
        assert sample.answers("coffee.default.service", "NOERROR 10.0.42.0"), sample.output
        yield sample


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    """One run for all tests that only look."""
    with running(copied(tmp_path_factory.mktemp("sample"))) as sample:
        yield sample


def test_both_stories_resolve(untouched: Sample) -> None:
    assert untouched.answers("coffee.default.service", "NOERROR 10.0.42.0")
    assert untouched.answers("k8s-dashboard.service", "NOERROR 10.10.10.10")


def test_nslookup_says_so_too(untouched: Sample) -> None:
    assert untouched.answers("coffee.default.service", "NOERROR 10.0.42.0")
    command = ["nslookup", f"-port={untouched.port}", "coffee.default.service", "127.0.0.1"]

    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout

    assert "Address: 10.0.42.0" in said


def test_leases_stand_in_sql(untouched: Sample) -> None:
    assert untouched.answers("coffee.default.service", "NOERROR 10.0.42.0")

    assert untouched.leases() == [("coffee", "10.0.42.0", "bound"), ("kubernetes-dashboard", "10.10.10.10", "bound")]


def test_the_three_commands_it_prints_work(untouched: Sample) -> None:
    assert eventually(lambda: "Try:" in untouched.output)

    tries = [line.split() for line in untouched.output.splitlines() if line.startswith("    ")]
    done = [subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False) for command in tries]

    assert [run.returncode for run in done] == [0, 0, 0]
    assert ["10.0.42.0" in run.stdout for run in done] == [True, True, True]


def test_added_manifest_gets_an_address_and_a_name(sample: Sample) -> None:
    (sample.manifests / "tea.yaml").write_text(TEA, encoding="utf-8")

    assert sample.answers("tea.default.service", "NOERROR 10.0.42.1")
    assert ("tea", "10.0.42.1", "bound") in sample.leases()


def test_changed_manifest_changes_the_name(sample: Sample) -> None:
    manifest = sample.manifests / "dashboard.yaml"

    manifest.write_text(
        manifest.read_text(encoding="utf-8").replace(": k8s-dashboard\n", ": board\n"), encoding="utf-8"
    )

    assert sample.answers("board.service", "NOERROR 10.10.10.10")
    assert sample.answers("k8s-dashboard.service", "NXDOMAIN")


def test_removed_manifest_leaves_a_held_address_and_no_name(sample: Sample) -> None:
    (sample.manifests / "coffee.yaml").unlink()

    assert sample.answers("coffee.default.service", "NXDOMAIN")
    assert ("coffee", "10.0.42.0", "held") in sample.leases()


def test_service_made_again_finds_its_address_again(sample: Sample) -> None:
    coffee = sample.manifests / "coffee.yaml"
    text = coffee.read_text(encoding="utf-8")
    coffee.unlink()
    assert sample.answers("coffee.default.service", "NXDOMAIN")
    (sample.manifests / "tea.yaml").write_text(TEA, encoding="utf-8")
    assert sample.answers("tea.default.service", "NOERROR 10.0.42.1")

    coffee.write_text(text, encoding="utf-8")

    assert sample.answers("coffee.default.service", "NOERROR 10.0.42.0")


def test_malformed_manifest_takes_nothing_away(sample: Sample) -> None:
    (sample.manifests / "coffee.yaml").write_text("kind: Service\nmetadata: {name: [", encoding="utf-8")
    (sample.manifests / "tea.yaml").write_text(TEA, encoding="utf-8")

    assert sample.answers("tea.default.service", "NOERROR 10.0.42.1")
    assert sample.dig("coffee.default.service") == "NOERROR 10.0.42.0"


def test_history_tells_who_had_the_address(sample: Sample) -> None:
    (sample.manifests / "coffee.yaml").unlink()
    assert sample.answers("coffee.default.service", "NXDOMAIN")

    rows = sample.query("SELECT state FROM lease_history WHERE address = ? ORDER BY valid_from, id", "10.0.42.0")

    assert rows == [("bound",), ("held",)]


def test_restart_keeps_every_address(sample: Sample) -> None:
    before = sample.query("SELECT service, address, valid_from FROM lease_current ORDER BY service")
    assert sample.end() == 0

    with running(sample.folder) as again:
        assert again.answers("k8s-dashboard.service", "NOERROR 10.10.10.10")
        after = again.query("SELECT service, address, valid_from FROM lease_current ORDER BY service")

    assert after == before


def test_kill_in_the_middle_loses_nothing(sample: Sample) -> None:
    before = sample.leases()
    sample.process.kill()
    sample.process.wait(timeout=5)

    with running(sample.folder) as again:
        assert again.answers("coffee.default.service", "NOERROR 10.0.42.0")
        assert again.leases() == before


# ---- the command itself -------------------------------------------------------------------------------------------

NO_NETWORK_PRIVILEGE = ("setpriv", "--bounding-set=-net_raw,-net_admin,-net_bind_service", "--inh-caps=-all")


@pytest.mark.net
def test_the_command_of_the_readme_answers_on_its_port(netlab: NetLab, tmp_path: Path) -> None:
    require_tools("nslookup")
    host = netlab.namespace("metal")
    host.ip("link", "set", "lo", "up")

    host.spawn(str(ROOT / "suite.sh"), "run", "--state", str(tmp_path))

    asked = ("nslookup", "-port=1053", "coffee.default.service", "127.0.0.1")
    assert eventually(lambda: "Address: 10.0.42.0" in host.run(*asked).stdout, within=30, every=0.2)


@pytest.mark.net
def test_missing_privilege_is_said_once_and_names_still_work(netlab: NetLab, tmp_path: Path) -> None:
    require_tools("nslookup", "setpriv")
    host = netlab.namespace("metal")
    host.ip("link", "set", "lo", "up")
    asked = ("nslookup", "-port=1053", "coffee.default.service", "127.0.0.1")

    with (tmp_path / "output").open("w", encoding="utf-8") as output:
        command = (*NO_NETWORK_PRIVILEGE, str(ROOT / "suite.sh"), "run", "--state", str(tmp_path / "state"))
        host.spawn(*command, stdout=output)

    assert eventually(lambda: "Address: 10.0.42.0" in host.run(*asked).stdout, within=30, every=0.2)

    def said() -> list[str]:
        return [
            line for line in (tmp_path / "output").read_text(encoding="utf-8").splitlines() if "CAP_NET_RAW" in line
        ]

    assert eventually(said, within=10)
    assert len(said()) == 1
