"""The rights in the manifests are those that the program uses: it runs against an API server that judges every request by them.

Where a right counts is part of it: nothing is refused, no right is left over, and what is only asked in one namespace is only given there.
"""

import asyncio
import json
import ssl
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from apiserver.app import Api, Call, Fault
from apiserver.rights import Grant, grants_of
from apiserver.server import Running, running
from deploy_files import KUSTOMIZE, installed
from kustomization import build
from suite_running import free_port

PATIENCE = 30.0
ACCOUNT = "suite-system/suite-controller"
METALLB = ("bfdprofiles", "bgpadvertisements", "bgppeers", "communities", "ipaddresspools", "l2advertisements")
GATEWAY = ("gateways", "grpcroutes", "httproutes", "tlsroutes")
GROUPS = {
    "endpointslices": "discovery.k8s.io",
    "leases": "coordination.k8s.io",
    "ingresses": "networking.k8s.io",
    "tokenreviews": "authentication.k8s.io",
    **dict.fromkeys(METALLB, "metallb.io"),
    **dict.fromkeys(GATEWAY, "gateway.networking.k8s.io"),
}
WITHOUT_NAMESPACE = frozenset({"nodes", "namespaces", "tokenreviews"})
COMPONENTS = ("beside-metallb", "hostnames", "secrets")
MANIFESTS = build(KUSTOMIZE / "overlays/sqlite", *(KUSTOMIZE / each for each in COMPONENTS))
"""install.yaml and the components that bring a right and the setting that makes use of it."""
GRANTED = grants_of(MANIFESTS.values(), ACCOUNT)


def of(call: Call) -> str:
    """The group of the API that a request is about."""
    return GROUPS.get(call.resource, "")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Api:
    """The server after everything happened to the program that makes it ask."""
    api = Api(grants=GRANTED)
    asyncio.run(_life(api, tmp_path_factory.mktemp("rights")))
    return api


def test_no_request_is_refused(api: Api):
    assert api.refused == []


def test_no_right_is_given_that_is_not_used(api: Api):
    assert {grant for grant in GRANTED if not any(grant.allows(of(call), call) for call in api.calls)} == set()


def test_what_is_asked_in_one_namespace_alone_is_granted_there_alone(api: Api):
    wide = {grant for grant in GRANTED if not grant.namespace and grant.resource not in WITHOUT_NAMESPACE}

    assert {grant for grant in wide if len(_places(api, grant)) == 1} == set()


def test_what_is_asked_of_one_name_alone_is_granted_for_it_alone():
    unnamed = {
        grant for grant in GRANTED if grant.namespace and not grant.name and grant.resource in {"configmaps", "leases"}
    }

    assert {grant.verb for grant in unnamed} == {"create"}  # which cannot be bound to a name


def test_speakers_and_nameservers_have_no_rights():
    accounts = [name for kind, name in installed() if kind == "ServiceAccount"]

    assert {
        name: grants_of(MANIFESTS.values(), f"suite-system/{name}") for name in accounts if name != "suite-controller"
    } == {
        "suite-speaker": frozenset(),
        "suite-nameserver": frozenset(),
    }


def _places(api: Api, grant: Grant) -> set[str]:
    """Where it was used: namespaces, or all of them at once, which counts as two."""
    used = {call.namespace for call in api.calls if grant.allows(of(call), call)}
    return used | {"*"} if "" in used else used


async def _life(api: Api, folder: Path) -> None:
    api.install_metallb()
    api.install_gateway_api()
    for name in ("suite-system", "metallb-system", "shop"):
        api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    api.put(_config_map("10.0.42.0/24"))
    api.put(_peer())
    api.put(_named("ConfigMap", "suite-authority", "suite-system", data={"authority.pem": "of another database"}))
    port = free_port()
    async with running(api) as server:
        async with _suite(server, folder, port):
            await _until(lambda: ("patch", "configmaps") in _asked(api))
        api.delete("configmaps", "suite-authority", "suite-system")
        async with _suite(server, folder, port):
            await _until(lambda: ("create", "configmaps") in _asked(api))
            await _ask_for_the_feed(port)
            for namespace in ("default", "shop"):
                await _serve(api, namespace)
            for problem in ("nonsense", "10.0.42.0/24", "nonsense"):  # the same Event twice is counted up
                api.put(_config_map(problem))
                await asyncio.sleep(0.3)
            await _until(lambda: ("patch", "events") in _asked(api))
            await _until(lambda: {("watch", each) for each in (*METALLB, *GATEWAY, "pods", "secrets")} <= _asked(api))
            await _until(lambda: {("create", "leases"), ("patch", "leases")} <= _asked(api))


async def _serve(api: Api, namespace: str) -> None:
    """A Service gets an address, and keeps it through a conflict and somebody else's writing."""
    api.put(_service(namespace))
    await _until(lambda: _address(api, namespace).startswith("10.0.42."))
    api.faults.append(Fault("patch services/status", status=409))
    before = len(api.calls)
    api.put(_service(namespace, status={"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}))
    await _until(lambda: ("get", "services") in {(call.verb, call.resource) for call in api.calls[before:]})
    await _until(lambda: _address(api, namespace).startswith("10.0.42."))


async def _ask_for_the_feed(port: int) -> None:
    """Somebody comes with a token that only the API server can judge."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(b"GET /v1/snapshot HTTP/1.0\r\nAuthorization: Bearer of.a.pod\r\n\r\n")
    assert b" 401 " in await reader.readline()
    writer.close()
    with suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()


def _asked(api: Api) -> set[tuple[str, str]]:
    return {(call.verb, call.resource) for call in api.calls}


def _address(api: Api, namespace: str) -> str:
    status = api.look("services", "coffee", namespace).get("status", {})
    return str((status.get("loadBalancer", {}).get("ingress") or [{"ip": ""}])[0]["ip"])


def _named(kind: str, name: str, namespace: str, version: str = "v1", **rest: object) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, **rest}


def _service(namespace: str, **more: object) -> dict[str, Any]:
    return _named("Service", "coffee", namespace, spec={"type": "LoadBalancer", "ports": [{"port": 8080}]}, **more)


def _config_map(addresses: str) -> dict[str, Any]:
    text = json.dumps({"address-pools": [{"name": "default", "protocol": "layer2", "addresses": [addresses]}]})
    return _named("ConfigMap", "config", "metallb-system", data={"config": text})


def _peer() -> dict[str, Any]:
    spec = {"peerAddress": "192.168.1.1", "peerASN": 64512, "myASN": 64513, "passwordSecret": {"name": "gateway"}}
    return _named("BGPPeer", "router", "metallb-system", "metallb.io/v1beta2", spec=spec)


async def _until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not fact():  # noqa: ASYNC110 - the server sets no event
            await asyncio.sleep(0.02)


def _settings(port: int) -> str:
    """Those of the manifests, with a port of our own."""
    text: str = MANIFESTS["ConfigMap", "suite"]["data"]["suite.yaml"]
    assert "0.0.0.0:7473" in text
    return text.replace("0.0.0.0:7473", f"127.0.0.1:{port}")


@asynccontextmanager
async def _suite(server: Running, folder: Path, port: int) -> AsyncIterator[None]:
    roles = ("--role", "controller", "--role", "web")
    (folder / "suite.yaml").write_text(_settings(port), encoding="utf-8")
    kubeconfig = server.kubeconfig(folder)
    where = ("--config", folder / "suite.yaml", "--kubeconfig", kubeconfig, "--state", folder / "state", "--node", "a")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "suite", "run", *map(str, where), *roles, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()
