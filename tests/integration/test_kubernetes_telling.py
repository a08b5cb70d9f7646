"""Telling a cluster what became of its Services, whatever stands in the way."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest
from apiserver.app import Api, Fault
from apiserver.server import running
from fix_cluster import DEADLINE, ServerWorld, Told, listening, server_world

from suite.cluster.kubernetes_cluster import KubernetesCluster
from suite.cluster.status import Note, Outcome
from suite.model.problem import Problem
from suite.model.refusal import Reason, Refusal
from suite.model.service import ServiceRef

COFFEE = ServiceRef("default", "coffee")
LEASED = Outcome(COFFEE, (ip_address("10.0.42.0"),), "default")


def service(name: str = "coffee", type_: str = "LoadBalancer") -> dict[str, Any]:
    spec = {"type": type_, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def play(scenario: Callable[[Api, ServerWorld, Told], Awaitable[None]], api: Api | None = None) -> None:
    api = api or Api()
    api.put(service())

    async def story() -> None:
        async with server_world(api) as world, listening(world.source) as told:
            await scenario(api, world, told)

    asyncio.run(story())


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not fact():  # noqa: ASYNC110 - the server sets no event
            await asyncio.sleep(0.005)


def ingress(api: Api, name: str = "coffee") -> list[str]:
    balancer = api.look("services", name).get("status", {}).get("loadBalancer", {})
    return [entry["ip"] for entry in balancer.get("ingress", ())]


def pool(api: Api) -> str | None:
    annotations = api.look("services", "coffee")["metadata"].get("annotations") or {}
    return annotations.get("metallb.io/ip-allocated-from-pool")


def reasons(api: Api) -> list[str]:
    return sorted(event["reason"] for event in api.every("events"))


def writes(api: Api) -> list[str]:
    return [f"{call.verb} {call.resource}" for call in api.calls if call.verb in {"create", "patch", "update"}]


def test_a_new_lease_costs_one_status_patch_one_event_and_one_annotation():
    async def scenario(api: Api, world: ServerWorld, _: Told) -> None:
        world.teller.tell([LEASED])
        await until(lambda: world.writer.is_settled and pool(api))

        assert writes(api) == ["patch services/status", "create events", "patch services"]

    play(scenario)


def test_telling_the_same_again_costs_nothing():
    async def scenario(api: Api, world: ServerWorld, _: Told) -> None:
        world.teller.tell([LEASED])
        await until(lambda: world.writer.is_settled and pool(api))
        sent = len(writes(api))

        for _again in range(10):
            world.teller.tell([LEASED])
            await until(lambda: world.writer.is_settled)

        assert len(writes(api)) == sent

    play(scenario)


def test_the_older_of_two_outcomes_is_never_written_over_the_newer():
    async def scenario(api: Api, world: ServerWorld, _: Told) -> None:
        for number in range(50):
            world.teller.tell([Outcome(COFFEE, (ip_address(f"10.0.42.{number}"),), "default")])
        await until(lambda: world.writer.is_settled and pool(api))

        assert ingress(api) == ["10.0.42.49"]
        assert writes(api).count("patch services/status") < 10

    play(scenario)


def test_somebody_elses_write_to_the_status_is_mended():
    async def scenario(api: Api, world: ServerWorld, _: Told) -> None:
        world.teller.tell([LEASED])
        await until(lambda: pool(api))

        api.put({**service(), "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}})

        await until(lambda: ingress(api) == ["10.0.42.0"])

    play(scenario)


def test_a_conflict_is_settled_with_the_newer_object():
    async def scenario(api: Api, world: ServerWorld, _: Told) -> None:
        api.faults.append(Fault("watch services", times=100, delay=60))  # blind from here on
        api.cut_watches()
        api.put({**service(), "metadata": {"name": "coffee", "labels": {"touched": "by-somebody"}}})

        world.teller.tell([LEASED])

        await until(lambda: pool(api) == "default")
        assert ingress(api) == ["10.0.42.0"]
        assert api.look("services", "coffee")["metadata"]["labels"] == {"touched": "by-somebody"}
        assert reasons(api) == ["IPAllocated"]

    play(scenario)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("patch services/status", times=2, status=500),
        Fault("patch services/status", times=1, status=429, retry_after="1"),
        Fault("patch services/status", times=2, cut_after=0),
        Fault("patch services", times=2, status=503),
        Fault("create events", times=1, status=500),
    ],
    ids=["500", "429", "answer-lost", "annotation", "event"],
)
def test_failures_are_tried_again_until_the_object_is_right(fault):
    async def scenario(api: Api, world: ServerWorld, _: Told) -> None:
        world.teller.tell([LEASED])

        await until(lambda: pool(api) == "default" and world.writer.is_settled)
        assert ingress(api) == ["10.0.42.0"]

    play(scenario, Api(faults=[fault]))


def test_without_the_lead_nothing_is_written_and_with_it_everything_that_waited():
    async def scenario(api: Api, world: ServerWorld, _: Told) -> None:
        leads = False

        async def may_write() -> bool:
            return leads

        world.writer._may_write = may_write

        world.teller.tell([LEASED])
        await until(lambda: world.writer.is_settled)
        assert writes(api) == []

        leads = True
        await until(lambda: pool(api) == "default")

    play(scenario)


def test_a_service_that_is_gone_is_no_failure():
    async def scenario(api: Api, world: ServerWorld, told: Told) -> None:
        api.delete("services", "coffee")
        world.teller.tell([LEASED])
        await until(lambda: world.writer.is_settled and not told.services)

        assert reasons(api) == []

    play(scenario)


def test_a_service_made_again_is_told_its_own_outcome_and_not_the_old_one():
    async def scenario(api: Api, world: ServerWorld, told: Told) -> None:
        world.teller.tell([LEASED])
        await until(lambda: pool(api))
        api.delete("services", "coffee")
        await told.until(lambda told: not told.services)
        api.put(service())
        await told.until(lambda told: told.services)

        world.teller.tell([Outcome(COFFEE, (ip_address("10.0.42.7"),), "default")])

        await until(lambda: ingress(api) == ["10.0.42.7"])

    play(scenario)


def test_a_type_that_changes_takes_everything_of_ours_back():
    async def scenario(api: Api, world: ServerWorld, _: Told) -> None:
        world.teller.tell([LEASED])
        await until(lambda: pool(api))

        stored = api.look("services", "coffee")
        api.put(
            {
                **service(type_="ClusterIP"),
                "metadata": {"name": "coffee", "annotations": stored["metadata"]["annotations"]},
            }
        )
        world.teller.tell([Outcome(COFFEE, wants_address=False)])

        await until(lambda: pool(api) is None and world.writer.is_settled)
        assert not api.look("services", "coffee")["status"].get("conditions")

    play(scenario)


def test_the_same_event_twice_is_one_event_that_counts():
    async def scenario(api: Api, world: ServerWorld, _: Told) -> None:
        note = Note("nodeAssigned", 'announcing from node "compute2" with protocol "layer2"')

        world.writer.note(COFFEE, note)
        world.writer.note(COFFEE, note)

        await until(lambda: [each["count"] for each in api.every("events")] == [2])

    play(scenario)


def test_a_flapping_refusal_does_not_flood_the_events():
    async def scenario(api: Api, world: ServerWorld, _: Told) -> None:
        refused = Outcome(COFFEE, refusal=Refusal(Reason.POOL_EXHAUSTED, "pool default is full"))
        for outcome in (refused, LEASED) * 5:
            world.teller.tell([outcome])
            await until(lambda: world.writer.is_settled)

        assert reasons(api) == ["AllocationFailed", "ClearAssignment", "IPAllocated"]

    play(scenario)


def test_problems_of_objects_are_events_about_them_once():
    problems = [
        Problem(
            "address-pools[0].protocol", "layer3 is no protocol", "pool.protocol", "ConfigMap metallb-system/config", 3
        ),
        Problem("x", "is deprecated; write y", "annotation.deprecated", "Service default/coffee", is_warning=True),
        Problem("", "cannot be read", "cluster.unreachable", "/api/v1/nodes"),
    ]

    async def scenario(api: Api, world: ServerWorld, _: Told) -> None:
        for _again in range(3):
            world.writer.complain(problems)

        await until(lambda: len(api.every("events")) == 2)
        about = [
            (each["involvedObject"]["kind"], each["reason"], each["message"], each["count"])
            for each in api.every("events")
        ]
        assert sorted(about) == [
            ("ConfigMap", "InvalidObject", "address-pools[0].protocol: layer3 is no protocol", 1),
            ("Service", "deprecatedAnnotation", "x: is deprecated; write y", 1),
        ]

    play(scenario)


def test_a_fight_over_a_status_is_fought_ever_more_slowly():
    async def scenario(api: Api, world: ServerWorld, _: Told) -> None:
        world.teller.tell([LEASED])
        await until(lambda: pool(api))
        fought = 0

        async with asyncio.timeout(DEADLINE):
            for _round in range(5):
                api.put({**service(), "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}})
                await until(lambda: ingress(api) == ["10.0.42.0"])
                fought += 1

        waits = [world.writer._written[COFFEE].fight.failures, fought]
        assert waits == [5, 5]

    play(scenario)


def test_the_whole_cluster_under_one_roof(tmp_path):
    async def story() -> None:
        api = Api()
        api.put({**service(), "metadata": {"name": "coffee", "annotations": {"suite/ttl": "soon"}}})
        async with running(api) as server:
            kubeconfig = str(server.kubeconfig(tmp_path))
            cluster = KubernetesCluster(kubeconfig, instance="test", now=lambda: datetime.now(UTC))
            cluster.tell([LEASED])
            async with listening(cluster):
                await until(lambda: pool(api) == "default" and reasons(api) == ["IPAllocated", "InvalidObject"])

    asyncio.run(story())
