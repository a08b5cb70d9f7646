"""The move from MetalLB: what the command shows, saves, refuses, and does in which order."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest
import yaml
from apiserver.app import Api, Call
from apiserver.server import running
from cluster_stack import Stack, until
from fix_cluster import background, connected

from suite.cluster.connection import ApiError
from suite.cluster.handover import assigned, events_version, speakers
from suite.cluster.status import COMPONENT
from suite.model.announcement import Announcement
from suite.model.configuration import KubernetesSettings

METALLB, OURS = "metallb-system", "suite-system"
READY = {"conditions": [{"type": "Ready", "status": "True"}]}
SILENT = "kubernetes: {stand-by-for: metallb}\n"
NODES = ("a", "b")


def named(kind: str, name: str, namespace: str = METALLB, version: str = "v1", **rest: Any) -> dict[str, Any]:
    labels = rest.pop("labels", {})
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def workload(kind: str, name: str) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "metallb", "component": name}}}
    return named(kind, name, version="apps/v1", spec={"replicas": 1, "template": template})


def metallb(settings: str = SILENT) -> Api:
    """A cluster where MetalLB runs on two nodes, and the suite beside it."""
    api = Api()
    api.install_metallb()
    api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OURS}})
    api.put(named("IPAddressPool", "default", version="metallb.io/v1beta1", spec={"addresses": ["10.0.42.0/24"]}))
    api.put(named("L2Advertisement", "lan", version="metallb.io/v1beta1", spec={}))
    api.put(workload("DaemonSet", "speaker"))
    api.put(workload("Deployment", "controller"))
    api.put(named("ConfigMap", "suite", OURS, data={"suite.yaml": settings}))
    for node in NODES:
        api.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}})
        spec, ours = {"nodeName": node}, {"app.kubernetes.io/name": "suite"}
        api.put(named("Pod", f"speaker-{node}", labels={"component": "speaker"}, spec=spec))
        api.put(named("Pod", f"suite-{node}", OURS, labels=ours, spec=spec, status=READY))
    for number, name in enumerate(("coffee", "tea")):
        status = {"loadBalancer": {"ingress": [{"ip": f"10.0.42.{number + 7}"}]}}
        spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
        api.put(named("Service", name, "default", spec=spec, status=status))
    return api


async def command(kubeconfig: Path, folder: Path, *arguments: str) -> tuple[int, str, str]:
    where = (f"--kubeconfig={kubeconfig}", f"--save={folder}/saved", "--timeout=20")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "suite", "migrate-from-metallb", *where, *arguments,
        stdout=PIPE, stderr=PIPE, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    out, errors = await process.communicate()
    return process.returncode or 0, out.decode(), errors.decode()


def asked(tmp_path: Path, api: Api, *arguments: str) -> tuple[int, str, str]:
    async def story() -> tuple[int, str, str]:
        async with running(api) as server:
            return await command(server.kubeconfig(tmp_path), tmp_path, *arguments)

    return asyncio.run(story())


def writes(api: Api) -> list[Call]:
    return [call for call in api.calls if call.verb not in {"get", "list", "watch"}]


def test_without_go_it_shows_what_stays_and_changes_nothing(tmp_path):
    api = metallb()

    code, out, errors = asked(tmp_path, api, "-o", "csv")

    lines = out.splitlines()
    assert (code, writes(api)) == (0, [])
    assert [line.split(",")[:3] for line in lines[1:]] == [
        ["default/coffee", "10.0.42.7", "default"],
        ["default/tea", "10.0.42.8", "default"],
    ]
    assert all(
        speaker == successor in NODES for _, _, _, speaker, successor, _ in (line.split(",") for line in lines[1:])
    )
    assert "DaemonSet metallb-system/speaker" in errors


def test_what_the_way_back_needs_is_saved_and_never_written_over(tmp_path):
    api = metallb()
    asked(tmp_path, api)
    saved = tmp_path / "saved"
    resources = list(yaml.safe_load_all((saved / "metallb-resources.yaml").read_text()))
    (saved / "metallb-workloads.yaml").write_text("mine")

    asked(tmp_path, api)

    assert [(each["kind"], each["metadata"]["name"]) for each in resources] == [
        ("IPAddressPool", "default"),
        ("L2Advertisement", "lan"),
    ]
    assert "uid" not in resources[0]["metadata"]
    assert (saved / "metallb-workloads.yaml").read_text() == "mine"
    assert (saved / "metallb-resources.yaml").stat().st_mode & 0o777 == 0o600


def test_an_address_that_would_be_lost_stops_the_move(tmp_path):
    api = metallb()
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
    api.put(named("Service", "milk", "default", spec=spec, status=status))

    code, _, errors = asked(tmp_path, api, "--go")

    assert (code, writes(api)) == (1, [])
    assert "1 addresses would not stay: default/milk (192.0.2.1)" in errors


def test_a_suite_that_would_announce_beside_metallb_stops_the_move(tmp_path):
    api = metallb(settings="web: {}\n")

    code, _, errors = asked(tmp_path, api, "--go")

    assert (code, writes(api)) == (1, [])
    assert "stand-by-for: metallb" in errors


async def _end_pods(api: Api) -> None:
    """What the cluster does with the pods of a DaemonSet that is deleted: one after the other."""
    await until(lambda: not api.every("daemonsets"))
    for node in NODES:
        await asyncio.sleep(0.05)
        api.delete("pods", f"speaker-{node}", METALLB)


async def _announce(stack: Stack) -> None:
    """What our speakers do: as soon as nobody stands in the way, one of them announces."""
    await until(lambda: stack.controller.snapshot.nodes and stack.controller.snapshot.leases)
    await until(lambda: not any(node.is_occupied for node in stack.controller.snapshot.nodes.values()))
    found = [Announcement(address, "a", "layer2", "eth0") for address in stack.controller.snapshot.leases]
    stack.store.announce("a", frozenset(found), now=stack.now())


@pytest.mark.timeout(60)
def test_the_order_is_followed_to_the_end(tmp_path):
    api = metallb()

    async def story() -> tuple[int, str, str]:
        async with running(api) as server:
            kubeconfig = server.kubeconfig(tmp_path)
            stack = Stack(kubeconfig, f"sqlite:///{tmp_path}/suite.db", "a", KubernetesSettings(stand_by_for="metallb"))
            async with background(stack.run()), background(_announce(stack)), background(_end_pods(api)):
                return await command(kubeconfig, tmp_path, "--go")

    code, _, errors = asyncio.run(story())

    assert code == 0, errors
    ours = [call for call in writes(api) if call.resource in {"daemonsets", "deployments"}]
    assert ours == [
        Call("patch", "deployments", METALLB, "controller"),
        Call("delete", "daemonsets", METALLB, "speaker"),
    ]
    assert [api.look("services", name)["status"]["loadBalancer"]["ingress"][0]["ip"] for name in ("coffee", "tea")] == [
        "10.0.42.7",
        "10.0.42.8",
    ]
    assert "2 Services announced by ours" in errors


def test_an_interface_that_cannot_be_measured_on_stops_the_move_before_a_speaker_is_removed(tmp_path):
    api = metallb()
    for name in ("coffee", "tea"):  # as if the suite had taken them over
        body = api.look("services", name)
        condition = {"type": "suite/AddressAssigned", "status": "True", "reason": "Assigned", "message": ""}
        api.put({**body, "status": {**body["status"], "conditions": [condition]}})

    code, _, errors = asked(tmp_path, api, "--go", "--interface", "nosuch0")

    assert code == 1
    assert "nosuch0" in errors
    assert len(api.every("daemonsets")) == 1


def test_speakers_are_told_through_a_stream_that_ends_in_an_error(tmp_path):
    api = metallb()

    async def story() -> list[list[str]]:
        async with running(api) as server, connected(server.kubeconfig(tmp_path)) as connection:
            told = []
            async for pods in speakers(connection, METALLB):
                told.append([pod.name for pod in pods])
                if len(told) == 1:
                    api.delete("pods", "speaker-a", METALLB)
                    api.objects.compact()  # the watch that begins now gets an ERROR, and would tell of nothing
                elif len(told) == 2:
                    api.delete("pods", "speaker-b", METALLB)
            return told

    assert asyncio.run(story()) == [["speaker-a", "speaker-b"], ["speaker-b"], []]


def test_a_watch_of_speakers_that_is_forbidden_is_an_error_and_no_silence(tmp_path):
    api = metallb()
    api.denied.add(("watch", "pods"))

    async def story() -> None:
        async with running(api) as server, connected(server.kubeconfig(tmp_path)) as connection:
            async for _ in speakers(connection, METALLB):
                pass

    with pytest.raises(ApiError, match="403 Forbidden"):
        asyncio.run(story())


def assignment(name: str) -> dict[str, Any]:
    about = {"kind": "Service", "namespace": "default", "name": name}
    source = {"component": COMPONENT}
    return named("Event", f"{name}.1", "default", reason="nodeAssigned", involvedObject=about, source=source)


def test_an_announcement_told_while_the_watch_was_blind_is_found_by_the_next_list(tmp_path):
    api = metallb()
    api.put(assignment("before"))

    async def story() -> list[str]:
        async with running(api) as server, connected(server.kubeconfig(tmp_path)) as connection:
            version = await events_version(connection)
            api.put(assignment("coffee"))
            api.objects.compact()
            api.put(assignment("tea"))
            found = assigned(connection, version)
            return [(await anext(found)).name for _ in range(2)]

    assert asyncio.run(story()) == ["coffee", "tea"]
