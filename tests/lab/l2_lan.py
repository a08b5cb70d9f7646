"""The coffee story's network with the real program on every node, all on one database.

The virtual addresses are nowhere in any kernel, so whoever answers for one is the program.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coffee_network import NODES, CoffeeNetwork, mac_of
from fix_db import DatabaseUnderTest
from fix_netns import NetLab, eventually

from suite.speaker.election import rank
from suite.web.client import ask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

L2_CONFIGURATION = """\
address-pools:
- {name: default, protocol: layer2, addresses: [10.0.42.0/24, "fd00:42::42:0:0/120"]}
- {name: many, protocol: layer2, addresses: [10.0.64.0/18, "fd00:42::64:0:0/112"], auto-assign: false}
l2: {rejoin-delay: 1s}
dns: {listen: []}
"""
ROLES = ("controller", "speaker", "web")

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{type: LoadBalancer, ports: [{{port: 8080}}]}}
"""
SERVICE_SIX = SERVICE.replace("ports:", "ipFamilies: [IPv6], ports:")
DUAL = SERVICE.replace("ports:", "ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv4, IPv6], ports:")

KUBE_PROXY = """
table inet kube_proxy {{
  chain prerouting {{
    type nat hook prerouting priority dstnat;
    ip daddr 10.0.42.0/24 tcp dport 8080 dnat ip to {pod}:8080
    ip6 daddr fd00:42::42:0:0/120 tcp dport 8080 dnat ip6 to [{pod6}]:8080
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    oifname eth0 tcp dport 8080 masquerade
  }}
}}
"""
"""What a node does with the packets for a Service's port, as long as the addresses are those of the pool `default`."""


