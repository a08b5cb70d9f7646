"""The coffee LAN with three nodes, a client and a stranger, and the real program on every node, all on one database.

The virtual addresses are nowhere in any kernel, so whoever answers for one is the program.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from fix_netns import Bridge, Namespace, NetLab, eventually

from suite.speaker.election import rank

if TYPE_CHECKING:
    from collections.abc import Iterator

NODES = {"compute1": "10.0.10.1", "compute2": "10.0.10.2", "compute3": "10.0.10.3"}
STRANGER_MAC = "02:00:00:00:00:ff"

CONFIGURATION = f"""\
address-pools:
- {{name: default, protocol: layer2, addresses: [10.0.42.0/24, "fd00:42::42:0:0/120"]}}
- {{name: many, protocol: layer2, addresses: [10.0.64.0/18], auto-assign: false}}
l2: {{rejoin-delay: 1s}}
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
DUAL = SERVICE.replace("ports:", "ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv4, IPv6], ports:")


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

    def serve(self, name: str, text: str = SERVICE) -> None:
        """A Service of that name is wanted."""
        self.write(name, text.format(name=name))

    def write(self, name: str, text: str) -> None:
        """A manifest of that name, whole at once."""
        fresh = self.folder / f"{name}.new"
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(self.folder / "manifests" / f"{name}.yaml")

    def start(self, name: str, env: dict[str, str] | None = None) -> None:
        """Switch a node's program on; all share one database."""
        with (self.folder / f"{name}.log").open("a", encoding="utf-8") as log:
            self.programs[name] = self.nodes[name].spawn(
                *(sys.executable, "-m", "suite", "run", "--node", name, "--database", self.database),
                *("--role", "controller", "--role", "speaker", "--role", "web"),
                *("--config", str(self.folder / "suite.yaml"), "--manifests", str(self.folder / "manifests")),
                *("--state", str(self.folder / name)),
                stdout=log,
                env=os.environ | (env or {}),
            )

    def kill(self, name: str) -> None:
        """Pull the plug: no goodbye of the program, nor of the process that answers for it."""
        pids = subprocess.run(
            ["ip", "netns", "pids", self.nodes[name].full_name], capture_output=True, text=True, check=False
        )
        # One that has just been started may not be inside yet.
        for pid in (self.programs[name].pid, *map(int, pids.stdout.split())):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.programs[name].wait(5)

    def plug(self, name: str) -> None:
        """A cable from a node to the switch."""
        addresses = [f"{NODES[name]}/16", f"fd00:42::10:{name[-1]}/64"]
        self.switch.plug(self.nodes[name], addresses=addresses, mac=mac_of(name))

    def hold(self, name: str, *, is_held: bool = True) -> None:
        """Let a node's main program stand still, or go on; the process that answers for it is not touched."""
        os.kill(self.programs[name].pid, signal.SIGSTOP if is_held else signal.SIGCONT)

    def ranked(self, address: str) -> tuple[str, ...]:
        """The nodes in the order in which they own an address."""
        return rank(ip_address(address), NODES)

    @property
    def database(self) -> str:
        return f"sqlite:///{self.folder / 'shared.db'}"

    def log(self) -> str:
        return "\n".join(f"== {name}\n{(self.folder / f'{name}.log').read_text()}" for name in self.programs)

    def answers(self, address: str) -> str:
        """What arping or ndisc6 of the client prints."""
        if ":" in address:
            return self.client.run("ndisc6", "-m", "-r1", "-w200", address, "eth0").stdout.lower()
        return self.client.run("arping", "-c1", "-w1", "-i", "eth0", address).stdout.lower()

    def owners(self, address: str) -> list[str]:
        """The nodes whose MACs the client is told."""
        said = self.answers(address)
        return [name for name in NODES if mac_of(name) in said]

    def owner(self, address: str) -> str:
        """The first of them; empty while nobody answers."""
        return next(iter(self.owners(address)), "")

    def cached(self, address: str) -> str:
        """What the client's kernel believes."""
        return self.client.ip("neighbour", "show", address)

    def settle(self, address: str) -> str:
        """Wait until somebody answers; who."""
        assert eventually(lambda: self.owner(address), within=30, every=0.1), self.log()
        return self.owner(address)

    def suite(self, *words: str, node: str = "compute1") -> str:
        """What a command prints on a node, both streams."""
        where = ("--state", str(self.folder / node), "--database", self.database)
        done = self.nodes[node].python("-m", "suite", *words, *where, timeout=60)
        return done.stdout + done.stderr

    def stranger(self, address: str, name: str = "stranger", mac: str = STRANGER_MAC) -> Namespace:
        """A machine that is none of ours."""
        host = self.switch.lab.namespace(name)
        self.switch.plug(host, addresses=[f"{address}/16"], mac=mac)
        return host


@contextmanager
def program_lan(lab: NetLab) -> Iterator[ProgramLan]:
    """The LAN; no program runs yet."""
    switch, client = lab.bridge("lan"), lab.namespace("client")
    switch.plug(client, addresses=["10.0.1.3/16", "fd00:42::1:3/64"], mac="02:00:00:0c:01:03")
    nodes = {name: lab.namespace(name) for name in NODES}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "manifests").mkdir()
        (folder / "suite.yaml").write_text(CONFIGURATION, encoding="utf-8")
        lan = ProgramLan(switch, client, nodes, folder)
        for node in nodes:
            lan.plug(node)
        try:
            yield lan
        finally:
            for program in lan.programs.values():
                program.terminate()
            for program in lan.programs.values():
                program.wait(20)
