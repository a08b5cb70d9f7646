"""What is read from a cluster beside Services, and only when the configuration says so."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from apiserver.app import Api, Fault
from apiserver.server import Running, running
from cluster_stack import Stack, config_map, until
from cluster_stack import play as stack_play
from fix_cluster import Told, connected, listening
from zone_worlds import records

from suite.cluster.cluster_source import ClusterSource
from suite.config.document import read_text
from suite.config.loading import load
from suite.model.configuration import KubernetesSettings
from suite.model.service import RoutedName, Service, ServiceRef

FRONT = ServiceRef("default", "front")
NAMES = KubernetesSettings(hostnames=("ingress", "gateway"))
METALLB = "metallb-system"
PASSWORD = "c2VzYW1l"

FRONT_OBJECT = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "front"},
    "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    "status": {"loadBalancer": {"ingress": [{"ip": "10.0.42.7"}]}},
}
INGRESS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "cart"},
    "spec": {"rules": [{"host": "cart.service"}]},
    "status": {"loadBalancer": {"ingress": [{"ip": "10.0.42.7"}]}},
}


def play(
    tmp_path: Path, api: Api, settings: KubernetesSettings, scenario: Callable[[Told], Awaitable[None]] | None = None
) -> None:
    async def story() -> None:
        async with (
            running(api) as server,
            connected(server.kubeconfig(tmp_path)) as connection,
            listening(ClusterSource(connection, settings, absent_interval=0.1)) as told,
        ):
            if scenario is not None:
                await scenario(told)

    asyncio.run(story())


def asked(api: Api) -> set[str]:
    return {call.resource for call in api.calls}


def names(told: Told) -> tuple[RoutedName, ...]:
    return told.services[FRONT].routed


def test_without_the_setting_neither_ingresses_nor_secrets_nor_pods_are_read(tmp_path):
    api = Api()

    play(tmp_path, api, KubernetesSettings())

    assert asked(api) == {"services", "endpointslices", "nodes", "namespaces", "configmaps"}


def test_the_host_of_an_ingress_is_told_with_the_service_that_serves_it(tmp_path):
    api = Api()
    api.put(FRONT_OBJECT)
    api.put(INGRESS)

    async def scenario(told: Told) -> None:
        assert names(told) == (RoutedName("cart.service", "Ingress", "default", "cart"),)
        api.delete("ingresses", "cart")
        await told.until(lambda told: names(told) == ())

    play(tmp_path, api, NAMES, scenario)


def test_from_an_ingress_to_an_answer_through_the_database(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))
    api.put({**FRONT_OBJECT, "status": {}})
    api.put({**INGRESS, "status": {"loadBalancer": {"ingress": [{"ip": "10.0.42.0"}]}}})

    async def life(_: Running, stack: Stack) -> None:
        await until(lambda: stack.controller.snapshot.services.get(FRONT, Service(FRONT)).routed)
        assert "cart.service. A 10.0.42.0" in records(stack.store.read())

    stack_play(tmp_path, api, life, settings=NAMES)


def test_a_name_follows_the_address_from_service_to_service(tmp_path):
    api = Api()
    api.put({**FRONT_OBJECT, "status": {}})
    api.put(INGRESS)

    async def scenario(told: Told) -> None:
        assert names(told) == ()
        api.put(FRONT_OBJECT)
        await told.until(names)

    play(tmp_path, api, NAMES, scenario)


def test_the_gateway_api_may_be_installed_later(tmp_path):
    api = Api()
    api.put(FRONT_OBJECT)
    version = "gateway.networking.k8s.io/v1"
    gateway = {
        "apiVersion": version,
        "kind": "Gateway",
        "metadata": {"name": "edge"},
        "spec": {"listeners": [{"hostname": "*.service"}]},
        "status": {"addresses": [{"type": "IPAddress", "value": "10.0.42.7"}]},
    }
    accepted = [{"type": "Accepted", "status": "True"}]
    route = {
        "apiVersion": version,
        "kind": "HTTPRoute",
        "metadata": {"name": "cart"},
        "spec": {"hostnames": ["cart.service"]},
        "status": {"parents": [{"parentRef": {"name": "edge"}, "conditions": accepted}]},
    }

    async def scenario(told: Told) -> None:
        api.install_gateway_api()
        api.put(gateway)
        api.put(route)
        await told.until(lambda told: [each.kind for each in names(told)] == ["HTTPRoute"])

    play(tmp_path, api, NAMES, scenario)


def secret(password: str = PASSWORD) -> dict[str, Any]:
    metadata = {"name": "gateway", "namespace": METALLB}
    kind = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth"}
    return {**kind, "metadata": metadata, "data": {"password": password}}


def peer(secret: str = "gateway") -> dict[str, Any]:
    spec = {"peerAddress": "192.168.1.1", "peerASN": 64512, "myASN": 64513, "passwordSecret": {"name": secret}}
    metadata = {"name": "router", "namespace": METALLB}
    return {"apiVersion": "metallb.io/v1beta2", "kind": "BGPPeer", "metadata": metadata, "spec": spec}


def password(told: Told) -> str:
    [found] = load(list(told.documents or ()), strict=False).attempt.peers
    return found.password


def test_the_password_of_a_peer_comes_from_its_secret_and_follows_it(tmp_path):
    api = Api()
    api.install_metallb()
    api.put(peer())
    api.put(secret())

    async def scenario(told: Told) -> None:
        await told.until(lambda told: told.documents is not None)
        assert password(told) == "sesame"
        api.put(secret("b3Blbg=="))
        await told.until(lambda told: password(told) == "open")

    play(tmp_path, api, KubernetesSettings(secrets=True), scenario)


def test_a_password_is_in_the_configuration_in_force_but_in_no_log_and_not_in_the_database(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    api = Api()
    api.install_metallb()
    api.put(peer())
    api.put(secret())

    async def life(_: Running, stack: Stack) -> None:
        await until(lambda: stack.controller.snapshot.configuration.peers)
        [found] = stack.controller.snapshot.configuration.peers
        assert found.password == "sesame"

    stack_play(tmp_path, api, life, settings=KubernetesSettings(secrets=True))

    kept = b"".join(path.read_bytes() for path in tmp_path.glob("suite.db*"))
    assert not any(word in kept for word in (b"sesame", PASSWORD.encode()))
    assert not any(word in caplog.text for word in ("sesame", PASSWORD))


def secrets_asked_for(api: Api) -> set[str]:
    return {call.name for call in api.calls if call.resource == "secrets"}


def test_only_secrets_that_a_peer_names_are_asked_for(tmp_path):
    api = Api()
    api.install_metallb()
    api.put(peer())
    api.put(secret())
    api.put({**secret(), "metadata": {"name": "other", "namespace": METALLB}})

    async def scenario(told: Told) -> None:
        assert password(told) == "sesame"

    play(tmp_path, api, KubernetesSettings(secrets=True), scenario)

    assert secrets_asked_for(api) == {"gateway"}


def test_nothing_is_told_before_the_secret_of_a_peer_is_read(tmp_path):
    api = Api(faults=[Fault("list secrets", times=2, status=503)])
    api.install_metallb()
    api.put(peer())
    api.put(secret())

    async def scenario(told: Told) -> None:
        passwords = [load(list(each.documents), strict=False).attempt.peers for each in told.batches if each.documents]
        assert [[peer.password for peer in peers] for peers in passwords] == [["sesame"]]

    play(tmp_path, api, KubernetesSettings(secrets=True), scenario)


def test_a_peer_that_names_another_secret_gets_that_one_s_password_and_the_first_is_let_go(tmp_path):
    api = Api()
    api.install_metallb()
    api.put(peer())
    api.put(secret())
    api.put({**secret("b3Blbg=="), "metadata": {"name": "other", "namespace": METALLB}})

    async def scenario(told: Told) -> None:
        assert password(told) == "sesame"
        api.put(peer(secret="other"))
        await told.until(lambda told: password(told) == "open")
        api.put({**secret("bm90aGluZw=="), "metadata": {"name": "gateway", "namespace": METALLB}})
        api.put(peer(secret="gateway"))
        await told.until(lambda told: password(told) == "nothing")

    play(tmp_path, api, KubernetesSettings(secrets=True), scenario)


def test_a_secret_that_the_file_beside_the_cluster_names_is_read_too(tmp_path):
    api = Api()
    api.put(secret())
    text = """\
