"""The dashboard story's networks with the real program on four nodes, walked through from a client.

    python tests/lab/dashboard_lan.py            # as root; prints each command and its answer

People live in 192.168.1.0/24, the cluster's nodes in 10.10.0.0/24, Services get addresses from 10.10.10.10-10.10.10.250. One
router joins them; it is 192.168.1.1, which is no address of the nodes' network, and both sides have the AS number 64512. What
the router runs (FRR or BIRD, and dnsmasq) is what `suite router-config` writes for it. The nodes share one database, as they
would share a server's: here a SQLite file, since they are one machine. The pod is a process on each node that listens on the
Service's address, which stands on `lo`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

from fix_netns import Bridge, Namespace, NetLab, eventually, network  # noqa: E402
from routers import Bird, Frr  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VIP, ROUTER, CLIENT = "10.10.10.10", "192.168.1.1", "192.168.1.50"
ROUTER_BESIDE = "10.10.0.1"
"""The same router, in the nodes' network."""
VIP6, ROUTER6, CLIENT6, ROUTER6_BESIDE = "2001:db8:10::10", "2001:db8:1::1", "2001:db8:1::50", "2001:db8:2::1"
"""The same over IPv6: people in 2001:db8:1::/64, nodes in 2001:db8:2::/64 with the numbers of their IPv4 addresses."""
NODES = {"master": "10.10.0.200", "node1": "10.10.0.101", "node2": "10.10.0.102", "node3": "10.10.0.103"}

CONFIGURATION = """\
apiVersion: v1
kind: ConfigMap
metadata:
  namespace: metallb-system
  name: config
data:
  config: |
    peers:
    - peer-address: PEER
      peer-asn: ASN
      my-asn: 64512
      hold-time: HOLD
      OPTIONS
    bfd-profiles:
    - name: fast
      receive-interval: 150
      transmit-interval: 150
      minimum-ttl: 60
    address-pools:
    - name: bgp
      protocol: bgp
      addresses:
      - 10.10.10.10-10.10.10.250
      MORE
---
nodes:
"""


def node6(name: str) -> str:
    """A node's IPv6 address."""
    return f"2001:db8:2::{NODES[name].rpartition('.')[2]}"


DASHBOARD = """\
apiVersion: v1
kind: Service
metadata:
  name: kubernetes-dashboard
  namespace: kubernetes-dashboard
  annotations: {suite/hostname: k8s-dashboard}
spec:
  type: LoadBalancer
  POLICY
  selector: {k8s-app: kubernetes-dashboard}
  ports: [{port: 80, targetPort: 9090}]
"""

POD = """
import http.server as h, socket, sys
class Server(h.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
    def server_bind(self):  # without the question for its own name, which nobody answers here and which takes its time
        super(h.HTTPServer, self).server_bind()
        self.server_name, self.server_port = sys.argv[2], 80
class Dashboard(h.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"the dashboard, from " + sys.argv[1].encode())
    def log_message(self, *arguments):
        pass
Server((sys.argv[2], 80), Dashboard).serve_forever()
"""

BIRD_KERNEL = "protocol kernel {{ merge paths on limit 8; ipv4 {{ export where source = RTS_BGP; }}; }}\n{0}"

STORY = (
    ("nslookup", "k8s-dashboard"),
    ("nslookup", "k8s-dashboard.service"),
    ("curl", "-sS", "-m", "5", "http://k8s-dashboard.service/"),
)


@dataclass(frozen=True)
class Variant:
    """How the story is told this time: the router's AS number, whether in IPv6 too, a server's database, hold time in seconds,
    a node that is not there yet.
    """

    asn: int = 64512
    has_ipv6: bool = False
    database: str = ""
    hold_time: int = 9
    newcomer: str = ""

    def configuration(self, options: str, peer: str, names: Iterable[str]) -> str:
        """The file that every node follows, with these nodes in it."""
        more = f"- {VIP6}-2001:db8:10::fa" if self.has_ipv6 else ""
        text = CONFIGURATION.replace("OPTIONS", options).replace("PEER", peer).replace("ASN", str(self.asn))
        text = text.replace("HOLD", f"{self.hold_time}s")
        addresses = {name: [NODES[name], *([node6(name)] if self.has_ipv6 else [])] for name in names}
        nodes = "".join(f"  - {{name: {name}, addresses: [{', '.join(each)}]}}\n" for name, each in addresses.items())
        return text.replace("MORE", more) + nodes


STORY_VARIANT = Variant()


