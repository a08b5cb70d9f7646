"""Fuzzing of manifests: ``python tests/fuzz/manifests_any.py [-runs=N] [CORPUS]``.

Any octets are a file of a directory; reading may tell problems, and must not raise, hang or grow.  A good file beside it
stays good, and what a file had before it was damaged is only lost when the damaged text is whole again.  With atheris
the interpreter's branches steer the search; without it random changes of the seed do.
"""

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from suite.cluster.convert import convert
from suite.cluster.directory import Directory
from suite.model.service import Service

SEED = b"""\
apiVersion: v1
kind: Service
metadata:
  name: coffee
  namespace: shop
  labels: &labels {app: coffee, version: 1.10}
  annotations:
    metallb.io/loadBalancerIPs: "10.0.42.7, 2001:db8::7"
    metallb.universe.tf/allow-shared-ip: key
    suite/hostname: k8s-dashboard,*.board.service.
    external-dns.alpha.kubernetes.io/ttl: 1m30s
spec:
  type: LoadBalancer
  ipFamilyPolicy: PreferDualStack
  externalTrafficPolicy: Local
  selector: *labels
  ports:
  - {name: http, port: 8080, targetPort: api, protocol: TCP}
status: {loadBalancer: {ingress: [{ip: 10.0.42.7}]}}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Node, metadata: {name: compute2}, status: {addresses: [{type: InternalIP, address: 10.0.10.2}]}}
- {apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: "7"}}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: coffee-x, namespace: shop, labels: {kubernetes.io/service-name: coffee}}
endpoints: [{addresses: [10.1.0.5], nodeName: compute2, conditions: {ready: true}}]
"""
GOOD = "apiVersion: v1\nkind: Service\nmetadata: {name: tea}\n"


def one(octets: bytes) -> None:
    """One input; every promise of reading is checked on it."""
    text = octets.decode("utf-8", errors="replace")
    directory = Directory("fuzz")
    paths = {"good.yaml", "it.yaml", "it.json"}
    directory.update(paths, {"good.yaml": GOOD, "it.yaml": SEED.decode(), "it.json": text}, 1)
    before = set(directory.inventory.keys("Service", "Node", "Namespace", "EndpointSlice"))
    directory.inventory.full()
    directory.update(paths, {"it.yaml": text}, 1)
    directory.inventory.changes()
    after = set(directory.inventory.keys("Service", "Node", "Namespace", "EndpointSlice"))
    problems = directory.problems()
    assert ("Service", "default", "tea") in after
    broken = {problem.source for problem in problems if problem.code in {"file.syntax", "object.malformed"}}
    assert before <= after or "fuzz/it.yaml" not in broken
    assert all(problem.code and str(problem).isprintable() for problem in problems)
    for key in directory.inventory.keys("Service"):
        value = directory.inventory.value(key)
        assert isinstance(value, Service)
        assert len(value.requested) <= 2


def changed(octets: bytes, chance: random.Random) -> bytes:
    """``octets`` with a few random damages: cut, doubled, swapped, replaced by what hurts YAML readers."""
    hurtful = [
        b"\x00",
        b"\xff",
        b"&a ",
        b"*a",
        b"<<: *labels",
        b"---\n",
        b"[",
        b"{",
        b"!!binary ",
        b"? ",
        b"\t",
        b"%YAML 9\n",
    ]
    hurtful += ["\u2028".encode(), b"9" * 400, b"kind: List\nitems: ", b"~", b"null", b"1e999", b"-", b": "]
    damaged = bytearray(octets)
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(damaged) + 1)
        end = min(len(damaged), start + chance.choice([0, 1, 5, 40, 400]))
        damaged[start:end] = chance.choice([b"", damaged[start:end] * 2, chance.choice(hurtful)])
    return bytes(damaged)


def damaged_object(chance: random.Random) -> object:
    """An API object with a value of the wrong shape somewhere."""
    odd = [None, True, 0, -1, 1.5, "", "x", [], {}, [None], [[]], {"": None}, "9" * 400, {"kind": []}]

    def walk(value: object) -> object:
        if chance.random() < 0.08:
            return chance.choice(odd)
        if isinstance(value, dict):
            return {key: walk(each) for key, each in value.items() if chance.random() > 0.03}
        return [walk(each) for each in value] if isinstance(value, list) else value

    return walk(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "coffee", "annotations": {"suite/ttl": "30"}, "labels": {"a": "b"}},
            "spec": {
                "type": "LoadBalancer",
                "clusterIPs": ["10.96.0.1"],
                "ports": [{"port": 80}],
                "ipFamilies": ["IPv4"],
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "10.0.42.0"}]}},
        }
    )


def one_object(document: object) -> None:
    """An object of any shape converts to a value or to problems."""
    for in_cluster in (True, False):
        converted = convert(document, in_cluster=in_cluster)
        assert (
            converted is None or converted.value is not None or any(not each.is_warning for each in converted.problems)
        )


def main() -> None:
    try:
        import atheris
    except ImportError:
        runs = next((int(each.partition("=")[2]) for each in sys.argv if each.startswith("-runs=")), 10_000)
        chance = random.Random()
        for _ in range(runs):
            one(changed(SEED, chance))
            one_object(damaged_object(chance))
        return
    atheris.instrument_all()
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
