"""kubectl against our API server: what a user types, and what a user sees.

Any kubectl since the one of Debian 12 (1.20, of 2021) will do; what it cannot do is written as it had to be written then.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from fix_cluster import ServerWorld, Told, listening, server_world

from suite.cluster.status import Outcome
from suite.model.service import ServiceRef

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl; Debian's package is kubernetes-client"),
]
SUBRESOURCE_SINCE = 24
"""The minor version that can patch a status."""

COFFEE = ServiceRef("default", "coffee")
MANIFEST = """\
apiVersion: v1
kind: Service
metadata: {name: coffee}
spec:
  type: LoadBalancer
  selector: {app: coffee}
  ports: [{port: 8080, targetPort: api}]
"""

Kubectl = Callable[..., Awaitable[str]]


def play(tmp_path: Path, scenario: Callable[[Kubectl, ServerWorld, Told], Awaitable[None]]) -> None:
    async def story() -> None:
        async with server_world() as world, listening(world.source) as told:
            kubeconfig = world.server.kubeconfig(tmp_path)

            async def kubectl(*arguments: str, stdin: str = "") -> str:
                process = await asyncio.create_subprocess_exec(
                    "kubectl",
                    f"--kubeconfig={kubeconfig}",
                    f"--cache-dir={tmp_path}/cache",
                    *arguments,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    env={**os.environ, "HOME": str(tmp_path)},
                )
                out, errors = await process.communicate(stdin.encode())
                assert process.returncode == 0, errors.decode()
                return out.decode()

            await scenario(kubectl, world, told)

    asyncio.run(story())


def test_apply_then_describe_shows_the_address_and_the_event(tmp_path):
    async def scenario(kubectl: Kubectl, world: ServerWorld, told: Told) -> None:
        assert await kubectl("apply", "-f", "-", stdin=MANIFEST) == "service/coffee created\n"
        await told.until(lambda told: COFFEE in told.services)
        world.teller.tell([Outcome(COFFEE, (ip_address("10.0.42.0"),), "default")])
        await world.until(
            "coffee", lambda seen: seen["metadata"]["annotations"].get("metallb.io/ip-allocated-from-pool")
        )

        described = " ".join((await kubectl("describe", "service", "coffee")).split())

        assert "LoadBalancer Ingress: 10.0.42.0" in described
        assert re.search(r'Normal IPAllocated \S+ suite-controller Assigned IP "10.0.42.0"', described)

    play(tmp_path, scenario)


def test_get_shows_the_external_address(tmp_path):
    async def scenario(kubectl: Kubectl, world: ServerWorld, told: Told) -> None:
        await kubectl("apply", "-f", "-", stdin=MANIFEST)
        pending = (await kubectl("get", "service", "coffee")).split()
        await told.until(lambda told: COFFEE in told.services)
        world.teller.tell([Outcome(COFFEE, (ip_address("10.0.42.0"),), "default")])
        await world.until("coffee", lambda seen: seen["status"]["loadBalancer"].get("ingress"))

        found = (await kubectl("get", "services")).split()

        assert found[:6] == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
        assert (pending[9], found[9]) == ("<pending>", "10.0.42.0")
        assert found[10].startswith("8080")

    play(tmp_path, scenario)


def test_get_shows_other_types_of_services_too(tmp_path):
    async def scenario(kubectl: Kubectl, world: ServerWorld, _: Told) -> None:
        for spec in (
            {"type": "ExternalName", "externalName": "far.example"},
            {"type": "ClusterIP", "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}]},
        ):
            named = {"name": spec["type"].lower()}
            world.server.api.put({"apiVersion": "v1", "kind": "Service", "metadata": named, "spec": spec})

        lines = (await kubectl("get", "services", "--no-headers")).splitlines()

        [inside, outside] = [line.split() for line in lines]
        assert (inside[1], *inside[3:5]) == ("ClusterIP", "<none>", "53/UDP")
        assert outside[1:5] == ["ExternalName", "<none>", "far.example", "<none>"]

    play(tmp_path, scenario)


def test_get_in_all_namespaces_and_sorted_tells_each_service(tmp_path):
    async def scenario(kubectl: Kubectl, _: ServerWorld, __: Told) -> None:
        for name in ("tea", "coffee"):
            await kubectl("apply", "-f", "-", stdin=MANIFEST.replace("name: coffee", f"name: {name}"))

        found = await kubectl("get", "svc", "-A", "--sort-by=.metadata.name", "--no-headers")

        assert [line.split()[:3] for line in found.splitlines()] == [
            ["default", "coffee", "LoadBalancer"],
            ["default", "tea", "LoadBalancer"],
        ]

    play(tmp_path, scenario)


def test_applying_again_leaves_our_annotation_and_status_alone(tmp_path):
    async def scenario(kubectl: Kubectl, world: ServerWorld, told: Told) -> None:
        await kubectl("apply", "-f", "-", stdin=MANIFEST)
        await told.until(lambda told: COFFEE in told.services)
        world.teller.tell([Outcome(COFFEE, (ip_address("10.0.42.0"),), "default")])
        written = await world.until("coffee", lambda seen: len(seen["metadata"].get("annotations", {})) == 2)

        await kubectl("apply", "-f", "-", stdin=MANIFEST)

        assert await world.look("Service", "coffee") == written

    play(tmp_path, scenario)


def test_a_status_patched_by_hand_is_mended(tmp_path):
    async def scenario(kubectl: Kubectl, world: ServerWorld, told: Told) -> None:
        await kubectl("apply", "-f", "-", stdin=MANIFEST)
        await told.until(lambda told: COFFEE in told.services)
        world.teller.tell([Outcome(COFFEE, (ip_address("10.0.42.0"),), "default")])
        await world.until("coffee", lambda seen: len(seen["metadata"].get("annotations", {})) == 2)

        await spoil(kubectl)

        ours = [{"ip": "10.0.42.0", "ipMode": "VIP"}]
        await world.until("coffee", lambda seen: seen["status"]["loadBalancer"].get("ingress") == ours)

    play(tmp_path, scenario)


async def spoil(kubectl: Kubectl) -> None:
    """Write somebody else's address into the status."""
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    if minor_version() >= SUBRESOURCE_SINCE:
        patch = json.dumps({"status": status})
        await kubectl("patch", "service", "coffee", "--subresource=status", "--type=merge", "-p", patch)
        return
    found = json.loads(await kubectl("get", "service", "coffee", "-o", "json"))
    path = "/api/v1/namespaces/default/services/coffee/status"
    await kubectl("replace", "--raw", path, "-f", "-", stdin=json.dumps({**found, "status": status}))


def minor_version() -> int:
    told = subprocess.run(["kubectl", "version", "--client", "-o", "json"], capture_output=True, check=True)
    return int(json.loads(told.stdout)["clientVersion"]["minor"].rstrip("+"))


def test_delete_is_seen(tmp_path):
    async def scenario(kubectl: Kubectl, _: ServerWorld, told: Told) -> None:
        await kubectl("apply", "-f", "-", stdin=MANIFEST)
        await told.until(lambda told: COFFEE in told.services)

        await kubectl("delete", "service", "coffee")

        await told.until(lambda told: COFFEE not in told.services)

    play(tmp_path, scenario)
