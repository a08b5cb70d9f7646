"""What every cluster must do, the one in memory, our API server over HTTP, and a real one where it is given.

A real cluster is used where KUBECONFIG is set and SUITE_REAL_CLUSTER=1 says that tests may write into its namespace
``default``.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

import pytest
from fix_cluster import Told, World, listening, memory_world, real_world, server_world

from suite.cluster.status import Outcome
from suite.model.refusal import Reason, Refusal
from suite.model.service import Endpoint, ServiceRef

COFFEE = ServiceRef("default", "coffee")
LEASED = Outcome(COFFEE, (ip_address("10.0.42.0"),), "default")

no_real_cluster = pytest.mark.skipif(
    not (os.environ.get("KUBECONFIG") and os.environ.get("SUITE_REAL_CLUSTER")),
    reason="beyond this machine: no real cluster to write into (KUBECONFIG and SUITE_REAL_CLUSTER=1 name one)",
)
WORLDS = [
    pytest.param(memory_world, id="memory"),
    pytest.param(server_world, id="server"),
    pytest.param(real_world, id="real", marks=no_real_cluster),
]


@pytest.fixture(params=WORLDS)
def play(request):
    def run(scenario: Callable[[World, Told], Awaitable[None]]) -> None:
        async def story() -> None:
            async with request.param() as world:
                await world.put(service("resident"))
                async with listening(world.source) as told:
                    await scenario(world, told)

        asyncio.run(story())

    return run


def service(name: str, port: int = 80) -> dict[str, object]:
    spec = {"type": "LoadBalancer", "ports": [{"port": port, "targetPort": "api"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def endpoint_slice(name: str, of: str, address: str) -> dict[str, object]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": of}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "nodeName": "compute2"}],
        "ports": [],
    }


def test_the_first_batch_is_complete(play):
    async def scenario(_: World, told: Told) -> None:
        assert told.batches[0].is_full
        assert "default/resident" in told.names

    play(scenario)


def test_services_come_change_and_go(play):
    async def scenario(world: World, told: Told) -> None:
        await world.put(service("coffee"))
        await told.until(lambda told: COFFEE in told.services)
        await world.put(service("coffee", 8080))
        await told.until(lambda told: told.services[COFFEE].ports[0].port == 8080)
        await world.delete("Service", "coffee")
        await told.until(lambda told: COFFEE not in told.services)

    play(scenario)


def test_slices_of_one_service_are_added_up(play):
    async def scenario(world: World, told: Told) -> None:
        await world.put(endpoint_slice("coffee-a", "coffee", "10.1.0.1"))
        await world.put(endpoint_slice("coffee-b", "coffee", "10.1.0.2"))
        both = (Endpoint("10.1.0.1", "compute2"), Endpoint("10.1.0.2", "compute2"))
        await told.until(lambda told: COFFEE in told.endpoints and told.endpoints[COFFEE].endpoints == both)
        await world.delete("EndpointSlice", "coffee-a")
        await told.until(lambda told: told.endpoints[COFFEE].endpoints == both[1:])
        await world.delete("EndpointSlice", "coffee-b")
        await told.until(lambda told: COFFEE not in told.endpoints)

    play(scenario)


def test_nodes_come_and_go(play):
    async def scenario(world: World, told: Told) -> None:
        await world.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "compute9", "labels": {"rack": "a"}}})
        await told.until(lambda told: "compute9" in told.nodes and ("rack", "a") in told.nodes["compute9"].labels)
        await world.delete("Node", "compute9")
        await told.until(lambda told: "compute9" not in told.nodes)

    play(scenario)


def test_an_outcome_stands_in_the_object_and_in_an_event(play):
    async def scenario(world: World, told: Told) -> None:
        await world.put(service("coffee"))
        await told.until(lambda told: COFFEE in told.services)

        world.teller.tell([LEASED])

        seen = await world.until("coffee", lambda seen: seen["metadata"].get("annotations"))
        assert seen["status"]["loadBalancer"]["ingress"] == [{"ip": "10.0.42.0", "ipMode": "VIP"}]
        assert [condition["reason"] for condition in seen["status"]["conditions"]] == ["Assigned"]
        assert seen["metadata"]["annotations"] == {"metallb.io/ip-allocated-from-pool": "default"}
        assert [(event["reason"], event["message"]) for event in await world.events("coffee")] == [
            ("IPAllocated", 'Assigned IP "10.0.42.0"')
        ]
        await world.delete("Service", "coffee")

    play(scenario)


def test_what_we_wrote_ourselves_is_no_news(play):
    async def scenario(world: World, told: Told) -> None:
        await world.put(service("coffee"))
        await told.until(lambda told: COFFEE in told.services)
        heard = len(told.batches)

        world.teller.tell([LEASED])
        await world.until("coffee", lambda seen: seen["metadata"].get("annotations"))
        await world.put(service("tea"))
        await told.until(lambda told: "default/tea" in told.names)

        assert [[each.ref.name for each in batch.services] for batch in told.batches[heard:]] == [["tea"]]
        await world.delete("Service", "tea")
        await world.delete("Service", "coffee")

    play(scenario)


def test_an_address_that_is_lost_leaves_the_object(play):
    async def scenario(world: World, told: Told) -> None:
        await world.put(service("coffee"))
        await told.until(lambda told: COFFEE in told.services)
        world.teller.tell([LEASED])
        await world.until("coffee", lambda seen: seen["metadata"].get("annotations"))

        world.teller.tell([Outcome(COFFEE, refusal=Refusal(Reason.POOL_EXHAUSTED, "pool default is full"))])

        seen = await world.until("coffee", lambda seen: not seen["metadata"].get("annotations"))
        assert not seen["status"]["loadBalancer"].get("ingress")
        assert [condition["reason"] for condition in seen["status"]["conditions"]] == ["PoolExhausted"]
        await world.delete("Service", "coffee")

    play(scenario)