peers:
- {name: router, peer-address: 192.168.1.1, peer-asn: 64512, my-asn: 64513, password-secret: {name: gateway}}
"""

    async def story() -> None:
        async with running(api) as server, connected(server.kubeconfig(tmp_path)) as connection:
            mine = read_text(text, "suite.yaml")
            source = ClusterSource(connection, KubernetesSettings(secrets=True), beside=lambda: mine)
            async with listening(source) as told:
                [found] = load([*mine, *(told.documents or ())], strict=False).attempt.peers
                assert found.password == "sesame"

    asyncio.run(story())


def test_a_secret_that_may_not_be_read_keeps_no_other_news_back(tmp_path):
    api = Api(denied={("list", "secrets")})
    api.install_metallb()

    async def scenario(told: Told) -> None:
        api.put(peer())
        await told.until(lambda told: told.documents)
        assert password(told) == ""
        assert any("cannot be read: 403" in str(problem) for problem in told.problems)

    play(tmp_path, api, KubernetesSettings(secrets=True), scenario)


def speaker(name: str, node: str, **status: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": METALLB, "labels": {"app": "metallb", "component": "speaker"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": node}, "status": status}


def occupied(told: Told) -> set[str]:
    return {name for name, node in told.nodes.items() if node.is_occupied}


def test_nodes_where_metallb_speaks_are_told_until_its_last_pod_is_gone(tmp_path):
    api = Api()
    for name in ("a", "b"):
        api.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
        api.put(speaker(f"speaker-{name}", name, phase="Running"))

    async def scenario(told: Told) -> None:
        assert occupied(told) == {"a", "b"}
        before = len(api.calls)
        api.delete("pods", "speaker-a", METALLB)
        await told.until(lambda told: occupied(told) == {"b"})
        api.delete("pods", "speaker-b", METALLB)
        await told.until(lambda told: occupied(told) == set())
        assert api.calls[before:] == []  # the watch told it; nothing had to be asked for

    play(tmp_path, api, KubernetesSettings(stand_by_for="metallb"), scenario)