class ProgramLan(CoffeeNetwork):
    """The machines, and what runs on them."""

    def __init__(self, lab: NetLab, folder: Path, nodes: Mapping[str, str], database: DatabaseUnderTest) -> None:
        super().__init__(lab, nodes)
        self.folder, self.database = folder, database
        self.roles: tuple[str, ...] = ROLES
        self.programs: dict[str, subprocess.Popen[str]] = {}

    def configure(self, text: str) -> None:
        """The configuration of every program, with the nodes there are; whole at once, for half a file may be a good one without pools."""
        nodes = [f"- {{name: {name}, addresses: [{address}]}}\n" for name, address in self.addresses.items()]
        fresh = self.folder / "suite.yaml.new"
        fresh.write_text(f"{text}nodes:\n{''.join(nodes)}", encoding="utf-8")
        fresh.rename(self.folder / "suite.yaml")

    def serve(self, name: str, text: str = SERVICE) -> None:
        """A Service of that name is wanted."""
        self.write(name, text.format(name=name))

    def write(self, name: str, text: str) -> None:
        """A manifest of that name, whole at once."""
        fresh = self.folder / f"{name}.new"
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(self.folder / "manifests" / f"{name}.yaml")

    def unserve(self, name: str) -> None:
        """The manifest of that name is gone."""
        (self.folder / "manifests" / f"{name}.yaml").unlink()

    def start(self, name: str, env: dict[str, str] | None = None, within: tuple[str, ...] = ()) -> None:
        """Switch a node's program on, behind the words of a command that limits it; all share one database."""
        with (self.folder / f"{name}.log").open("a", encoding="utf-8") as log:
            self.programs[name] = self.nodes[name].spawn(
                *(*within, sys.executable, "-m", "suite", "run", "--node", name, "--database", self.database.url),
                *(word for role in self.roles for word in ("--role", role)),
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

    def plug_in(self, name: str) -> None:
        """A new cable, and a new interface, for a node that lost its own."""
        self.plug(self.nodes[name], self.addresses[name], mac_of(name))

    def hold(self, name: str, *, is_held: bool = True) -> None:
        """Let a node's main program stand still, or go on; the process that answers for it is not touched."""
        os.kill(self.programs[name].pid, signal.SIGSTOP if is_held else signal.SIGCONT)

    def log(self) -> str:
        return "\n".join(f"== {name}\n{(self.folder / f'{name}.log').read_text()}" for name in self.programs)

    def deaths(self) -> dict[str, list[int]]:
        """How often each node has taken each other one for dead, however short the silence was."""
        return {name: [each["deaths"] for each in self.layer2(name).get("nodes", ())] for name in self.nodes}

    # Who answers

    def ranked(self, address: str) -> tuple[str, ...]:
        """The nodes in the order in which they own an address."""
        return rank(ip_address(address), self.addresses)

    def owners(self, address: str) -> list[str]:
        """The nodes whose MACs the client is told."""
        said = self.told(address)
        return [name for name in self.nodes if mac_of(name) in said]

    def owner(self, address: str) -> str:
        """The one that answers first; empty while nobody does."""
        said = self.told_first(address)
        return next((name for name in self.nodes if mac_of(name) in said), "")

    def settle(self, address: str) -> str:
        """Wait until somebody answers; who."""
        assert eventually(lambda: self.owner(address), within=30, every=0.1), self.log()
        return self.owner(address)

    def recorded(self, address: str) -> list[str]:
        """The nodes that the database has as owners, as a person would ask for them with SQL."""
        rows = self.database.rows("SELECT address, node FROM announcement_current ORDER BY node")
        return [node for each, node in rows if each == address]

    def claimants(self, address: str) -> list[str]:
        """The nodes that say of themselves that they announce it."""
        said = {name: self.layer2(name).get("owners", ()) for name in self.nodes}
        return [name for name, owners in said.items() for each in owners if is_announced(each, address)]

    def all_ready(self) -> bool:
        """Whether each node finds all of them to be ready to take addresses."""
        views = [self.layer2(name).get("nodes", ()) for name in self.nodes]
        return all([each["is_ready"] for each in view] == [True] * len(self.nodes) for view in views)

    def is_at_rest(self) -> bool:
        """Whether no node that lives has just started or has a link that was just mended: nothing is about to move."""
        living = [
            each
            for name in self.nodes
            for each in self.layer2(name).get("nodes", ())
            if each["is_live"] and not each["is_draining"]
        ]
        return all(each["is_ready"] and all(link["is_settled"] for link in each["links"]) for each in living)

    def layer2(self, name: str) -> dict[str, Any]:
        """What a node's program knows of layer 2; nothing while it does not run."""
        try:
            return dict(json.loads(ask(self.folder / name / "suite.sock", "/v1/layer2")[1]))
        except (OSError, ValueError):
            return {}

    def suite(self, *words: str, node: str = "compute1") -> str:
        """What a command prints on a node, both streams."""
        where = ("--state", str(self.folder / node), "--database", self.database.url)
        done = self.nodes[node].python("-m", "suite", *words, *where, timeout=60)
        return done.stdout + done.stderr

    def close(self) -> None:
        """Ask the programs to end."""
        for program in self.programs.values():
            program.terminate()
        for program in self.programs.values():
            program.wait(20)


def is_announced(owner: dict[str, Any], address: str) -> bool:
    """Whether the node that says so answers for the address itself."""
    return bool(owner["address"] == address and owner["interfaces"])


@contextmanager
def program_lan(
    lab: NetLab,
    *,
    configuration: str = L2_CONFIGURATION,
    nodes: Mapping[str, str] = NODES,
    place: Path | None = None,
    database: DatabaseUnderTest | None = None,
) -> Iterator[ProgramLan]:
    """The LAN; no program runs yet. All share an SQLite file in the LAN's folder unless a database is given."""
    with tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "manifests").mkdir()
        file = folder / "shared.db"
        lan = ProgramLan(lab, folder, nodes, database or DatabaseUnderTest("sqlite", f"sqlite:///{file}", path=file))
        lan.configure(configuration)
        try:
            yield lan
        finally:
            lan.close()
