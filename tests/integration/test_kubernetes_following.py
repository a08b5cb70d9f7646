"""Following a cluster through whatever its API server does."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from apiserver.app import Api, Call, Fault
from apiserver.server import Running, running
from fix_cluster import Told, connected, listening

from suite.cluster.cluster_source import ClusterSource
from suite.cluster.connection import Lost
from suite.cluster.kubernetes import connect
from suite.model.service import ServiceRef

COFFEE = ServiceRef("default", "coffee")


def service(name: str, port: int = 80, **metadata: object) -> dict[str, Any]:
    spec = {"type": "LoadBalancer", "ports": [{"port": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, **metadata}, "spec": spec}


def pool(name: str, *addresses: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "metallb-system"}
    return {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": metadata,
        "spec": {"addresses": list(addresses)},
    }


def config_map(text: str) -> dict[str, Any]:
    metadata = {"name": "config", "namespace": "metallb-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"config": text}}


def follow(
    tmp_path: Path, scenario: Callable[[Running, Told], Awaitable[None]], api: Api | None = None, token: str = ""
) -> None:
    async def story() -> None:
        async with (
            running(api or Api()) as server,
            connected(server.kubeconfig(tmp_path, token)) as connection,
            listening(ClusterSource(connection)) as told,
        ):
            await scenario(server, told)

    asyncio.run(story())


def calls(api: Api, verb: str, resource: str) -> int:
    return sum(1 for call in api.calls if (call.verb, call.resource) == (verb, resource))


async def all_watching(api: Api) -> None:
    async with asyncio.timeout(10):
        while api.watches < 5:  # noqa: ASYNC110 - the server sets no event
            await asyncio.sleep(0.01)


def has(*names: str) -> Callable[[Told], bool]:
    return lambda told: told.names == {f"default/{name}" for name in names}


def test_a_long_list_comes_in_pages(tmp_path):
    api = Api()
    for number in range(1201):
        api.put(service(f"s{number}"))

    async def scenario(_: Running, told: Told) -> None:
        assert len(told.services) == 1201
        assert [len(batch.services) for batch in told.batches if batch.is_full] == [1201]
        assert calls(api, "list", "services") == 3

    follow(tmp_path, scenario, api)


def test_nothing_is_delivered_before_everything_is_listed(tmp_path):
    api = Api(denied={("list", "nodes")})
    api.put(service("coffee"))

    async def story() -> None:
        async with running(api) as server, connected(server.kubeconfig(tmp_path)) as connection:
            told = Told()
            task = asyncio.create_task(ClusterSource(connection).run(told.deliver))
            await told.until(lambda told: told.problems)
            assert [str(problem) for problem in told.problems] == [
                "/api/v1/nodes: cannot be read: 403 Forbidden: nodes is forbidden: cannot list"
            ]
            assert not any(batch.is_full or batch.services for batch in told.batches)
            api.denied.clear()
            await told.until(has("coffee"))
            assert told.batches[-1].is_full
            assert told.problems == ()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(story())


def test_a_server_that_restarts_takes_nothing_away(tmp_path):
    async def scenario(server: Running, told: Told) -> None:
        server.api.put(service("coffee"))
        await told.until(has("coffee"))
        heard = len(told.batches)

        await server.stop()
        server.api.put(service("tea"))
        server.api.delete("services", "coffee")
        await server.start()

        await told.until(has("tea"))
        assert not any(batch.is_full for batch in told.batches[heard:])

    follow(tmp_path, scenario)


def test_what_was_deleted_while_the_watch_was_blind_is_found_by_the_next_list(tmp_path):
    async def scenario(server: Running, told: Told) -> None:
        server.api.put(service("coffee"))
        server.api.put(service("tea"))
        await told.until(has("coffee", "tea"))

        await server.stop()
        server.api.delete("services", "coffee")
        server.api.objects.compact()
        await server.start()

        await told.until(has("tea"))

    follow(tmp_path, scenario)


def test_a_service_made_again_has_its_new_uid(tmp_path):
    async def scenario(server: Running, told: Told) -> None:
        server.api.put(service("coffee"))
        await told.until(has("coffee"))
        first = told.services[COFFEE].uid

        server.api.delete("services", "coffee")
        server.api.put(service("coffee"))

        await told.until(lambda told: COFFEE in told.services and told.services[COFFEE].uid != first)

    follow(tmp_path, scenario)


def test_a_storm_of_compactions_is_weathered(tmp_path):
    async def scenario(server: Running, told: Told) -> None:
        for number in range(5):
            server.api.put(service(f"s{number}"))
            server.api.objects.compact()
            server.api.cut_watches()
            await asyncio.sleep(0.05)

        await told.until(has(*(f"s{number}" for number in range(5))))

    follow(tmp_path, scenario)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("watch services", times=3, cut_after=1),
        Fault("watch services", times=3, status=500),
        Fault("watch services", times=2, status=429, retry_after="1"),
        Fault("watch services", times=1, delay=0.5),
    ],
    ids=["cut", "500", "429", "slow"],
)
def test_watches_that_fail_lose_nothing(tmp_path, fault):
    api = Api(faults=[fault])
    api.put(service("resident"))

    async def scenario(server: Running, told: Told) -> None:
        for number in range(10):
            server.api.put(service(f"s{number}"))
            await asyncio.sleep(0.02)
        server.api.delete("services", "s0")

        await told.until(has("resident", *(f"s{number}" for number in range(1, 10))))

    follow(tmp_path, scenario, api)


@pytest.mark.parametrize("fault", [Fault("list services", cut_after=0), Fault("list services", times=2, status=503)])
def test_lists_that_fail_are_no_picture(tmp_path, fault):
    api = Api(faults=[fault])
    for number in range(20):
        api.put(service(f"s{number}"))

    async def scenario(_: Running, told: Told) -> None:
        assert [len(batch.services) for batch in told.batches if batch.is_full] == [20]

    follow(tmp_path, scenario, api)


def test_a_page_that_comes_too_late_begins_the_list_anew(tmp_path):
    api = Api(faults=[Fault("list services", skip=1, status=410, reason="Expired")])
    for number in range(1201):
        api.put(service(f"s{number}"))

    async def scenario(_: Running, told: Told) -> None:
        assert [len(batch.services) for batch in told.batches if batch.is_full] == [1201]
        assert calls(api, "list", "services") == 2 + 3

    follow(tmp_path, scenario, api)


def test_a_server_that_is_behind_is_waited_for_and_takes_nothing_away(tmp_path):
    """A watch cache that restarted does not know the version yet that its client saw at another server."""
    behind = {"status": 504, "reason": "Timeout", "message": "Too large resource version: 1001, current: 999"}
    api = Api(faults=[Fault("watch services", times=2, **behind)])
    api.put(service("coffee"))

    async def scenario(_: Running, told: Told) -> None:
        api.put(service("tea"))
        await told.until(has("coffee", "tea"))
        assert calls(api, "watch", "services") == 3
        assert calls(api, "list", "services") == 1

    follow(tmp_path, scenario, api)


def test_a_wait_the_server_asks_for_is_kept(tmp_path):
    api = Api(faults=[Fault("list nodes", status=429, retry_after="1")])

    async def story() -> None:
        async with running(api) as server, connected(server.kubeconfig(tmp_path)) as connection:
            started = asyncio.get_running_loop().time()
            async with listening(ClusterSource(connection)):
                assert asyncio.get_running_loop().time() - started >= 1.0

    asyncio.run(story())


def test_an_expired_token_keeps_what_is_known_until_it_is_renewed(tmp_path):
    api = Api(tokens={"good"})
    api.put(service("coffee"))

    async def scenario(_: Running, told: Told) -> None:
        api.tokens = set()
        api.cut_watches()
        await told.until(lambda told: told.problems)
        assert has("coffee")(told)
        api.put(service("tea"))
        api.tokens = {"good"}
        await told.until(has("coffee", "tea"))

    follow(tmp_path, scenario, api, token="good")


def test_bookmarks_move_the_version_on_so_that_a_compaction_costs_no_list(tmp_path):
    api = Api(bookmark_interval=0.05)

    async def scenario(_: Running, told: Told) -> None:
        for number in range(3):  # other kinds move the version; Services are quiet
            api.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"n{number}"}})
        await told.until(lambda told: len(told.nodes) == 3)
        async with asyncio.timeout(10):
            while api.bookmarked.get("services", 0) < api.objects.version:  # noqa: ASYNC110 - the server sets no event
                await asyncio.sleep(0.01)
        api.objects.compact()
        api.cut_watches()
        api.put(service("coffee"))
        await told.until(has("coffee"))
        assert calls(api, "list", "services") == 1

    follow(tmp_path, scenario, api)


def test_a_service_that_changes_a_hundred_times_ends_as_it_is(tmp_path):
    async def scenario(server: Running, told: Told) -> None:
        for port in range(1, 101):
            server.api.put(service("coffee", port))
        await told.until(lambda told: COFFEE in told.services and told.services[COFFEE].ports[0].port == 100)

    follow(tmp_path, scenario)


def test_rubbish_in_annotations_is_told_and_stops_nobody(tmp_path):
    api = Api()
    api.put(service("coffee", annotations={"metallb.io/loadBalancerIPs": "nonsense", "suite/ttl": "\u202e\x07"}))
    api.put(service("tea"))

    async def scenario(_: Running, told: Told) -> None:
        assert has("coffee", "tea")(told)
        assert told.services[COFFEE].fault is not None
        assert [problem.code for problem in told.problems] == ["annotation.ttl"]

    follow(tmp_path, scenario, api)


def test_the_old_config_map_is_configuration_and_its_deletion_keeps_it(tmp_path):
    api = Api()
    api.put(config_map("address-pools:\n- {name: default, protocol: layer2, addresses: [10.0.42.0/24]}\n"))

    async def scenario(_: Running, told: Told) -> None:
        assert [document.kind for document in told.documents or ()] == ["Configuration"]
        api.put(config_map("address-pools: []\n"))
        await told.until(lambda told: told.batches[-1].documents)
        api.delete("configmaps", "config", "metallb-system")
        await told.until(lambda told: told.problems)
        assert told.problems[0].message == "is deleted; its last content stays in force"
        assert len(told.documents or ()) == 1

    follow(tmp_path, scenario, api)


def test_a_config_map_of_another_name_is_not_ours(tmp_path):
    api = Api()
    api.put({**config_map("x: y"), "metadata": {"name": "other", "namespace": "metallb-system"}})

    async def scenario(_: Running, told: Told) -> None:
        assert told.documents is None

    follow(tmp_path, scenario, api)


def test_custom_resources_are_read_where_they_exist_each_kind_once(tmp_path):
    api = Api()
    api.install_metallb()
    api.put(pool("default", "10.0.42.0/24"))

    async def scenario(_: Running, told: Told) -> None:
        assert [(document.kind, document.name) for document in told.documents or ()] == [("IPAddressPool", "default")]
        api.put(pool("second", "10.0.43.0/24"))
        await told.until(lambda told: len(told.documents or ()) == 2)
        api.delete("ipaddresspools", "default", "metallb-system")
        await told.until(lambda told: [document.name for document in told.documents or ()] == ["second"])
        expected = {"ipaddresspools", "bgppeers"}
        async with asyncio.timeout(10):
            while not {call.resource for call in api.calls if call.verb == "watch"} >= expected:  # noqa: ASYNC110 - the double tells nobody
                await asyncio.sleep(0.01)

    follow(tmp_path, scenario, api)


def test_custom_resources_that_are_not_installed_cost_two_requests(tmp_path):
    async def scenario(server: Running, told: Told) -> None:
        assert told.problems == ()
        assert not [call for call in server.api.calls if call.resource == "ipaddresspools"]

    follow(tmp_path, scenario)


def test_only_what_rbac_has_to_grant_is_asked_for(tmp_path):
    async def scenario(server: Running, _: Told) -> None:
        await all_watching(server.api)
        assert {(call.verb, call.resource) for call in server.api.calls} == {
            (verb, plural)
            for verb in ("list", "watch")
            for plural in ("services", "endpointslices", "nodes", "namespaces", "configmaps")
        }
        assert Call("list", "configmaps", "metallb-system", "config") in server.api.calls

    follow(tmp_path, scenario)


def test_custom_resources_installed_later_are_told_once_all_kinds_are_listed(tmp_path):
    api = Api()

    async def story() -> None:
        async with (
            running(api) as server,
            connected(server.kubeconfig(tmp_path)) as connection,
            listening(ClusterSource(connection, absent_interval=0.1)) as told,
        ):
            assert told.documents is None
            api.faults.append(Fault("list l2advertisements", delay=0.3))
            api.install_metallb()
            api.put(pool("default", "10.0.42.0/24"))
            api.put({**pool("lan"), "kind": "L2Advertisement", "spec": {}})
            await told.until(lambda told: told.documents is not None)
            kinds = [document.kind for document in told.documents or ()]
            assert kinds == ["IPAddressPool", "L2Advertisement"]

    asyncio.run(story())


CLUSTER = "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {}}]\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "a: b",
        "current-context: x\ncontexts: []",
        CLUSTER,
        CLUSTER + 'clusters: [{name: c, cluster: {server: "https://[::1]:1", certificate-authority: nowhere}}]',
        CLUSTER + 'clusters: [{name: c, cluster: {server: "https://[::1]:1", certificate-authority-data: "!!"}}]',
    ],
)
def test_a_kubeconfig_that_makes_no_sense_is_told_with_its_name(tmp_path, text):
    path = tmp_path / "kubeconfig"
    path.write_text(text)

    with pytest.raises(Lost, match=f"no way to a cluster: {path}: "):
        asyncio.run(connect(str(path)))
