"""The command line beside a running suite: what it is told, and what its orders do."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

CONFIG = """\
address-pools:
- name: default
  protocol: layer2
  addresses: [10.0.42.0/24]
dns:
  zones: [service]
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{type: LoadBalancer, ports: [{{port: 80}}]}}
"""
ROLES = ("--role", "controller", "--role", "nameserver", "--role", "web")


@dataclass(frozen=True, slots=True)
class Suite:
    """One running suite and the command line that talks to it."""

    folder: Path
    port: int

    def run(self, *arguments, **environment):
        """A command in a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "suite", *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, "SUITE_STATE": str(self.folder / "state"), **environment},
        )

    def told(self, *arguments):
        """What a command says in JSON."""
        return json.loads(self.run(*arguments, "-o", "json").stdout)

    def write(self, *names):
        """Let these be the Services, by one rename, as `kubectl apply` of one file would."""
        fresh = self.folder / "fresh"
        fresh.write_text("---\n".join(SERVICE.format(name=name) for name in names))
        fresh.replace(self.folder / "manifests" / "services.yaml")

    def leases(self):
        """Address by Service, of those that are bound."""
        found = self.told("lease", "list", "--status", "bound")
        return {each["service"]: each["address"] for each in found}


def eventually(look, seconds=10.0):
    """Whether ``look`` comes true in time."""
    deadline = time.monotonic() + seconds
    while not (seen := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return seen


@contextmanager
def started(tmp_path):
    """A suite with the Services milk (10.0.42.0) and tea (10.0.42.1)."""
    (tmp_path / "manifests").mkdir()
    (tmp_path / "suite.yaml").write_text(CONFIG)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        suite = Suite(tmp_path, probe.getsockname()[1])
    suite.write("tea", "milk")
    options = (
        "--config",
        tmp_path / "suite.yaml",
        "--manifests",
        tmp_path / "manifests",
        "--state",
        tmp_path / "state",
    )
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "suite", "run", *options, "--dns-listen", f"127.0.0.1:{suite.port}", *ROLES],
            stdout=log,
            stderr=log,
        )
    waited = suite.run("status", "--wait", "--timeout", "20")
    assert waited.returncode == 0, waited.stdout + waited.stderr + (tmp_path / "log").read_text()
    yield suite
    process.send_signal(signal.SIGTERM)
    process.wait(10)


@pytest.fixture
def running(tmp_path):
    """A suite to change."""
    with started(tmp_path) as suite:
        yield suite


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """A suite that tests only look at."""
    with started(tmp_path_factory.mktemp("calm")) as suite:
        yield suite


def test_status_lists_every_role_with_the_revision_it_follows(calm):
    document = calm.told("status")

    assert {each["role"] for each in document["instances"]} == {"controller", "nameserver", "web"}
    assert len({each["revision"] for each in document["instances"]}) == 1
    assert document["troubles"] == []


def test_status_of_another_database_is_that_of_who_lives_on_it(calm, tmp_path):
    other = f"sqlite:///{tmp_path / 'other.db'}"
    calm.run("db", "upgrade", "--database", other)

    own = calm.told("status", "--database", f"sqlite:///{calm.folder / 'state' / 'suite.db'}")

    assert calm.told("status", "--database", other)["instances"] == []
    assert {each["here"] for each in own["instances"]} == {True}


def test_a_service_is_explained_up_to_what_is_answered(calm):
    document = calm.told("explain", "tea")

    assert {"stage": "answer", "verdict": "ok"}.items() <= document["chain"][-1].items()


def test_a_name_is_asked_for_where_the_suite_listens(calm):
    assert calm.run("dns", "query", "tea.default.service", "--short").stdout == "10.0.42.1\n"
    assert calm.run("dns", "query", "nothing.default.service").returncode == 1


def test_a_file_that_was_broken_since_does_not_hide_where_the_suite_listens(calm, tmp_path):
    (tmp_path / "broken.yaml").write_text("address-pools: [\n")

    result = calm.run("dns", "query", "tea.default.service", SUITE_CONFIG=str(tmp_path / "broken.yaml"))

    assert (result.returncode, "10.0.42.1" in result.stdout) == (0, True)


def test_names_are_listed_as_they_are_answered(calm):
    rows = calm.told("dns", "list", "--zone", "service", "--type", "a")

    assert {"name": "tea.default.service.", "data": "10.0.42.1"}.items() <= next(
        row for row in rows if row["name"].startswith("tea")
    ).items()


def test_a_reservation_counts_for_the_next_service_of_that_name(running):
    running.run("lease", "reserve", "10.0.42.77", "default/juice")

    running.write("tea", "milk", "juice")

    assert eventually(lambda: running.leases().get("default/juice") == "10.0.42.77")


def test_a_drained_pool_gives_no_new_lease_and_says_so(running):
    running.run("pool", "drain", "default")

    running.write("tea", "milk", "juice")

    assert eventually(lambda: "not default (drained)" in running.run("explain", "juice").stdout)
    assert set(running.leases()) == {"default/tea", "default/milk"}


def test_releases_that_wait_are_shown_and_let_go_by_their_digest(running):
    running.write("tea", *(f"cup{number}" for number in range(12)))
    assert eventually(lambda: len(running.leases()) == 13)

    running.write("tea")

    assert eventually(lambda: running.run("status").returncode == 1)
    plan = running.told("plan")
    assert len(plan["withheld"]) == 12
    with_environment = running.run("plan", "-o", "json", SUITE_CONFIG=str(running.folder / "suite.yaml"))
    assert json.loads(with_environment.stdout) == plan
    assert running.run("plan", "--confirm", "000000000000").returncode == 5
    assert running.run("plan", "--confirm", plan["digest"]).returncode == 0
    assert eventually(lambda: set(running.leases()) == {"default/tea"})
    assert running.run("status").returncode == 0


def test_a_bad_configuration_is_kept_out_and_told(running):
    (running.folder / "suite.yaml").write_text(CONFIG.replace("addresses:", "adresses:"))

    assert eventually(lambda: running.run("status").returncode == 1)
    document = running.told("status")
    assert document["config_stale"] is True
    assert any("nothing is called 'adresses' here" in each["message"] for each in document["problems"])
    assert running.leases()["default/tea"] == "10.0.42.1"


def test_a_changed_setting_that_only_a_start_reads_is_told(running):
    (running.folder / "suite.yaml").write_text(CONFIG + "web: {listen: '127.0.0.1:1'}\n")

    assert eventually(lambda: running.run("status").returncode == 1)
    (trouble,) = running.told("status")["troubles"]
    assert trouble.endswith("web.listen: it was changed, and takes effect at the next start")


def test_doctor_finds_nothing_wrong_beside_a_running_suite(calm):
    found = calm.told("doctor", "--forwarder", "none", "--config", str(calm.folder / "suite.yaml"))

    assert [each for each in found if each["severity"] == "error"] == []


def test_doctor_asks_for_no_right_to_announce_where_no_speaker_runs(calm):
    found = calm.told("doctor", "--forwarder", "none", "--config", str(calm.folder / "suite.yaml"))

    assert {"privilege", "layer2"}.isdisjoint(each["check"] for each in found)


def test_a_suite_that_is_not_there_is_exit_code_3(tmp_path):
    suite = Suite(tmp_path, 0)

    result = suite.run("status", "--wait", "--timeout", "0.2")

    assert result.returncode == 3
    assert result.stderr.splitlines()[0] == "error: no suite runs with this state directory"
