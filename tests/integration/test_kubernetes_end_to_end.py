"""From a Service in a cluster to its lease in the database and its address in its status, and through the faults between.

The real client, controller and SQLite; only the API server is ours.
"""

import asyncio
from ipaddress import ip_address

from apiserver.app import Api
from apiserver.server import Running
from cluster_stack import COFFEE, Stack, address, config_map, events, play, service, until

READ = ("services", "endpointslices", "nodes", "namespaces", "configmaps")


def test_a_service_gets_an_address_a_lease_and_an_event(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def life(_: Running, stack: Stack) -> None:
        api.put(service())
        await until(lambda: address(api) == "10.0.42.0")
        assert [lease.address for lease in stack.controller.snapshot.bound(COFFEE)] == [ip_address("10.0.42.0")]
        await until(lambda: ("IPAllocated", 'Assigned IP "10.0.42.0"') in events(api))

    play(tmp_path, api, life)


def test_who_is_refused_a_name_is_told_once_who_has_it_and_what_to_do(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def life(_: Running, stack: Stack) -> None:
        for name in ("coffee", "thief"):
            metadata = {"name": name, "annotations": {"suite/hostname": "www, tea.default"}}
            api.put(service(metadata=metadata))
            await until(lambda name=name: address(api, name))
        api.put(service("tea"))
        await until(lambda: len(named(api)) == 4 and stack.names.problems)
        api.put(service("mocha"))
        await until(lambda: address(api, "mocha"))
        cure = "ask for another name, or have its holder give it up"
        assert named(api) == [
            ("coffee", f"tea.default.service. belongs to service default/tea; {cure}", "Warning", 1),
            ("thief", f"tea.default.service. belongs to service default/coffee; {cure}", "Warning", 1),
            ("thief", f"tea.default.service. belongs to service default/tea; {cure}", "Warning", 1),
            ("thief", f"www.service. belongs to service default/coffee; {cure}", "Warning", 1),
        ]

    play(tmp_path, api, life)


def named(api: Api) -> list[tuple[str, str, str, int]]:
    """What Events say of names that were refused."""
    found = (each for each in api.every("events") if each["reason"] == "NameTaken")
    return sorted((each["involvedObject"]["name"], each["message"], each["type"], each["count"]) for each in found)


def test_addresses_in_statuses_are_adopted_before_any_is_given_away(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/30"))
    api.put(service("a-newcomer"))
    api.put(service("coffee", status={"loadBalancer": {"ingress": [{"ip": "10.0.42.0"}]}}))

    async def life(_: Running, __: Stack) -> None:
        await until(lambda: address(api, "a-newcomer") == "10.0.42.1")
        assert address(api) == "10.0.42.0"

    play(tmp_path, api, life)


def test_a_service_deleted_while_nobody_watched_gives_its_lease_up(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def first(_: Running, __: Stack) -> None:
        api.put(service())
        await until(lambda: address(api))

    async def second(_: Running, stack: Stack) -> None:
        await until(lambda: [lease.state for lease in stack.controller.snapshot.holdings.get(COFFEE) or ()] == ["held"])

    async def between(_: Running, __: Stack) -> None:
        api.delete("services", "coffee")

    play(tmp_path, api, first, between, second)


def test_a_service_made_again_gets_its_address_back(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def life(_: Running, stack: Stack) -> None:
        for name in ("coffee", "tea"):
            api.put(service(name))
            await until(lambda name=name: address(api, name))
        api.delete("services", "coffee")
        await until(lambda: not stack.controller.snapshot.bound(COFFEE))
        api.put(service())
        await until(lambda: address(api) == "10.0.42.0")

    play(tmp_path, api, life)


def test_a_service_made_anew_while_nobody_watched_keeps_its_address_under_its_new_uid(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))
    uids: list[str] = []

    def remember() -> None:
        uids.append(api.look("services", "coffee")["metadata"]["uid"])

    async def first(_: Running, __: Stack) -> None:
        for name in ("coffee", "tea"):
            api.put(service(name))
            await until(lambda name=name: address(api, name))
        remember()

    def between() -> None:
        api.delete("services", "coffee")
        api.put(service())

    async def second(_: Running, stack: Stack) -> None:
        await until(lambda: address(api) == "10.0.42.0")
        remember()
        [lease] = stack.controller.snapshot.bound(COFFEE)
        assert (str(lease.address), lease.state) == ("10.0.42.0", "bound")

    play(tmp_path, api, first)
    between()
    play(tmp_path, api, second)
    assert uids[0] != uids[1]


def test_a_service_that_is_no_load_balancer_any_more_gives_everything_back(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def life(_: Running, stack: Stack) -> None:
        api.put(service())
        await until(lambda: api.look("services", "coffee")["metadata"].get("annotations"))
        object_ = {key: value for key, value in api.look("services", "coffee").items() if key != "status"}
        api.put({**object_, "spec": {**object_["spec"], "type": "ClusterIP"}})
        await until(lambda: not stack.controller.snapshot.bound(COFFEE) and has_nothing_of_ours(api))

    play(tmp_path, api, life)


def test_services_of_a_class_that_is_ours_no_more_give_everything_back(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def life(_: Running, stack: Stack) -> None:
        api.put(service())
        await until(lambda: api.look("services", "coffee")["metadata"].get("annotations"))
        other = config_map("10.0.42.0/24")
        other["data"]["config"] += "load-balancer-class: example.com/suite\n"
        api.put(other)
        await until(lambda: not stack.controller.snapshot.bound(COFFEE) and has_nothing_of_ours(api))

    play(tmp_path, api, life)


def has_nothing_of_ours(api: Api) -> bool:
    found = api.look("services", "coffee")
    return not (address(api) or found["metadata"].get("annotations") or found["status"].get("conditions"))


def test_a_service_of_another_class_is_never_touched(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))
    api.put(service("theirs", spec={**service()["spec"], "loadBalancerClass": "example.com/other"}))

    async def life(_: Running, __: Stack) -> None:
        before = api.look("services", "theirs")
        api.put(service())
        await until(lambda: api.look("services", "coffee")["metadata"].get("annotations"))
        assert api.look("services", "theirs") == before

    play(tmp_path, api, life)


def test_a_server_that_is_away_changes_no_lease(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def life(server: Running, stack: Stack) -> None:
        api.put(service())
        await until(lambda: address(api))
        revision = stack.controller.snapshot.revision
        await server.stop()
        await asyncio.sleep(0.5)
        assert stack.controller.snapshot.revision == revision
        await server.start()
        api.put(service("tea"))
        await until(lambda: address(api, "tea"))

    play(tmp_path, api, life)


def test_a_pool_that_moves_moves_the_address_and_says_so(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def life(_: Running, __: Stack) -> None:
        api.put(service())
        await until(lambda: address(api) == "10.0.42.0")
        api.put(config_map("10.0.43.0/24"))
        await until(lambda: address(api) == "10.0.43.0")
        await until(lambda: {"ClearAssignment", "IPAllocated"} <= {reason for reason, _ in events(api)})

    play(tmp_path, api, life)


def test_a_config_map_applied_again_acts_by_its_event_alone_and_asks_for_nothing(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def life(_: Running, __: Stack) -> None:
        api.put(service())
        await until(lambda: api.look("services", "coffee")["metadata"].get("annotations"))
        before = len(api.calls)
        api.put(config_map("10.0.43.0/24"))
        await until(lambda: address(api) == "10.0.43.0")
        assert [call for call in api.calls[before:] if call.verb in {"get", "list", "watch"}] == []

    play(tmp_path, api, life)


def test_a_bad_config_map_changes_nothing_and_is_told_at_the_config_map(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def life(_: Running, __: Stack) -> None:
        api.put(service())
        await until(lambda: address(api) == "10.0.42.0")
        api.put(config_map("10.0.42.0/24", "nonsense"))
        await until(lambda: any("address-pools[1].addresses[0]" in message for _, message in events(api)))
        api.put(service("tea"))
        await until(lambda: address(api, "tea") == "10.0.42.1")

    play(tmp_path, api, life)


def test_a_deleted_config_map_stays_in_force_for_a_controller_that_starts_without_it(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def first(_: Running, __: Stack) -> None:
        api.put(service())
        await until(lambda: address(api) == "10.0.42.0")
        api.delete("configmaps", "config", "metallb-system")

    async def second(_: Running, stack: Stack) -> None:
        api.put(service("tea"))
        await until(lambda: address(api, "tea") == "10.0.42.1")
        assert [str(lease.address) for lease in stack.controller.snapshot.bound(COFFEE)] == ["10.0.42.0"]

    play(tmp_path, api, first, second)


def test_a_config_map_that_is_bad_when_the_controller_starts_leaves_the_last_good_one_in_force(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def first(_: Running, __: Stack) -> None:
        api.put(service())
        await until(lambda: address(api) == "10.0.42.0")

    async def second(_: Running, __: Stack) -> None:
        await until(lambda: any("address-pools[1].addresses[0]" in message for _, message in events(api)))
        api.put(service("tea"))
        await until(lambda: address(api, "tea") == "10.0.42.1")
        assert address(api) == "10.0.42.0"

    play(tmp_path, api, first)
    api.put(config_map("10.0.43.0/24", "nonsense"))
    play(tmp_path, api, second)


def test_an_exhausted_pool_is_a_condition_with_its_reason(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/32"))

    async def life(_: Running, __: Stack) -> None:
        api.put(service())
        await until(lambda: address(api))
        api.put(service("tea"))
        await until(lambda: api.look("services", "tea").get("status", {}).get("conditions"))
        [condition] = api.look("services", "tea")["status"]["conditions"]
        assert (condition["status"], condition["reason"]) == ("False", "PoolExhausted")

    play(tmp_path, api, life)


def test_our_own_status_writes_cost_no_commit(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def life(_: Running, stack: Stack) -> None:
        api.put(service())
        await until(lambda: api.look("services", "coffee")["metadata"].get("annotations"))
        settled = stack.controller.snapshot.revision
        api.put(service("tea"))
        await until(lambda: api.look("services", "tea")["metadata"].get("annotations"))
        assert stack.controller.snapshot.revision == settled + 1

    play(tmp_path, api, life)


def test_the_rights_it_needs_are_these(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def life(_: Running, __: Stack) -> None:
        api.put(service())
        await until(lambda: api.look("services", "coffee")["metadata"].get("annotations"))
        api.put(config_map("nonsense"))
        await until(lambda: len(events(api)) == 2)
        api.put({**service(), "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}})
        await until(lambda: address(api) == "10.0.42.0" and len(events(api)) == 3)
        api.put({**service(), "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}})
        await until(lambda: ("patch", "events") in {(call.verb, call.resource) for call in api.calls})

    play(tmp_path, api, life)

    assert {(call.verb, call.resource) for call in api.calls} - {("get", "services")} == {
        *((verb, kind) for kind in READ for verb in ("list", "watch")),
        ("patch", "services"),
        ("patch", "services/status"),
        ("create", "events"),
        ("get", "events"),
        ("patch", "events"),
    }
