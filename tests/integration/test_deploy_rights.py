"""The rights in the manifests are those that the program uses: it runs against an API server that notes every request."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from apiserver.app import Api, Fault
from apiserver.server import Running, running
from deploy_files import KUSTOMIZE, installed, objects

PATIENCE = 30.0
METALLB = ("bfdprofiles", "bgpadvertisements", "bgppeers", "communities", "ipaddresspools", "l2advertisements")
GATEWAY = ("gateways", "grpcroutes", "httproutes", "tlsroutes")
GROUPS = {
    "endpointslices": "discovery.k8s.io",
    "leases": "coordination.k8s.io",
    "ingresses": "networking.k8s.io",
    **dict.fromkeys(METALLB, "metallb.io"),
}
GROUPS |= dict.fromkeys(GATEWAY, "gateway.networking.k8s.io")
COMPONENTS = ("beside-metallb", "hostnames", "secrets")
SETTINGS = """\
kubernetes:
  guard-lease: suite-system/suite
  hostnames: [ingress, gateway]
  secrets: true
  stand-by-for: metallb
"""
Right = tuple[str, str, str]
"""Group of the API, resource, verb."""


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> frozenset[Right]:
    """What the program asked for while everything happened to it that makes it ask."""
    return asyncio.run(_life(tmp_path_factory.mktemp("rights")))


def granted() -> frozenset[Right]:
    """By install.yaml and by the components that settings may need beside it."""
    roles = [body for (kind, _), body in installed().items() if kind in {"ClusterRole", "Role"}]
    for component in COMPONENTS:
        text = (KUSTOMIZE / component / "rights.yaml").read_text(encoding="utf-8")
        roles += [body for (kind, _), body in objects(text).items() if kind == "ClusterRole"]
    rules = [rule for role in roles for rule in role["rules"]]
    return frozenset(
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    )


def test_no_request_is_made_that_is_not_allowed(used: frozenset[Right]):
    assert used - granted() == set()


def test_no_right_is_given_that_is_not_used(used: frozenset[Right]):
    assert granted() - used == set()


def test_of_config_maps_only_one_name_is_read():
    [rule] = [each for each in installed()["ClusterRole", "suite"]["rules"] if each["resources"] == ["configmaps"]]

    assert rule["resourceNames"] == ["config"]


async def _life(folder: Path) -> frozenset[Right]:
    api = Api()
    api.install_metallb()
    api.install_gateway_api()
    for name in ("suite-system", "metallb-system"):
        api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    api.put(_config_map("10.0.42.0/24"))
    async with running(api) as server, _suite(server, folder):
        api.put(_service())
        await _until(lambda: _address(api) == "10.0.42.0")
        api.faults.append(Fault("patch services/status", status=409))
        api.put(_service(status={"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}))
        await _until(lambda: _address(api) == "10.0.42.0" and ("get", "services") in _asked(api))
        for problem in ("nonsense", "10.0.42.0/24", "nonsense"):  # the same Event twice is counted up
            api.put(_config_map(problem))
            await asyncio.sleep(0.3)
        await _until(lambda: ("patch", "events") in _asked(api))
        await _until(lambda: {("watch", each) for each in (*METALLB, *GATEWAY, "pods", "secrets")} <= _asked(api))
        await _until(lambda: {("create", "leases"), ("patch", "leases")} <= _asked(api))
    return frozenset((GROUPS.get(resource, ""), resource, verb) for verb, resource in _asked(api) if resource)


def _asked(api: Api) -> set[tuple[str, str]]:
    return {(call.verb, call.resource) for call in api.calls}


def _address(api: Api) -> str:
    ingress = api.look("services", "coffee").get("status", {}).get("loadBalancer", {}).get("ingress") or [{"ip": ""}]
    return str(ingress[0]["ip"])


def _service(**more: object) -> dict[str, Any]:
    spec = {"type": "LoadBalancer", "ports": [{"port": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "coffee"}, "spec": spec, **more}


def _config_map(addresses: str) -> dict[str, Any]:
    text = json.dumps({"address-pools": [{"name": "default", "protocol": "layer2", "addresses": [addresses]}]})
    metadata = {"name": "config", "namespace": "metallb-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"config": text}}


async def _until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not fact():  # noqa: ASYNC110 - the server sets no event
            await asyncio.sleep(0.02)


@asynccontextmanager
async def _suite(server: Running, folder: Path) -> AsyncIterator[None]:
    roles = ("--role", "controller", "--role", "web")
    (folder / "suite.yaml").write_text(SETTINGS, encoding="utf-8")
    where = (
        "--config",
        folder / "suite.yaml",
        "--kubeconfig",
        server.kubeconfig(folder),
        "--state",
        folder / "state",
        "--node",
        "a",
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "suite", "run", *map(str, where), *roles, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()
