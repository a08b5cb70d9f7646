"""The tests' API server keeps the rules that a controller can break: each is one a real kube-apiserver has."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from apiserver.app import Api
from apiserver.rights import Grant

SERVICES = "/api/v1/namespaces/default/services"
COFFEE = f"{SERVICES}/coffee"
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "coffee"},
    "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
}
MERGE, STRATEGIC, JSON = (f"application/{kind}+json" for kind in ("merge-patch", "strategic-merge-patch", "json-patch"))


class Client:
    """Asks the server without a socket, one question at a time."""

    def __init__(self, api: Api) -> None:
        self._transport = httpx.ASGITransport(app=api.app())

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://it") as client:
                return await client.request(method, path, **request)

        return asyncio.run(asked())

    def get(self, path: str, **request: Any) -> httpx.Response:
        return self.ask("GET", path, **request)


@pytest.fixture
def api():
    found = Api()
    found.put(SERVICE)
    return found


@pytest.fixture
def client(api):
    return Client(api)


def patch(client: Client, path: str, body: object, kind: str = MERGE) -> tuple[int, Any]:
    answer = client.ask("PATCH", path, content=json.dumps(body), headers={"Content-Type": kind})
    return answer.status_code, answer.json()


def ingress(*addresses: str) -> dict[str, Any]:
    return {"status": {"loadBalancer": {"ingress": [{"ip": each} for each in addresses]}}}


def test_a_write_with_an_older_version_is_a_conflict(client):
    old = client.get(COFFEE).json()["metadata"]["resourceVersion"]
    patch(client, COFFEE, {"metadata": {"labels": {"a": "b"}}})

    status, said = patch(client, COFFEE, {"metadata": {"resourceVersion": old, "labels": {"a": "c"}}})

    assert (status, said["reason"]) == (409, "Conflict")


def test_a_write_with_another_uid_is_a_conflict(client):
    assert patch(client, COFFEE, {"metadata": {"uid": "another", "labels": {"a": "c"}}})[0] == 409


def test_a_status_patch_changes_no_spec_and_a_patch_of_the_object_no_status(client):
    _, after = patch(client, f"{COFFEE}/status", {**ingress("10.0.42.0"), "spec": {"type": "ClusterIP"}})
    assert (after["spec"]["type"], after["status"]["loadBalancer"]["ingress"][0]["ip"]) == ("LoadBalancer", "10.0.42.0")

    _, after = patch(client, COFFEE, ingress("192.0.2.1"))
    assert after["status"]["loadBalancer"]["ingress"][0]["ip"] == "10.0.42.0"


def test_the_generation_counts_changes_of_the_spec_alone(client):
    assert patch(client, COFFEE, {"metadata": {"labels": {"a": "b"}}})[1]["metadata"]["generation"] == 1
    assert patch(client, COFFEE, {"spec": {"externalTrafficPolicy": "Local"}})[1]["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{COFFEE}/status", ingress("10.0.042.0")),
        (f"{COFFEE}/status", ingress("FD00::1")),
        (f"{COFFEE}/status", {"status": {"loadBalancer": {"ingress": [{"ipMode": "VIP"}]}}}),
        (COFFEE, {"spec": {"loadBalancerClass": "example.com/other"}}),
        (COFFEE, {"spec": {"ports": [{"port": 70000}]}}),
    ],
    ids=["leading-zero", "not-canonical", "mode-alone", "class", "port"],
)
def test_what_a_server_refuses_is_refused(client, path, body):
    assert patch(client, path, body)[0] == 422


def test_a_strategic_patch_keeps_the_conditions_of_others(client):
    for kind in ("theirs", "ours"):
        conditions = {"status": {"conditions": [{"type": kind, "status": "True"}]}}
        _, after = patch(client, f"{COFFEE}/status", conditions, STRATEGIC)

    assert [each["type"] for each in after["status"]["conditions"]] == ["theirs", "ours"]


def test_a_json_patch_is_carried_out(client):
    operation = [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]

    assert patch(client, COFFEE, operation, JSON)[1]["metadata"]["labels"] == {"a": "b"}


def test_a_list_goes_on_where_the_page_before_ended(api, client):
    api.put({**SERVICE, "metadata": {"name": "tea"}})

    first = client.get(SERVICES, params={"limit": 1}).json()
    second = client.get(SERVICES, params={"limit": 1, "continue": first["metadata"]["continue"]}).json()

    names = [each["metadata"]["name"] for page in (first, second) for each in page["items"]]
    assert (names, second["metadata"].get("continue", "")) == (["coffee", "tea"], "")


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("labelSelector=app=coffee", ["coffee"]),
        ("labelSelector=app!=coffee", ["tea"]),
        ("fieldSelector=metadata.name=tea", ["tea"]),
    ],
)
def test_selectors_pick(api, client, selector, names):
    api.put({**SERVICE, "metadata": {"name": "coffee", "labels": {"app": "coffee"}}})
    api.put({**SERVICE, "metadata": {"name": "tea"}})

    assert [each["metadata"]["name"] for each in client.get(f"{SERVICES}?{selector}").json()["items"]] == names


def test_a_watch_from_before_the_compaction_is_gone(api, client):
    old = client.get(COFFEE).json()["metadata"]["resourceVersion"]
    api.put({**SERVICE, "metadata": {"name": "tea"}})
    api.objects.compact()

    event = json.loads(client.get(SERVICES, params={"watch": "true", "resourceVersion": old}).text)

    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)


def test_what_has_a_finalizer_is_marked_and_goes_with_it(client):
    patch(client, COFFEE, {"metadata": {"finalizers": ["example.com/wait"]}})
    client.ask("DELETE", COFFEE)
    assert client.get(COFFEE).json()["metadata"]["deletionTimestamp"]

    patch(client, COFFEE, {"metadata": {"finalizers": None}})
    assert client.get(COFFEE).status_code == 404


def test_who_has_no_right_is_told_so_and_noted(api, client):
    api.grants = frozenset({Grant("", "services", "list")})

    assert (client.get(SERVICES).status_code, client.get(COFFEE).status_code) == (200, 403)
    assert [(call.verb, call.name) for call in api.refused] == [("get", "coffee")]


def test_a_token_counts_for_its_audience(api, client):
    api.service_accounts["abc"] = ("system:serviceaccount:default:a", ("suite",))

    def reviewed(audience: str) -> bool:
        body = {"spec": {"token": "abc", "audiences": [audience]}}
        answer = client.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", json=body)
        return bool(answer.json()["status"]["authenticated"])

    assert (reviewed("suite"), reviewed("other")) == (True, False)
