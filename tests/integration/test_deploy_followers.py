"""The overlay with followers in a cluster of two nodes: the controller's pod and the pods of the nodes, as the manifests say."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from itertools import product
from typing import TYPE_CHECKING

import pytest
from deploy_files import KUSTOMIZE, objects
from deployed import PATIENCE, answerers, api_server, cluster, name_of, start_pod
from fix_netns import Namespace, eventually, missing_for_networks, network, require_tools

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from apiserver.app import Api

pytestmark = pytest.mark.net

FILES = KUSTOMIZE / "overlays/followers"
NODES = {"node1": "10.0.10.1", "node2": "10.0.10.2"}
POD = "10.0.20.1"
COFFEE = "10.0.42.0"
CLAIMS = urlsafe_b64encode(b'{"exp": 4102444800}').decode().rstrip("=")
TOKEN = f"e30.{CLAIMS}.signature"


class Place:
    """Two nodes, the controller's pod with an address of its own, and a laptop, on one network."""

    def __init__(self, api: Api, laptop: Namespace, folder: Path) -> None:
        self.api = api
        self.laptop = laptop
        self.folder = folder

    def calls(self) -> set[tuple[str, str]]:
        return {(call.verb, call.resource) for call in self.api.calls}

    def log(self, name: str) -> str:
        return (self.folder / name / "log").read_text()


def workload(file: str, kind: str) -> dict:
    """One object of a file of the overlay; what a patch leaves to the base is not looked at here."""
    return next(body for (each, _), body in objects((FILES / file).read_text("utf-8")).items() if each == kind)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if reason := missing_for_networks():
        pytest.skip(reason)
    require_tools("arping", "dig")
    folder = tmp_path_factory.mktemp("followers")
    settings = workload("settings.yaml", "ConfigMap")["data"]["suite.yaml"]
    with network() as lab:
        lan, laptop = lab.bridge("lan"), lab.namespace("laptop")
        machines = {name: lab.namespace(name) for name in (*NODES, "controller")}
        lan.plug(laptop, addresses=["10.0.10.9/16"])
        for name, address in {**NODES, "controller": POD}.items():
            lan.plug(machines[name], addresses=[f"{address}/16"])
        api = cluster(NODES)
        api.service_accounts[TOKEN] = ("system:serviceaccount:suite-system:suite-follower", ("suite",))
        (folder / "token").write_text(TOKEN)
        with api_server(api, machines, folder) as kubeconfigs:
            found = Place(api, laptop, folder)
            start = workload("controller.yaml", "Deployment")
            start_pod(machines["controller"], start, settings, {}, kubeconfigs["controller"], folder / "controller")
            assert eventually(lambda: certificate(api), PATIENCE, 0.1), found.log("controller")
            (folder / "authority.pem").write_text(certificate(api))
            places = {
                "suite-controller.suite-system.svc": POD,
                "/var/run/secrets/suite/token": str(folder / "token"),
                "/etc/suite-authority/authority.pem": str(folder / "authority.pem"),
            }
            for name in NODES:
                follower = workload("follower.yaml", "DaemonSet")
                start_pod(machines[name], follower, settings, places, kubeconfigs[name], folder / name)
            yield found


def certificate(api: Api) -> str:
    """What a pod finds where the ConfigMap is mounted."""
    found = [each for each in api.every("configmaps") if each["metadata"]["name"] == "suite-authority"]
    return found[0]["data"]["authority.pem"] if found else ""


def test_one_node_answers_for_the_service(place: Place) -> None:
    assert eventually(lambda: len(answerers(place.laptop, COFFEE)) == 1, PATIENCE, 0.1), place.log("node1")


def test_every_node_answers_for_its_name(place: Place) -> None:
    for server in NODES.values():
        assert eventually(
            lambda at=server: name_of(place.laptop, at, "coffee.default.service") == COFFEE, within=PATIENCE, every=0.1
        ), place.log("node2")


def test_a_token_is_reviewed_when_it_is_first_seen_and_not_with_each_question(place: Place) -> None:
    reviews = [call for call in place.api.calls if call.resource == "tokenreviews"]

    assert 1 <= len(reviews) <= 2 * len(NODES)  # the feed and the reports of two nodes may come at once


def test_the_controllers_requests_for_followers_are_allowed(place: Place) -> None:
    roles = objects((FILES / "rights.yaml").read_text("utf-8")).values()
    granted = {
        (verb, resource)
        for role in roles
        for rule in role.get("rules", ())
        for verb, resource in product(rule["verbs"], rule["resources"])
    }

    mine = {call for call in place.calls() if call[1] in {"tokenreviews", "configmaps", "leases"}}

    assert mine - granted <= {("list", "configmaps"), ("watch", "configmaps")}  # those of the base


def test_the_followers_have_no_database(place: Place) -> None:
    assert [name for name in NODES if (place.folder / name / "state" / "suite.db").exists()] == []
