"""The program while somebody sets the clock of its machine back and forth (libfaketime, between it and the kernel).

Beside a real monotonic clock libfaketime breaks `time.sleep` (EINVAL): what serves must wait on events, as it does.
"""

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from fix_netns import eventually
from suite_running import CONFIGURATION, ROLES, ROOT, SERVICE, free_port

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
HOLD = 4.0

pytestmark = pytest.mark.skipif(not LIBRARIES, reason="needs faketime (see tests/apt-packages.txt)")


class Machine:
    """A suite whose wall clock the test sets; what it counts by uptime goes on."""

    def __init__(self, folder):
        self.folder, self.clock = folder, folder / "clock"
        (folder / "manifests").mkdir()
        (folder / "suite.yaml").write_text(CONFIGURATION.replace("hold-time: 0s", f"hold-time: {HOLD:g}s"))
        self.set_clock("+0")
        options = ("--config", "suite.yaml", "--manifests", "manifests", "--state", "state", *ROLES)
        command = [sys.executable, "-m", "suite", "run", *options, "--dns-listen", f"127.0.0.1:{free_port()}"]
        settings = {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self.clock),
            "FAKETIME_CACHE_DURATION": "1",  # seconds until a clock that was set is seen
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "PYTHONPATH": str(ROOT),
        }
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env=os.environ | settings, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def set_clock(self, words):
        fresh = self.clock.with_name("clock.new")
        fresh.write_text(f"{words}\n")
        fresh.replace(self.clock)

    def put(self, name):
        fresh = self.folder / "new"
        fresh.write_text(SERVICE.format(name=name, address="", annotations=""))
        fresh.replace(self.folder / f"manifests/{name}.yaml")

    def remove(self, name):
        (self.folder / f"manifests/{name}.yaml").unlink()

    def rows(self, sql):
        path = self.folder / "state/suite.db"
        if not path.exists():
            return []
        with (
            closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection,
            suppress(sqlite3.OperationalError),
        ):
            return connection.execute(sql).fetchall()
        return []  # the tables are being made

    def states(self):
        return [state for (state,) in self.rows("SELECT state FROM lease WHERE valid_to IS NULL")]


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    yield machine
    machine.process.kill()
    machine.process.wait(15)


def test_a_held_address_waits_as_long_as_was_promised_while_the_clock_is_set_back_and_forth(machine):
    machine.put("tea")
    assert eventually(lambda: machine.states() == ["bound"], 30)
    machine.set_clock("-1d")
    machine.remove("tea")
    assert eventually(lambda: machine.states() == ["held"], 10)
    held_at = time.monotonic()

    assert eventually(lambda: machine.states() == [], 15, 0.05)
    assert time.monotonic() - held_at > HOLD - 1

    machine.set_clock("+2d")
    machine.put("coffee")
    assert eventually(lambda: machine.states() == ["bound"], 5)
    machine.set_clock("+0")
    machine.remove("coffee")
    assert eventually(lambda: machine.states() == ["held"], 5)
    times = [at for (at,) in machine.rows("SELECT at FROM event ORDER BY revision, n")]
    assert times == sorted(times)
    assert machine.rows("SELECT 1 FROM lease WHERE valid_to < valid_from") == []
