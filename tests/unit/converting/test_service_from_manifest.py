"""A Kubernetes Service becomes a model Service, whatever stands in it."""

from ipaddress import ip_address

import pytest

from suite.cluster.convert import Converted, Key, convert
from suite.model.refusal import Reason
from suite.model.service import FamilyPolicy, Port, Service, ServiceRef, ServiceType


def service(*, in_cluster: bool = False, annotations: object = None, **spec: object) -> Service:
    made = converted(in_cluster=in_cluster, annotations=annotations, **spec).value
    assert isinstance(made, Service)
    return made


def converted(*, in_cluster: bool = False, annotations: object = None, **spec: object) -> Converted:
    metadata = {"name": "coffee", "annotations": annotations}
    document = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    made = convert(document, in_cluster=in_cluster)
    assert made is not None
    return made


def problems(**spec: object) -> list[tuple[str, str]]:
    return [(problem.path, problem.message) for problem in converted(**spec).problems]


def test_coffee_as_the_story_writes_it():
    coffee = service(
        type="LoadBalancer", selector={"app": "coffee"}, ports=[{"port": 8080, "targetPort": "api", "protocol": "TCP"}]
    )

    assert coffee == Service(
        ref=ServiceRef("default", "coffee"),
        type=ServiceType.LOAD_BALANCER,
        families=(4,),
        ports=(Port(8080, "TCP", "", "api"),),
        selector=(("app", "coffee"),),
    )


def test_a_service_without_type_is_a_cluster_ip():
    assert service(ports=[{"port": 80}]).type is ServiceType.CLUSTER_IP


@pytest.mark.parametrize(
    ("spec", "families"),
    [
        pytest.param({}, (4,), id="nothing-said-is-ipv4"),
        pytest.param({"ipFamilies": ["IPv6"]}, (6,), id="one-family"),
        pytest.param({"ipFamilies": ["IPv6", "IPv4"]}, (6, 4), id="both-in-order"),
        pytest.param({"ipFamilyPolicy": "RequireDualStack"}, (4, 6), id="dual-needs-both"),
        pytest.param({"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv6"]}, (6, 4), id="prefer-dual"),
        pytest.param({"loadBalancerIP": "2001:db8::1"}, (6,), id="what-it-asks-for"),
        pytest.param({"clusterIP": "fd00::1"}, (6,), id="older-field"),
        pytest.param({"clusterIPs": ["10.0.0.1", "fd00::1"], "ipFamilies": ["IPv6"]}, (4, 6), id="addresses-decide"),
        pytest.param({"clusterIPs": ["10.0.0.1"], "ipFamilyPolicy": "PreferDualStack"}, (4,), id="one-cluster-address"),
    ],
)
def test_families_in_a_file(spec, families):
    assert service(**spec).families == families


def test_in_a_cluster_a_service_without_cluster_address_has_no_family_yet():
    assert service(in_cluster=True, type="LoadBalancer").families == ()


def test_headless_is_told_from_having_no_address():
    headless = service(clusterIP="None")

    assert headless.is_headless
    assert headless.fault is None


def test_a_headless_load_balancer_is_refused():
    fault = service(type="LoadBalancer", clusterIP="None").fault

    assert fault is not None
    assert fault.reason is Reason.NO_CLUSTER_ADDRESS


def test_policy_local_class_and_external_name_are_read():
    local = service(externalTrafficPolicy="Local", loadBalancerClass="example.com/lb", externalName="Db.Example.COM")

    assert (local.is_local, local.load_balancer_class, local.external_name) == (
        True,
        "example.com/lb",
        "db.example.com",
    )


def test_policies_of_families_are_read():
    assert service(ipFamilyPolicy="PreferDualStack").family_policy is FamilyPolicy.PREFER_DUAL


def test_status_addresses_are_read_and_rubbish_between_them_passed_over():
    ingress = [{"ip": "10.0.42.0"}, {"hostname": "x"}, {"ip": "nonsense"}, {"ip": 7}, "?", {"ip": "2001:db8::1"}]
    document = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "coffee"},
        "status": {"loadBalancer": {"ingress": ingress}},
    }

    made = convert(document, in_cluster=True)

    assert made is not None
    assert isinstance(made.value, Service)
    assert made.value.status == (ip_address("10.0.42.0"), ip_address("2001:db8::1"))


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"ports": [{"port": 0}]}, ("spec.ports[0].port", "a number from 1 to 65535 was expected")),
        ({"ports": [{"port": 80}, {}]}, ("spec.ports[1].port", "is missing")),
        ({"ports": [{"port": True}]}, ("spec.ports[0].port", "a number from 1 to 65535 was expected")),
        ({"ports": {"port": 80}}, ("spec.ports", "a list was expected")),
        ({"ports": [{"port": 80, "protocol": "tcp"}]}, ("spec.ports[0].protocol", "'tcp' is none of TCP, UDP, SCTP")),
        (
            {"type": "Loadbalancer"},
            ("spec.type", "'Loadbalancer' is none of ClusterIP, NodePort, LoadBalancer, ExternalName"),
        ),
        ({"ipFamilies": ["ipv4"]}, ("spec.ipFamilies[0]", "'ipv4' is neither IPv4 nor IPv6")),
        ({"externalTrafficPolicy": "local"}, ("spec.externalTrafficPolicy", "'local' is none of Cluster, Local")),
        ({"ipFamilies": [{}]}, ("spec.ipFamilies[0]", "'{}' is neither IPv4 nor IPv6")),
        ({"clusterIP": "10.0.0.256"}, ("spec.clusterIP", "'10.0.0.256' is no IP address")),
        ({"selector": {"app": ["x"]}}, ('spec.selector["app"]', "text was expected")),
    ],
)
def test_a_malformed_service_is_a_problem_with_its_path(spec, problem):
    path, message = problem

    assert problems(**spec) == [(path, f"{message} (Service default/coffee)")]


def test_numbers_written_as_labels_are_taken_as_text():
    assert service(selector={"version": 2, "canary": True, "none": None}).selector == (
        ("canary", "true"),
        ("none", ""),
        ("version", "2"),
    )


@pytest.mark.parametrize(
    ("version", "kind"),
    [("serving.knative.dev/v1", "Service"), ("apps/v1", "Deployment"), ("v1", "ConfigMap"), ("v1", "Endpoints")],
)
def test_other_kinds_are_skipped(version, kind):
    assert convert({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}}, in_cluster=False) is None


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (None, ""),
        (["x"], ""),
        ({"kind": "Service"}, "apiVersion"),
        ({"apiVersion": "v1"}, "kind"),
        ({"apiVersion": "v1", "kind": "Service"}, "metadata.name"),
        ({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a/b"}}, "metadata.name"),
        ({"apiVersion": "v1", "kind": "Service", "metadata": "x"}, "metadata"),
        (
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "b" * 64}},
            "metadata.namespace",
        ),
    ],
)
def test_what_is_no_object_is_a_problem(document, path):
    made = convert(document, in_cluster=False)

    assert made is not None
    assert (made.value, [problem.path for problem in made.problems]) == (None, [path])


def test_no_namespace_means_default():
    assert converted().key == Key("Service", "default", "coffee")
