"""`suite status` of one program tells of every other one on the same database, of a killed one too."""

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner
from fix_netns import eventually
from suite_running import CONFIGURATION, SERVICE, free_port

from suite.cli.program import program

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 15.0


class Machine:
    """A program with a state directory of its own, as on a machine of its own."""

    def __init__(self, folder, db, node, *roles):
        self.state = folder / node
        configuration = folder / "suite.yaml"
        configuration.write_text(CONFIGURATION, encoding="utf-8")
        options = ("--config", configuration, "--database", db.url, "--state", self.state, "--node", node)
        told = [word for role in roles for word in ("--role", role)]
        told += ["--manifests", folder / "manifests"] if "controller" in roles else []
        command = [sys.executable, "-m", "suite", "run", *options, *told, "--dns-listen", f"127.0.0.1:{free_port()}"]
        self.state.mkdir()
        with (self.state / "log").open("wb") as log:
            self.process = subprocess.Popen(list(map(str, command)), cwd=ROOT, stdout=log, stderr=log)

    def status(self, output="json"):
        return CliRunner().invoke(program, ["status", "--state", str(self.state), "-o", output])

    def instances(self):
        """Role, node and state of everybody, as a script reads them."""
        answer = self.status()
        if not answer.stdout.startswith("{"):
            return []
        return [
            (each["role"], each["node"], each["ready"], bool(each["gone"]))
            for each in json.loads(answer.stdout)["instances"]
        ]

    def sees(self, *expected):
        return eventually(lambda: sorted(self.instances()) == sorted(expected), PATIENCE, 0.1)


@contextmanager
def two(db, folder):
    """One program that leads on node-a, one that answers on node-b."""
    db.open().close()
    (folder / "manifests").mkdir(exist_ok=True)
    machines = Machine(folder, db, "node-a", "controller", "web"), Machine(folder, db, "node-b", "nameserver", "web")
    try:
        yield machines
    finally:
        for each in machines:
            each.process.kill()
            each.process.wait(10)


HERE = (("controller", "node-a", True, False), ("web", "node-a", True, False))
THERE = (("nameserver", "node-b", True, False), ("web", "node-b", True, False))


def test_status_of_one_tells_of_the_other_until_it_is_killed_and_after(db, tmp_path):
    with two(db, tmp_path) as (first, second):
        assert first.sees(*HERE, *THERE)
        assert second.sees(*HERE, *THERE)

        second.process.kill()

        assert first.sees(*HERE, ("nameserver", "node-b", False, True), ("web", "node-b", False, True))
        answer = first.status("table")
        assert answer.exit_code == 1
        assert "nameserver on node-b is gone without a word since" in answer.stdout


def test_program_that_ends_in_order_is_not_missed_and_a_refused_name_is_told_without_it(sqlite_db, tmp_path):
    (tmp_path / "manifests").mkdir()
    for name, annotations in (("coffee", ""), ("thief", "suite/hostname: coffee.default")):
        text = SERVICE.format(name=name, annotations=annotations, address="")
        (tmp_path / "manifests" / f"{name}.yaml").write_text(text, encoding="utf-8")
    with two(sqlite_db, tmp_path) as (first, second):
        assert first.sees(*HERE, *THERE)

        second.process.terminate()

        assert first.sees(*HERE)
        assert first.status().exit_code == 0
        assert (
            "default/thief: coffee.default.service. belongs to service default/coffee; ask"
            in first.status("table").stdout
        )
        explained = CliRunner().invoke(program, ["explain", "thief", "--state", str(first.state)]).stdout
        assert "coffee.default.service. belongs to service default/coffee" in explained