@dataclass
class DashboardLan:
    """The machines; the program runs on each node, and follows `folder`."""

    switch: Bridge
    """The nodes' network."""
    client: Namespace
    router: Namespace
    nodes: dict[str, Namespace]
    folder: Path
    options: str = ""
    policy: str = ""
    peer: str = ROUTER
    variant: Variant = STORY_VARIANT
    programs: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    def write(self) -> None:
        """The files that the program follows."""
        (self.folder / "manifests").mkdir(exist_ok=True)
        self.write_configuration([name for name in NODES if name != self.variant.newcomer])
        self.folder.joinpath("manifests", "dashboard.yaml").write_text(DASHBOARD.replace("POLICY", self.policy))

    def write_configuration(self, names: Iterable[str]) -> None:
        """The configuration, with these nodes; whole at any moment, since programs follow it."""
        fresh = self.folder / "suite.new"
        fresh.write_text(self.variant.configuration(self.options, self.peer, names))
        fresh.rename(self.folder / "suite.yaml")

    def join(self) -> None:
        """The node that was not there yet comes: into the configuration, and its program starts."""
        self.write_configuration(NODES)
        self.start(self.variant.newcomer)

    def serve_on(self, *names: str) -> None:
        """The Service has a ready endpoint on these nodes and no others."""
        endpoints = [{"addresses": [NODES[name]], "nodeName": name, "conditions": {"ready": True}} for name in names]
        document = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "dashboard-1",
                "namespace": "kubernetes-dashboard",
                "labels": {"kubernetes.io/service-name": "kubernetes-dashboard"},
            },
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": [{"name": "", "port": 9090, "protocol": "TCP"}],
        }
        fresh = self.folder / "endpoints.new"
        fresh.write_text(json.dumps(document))
        fresh.rename(self.folder / "manifests" / "endpoints.yaml")

    def start(self, name: str) -> None:
        """The program on one node."""
        state = self.folder / name
        command = [sys.executable, "-m", "suite", "run", "--config", str(self.folder / "suite.yaml"), "--node", name]
        command += ["--manifests", str(self.folder / "manifests"), "--state", str(state), "--database", self.database]
        command += ["--dns-listen", f"{NODES[name]}:53"]
        command += ["--dns-listen", f"[{node6(name)}]:53"] if self.variant.has_ipv6 else []
        with (self.folder / f"{name}.log").open("a") as log:
            environment = os.environ | {"SUITE_TRACEBACK": "1"}
            self.programs[name] = self.nodes[name].spawn(*command, stdout=log, env=environment)

    @property
    def database(self) -> str:
        return self.variant.database or f"sqlite:///{self.folder / 'shared.db'}"

    def log(self) -> str:
        return "\n".join(f"== {name}\n{(self.folder / f'{name}.log').read_text()}" for name in self.programs)

    def ask(self, *command: str) -> str:
        """What the client's command prints."""
        done = self.client.run(*command)
        return done.stdout + done.stderr

    def suite(self, *words: str, node: str = "master") -> str:
        """What a command of the suite prints on a node."""
        done = self.nodes[node].python("-m", "suite", *words, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def router_config(self, vendor: str, part: str) -> str:
        """What `suite router-config` writes."""
        where = ("--config", str(self.folder / "suite.yaml"), "--database", self.database)
        return self.suite("router-config", "--vendor", vendor, "--part", part, *where)

    def frr(self, *, bfd: bool = False, password: str = "") -> Frr:
        """The router runs FRR, which is told what was written for it as its instructions say: by `vtysh -f`."""
        folder = Path(tempfile.mkdtemp(prefix="frr-", dir=self.folder))
        self.folder.chmod(0o755)
        folder.chmod(0o777)
        daemons = ("zebra", "bfdd", "bgpd") if bfd else ("zebra", "bgpd")
        frr = Frr(self.router, folder, "", daemons).start()
        written = self.router_config("frr", "bgp")
        if password:
            written = re.sub(r"! (neighbor suite password) .*", rf"\1 {password}", written)
        (folder / "suite.conf").write_text(written)
        told = self.router.run("vtysh", "--vty_socket", str(folder), "-f", str(folder / "suite.conf"))
        assert "%" not in told.stdout + told.stderr, told.stdout + told.stderr
        return frr

    def bird(self) -> Bird:
        """The router runs BIRD with what was written for it, included by a file that has a kernel protocol."""
        return Bird(self.router, self.folder, BIRD_KERNEL.format(self.router_config("bird", "bgp"))).start()

    def dnsmasq(self) -> None:
        """The router's forwarder, with what was written for it; it keeps nothing between questions."""
        (self.folder / "dnsmasq.conf").write_text(self.router_config("frr", "dns"))
        forwarder = self.router.spawn(
            *("dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--cache-size=0", "--user=root"),
            *(f"--conf-file={self.folder / 'dnsmasq.conf'}", f"--listen-address={ROUTER}", "--bind-interfaces"),
            stdout=subprocess.DEVNULL,
        )
        assert eventually(lambda: "SERVFAIL" not in self.ask("nslookup", "ns.service"), 10, every=0.1)
        assert forwarder.poll() is None


@contextmanager
def dashboard_lan(
    lab: NetLab, options: str = "", policy: str = "", peer: str = ROUTER, variant: Variant = STORY_VARIANT
) -> Iterator[DashboardLan]:
    """The networks with the program on all nodes; `options` is one more line of the peer, `policy` of the Service."""
    people, nodes_lan = lab.bridge("people"), lab.bridge("nodes")
    client, router = lab.namespace("client"), lab.namespace("router")
    people.plug(router, "eth0", addresses=[f"{ROUTER}/24", f"{ROUTER6}/64"])
    nodes_lan.plug(router, "eth1", addresses=[f"{ROUTER_BESIDE}/24", f"{ROUTER6_BESIDE}/64"])
    router.sysctl(ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)
    people.plug(client, addresses=[f"{CLIENT}/24", f"{CLIENT6}/64"])
    client.ip("route", "add", "default", "via", ROUTER)
    client.ip("-6", "route", "add", "default", "via", ROUTER6)
    nodes = {}
    for name, address in NODES.items():
        node = nodes[name] = lab.namespace(name)
        nodes_lan.plug(node, addresses=[f"{address}/24", f"{node6(name)}/64"])
        node.ip("route", "add", "default", "via", ROUTER_BESIDE)
        node.ip("-6", "route", "add", "default", "via", ROUTER6_BESIDE)
        for vip in (VIP, VIP6) if variant.has_ipv6 else (VIP,):
            node.ip("address", "add", vip, "dev", "lo", *(["nodad"] if ":" in vip else []))
            node.spawn(sys.executable, "-c", POD, name, vip, stdout=subprocess.DEVNULL)
    resolv_conf(client)
    with tempfile.TemporaryDirectory() as folder:
        lan = DashboardLan(nodes_lan, client, router, nodes, Path(folder), options, policy, peer, variant)
        lan.write()
        for name in NODES:
            if name != variant.newcomer:
                lan.start(name)
        try:
            yield lan
        finally:
            for program in lan.programs.values():
                program.terminate()
            for program in lan.programs.values():
                program.wait(20)
            for host in (router, *nodes.values()):
                host.stop_processes()
            Path("/etc/netns", client.full_name, "resolv.conf").unlink(missing_ok=True)
            Path("/etc/netns", client.full_name).rmdir()


def resolv_conf(client: Namespace) -> None:
    """The client asks the router; `ip netns exec` puts this file over the machine's own inside the namespace."""
    folder = Path("/etc/netns", client.full_name)
    folder.mkdir(parents=True)
    (folder / "resolv.conf").write_text(f"nameserver {ROUTER}\n")


def main() -> int:
    with network() as lab, dashboard_lan(lab) as lan:
        frr = lan.frr()
        if not eventually(lambda: len(paths(frr)) == len(NODES), within=40, every=0.2):
            print("not every node has told the router; the logs:\n" + lan.log())
            return 1
        lan.dnsmasq()
        print(f"router$ vtysh -c 'show ip bgp'\n{frr.vtysh('show ip bgp')}")
        for command in STORY:
            print(f"client$ {' '.join(command)}\n{lan.ask(*command)}")
        where = ("--database", lan.database, "--state", str(lan.folder / "node1"))
        for words in (("bgp", "peers"), ("bgp", "routes", VIP), ("hosts", "export", "--format", "usg")):
            print(f"node1$ suite {' '.join(words)}\n{lan.suite(*words, *where, node='node1')}")
    return 0


def paths(frr: Frr) -> list[str]:
    """The nodes (by address) that FRR has the dashboard's address from."""
    return sorted(path["peerId"] for path in frr.table().get(f"{VIP}/32", []) if path.get("valid"))


def paths6(frr: Frr) -> list[str]:
    """The nodes that FRR has the dashboard's IPv6 address from, by the address of their session."""
    return sorted(path["peerId"] for path in frr.table("ipv6").get(f"{VIP6}/128", []) if path.get("valid"))


def best(frr: Frr) -> list[str]:
    """Those of them that it marks best."""
    return [path["peerId"] for path in frr.table().get(f"{VIP}/32", []) if path.get("bestpath")]


if __name__ == "__main__":
    sys.exit(main())
