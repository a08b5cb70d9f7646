"""With the rights that the systemd unit has, and no others, addresses are announced and names answered.

What the image holds is copied as its recipe says; the file system is read-only but for the state directory.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from deploy_files import DEPLOY
from fix_netns import Namespace, NetLab, eventually, require_tools
from project_files import ROOT, text

pytestmark = pytest.mark.net

PATIENCE = 30.0
NOBODY = 65534
VIP = "10.0.42.0"
CONFIGURATION = """\
address-pools:
  - {name: default, protocol: layer2, addresses: [10.0.42.0/24]}
l2: {probe: "off"}
web: {listen: 127.0.0.1:17953}
"""
SERVICE = """\
{apiVersion: v1, kind: Service, metadata: {name: coffee}, spec: {type: LoadBalancer, ports: [{port: 80}]}}
"""


@dataclass(frozen=True)
class Machine:
    """A node that runs the suite, and a client on the same network."""

    node: Namespace
    client: Namespace
    folder: Path

    def announces(self) -> bool:
        return f"({VIP}): index=0" in self.client.run("arping", "-c1", "-w1", "-i", "eth0", VIP).stdout

    def answers(self, port: int) -> bool:
        asked = ("dig", "+short", "+time=1", "+tries=1", "-p", str(port), "@10.0.10.1", "coffee.default.service")
        return self.client.run(*asked).stdout == f"{VIP}\n"

    def is_ready(self) -> bool:
        code = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:17953/readyz').status)"
        return self.node.python("-c", code).stdout == "200\n"

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")


@contextmanager
def machine(lab: NetLab, rights: list[str], arguments: list[str], owner: int) -> Iterator[Machine]:
    """The program as the image has it, with these rights and arguments."""
    require_tools("setpriv", "arping", "dig")
    node, client = lab.namespace("node"), lab.namespace("client")
    lab.veth(node, client, left=["10.0.10.1/16"], right=["10.0.10.9/16"])
    with tempfile.TemporaryDirectory(prefix="suite-deploy-") as name:
        folder = _prepared(Path(name), owner)
        run = [sys.executable, "-P", "-m", "suite", "run", f"--config={folder}/suite.yaml", f"--state={folder}/state"]
        run += [f"--manifests={folder}/manifests", *arguments]
        script = (
            f"mount --make-rprivate / && mount --bind {folder}/state {folder}/state && mount -o remount,bind,ro / "
            f"&& exec {shlex.join(['setpriv', '--no-new-privs', *rights, *run])}"
        )
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "NODE_NAME": "node"}
        with (folder / "log").open("w") as log:
            inside = ("unshare", "--mount", "sh", "-c", script)
            process = node.spawn(*inside, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=folder)
        yield Machine(node, client, folder)
        process.terminate()
        process.wait(20)


def _prepared(folder: Path, owner: int) -> Path:
    folder.chmod(0o755)
    for source in re.findall(r"^COPY (suite|migrations) ", text("deploy/Containerfile"), re.MULTILINE):
        shutil.copytree(ROOT / source, folder / source, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "suite.yaml").write_text(CONFIGURATION, encoding="utf-8")
    (folder / "manifests").mkdir()
    (folder / "manifests" / "coffee.yaml").write_text(SERVICE, encoding="utf-8")
    (folder / "state").mkdir(0o700)
    os.chown(folder / "state", owner, owner)
    return folder


def _of_the_unit() -> list[str]:
    lines = dict(re.findall(r"^(\w+)=(CAP_.*)$", (DEPLOY / "systemd/suite.service").read_text(), re.MULTILINE))
    assert lines["AmbientCapabilities"] == lines["CapabilityBoundingSet"]
    wanted = ",".join(f"+{each.removeprefix('CAP_').lower()}" for each in lines["AmbientCapabilities"].split())
    user = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return [*user, f"--inh-caps=-all,{wanted}", f"--ambient-caps=-all,{wanted}", f"--bounding-set=-all,{wanted}"]


def test_the_units_two_capabilities_are_enough_for_a_user_who_is_not_root(netlab: NetLab) -> None:
    with machine(netlab, _of_the_unit(), ["--dns-listen=10.0.10.1:53"], owner=NOBODY) as it:
        assert eventually(it.announces, PATIENCE, 0.1), it.log()
        assert eventually(lambda: it.answers(53), PATIENCE, 0.1), it.log()
        assert eventually(it.is_ready, PATIENCE, 0.1), it.log()


def test_without_the_capability_it_says_what_is_missing_and_goes_on_answering(netlab: NetLab) -> None:
    rights = ["--reuid=0", "--regid=0", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    with machine(netlab, rights, ["--dns-listen=0.0.0.0:1053"], owner=0) as it:
        assert eventually(lambda: it.answers(1053), PATIENCE, 0.1), it.log()
        assert eventually(lambda: "NET_RAW in the pod's securityContext" in it.log(), PATIENCE, 0.1), it.log()
        assert not it.is_ready()
