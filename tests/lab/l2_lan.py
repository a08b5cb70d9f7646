"""The coffee LAN with three nodes, a client and a stranger, and the real program on every node, all on one database.

The virtual addresses are nowhere in any kernel, so whoever answers for one is the program.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fix_netns import Bridge, Namespace, NetLab, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

NODES = {"compute1": "10.0.10.1", "compute2": "10.0.10.2", "compute3": "10.0.10.3"}
STRANGER_MAC = "02:00:00:00:00:ff"

CONFIGURATION = f"""\
address-pools:
- {{name: default, protocol: layer2, addresses: [10.0.42.0/24]}}
nodes:
{"".join(f"- {{name: {name}, addresses: [{address}]}}{chr(10)}" for name, address in NODES.items())}
dns: {{listen: []}}
"""

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{type: LoadBalancer, ports: [{{port: 8080}}]}}
"""


def mac_of(node: str) -> str:
    return f"02:00:00:00:10:0{node[-1]}"


@dataclass
class ProgramLan:
    """The machines, and what runs on them."""

    switch: Bridge
    client: Namespace
    nodes: dict[str, Namespace]
    folder: Path
    programs: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    def serve(self, name: str) -> None:
        """A Service of that name is wanted."""
        fresh = self.folder / f"{name}.new"
        fresh.write_text(SERVICE.format(name=name), encoding="utf-8")
        fresh.rename(self.folder / "manifests" / f"{name}.yaml")

    def start(self, name: str) -> None:
        """Switch a node's program on; all share one database."""
        with (self.folder / f"{name}.log").open("a", encoding="utf-8") as log:
            self.programs[name] = self.nodes[name].spawn(
                *(sys.executable, "-m", "suite", "run", "--node", name, "--database", self.database),
                *("--role", "controller", "--role", "speaker", "--role", "web"),
                *("--config", str(self.folder / "suite.yaml"), "--manifests", str(self.folder / "manifests")),
                *("--state", str(self.folder / name)),
                stdout=log,
            )

    @property
    def database(self) -> str:
        return f"sqlite:///{self.folder / 'shared.db'}"

    def log(self) -> str:
        return "\n".join(f"== {name}\n{(self.folder / f'{name}.log').read_text()}" for name in self.programs)

    def answers(self, address: str) -> str:
        """What arping of the client prints."""
        return self.client.run("arping", "-c1", "-w1", "-i", "eth0", address).stdout.lower()

    def owner(self, address: str) -> str:
        """The node whose MAC the client is told; empty while nobody answers."""
        said = self.answers(address)
        return next((name for name in NODES if mac_of(name) in said), "")

    def settle(self, address: str) -> str:
        """Wait until somebody answers; who."""
        assert eventually(lambda: self.owner(address), within=30, every=0.1), self.log()
        return self.owner(address)

    def suite(self, *words: str, node: str = "compute1") -> str:
        """What a command prints on a node, both streams."""
        where = ("--state", str(self.folder / node), "--database", self.database)
        done = self.nodes[node].python("-m", "suite", *words, *where, timeout=60)
        return done.stdout + done.stderr

    def stranger(self, address: str) -> Namespace:
        """A machine that is none of ours."""
        host = self.switch.lab.namespace("stranger")
        self.switch.plug(host, addresses=[f"{address}/16"], mac=STRANGER_MAC)
        return host


@contextmanager
def program_lan(lab: NetLab) -> Iterator[ProgramLan]:
    """The LAN; no program runs yet."""
    switch, client = lab.bridge("lan"), lab.namespace("client")
    switch.plug(client, addresses=["10.0.1.3/16"], mac="02:00:00:0c:01:03")
    nodes = {name: lab.namespace(name) for name in NODES}
    for name, address in NODES.items():
        switch.plug(nodes[name], addresses=[f"{address}/16"], mac=mac_of(name))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "manifests").mkdir()
        (folder / "suite.yaml").write_text(CONFIGURATION, encoding="utf-8")
        lan = ProgramLan(switch, client, nodes, folder)
        try:
            yield lan
        finally:
            for program in lan.programs.values():
                program.terminate()
            for program in lan.programs.values():
                program.wait(20)
