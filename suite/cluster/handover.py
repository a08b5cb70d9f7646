"""What a move from MetalLB reads and writes in the cluster: its workloads, copies of its configuration, who speaks.

Every request is made with the rights of whoever moves, never with those of the suite: no role may stop another load balancer.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from suite.cluster.cluster_source import ClusterSource
from suite.cluster.connection import ApiError, Connection, Lost
from suite.cluster.convert import Key
from suite.cluster.kinds import optional, served
from suite.cluster.rivals import SPEAKER_LABELS, Rivals
from suite.cluster.source import Batch
from suite.cluster.status import COMPONENT, Standing, standing_of
from suite.config.document import Document
from suite.model.configuration import KubernetesSettings
from suite.model.service import ServiceRef

OURS = "app.kubernetes.io/name=suite"
EVENTS = "/api/v1/events"
WATCH_AGAIN = 0.2
"""Seconds after a watch that ended before its time."""
WORKLOADS = {"DaemonSet": "daemonsets", "Deployment": "deployments"}

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Workload:
    """A DaemonSet or Deployment of MetalLB."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def path(self) -> str:
        """Where the object is."""
        return f"/apis/apps/v1/namespaces/{self.namespace}/{WORKLOADS[self.kind]}/{self.name}"


async def listen_once(connection: Connection, settings: KubernetesSettings) -> tuple[Batch, tuple[Document, ...]]:
    """Everything that the cluster says, and the configuration that stands in it."""
    told: asyncio.Future[tuple[Batch, tuple[Document, ...]]] = asyncio.get_running_loop().create_future()

    async def deliver(batch: Batch) -> None:
        if batch.is_full and not told.done():
            told.set_result((batch, batch.documents or ()))

    following = asyncio.create_task(ClusterSource(connection, settings).run(deliver))
    try:
        either: set[asyncio.Future[Any]] = {following, told}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            await following
        return await told
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def workloads(connection: Connection, namespace: str, component: str) -> list[Workload]:
    """MetalLB's workloads for one component, ``speaker`` or ``controller``."""
    found = []
    for kind, plural in WORKLOADS.items():
        listing = await connection.get(f"/apis/apps/v1/namespaces/{namespace}/{plural}")
        for item in listing.get("items") or ():
            template = ((item.get("spec") or {}).get("template") or {}).get("metadata") or {}
            if any((template.get("labels") or {}).get(label) == component for label in SPEAKER_LABELS):
                found.append(Workload(kind, namespace, item["metadata"]["name"]))
    return found


async def copies(connection: Connection, settings: KubernetesSettings) -> dict[str, list[Body]]:
    """What the way back needs, by the name of the file: configuration, workloads, and the Services with their statuses."""
    namespace = f"/api/v1/namespaces/{settings.namespace}"
    resources: list[Body] = []
    for collection in await served(connection, optional(settings)[0]):
        listing = await connection.get(collection.path)
        resources += _whole(listing, collection.kind, collection.api_version)
    running: list[Body] = []
    for kind, plural in WORKLOADS.items():
        listing = await connection.get(f"/apis/apps/v1/namespaces/{settings.namespace}/{plural}")
        running += _whole(listing, kind, "apps/v1")
    services = _whole(await connection.get("/api/v1/services"), "Service", "v1")
    return {
        "metallb-config.yaml": [copy_of(await connection.get(f"{namespace}/configmaps/{settings.config_map}"))]
        if await _exists(connection, f"{namespace}/configmaps/{settings.config_map}")
        else [],
        "metallb-resources.yaml": [copy_of(each) for each in resources],
        "metallb-workloads.yaml": [copy_of(each) for each in running],
        "services-before.yaml": [copy_of(each, keeps_status=True) for each in services],
    }


async def _exists(connection: Connection, path: str) -> bool:
    try:
        await connection.get(path)
    except ApiError as error:
        if error.status != 404:
            raise
        return False
    return True


def _whole(listing: Mapping[str, Any], kind: str, api_version: str) -> list[Body]:
    """The items of a list, which carry neither kind nor version."""
    return [{**each, "kind": kind, "apiVersion": api_version} for each in listing.get("items") or ()]


def copy_of(body: Mapping[str, Any], *, keeps_status: bool = False) -> Body:
    """An object as it could be applied again: without what the server adds."""
    kept = ("name", "namespace", "labels", "annotations", "finalizers")
    metadata = {key: value for key, value in (body.get("metadata") or {}).items() if key in kept}
    rest = {key: value for key, value in body.items() if key not in {"metadata", "status"}}
    status = {"status": body["status"]} if keeps_status and body.get("status") else {}
    ordered = {"apiVersion": body.get("apiVersion", "v1"), "kind": body.get("kind", ""), "metadata": metadata}
    return {**ordered, **{key: value for key, value in rest.items() if key not in ordered}, **status}


async def scale_to_none(connection: Connection, workload: Workload) -> None:
    """Stop a Deployment's pods; the object stays, for the way back."""
    await connection.patch(workload.path, {"spec": {"replicas": 0}})


