"""EndpointSlices, Nodes and Namespaces."""

from ipaddress import ip_address

import pytest

from suite.cluster.convert import Slice, convert
from suite.model.node import Namespace, Node
from suite.model.service import Endpoint, ServiceRef


def endpoint_slice(*endpoints: object, version: str = "v1", service: str = "coffee") -> Slice:
    labels = {"kubernetes.io/service-name": service}
    document = {
        "apiVersion": f"discovery.k8s.io/{version}",
        "kind": "EndpointSlice",
        "metadata": {"name": "coffee-x", "labels": labels},
        "endpoints": list(endpoints),
    }
    made = convert(document, in_cluster=True)
    assert made is not None
    assert isinstance(made.value, Slice), made.problems
    return made.value


def test_an_endpoint_has_address_node_and_hostname():
    entry = {"addresses": ["10.1.0.5", "10.1.0.6"], "nodeName": "compute2", "hostname": "db-0"}

    assert endpoint_slice(entry) == Slice(
        ServiceRef("default", "coffee"), (Endpoint("10.1.0.5", "compute2", is_ready=True, hostname="db-0"),)
    )


@pytest.mark.parametrize(
    ("conditions", "is_ready"),
    [
        (None, True),
        ({}, True),
        ({"ready": None}, True),
        ({"ready": True}, True),
        ({"ready": False}, False),
        ({"ready": False, "serving": True, "terminating": True}, True),
        ({"ready": False, "serving": False}, False),
        ({"serving": False}, True),
    ],
)
def test_usable_is_ready_or_unknown_or_serving(conditions, is_ready):
    assert endpoint_slice({"addresses": ["10.1.0.5"], "conditions": conditions}).endpoints[0].is_ready is is_ready


@pytest.mark.parametrize(
    ("ports", "names"),
    [
        ({}, None),
        ({"ports": None}, None),
        ({"ports": []}, ()),
        ({"ports": [{"name": "https", "port": 8443}, {"port": 80}]}, ("", "https")),
    ],
    ids=["missing", "null", "none", "two"],
)
def test_a_slice_says_which_ports_its_pods_have(ports, names):
    labels = {"kubernetes.io/service-name": "coffee"}
    document = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "x", "labels": labels},
    }

    made = convert({**document, **ports}, in_cluster=True)

    assert made is not None
    assert isinstance(made.value, Slice)
    assert made.value.ports == names


def test_an_empty_slice_is_a_slice():
    assert endpoint_slice().endpoints == ()


def test_the_node_of_the_older_version_is_read_from_its_topology():
    entry = {"addresses": ["10.1.0.5"], "topology": {"kubernetes.io/hostname": "compute2"}}

    assert endpoint_slice(entry, version="v1beta1").endpoints[0].node == "compute2"


def test_a_slice_of_nobody_is_a_problem():
    document = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "x"}}

    made = convert(document, in_cluster=True)

    assert made is not None
    assert [problem.path for problem in made.problems] == ["metadata.labels"]


def test_a_node_has_labels_addresses_and_the_state_of_its_network():
    document = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "compute2", "labels": {"rack": "a"}},
        "status": {
            "addresses": [
                {"type": "Hostname", "address": "compute2"},
                {"type": "ExternalIP", "address": "203.0.113.2"},
                {"type": "InternalIP", "address": "10.0.10.2"},
                {"type": "InternalIP", "address": "?"},
            ],
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "NetworkUnavailable", "status": "True"}],
        },
    }

    made = convert(document, in_cluster=True)

    assert made is not None
    assert made.value == Node(
        "compute2",
        (("rack", "a"),),
        (ip_address("10.0.10.2"), ip_address("203.0.113.2")),
        network_unavailable=True,
    )


@pytest.mark.parametrize(("spec", "is_cordoned"), [({"unschedulable": True}, True), ({}, False), (None, False)])
def test_a_node_that_takes_no_pods_is_cordoned(spec, is_cordoned):
    made = convert({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "spec": spec}, in_cluster=True)

    assert made is not None
    assert made.value == Node("n", is_cordoned=is_cordoned)


@pytest.mark.parametrize(("status", "is_unready"), [("True", False), ("False", True), ("Unknown", True), (None, False)])
def test_a_node_whose_kubelet_says_so_or_nothing_more_is_not_ready(status, is_unready):
    conditions = [
        {"type": "MemoryPressure", "status": "False"},
        *([{"type": "Ready", "status": status}] if status else []),
    ]
    document = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "status": {"conditions": conditions}}

    made = convert(document, in_cluster=True)

    assert made is not None
    assert made.value == Node("n", is_unready=is_unready)


@pytest.mark.parametrize(("key", "is_removed"), [("ToBeDeletedByClusterAutoscaler", True), ("dedicated", False)])
def test_a_node_that_the_cluster_removes_says_so_by_its_taint(key, is_removed):
    spec = {"taints": [{"key": key, "effect": "NoSchedule"}]}

    made = convert({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "spec": spec}, in_cluster=True)

    assert made is not None
    assert made.value == Node("n", is_being_removed=is_removed)


def test_a_namespace_has_labels():
    document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "x"}}}

    made = convert(document, in_cluster=True)

    assert made is not None
    assert made.value == Namespace("shop", (("team", "x"),))
