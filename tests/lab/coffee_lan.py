"""The coffee story's LAN with the real program on its three nodes, walked through from a client.

    python tests/lab/coffee_lan.py            # as root; prints each command and its answer; 1 if an answer is not the story's

The configuration is the ConfigMap of the story as it was published, blanks behind the CIDR included, with our settings behind it:
where to answer DNS, and the nodes. The pod is a process on the node 10.0.10.2, and nftables plays kube-proxy on each node: it takes what
comes for the Service's port and nothing else. So ping is not answered but forwarded, and the kernel tells the laptop "Redirect
Host": that is the healthy picture.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

from coffee_network import CLIENT, mac_of, six  # noqa: E402
from fix_netns import NetLab, eventually, network  # noqa: E402
from l2_lan import KUBE_PROXY, ProgramLan, program_lan  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

VIP, NODE, LAPTOP = "10.0.42.0", "10.0.10.2", CLIENT
OWNER = "compute2"
STORY_NODES = {"compute1": "10.0.10.1", OWNER: NODE, "compute4": "10.0.10.4"}
"""With these names the hash that MetalLB chooses by makes 10.0.10.2 the owner of 10.0.42.0, as in the story."""
NODE_MAC = mac_of(OWNER)

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
dns: {{listen: ["0.0.0.0:53"]}}
l2: {{rejoin-delay: 1s}}
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

POD = "import http.server as h; h.ThreadingHTTPServer(('', 8080), h.SimpleHTTPRequestHandler).serve_forever()"

STORY = (
    (f"arping -c 2 -i eth0 {VIP}", f"from {NODE_MAC} ({VIP})"),
    (f"nc -vz -w 2 {VIP} 8080", "succeeded"),
    (f"ping -c 3 -W 2 {VIP}", f"Redirect Host(New nexthop: {VIP})"),
    (f"ping -c 1 -W 2 {NODE}", " 0% packet loss"),
    ("arp -an", f"({VIP}) at {NODE_MAC}"),
    (f"nslookup coffee.default.service {NODE}", f"Address: {VIP}"),
)
"""What is typed, and what the answer holds."""


def ask(lan: ProgramLan, *command: str) -> str:
    """What the client's command prints."""
    done = lan.client.run(*command)
    return done.stdout + done.stderr


def is_announced(lan: ProgramLan) -> bool:
    """Whether the client is sent to the story's node."""
    return lan.owner(VIP) == OWNER


@contextmanager
def coffee_lan(lab: NetLab) -> Iterator[ProgramLan]:
    """The LAN with the programs started; it may need a moment until the address is announced."""
    with program_lan(lab, configuration=CONFIGURATION, nodes=STORY_NODES) as lan:
        for node in lan.nodes.values():
            node.sysctl(ipv4__conf__all__arp_ignore=1, ipv4__conf__all__arp_announce=2, ipv4__ip_forward=1)
            node.run("nft", "-f", "-", stdin=KUBE_PROXY.format(pod=NODE, pod6=six(NODE)))
        lan.nodes[OWNER].spawn(sys.executable, "-c", POD, stdout=subprocess.DEVNULL)
        lan.write("coffee", COFFEE)
        lan.roles += ("nameserver",)
        for name in lan.nodes:
            lan.start(name)
        yield lan


def main() -> int:
    with network() as lab, coffee_lan(lab) as lan:
        if not eventually(lambda: is_announced(lan) and lan.all_ready(), within=30, every=0.2):
            print("the node does not announce the address; the logs:\n" + lan.log())
            return 1
        wrong = [command for command, holds in STORY if not is_told(lan, command, holds)]
    for command in wrong:
        print(f"not the story's answer: {command}", file=sys.stderr)
    return 1 if wrong else 0


def is_told(lan: ProgramLan, command: str, holds: str) -> bool:
    """Show a command with its answer; whether that is the story's."""
    said = ask(lan, *command.split())
    print(f"laptop$ {command}\n{said}")
    return holds in said


if __name__ == "__main__":
    sys.exit(main())