async def remove(connection: Connection, workload: Workload) -> None:
    """Delete a workload; the cluster ends its pods."""
    await connection.delete(workload.path)


async def standings(connection: Connection) -> dict[ServiceRef, Standing]:
    """What every Service says of itself now."""
    listing = await connection.get("/api/v1/services")
    return {standing.ref: standing for standing in map(standing_of, listing.get("items") or ())}


async def settings_of(connection: Connection, namespace: str) -> str | None:
    """The suite's own settings, ``suite.yaml`` of its ConfigMap; None where there are none."""
    try:
        body = await connection.get(f"/api/v1/namespaces/{namespace}/configmaps/suite")
    except ApiError as error:
        if error.status != 404:
            raise
        return None
    text = (body.get("data") or {}).get("suite.yaml")
    return text if isinstance(text, str) else None


async def our_nodes(connection: Connection, namespace: str) -> frozenset[str]:
    """Nodes with a pod of the suite that announces and is ready."""
    listing = await connection.get(f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": OURS})
    return frozenset(
        str((pod.get("spec") or {}).get("nodeName")) for pod in listing.get("items") or () if _is_ready_speaker(pod)
    )


def _is_ready_speaker(pod: Mapping[str, Any]) -> bool:
    component = ((pod.get("metadata") or {}).get("labels") or {}).get("app.kubernetes.io/component", "speaker")
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return component == "speaker" and any(
        each.get("type") == "Ready" and each.get("status") == "True" for each in conditions
    )


async def speakers(connection: Connection, namespace: str) -> AsyncIterator[list[Key]]:
    """The pods of MetalLB that speak, now and whenever that changes, until none does.

    Raises:
        ApiError: the server refuses to tell.
        Lost: it was away when the list was asked for; a watch is tried again instead.
    """
    path = f"/api/v1/namespaces/{namespace}/pods"
    while True:
        listing = await connection.get(path)
        rivals = Rivals()
        for pod in listing.get("items") or ():
            rivals.put(_key(pod), pod)
        yield rivals.keys()
        if not rivals.keys():
            return
        async for kind, pod in _following(connection, path, _version(listing)):
            if kind == "DELETED":
                rivals.remove(_key(pod))
            else:
                rivals.put(_key(pod), pod)
            yield rivals.keys()
            if not rivals.keys():
                return


async def events_version(connection: Connection) -> str:
    """From where to watch Events that are still to come."""
    return _version(await connection.get(EVENTS, {"limit": "1"}))


async def assigned(connection: Connection, version: str) -> AsyncIterator[ServiceRef]:
    """Services that one of our speakers began to announce after ``version``, as the controller tells the cluster; for ever.

    Raises:
        ApiError: the server refuses to tell.
        Lost: it was away when the list was asked for; a watch is tried again instead.
    """
    narrowed = {"fieldSelector": "reason=nodeAssigned"}
    began, listing = version, dict[str, Any]()
    while True:
        for body in listing.get("items") or ():
            if _is_newer(_version(body), began) and (ref := _told_by_us(body)):
                yield ref
        async for kind, body in _following(connection, EVENTS, version, narrowed):
            if kind != "DELETED" and (ref := _told_by_us(body)):
                yield ref
        listing = await connection.get(EVENTS, narrowed)
        version = _version(listing)


async def _following(
    connection: Connection, path: str, version: str, narrowed: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[str, Body]]:
    """What changes after ``version``; ends when the server has forgotten that version, or fails: then only a list helps."""
    while True:
        try:
            async for event in connection.watch(path, {**(narrowed or {}), "resourceVersion": version}):
                kind, body = str(event.get("type")), event.get("object") or {}
                if kind == "ERROR":
                    raise ApiError.of(body)
                version = _version(body) or version
                if kind in {"ADDED", "MODIFIED", "DELETED"}:
                    yield kind, body
        except Lost:
            pass  # a stream may break, and a server may restart: how long that is waited for is the caller's to say
        except ApiError as error:
            if not (error.is_gone or error.is_passing):
                raise
            await asyncio.sleep(WATCH_AGAIN)
            return
        await asyncio.sleep(WATCH_AGAIN)


def _told_by_us(event: Mapping[str, Any]) -> ServiceRef | None:
    if (event.get("source") or {}).get("component") != COMPONENT:
        return None
    about = event.get("involvedObject") or {}
    return ServiceRef(str(about.get("namespace")), str(about.get("name")))


def _version(body: Mapping[str, Any]) -> str:
    """Of an object or a list."""
    return str((body.get("metadata") or {}).get("resourceVersion", ""))


def _is_newer(version: str, than: str) -> bool:
    """Versions of one kind are decimal numbers that grow (KEP-5504); others cannot be compared, and count as new."""
    return not (version.isdecimal() and than.isdecimal()) or int(version) > int(than)


def _key(pod: Mapping[str, Any]) -> Key:
    metadata = pod.get("metadata") or {}
    return Key("Pod", str(metadata.get("namespace", "")), str(metadata.get("name", "")))


def names_of(pods: Iterable[Key]) -> str:
    """Pods for people."""
    return ", ".join(key.name for key in pods)
