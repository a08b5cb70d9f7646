"""The systemd unit, judged by systemd itself."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from deploy_files import DEPLOY

from suite.speaker.responder import NICENESS

UNITS = DEPLOY / "systemd"
NEEDED = {"AF_INET_INET6", "AF_UNIX", "AF_PACKET", "AF_NETLINK"}

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (see tests/apt-packages.txt)"
)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with all drop-ins, and a program that is there."""
    drop_ins = tmp_path / "suite.service.d"
    drop_ins.mkdir()
    for source, folder in ((UNITS / "suite.service", tmp_path), *((each, drop_ins) for each in UNITS.glob("*.conf"))):
        text = source.read_text(encoding="utf-8").replace("/opt/suite/bin/suite", "/bin/true")
        (folder / source.name).write_text(text, encoding="utf-8")
    return tmp_path / "suite.service"


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


def test_systemd_understands_every_line(unit: Path) -> None:
    done = analyze("verify", "--man=no", str(unit))

    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_would_complain_about_a_line_it_does_not_know(unit: Path) -> None:
    unit.write_text(unit.read_text() + "[Service]\nProtectEverything=yes\n")

    assert "ProtectEverything" in analyze("verify", "--man=no", str(unit)).stderr


def test_its_exposure_is_below_two_of_ten(unit: Path) -> None:
    done = analyze("security", "--offline=true", "--threshold=20", "--no-pager", str(unit))

    assert done.returncode == 0, done.stdout


def test_of_sockets_only_the_families_it_needs_stay_open(unit: Path) -> None:
    rows = json.loads(analyze("security", "--offline=true", "--json=short", str(unit)).stdout)
    families = {row["json_field"].partition("_")[2] for row in rows if "Families=~AF" in row["name"] and not row["set"]}

    assert families == NEEDED


def test_the_responder_may_go_before_the_rest_of_the_program(unit: Path) -> None:
    rows = json.loads(analyze("security", "--offline=true", "--json=short", str(unit)).stdout)
    [resources] = [row for row in rows if row["name"] == "SystemCallFilter=~@resources"]

    assert f"LimitNICE={NICENESS}" in unit.read_text(encoding="utf-8").splitlines()
    assert "setpriority is allowed" in resources["description"]
