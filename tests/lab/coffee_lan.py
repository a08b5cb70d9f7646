"""The coffee story's LAN with the real program on its node, walked through from a client.

    python tests/lab/coffee_lan.py            # as root; prints each command and its answer

10.0.0.0/16 on one switch: the router 10.0.0.1, the node compute2 at 10.0.10.2, a laptop at 10.0.1.3. The configuration is the
ConfigMap of the story as it was published, blanks behind the CIDR included, with one setting of ours: where to answer DNS. The pod is a
process on the node, and nftables plays kube-proxy: it takes what comes for the Service's port and nothing else. So ping is not
answered but forwarded, and the kernel tells the laptop "Redirect Host": that is the healthy picture.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

from fix_netns import Namespace, NetLab, eventually, network  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

VIP, NODE, LAPTOP, ROUTER = "10.0.42.0", "10.0.10.2", "10.0.1.3", "10.0.0.1"
NODE_MAC = "02:00:00:00:10:02"

CONFIGURATION = f"""\
apiVersion: v1
kind: ConfigMap
metadata:
  namespace: metallb-system
  name: config
data:
  config: |
    address-pools:
    - name: default
      protocol: layer2
      addresses:
      - 10.0.42.0/24{"  "}
---
dns: {{listen: ["{NODE}:53"]}}
"""

COFFEE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: coffee}
spec:
  selector: {matchLabels: {app: coffee}}
  template:
    metadata: {labels: {app: coffee}}
    spec:
      containers: [{name: coffee, image: coffee, ports: [{name: api, containerPort: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: coffee}
spec:
  type: LoadBalancer
  selector: {app: coffee}
  ports: [{port: 8080, targetPort: api}]
"""

KUBE_PROXY = f"""
table ip nat {{
  chain prerouting {{
    type nat hook prerouting priority dstnat;
    ip daddr {VIP} tcp dport 8080 dnat to {NODE}:8080
  }}
}}
"""

POD = "import http.server as h; h.ThreadingHTTPServer(('', 8080), h.SimpleHTTPRequestHandler).serve_forever()"

STORY = (
    ("arping", "-c", "2", "-i", "eth0", VIP),
    ("nc", "-vz", "-w", "2", VIP, "8080"),
    ("ping", "-c", "2", "-W", "2", VIP),
    ("ping", "-c", "1", "-W", "2", NODE),
    ("arp", "-an"),
    ("nslookup", "coffee.default.service", NODE),
)


@dataclass
class CoffeeLan:
    """The machines; the program runs on `node`."""

    client: Namespace
    node: Namespace
    router: Namespace
    folder: Path
    program: subprocess.Popen[str]

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    def ask(self, *command: str) -> str:
        """What the client's command prints."""
        done = self.client.run(*command)
        return done.stdout + done.stderr

    def announces(self) -> bool:
        """Whether the node answers for the VIP."""
        return NODE_MAC in self.client.run("arping", "-c1", "-w1", "-i", "eth0", VIP).stdout


@contextmanager
def coffee_lan(lab: NetLab) -> Iterator[CoffeeLan]:
    """The LAN with the program started; it may need a moment until it announces."""
    switch = lab.bridge("lan")
    machines = {name: lab.namespace(name) for name in ("client", "node", "router")}
    for name, address, mac in (
        ("router", ROUTER, "02:00:00:00:00:01"),
        ("node", NODE, NODE_MAC),
        ("client", LAPTOP, "02:00:00:0c:01:03"),
    ):
        switch.plug(machines[name], addresses=[f"{address}/16"], mac=mac)
    node = machines["node"]
    node.sysctl(ipv4__conf__all__arp_ignore=1, ipv4__conf__all__arp_announce=2, ipv4__ip_forward=1)
    node.run("nft", "-f", "-", stdin=KUBE_PROXY)
    node.spawn(sys.executable, "-c", POD, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "manifests").mkdir()
        (folder / "manifests" / "coffee.yaml").write_text(COFFEE, encoding="utf-8")
        (folder / "config.yaml").write_text(CONFIGURATION, encoding="utf-8")
        with (folder / "log").open("w", encoding="utf-8") as log:
            program = node.spawn(
                *(sys.executable, "-m", "suite", "run", "--node", "compute2"),
                *("--config", str(folder / "config.yaml"), "--manifests", str(folder / "manifests")),
                *("--state", str(folder / "state")),
                stdout=log,
            )
            yield CoffeeLan(machines["client"], node, machines["router"], folder, program)


def main() -> int:
    with network() as lab, coffee_lan(lab) as lan:
        if not eventually(lan.announces, within=20, every=0.2):
            print("the node does not announce the address; its log:\n" + lan.log)
            return 1
        for command in STORY:
            print(f"laptop$ {' '.join(command)}\n{lan.ask(*command)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
