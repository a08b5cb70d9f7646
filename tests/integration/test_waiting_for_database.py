"""A database that is away at the start is waited for, in the open; one that waiting does not bring back ends the start."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from fix_netns import eventually
from suite_running import CONFIGURATION, ROLES, ROOT, SERVICE, ask, free_port

from suite.cli.program import program

PATIENCE = 15.0


def command(folder, url, port):
    (folder / "suite.yaml").write_text(CONFIGURATION, encoding="utf-8")
    (folder / "manifests").mkdir(exist_ok=True)
    (folder / "manifests/tea.yaml").write_text(SERVICE.format(name="tea", address="", annotations=""), encoding="utf-8")
    options = ("--config", "suite.yaml", "--state", "state", "--manifests", "manifests", "--database", url)
    words = [str(folder / word) if word in {"suite.yaml", "state", "manifests"} else word for word in options]
    return [sys.executable, "-m", "suite", "run", *words, "--dns-listen", f"127.0.0.1:{port}", *ROLES]


@pytest.fixture
def away(postgres_db, tmp_path):
    """A suite whose server is behind a path that is not there yet, and that path."""
    path, port = tmp_path / "server", free_port()
    url = postgres_db.url.replace(str(postgres_db.server.folder), str(path))
    suite = Waiting(tmp_path, port, path, postgres_db.server.folder, command(tmp_path, url, port))
    suite.start()
    yield suite
    assert suite.stop() == 0


class Waiting:
    def __init__(self, folder, port, path, server, words):
        self.folder, self.port, self.path, self.server, self.words = folder, port, path, server, words

    def start(self):
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(self.words, cwd=ROOT, stdout=log, stderr=log)

    def stop(self):
        self.process.terminate()
        return self.process.wait(15)

    def status(self):
        answer = CliRunner().invoke(program, ["status", "--state", str(self.folder / "state"), "-o", "json"])
        return json.loads(answer.stdout) if answer.stdout.startswith("{") else None

    def log(self):
        return (self.folder / "log").read_text(encoding="utf-8")

    def come_back(self):
        self.path.symlink_to(self.server)

    def start_alone(self):
        """Once its names are on the disk: end it, and start it with its server away."""
        kept = self.folder / "state" / "names.last"
        assert eventually(kept.exists, PATIENCE, 0.1), self.log()
        self.stop()
        self.path.unlink()
        self.start()


def test_a_server_that_is_away_is_waited_for_and_then_everything_works(away):
    assert eventually(lambda: (away.status() or {}).get("database"), PATIENCE)
    assert "PostgreSQL is not available" in away.status()["database"]
    assert {each["role"]: each["ready"] for each in away.status()["instances"]} == {
        "controller": False, "nameserver": False, "web": False,
    }  # fmt: skip
    assert ask(away.port, "tea.default.service")[0] == "SERVFAIL"

    away.come_back()

    assert eventually(lambda: ask(away.port, "tea.default.service") == ("NOERROR", ["10.0.42.0"]), PATIENCE, 0.1)
    assert away.log().count("waiting for it") == 1


def test_a_start_while_the_server_is_away_answers_names_as_they_were(away):
    away.come_back()
    assert eventually(lambda: ask(away.port, "tea.default.service") == ("NOERROR", ["10.0.42.0"]), PATIENCE, 0.1)

    away.start_alone()

    assert eventually(lambda: ask(away.port, "tea.default.service") == ("NOERROR", ["10.0.42.0"]), PATIENCE, 0.1)
    ready = {each["role"]: each["ready"] for each in away.status()["instances"]}
    assert ready == {"controller": False, "nameserver": True, "web": False}
    away.come_back()
    assert eventually(lambda: away.status()["ready"], PATIENCE)


def test_a_suite_that_waits_can_be_ended(away):
    """The fixture asks for it and for the exit code."""
    assert eventually(lambda: "waiting for it" in away.log(), PATIENCE)


def ended(folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, url, free_port()), cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )


def test_a_user_that_the_server_does_not_know_ends_the_start_at_once(postgres_db, tmp_path):
    done = ended(tmp_path, postgres_db.url.replace(f"{postgres_db.server.user}@", "stranger@"))

    assert (done.returncode, "check the user, the password file" in done.stderr) == (3, True)


def test_a_newer_schema_ends_the_start_at_once(sqlite_db, tmp_path):
    sqlite_db.open().close()
    sqlite_db.execute("UPDATE alembic_version SET version_num = '9999'")

    done = ended(tmp_path, sqlite_db.url)

    assert (done.returncode, "run the newer release" in done.stderr) == (3, True)
