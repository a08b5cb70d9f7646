"""A cluster that runs what the manifests say, acted out on one machine: the API server is ours, the containers are processes.

Nodes are network namespaces on one LAN; pods have namespaces of their own behind their node, as a simple network plugin wires them;
nftables plays kube-proxy for the nameservers' Service; the API server speaks HTTPS and lets nobody in without a token.  What
the manifests say of a pod is done by :mod:`pods`; what makes pods of a Deployment or a DaemonSet is here.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import threading
from base64 import urlsafe_b64encode
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from apiserver.app import Api
from apiserver.objects import Refused
from apiserver.server import Running
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from deploy_files import DEPLOY, NAMESPACE, Object, Objects, installed, objects
from fix_netns import eventually, require_tools
from pods import ACCOUNT, Image, Pod, empty, filled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from fix_netns import Bridge, Namespace, NetLab

PATIENCE = 40.0
MASTER = "10.0.10.100"
LAPTOP = "10.0.10.9"
AUTHORITY = "suite-authority"
COMPONENTS = {"controller": "Deployment", "speaker": "DaemonSet", "nameserver": "Deployment"}
CLUSTER_IP = "10.96.0.10"
"""Of the Service suite-controller."""
NAMES = """
table ip names {{
  chain services {{
    type nat hook prerouting priority dstnat
    ip daddr {address} udp dport 53 dnat to {pod}:1053
    ip daddr {address} tcp dport 53 dnat to {pod}:1053
  }}
}}
"""
FEED = """
table ip feed
delete table ip feed
table ip feed {{
  chain pods {{
    type nat hook prerouting priority dstnat
    ip daddr {address} tcp dport 7473 dnat to {pod}
  }}
  chain node {{
    type nat hook output priority -100
    ip daddr {address} tcp dport 7473 dnat to {pod}
  }}
}}
"""


@dataclass
class Cluster:
    """Nodes, pods, a laptop on the nodes' LAN, and the API server's state."""

    lab: NetLab
    api: Api
    lan: Bridge
    laptop: Namespace
    master: Namespace
    manifests: Objects
    folder: Path
    image: Image
    nodes: dict[str, Namespace] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    """Of nodes, and of pods that have one."""
    pods: dict[str, Pod] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    early: dict[str, int] = field(default_factory=dict)
    """What the readiness probe of each follower got before it knew the controller's certificate."""

    def owner(self, address: str) -> str:
        """The node that answers ARP for an address; empty unless it is exactly one."""
        answering = answerers(self.laptop, address)
        found = [name for name, node in self.nodes.items() if node.mac() in answering]
        return found[0] if len(found) == len(answering) == 1 else ""

    def names(self, name: str, server: str, port: int = 53, *, over: str = "+notcp") -> str:
        """The address that the laptop is told for a name; empty for none."""
        asked = ("dig", "+short", "+time=1", "+tries=1", over, "-p", str(port), f"@{server}", name)
        return self.laptop.run(*asked).stdout.strip()

    def are_ready(self) -> bool:
        """Whether every pod's own probes say that it lives and is ready."""
        return all(pod.asked("livenessProbe") == pod.asked("readinessProbe") == 200 for pod in self.pods.values())

    def kill(self, pod: str) -> None:
        """What the kernel does to a pod whose node loses power, for one pod."""
        gone = self.pods.pop(pod)
        assert gone.process is not None
        gone.process.kill()
        gone.process.wait(5)

    def logs(self) -> str:
        return "\n".join(pod.log() for pod in self.pods.values())

    def start(self, pod: str, node: str, secrets: Mapping[str, Mapping[str, str]]) -> Pod:
        """A pod called ``COMPONENT`` or ``COMPONENT-...`` on a node; ``secrets`` are the files of each Secret."""
        component = pod.partition("-")[0]
        template = self.manifests[COMPONENTS[component], f"suite-{component}"]["spec"]["template"]
        folder = self.folder / pod
        folder.mkdir()
        host = self.nodes[node] if template["spec"].get("hostNetwork") else self._pod_network(pod, node)
        volumes = self._volumes(template, node, folder, secrets)
        known = {f"suite-controller.{NAMESPACE}.svc": CLUSTER_IP}
        made = Pod(pod, node, host, template, folder, volumes, self.environment, known)
        self.pods[pod] = made
        made.start(self.image)
        return made

    def follow_authority(self) -> None:
        """What the kubelet does within a minute: what the controller wrote is there for those who mount it."""
        with suppress(Refused):
            data = self.api.look("configmaps", AUTHORITY, NAMESPACE)["data"]
            for pod in self.pods:
                if (volume := self.folder / pod / "volumes/authority").exists():
                    filled(volume, data, (0, 0), 0o644)

    def serve_names(self, service: str, address: str, pods: Mapping[str, str]) -> None:
        """What the cluster does for a Service: endpoints, and on each node a way to the pod that is there."""
        self.api.put(_slice(service, {node: self.addresses[pod] for node, pod in pods.items()}))
        for node, pod in pods.items():
            self._proxy(node, NAMES.format(address=address, pod=self.addresses[pod]))

    def serve_feed(self, pod: str) -> None:
        """The same for the Service of the controllers, one of which is there."""
        for node in self.nodes:
            self._proxy(node, FEED.format(address=CLUSTER_IP, pod=self.addresses[pod]))

    def kubeconfig(self) -> Path:
        """For somebody at the laptop who may do everything."""
        assert self.api.tokens is not None
        self.api.tokens.add("the administrator's")
        path, server = self.folder / "kubeconfig", f"https://{MASTER}:{self.environment['KUBERNETES_SERVICE_PORT']}"
        clusters = [{"name": "it", "cluster": {"server": server, "certificate-authority": str(self.folder / "ca.crt")}}]
        users = [{"name": "me", "user": {"token": "the administrator's"}}]
        contexts = [{"name": "it", "context": {"cluster": "it", "user": "me"}}]
        said = {"apiVersion": "v1", "kind": "Config", "current-context": "it"}
        path.write_text(json.dumps({**said, "clusters": clusters, "users": users, "contexts": contexts}))
        return path

    def _proxy(self, node: str, rules: str) -> None:
        assert self.nodes[node].run("nft", "-f", "-", stdin=rules).returncode == 0

    def _pod_network(self, pod: str, node: str) -> Namespace:
        """A namespace behind a node, as a bridge-less network plugin does it."""
        number = len(self.pods) + 2
        subnet = f"10.244.{list(self.nodes).index(node) + 1}"
        self.addresses[pod] = f"{subnet}.{number}"
        host, device = self.lab.namespace(pod), f"pod{number}"
        self.lab.veth(self.nodes[node], host, devices=(device, "eth0"), right=[f"{subnet}.{number}/24"])
        self.nodes[node].ip("route", "add", f"{subnet}.{number}/32", "dev", device)
        self.nodes[node].sysctl(**{f"ipv4__conf__{device}__proxy_arp": 1})
        host.ip("route", "add", "default", "via", f"{subnet}.1")
        return host

    def _volumes(
        self, template: Object, node: str, folder: Path, secrets: Mapping[str, Mapping[str, str]]
    ) -> dict[str, Path]:
        spec = template["spec"]
        group = spec.get("securityContext", {}).get("fsGroup", 0)
        account = f"system:serviceaccount:{NAMESPACE}:{spec['serviceAccountName']}"
        found: dict[str, Path] = {}
        for volume in spec["volumes"]:
            name, place = volume["name"], folder / "volumes" / volume["name"]
            if "configMap" in volume:
                made = self.manifests.get(("ConfigMap", volume["configMap"]["name"]))
                assert made or volume["configMap"].get("optional")
                found[name] = filled(place, made["data"] if made else {}, (0, group), 0o644)
            elif "secret" in volume:
                files = secrets.get(volume["secret"]["secretName"], {})
                assert files or volume["secret"].get("optional")
                found[name] = filled(place, files, (0, group), volume["secret"]["defaultMode"])
            elif "projected" in volume:
                [source] = volume["projected"]["sources"]
                token = source["serviceAccountToken"]
                self.api.service_accounts[said := _token(account, node)] = (account, (token["audience"],))
                found[name] = filled(place, {token["path"]: said}, (0, group), volume["projected"]["defaultMode"])
            else:
                assert volume.keys() & {"emptyDir", "persistentVolumeClaim", "hostPath"}
                found[name] = empty(place, group, 0o755 if "hostPath" in volume else 0o2777)
        if spec["automountServiceAccountToken"]:
            assert self.api.tokens is not None
            self.api.tokens.add(said := _token(account, node))
            files = {"token": said, "namespace": NAMESPACE, "ca.crt": (self.folder / "ca.crt").read_text()}
            found[ACCOUNT] = filled(folder / "volumes/account", files, (0, group), 0o640)
        return found


@contextmanager
def cluster(
    lab: NetLab,
    folder: Path,
    manifests: Objects,
    nodes: Mapping[str, str],
    api: Api | None = None,
    reached: Mapping[str, Path] | None = None,
) -> Iterator[Cluster]:
    """A cluster where the manifests were applied and no pod runs yet, with a Service `coffee`; or one with these objects.

    ``reached`` is what containers see of the machine beside their volumes, for a database that has no network.
    """
    require_tools("arping", "curl", "dig", "nft", "nsenter", "setpriv")
    lan, laptop, master = lab.bridge("lan"), lab.namespace("laptop"), lab.namespace("master")
    lan.plug(laptop, addresses=[f"{LAPTOP}/16"])
    lan.plug(master, addresses=[f"{MASTER}/16"])
    (folder / "image").mkdir()
    image = Image.made(folder / "image", reached or {})
    found = Cluster(lab, api or applied(manifests, nodes), lan, laptop, master, manifests, folder, image)
    found.api.tokens = set()
    for number, (name, address) in enumerate(nodes.items(), 1):
        node = found.nodes[name] = lab.namespace(name)
        found.addresses[name] = address
        lan.plug(node, addresses=[f"{address}/16"])
        node.ip("address", "add", f"10.244.{number}.1/32", "dev", "lo")
        node.ip("route", "add", CLUSTER_IP, "dev", "eth0")
        node.sysctl(ipv4__ip_forward=1)
    machines = {"laptop": laptop, "master": master, **found.nodes}
    for number, (name, address) in enumerate(nodes.items(), 1):
        for other in (machine for at, machine in machines.items() if at != name):
            other.ip("route", "add", f"10.244.{number}.0/24", "via", address)
    with _api_server(found.api, master, folder) as port:
        found.environment |= {"KUBERNETES_SERVICE_HOST": MASTER, "KUBERNETES_SERVICE_PORT": str(port)}
        try:
            yield found
        finally:
            for pod in found.pods.values():
                pod.end()


def run_everything(
    found: Cluster, controllers: int = 1, secrets: Mapping[str, Mapping[str, str]] | None = None
) -> None:
    """Start every pod that the manifests ask for, a nameserver on each node, and let the cluster do its part."""
    nodes = list(found.nodes)
    for number in range(controllers):
        found.start("controller" if number == 0 else f"controller-{number}", nodes[number], secrets or {})
    for node in nodes:
        found.start(f"speaker-{node}", node, {})
        found.start(f"nameserver-{node}", node, {})
    names = {node: f"nameserver-{node}" for node in nodes}
    found.serve_names("suite-dns", "10.0.42.53", names)
    found.serve_feed("controller")
    assert eventually(lambda: _has_authority(found.api), PATIENCE, 0.1), found.logs()
    for name, pod in found.pods.items():
        if not name.startswith("controller"):
            assert eventually(lambda pod=pod: pod.asked("livenessProbe") == 200, PATIENCE, 0.1), pod.log()
            found.early[name] = pod.asked("readinessProbe")
    found.follow_authority()


def answerers(client: Namespace, address: str) -> set[str]:
    """The MACs of all who answer ARP for an address; a second is enough for each to be heard."""
    lines = client.run("arping", "-c1", "-w1", "-i", "eth0", address).stdout.splitlines()
    return {line.split("from ")[1].split()[0] for line in lines if f"({address})" in line and "from " in line}


def applied(manifests: Objects, nodes: Mapping[str, str]) -> Api:
    """What is in a cluster with these nodes after both manifests were applied, and a Service `coffee`."""
    api = Api()
    kinds = {each.kind for each in api.resources}
    configuration = objects((DEPLOY / "manifests/config.yaml").read_text(encoding="utf-8"))
    api.put(installed()["Namespace", NAMESPACE])
    for body in {**configuration, **manifests}.values():
        if body["kind"] in kinds:
            api.put(body)
    for name, address in nodes.items():
        status = {"addresses": [{"type": "InternalIP", "address": address}]}
        api.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status})
    api.put(load_balancer("coffee"))
    return api


def load_balancer(name: str) -> Object:
    """A Service that wants an address."""
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def _slice(service: str, pods: Mapping[str, str]) -> Object:
    endpoints = [{"addresses": [pods[node]], "nodeName": node, "conditions": {"ready": True}} for node in pods]
    labels = {"kubernetes.io/service-name": service}
    metadata = {"name": f"{service}-1", "namespace": NAMESPACE, "labels": labels}
    kind = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4"}
    ports = [{"name": "dns-udp", "port": 1053, "protocol": "UDP"}, {"name": "dns-tcp", "port": 1053, "protocol": "TCP"}]
    return {**kind, "metadata": metadata, "endpoints": endpoints, "ports": ports}


def _token(account: str, node: str) -> str:
    """A token in the form of a cluster's (RFC 7519); nobody checks its signature but the API server."""
    claims = {"exp": 4102444800, "sub": account, "node": node, "jti": os.urandom(8).hex()}
    return f"e30.{urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.signature"


def _has_authority(api: Api) -> bool:
    return any(each["metadata"]["name"] == AUTHORITY for each in api.every("configmaps"))


@contextmanager
def _api_server(api: Api, master: Namespace, folder: Path) -> Iterator[int]:
    """The server in a thread of its own; its port. Its certificate is for its address, ``ca.crt`` in the folder."""
    started, done = threading.Event(), threading.Event()
    ports: list[int] = []
    _write_certificate(folder)

    async def serve() -> None:
        with master.entered():
            server = Running(api, MASTER, folder / "server.pem")
        await server.start()
        ports.append(server.port)
        started.set()
        await asyncio.to_thread(done.wait)
        await server.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert started.wait(PATIENCE)
        yield ports[0]
    finally:
        done.set()
        thread.join()


def _write_certificate(folder: Path) -> None:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubernetes")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(MASTER))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    form = serialization.PrivateFormat.PKCS8
    plain = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    (folder / "ca.crt").write_bytes(pem)
    (folder / "server.pem").write_bytes(pem + plain)
