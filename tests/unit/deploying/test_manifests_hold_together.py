"""Every way to install it, rendered: what its parts say about each other and about the program."""

from collections.abc import Iterator
from functools import cache

import pytest
from deploy_files import DEPLOY, VARIANTS, Object, objects, workloads
from kustomization import variant

from suite.cli.run import command
from suite.config.document import read_text
from suite.config.loading import load
from suite.model.configuration import Configuration

EVERY = pytest.mark.parametrize("name", VARIANTS)
MEASURED = pytest.mark.parametrize("name", [name for name in VARIANTS if "measured" in name])
HEALTH = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}


@cache
def settings(name: str) -> Configuration:
    """What the controller makes of both manifests."""
    second = objects((DEPLOY / "manifests" / "config.yaml").read_text(encoding="utf-8"))
    ours, pools = (
        variant(name)["ConfigMap", "suite"]["data"]["suite.yaml"],
        second["ConfigMap", "config"]["data"]["config"],
    )
    outcome = load([*read_text(ours, "suite.yaml"), *read_text(pools, "config")])
    assert outcome.problems == ()
    assert outcome.configuration is not None
    return outcome.configuration


def pod(workload: Object) -> Object:
    return dict(workload["spec"]["template"]["spec"])


def container(workload: Object) -> Object:
    [only] = pod(workload)["containers"]
    return dict(only)


def labels(workload: Object) -> Object:
    return dict(workload["spec"]["template"]["metadata"]["labels"])


def options(workload: Object) -> dict[str, str]:
    """Arguments that are there once, without their dashes."""
    return {key: value for key, _, value in (each[2:].partition("=") for each in container(workload)["args"][1:])}


def of_kind(name: str, kind: str) -> list[Object]:
    return [body for (found, _), body in variant(name).items() if found == kind]


def selected(name: str, selector: Object) -> dict[str, Object]:
    """The workloads whose pods a selector finds, by component."""
    return {key: each for key, each in workloads(variant(name)).items() if selector.items() <= labels(each).items()}


def listening(name: str, workload: Object) -> dict[int, str]:
    """Where the program listens with these arguments and settings, by port."""
    said = options(workload)
    places = [said[key] for key in ("probe-listen", "dns-listen") if key in said]
    if "config" in said:
        web = settings(name).web
        places += [str(each) for each in (web.listen, web.feed_listen) if each is not None]
    return {int(port): host for host, _, port in (place.rpartition(":") for place in places)}


def ports(workload: Object) -> dict[str, Object]:
    return {each["name"]: each for each in container(workload)["ports"]}


def admitted(name: str, workload: Object, direction: str) -> Iterator[tuple[str, int, bool]]:
    """Protocol, port, and whether with everybody, of what the policies let through; port 0 is any."""
    for policy in (each["spec"] for each in of_kind(name, "NetworkPolicy")):
        if policy["podSelector"].get("matchLabels", {}).items() <= labels(workload).items():
            for rule in policy.get(direction, ()):
                peers = "from" if direction == "ingress" else "to"
                for port in rule.get("ports", [{"protocol": "any", "port": 0}]):
                    yield port["protocol"], port["port"], peers not in rule


@EVERY
def test_there_is_a_controller_a_speaker_and_a_nameserver_each_in_a_role_of_its_own(name: str):
    roles = {
        key: {each for each in container(body)["args"] if each.startswith("--role=")}
        for key, body in workloads(variant(name)).items()
    }

    assert roles == {
        "controller": {"--role=controller", "--role=web"},
        "speaker": {"--role=speaker"},
        "nameserver": {"--role=nameserver"},
    }


@EVERY
def test_what_selects_its_own_pods_finds_them_and_no_others(name: str):
    for key, body in workloads(variant(name)).items():
        assert list(selected(name, body["spec"]["selector"]["matchLabels"])) == [key]


@EVERY
def test_each_port_of_a_service_is_one_that_every_pod_behind_it_listens_on_for_others(name: str):
    for service in (each["spec"] for each in of_kind(name, "Service")):
        behind = selected(name, service["selector"])
        assert behind
        for port, each in ((port, each) for port in service["ports"] for each in behind.values()):
            target = ports(each)[port["targetPort"]]
            assert target["protocol"] == port["protocol"]
            assert listening(name, each)[target["containerPort"]] == "0.0.0.0"


@EVERY
def test_policies_let_through_what_services_lead_to(name: str):
    for service in (each["spec"] for each in of_kind(name, "Service")):
        for each in selected(name, service["selector"]).values():
            for port in service["ports"]:
                wanted = port["protocol"], ports(each)[port["targetPort"]]["containerPort"], True
                assert pod(each).get("hostNetwork") or wanted in set(admitted(name, each, "ingress"))


@EVERY
def test_policies_let_through_nothing_else(name: str):
    metrics = {("TCP", 17953, True)} if "measured" in name else set()
    found = workloads(variant(name))

    assert set(admitted(name, found["controller"], "ingress")) == {("TCP", 7473, True)} | metrics
    assert set(admitted(name, found["nameserver"], "ingress")) == {("UDP", 1053, True), ("TCP", 1053, True)} | metrics


@EVERY
def test_a_nameserver_may_ask_where_the_controller_is_and_follow_it(name: str):
    follows = {("UDP", 53, True), ("TCP", 53, True), ("TCP", 7473, False)}

    assert set(admitted(name, workloads(variant(name))["nameserver"], "egress")) == follows


@EVERY
def test_the_only_peer_that_a_policy_names_is_the_controller(name: str):
    rules = [rule for policy in of_kind(name, "NetworkPolicy") for rule in policy["spec"].get("egress", ())]
    peers = [peer["podSelector"]["matchLabels"] for rule in rules for peer in rule.get("to", ())]

    assert [list(selected(name, each)) for each in peers] == [["controller"]]


@EVERY
def test_followers_go_to_the_service_of_the_controller_where_the_feed_is(name: str):
    service = variant(name)["Service", "suite-controller"]["spec"]
    [port] = service["ports"]
    found = workloads(variant(name))

    assert list(selected(name, service["selector"])) == ["controller"]
    assert {options(found[each])["follow"] for each in ("speaker", "nameserver")} == {
        f"https://suite-controller.suite-system.svc:{port['port']}"
    }


@MEASURED
def test_what_is_measured_are_all_pods(name: str):
    monitor, service = variant(name)["ServiceMonitor", "suite"]["spec"], variant(name)["Service", "suite-metrics"]
    [endpoint] = monitor["endpoints"]

    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert endpoint["port"] in {each["name"] for each in service["spec"]["ports"]}
    assert selected(name, service["spec"]["selector"]).keys() == {"controller", "speaker", "nameserver"}


def test_unless_it_is_measured_a_speaker_is_asked_on_its_own_node_alone():
    assert options(workloads(variant("sqlite"))["speaker"])["probe-listen"] == "127.0.0.1:17953"


@EVERY
def test_probes_ask_for_health_where_it_is_told(name: str):
    for each in workloads(variant(name)).values():
        for probe, path in HEALTH.items():
            asked = container(each)[probe]["httpGet"]
            where = listening(name, each)[ports(each)[asked["port"]]["containerPort"]]
            assert asked["path"] == path
            assert "scheme" not in asked
            assert where in {"0.0.0.0", asked.get("host")}
            assert ("host" in asked) == bool(pod(each).get("hostNetwork"))


@EVERY
def test_no_two_programs_on_a_node_want_the_same_port(name: str):
    taken = [
        (each["protocol"], each["containerPort"])
        for body in workloads(variant(name)).values()
        if pod(body).get("hostNetwork")
        for each in container(body)["ports"]
    ]

    assert len(taken) == len(set(taken))
    assert ("UDP", settings(name).l2.heartbeat_port) in taken


@EVERY
def test_every_volume_that_is_mounted_is_there_and_every_one_there_is_mounted(name: str):
    for each in workloads(variant(name)).values():
        mounted = [mount["name"] for mount in container(each)["volumeMounts"]]
        assert sorted(mounted) == sorted(volume["name"] for volume in pod(each)["volumes"])


@EVERY
def test_every_argument_is_one_the_program_knows(name: str):
    known = {option for parameter in command.params for option in parameter.opts}
    for each in workloads(variant(name)).values():
        verb, *rest = container(each)["args"]
        assert verb == "run"
        assert {argument.partition("=")[0] for argument in rest} <= known


@EVERY
def test_files_named_in_arguments_are_in_volumes_that_are_mounted(name: str):
    for each in workloads(variant(name)).values():
        places = [mount["mountPath"] for mount in container(each)["volumeMounts"]]
        files = [value for value in options(each).values() if value.startswith("/")]
        assert [
            file for file in files if not any(file == place or file.startswith(f"{place}/") for place in places)
        ] == []


@EVERY
def test_the_accounts_of_followers_are_those_that_the_controller_lets_in_each_for_its_role(name: str):
    found = workloads(variant(name))
    accounts = {key: pod(found[key])["serviceAccountName"] for key in ("nameserver", "speaker")}

    assert dict(settings(name).web.service_accounts) == {
        f"suite-system/{account}": (role,) for role, account in accounts.items()
    }


@EVERY
def test_only_the_controller_has_rights_and_a_token_for_the_cluster(name: str):
    kinds = ("RoleBinding", "ClusterRoleBinding")
    bound = {subject["name"] for kind in kinds for each in of_kind(name, kind) for subject in each["subjects"]}
    tokens = {key for key, each in workloads(variant(name)).items() if pod(each)["automountServiceAccountToken"]}

    assert (bound, tokens) == ({"suite-controller"}, {"controller"})


@EVERY
def test_only_speakers_are_root_on_the_nodes_network_with_what_announcing_takes(name: str):
    capabilities = ["NET_RAW", "NET_BIND_SERVICE"] if "bgp" in name.lower() else ["NET_RAW"]
    body = workloads(variant(name))["speaker"]
    context = container(body)["securityContext"]

    assert pod(body)["hostNetwork"]
    assert (context["runAsUser"], context["capabilities"]) == (0, {"drop": ["ALL"], "add": capabilities})


@EVERY
@pytest.mark.parametrize("component", ["controller", "nameserver"])
def test_the_others_meet_the_pod_security_level_restricted(name: str, component: str):
    """kubernetes.io/docs/concepts/security/pod-security-standards."""
    body = workloads(variant(name))[component]
    spec, context = pod(body), container(body)["securityContext"]
    allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}

    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert not any("hostPort" in each for each in container(body)["ports"])
    assert (spec["securityContext"]["runAsNonRoot"], spec["securityContext"]["runAsUser"]) == (True, 65532)
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (context["capabilities"], context["allowPrivilegeEscalation"]) == ({"drop": ["ALL"]}, False)
    assert {key for volume in spec["volumes"] for key in volume.keys() - {"name"}} <= allowed


@EVERY
def test_every_container_has_a_root_file_system_it_cannot_write_and_no_way_to_more_privileges(name: str):
    for each in workloads(variant(name)).values():
        context = container(each)["securityContext"]
        profile = context.get("seccompProfile") or pod(each)["securityContext"]["seccompProfile"]
        assert (context["readOnlyRootFilesystem"], context["allowPrivilegeEscalation"]) == (True, False)
        assert (context["privileged"], profile) == (False, {"type": "RuntimeDefault"})


@EVERY
def test_names_are_served_on_port_53_of_both_protocols_to_clients_that_are_seen(name: str):
    services = [each["spec"] for each in of_kind(name, "Service") if each["spec"].get("type") == "LoadBalancer"]

    assert len(services) == (2 if name == "two addresses for names" else 1)
    for spec in services:
        assert spec["externalTrafficPolicy"] == "Local"
        assert {(each["protocol"], each["port"]) for each in spec["ports"]} == {("UDP", 53), ("TCP", 53)}
        assert list(selected(name, spec["selector"])) == ["nameserver"]


def test_the_nameserver_has_an_address_of_its_own_in_the_second_manifest():
    [reservation] = settings("sqlite").reservations

    assert str(reservation.ref) == "suite-system/suite-dns"
    assert settings("sqlite").dns.addresses == (reservation.address,)


def test_with_two_addresses_each_is_reserved_for_a_service_that_is_there():
    outcome = load(read_text((DEPLOY / "examples/two-nameservers.yaml").read_text(encoding="utf-8"), "example"))
    services = {f"suite-system/{each['metadata']['name']}" for each in of_kind("two addresses for names", "Service")}

    assert outcome.problems == ()
    assert {str(each.ref) for each in outcome.configuration.reservations} <= services
    assert [str(each) for each in outcome.configuration.dns.addresses] == ["10.0.42.53", "10.0.42.54"]


def test_one_controller_at_a_time_writes_to_a_sqlite_file():
    spec = workloads(variant("sqlite"))["controller"]["spec"]

    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert variant("sqlite")["PersistentVolumeClaim", "suite"]["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert settings("sqlite").kubernetes.guard_lease is not None


def test_with_postgresql_there_are_two_and_no_password_in_the_settings():
    spec = workloads(variant("postgres"))["controller"]["spec"]

    assert (spec["replicas"], spec["strategy"]["type"]) == (2, "RollingUpdate")
    assert settings("postgres").database.password_file == "/etc/suite-secrets/database.password"
    assert "PersistentVolumeClaim" not in {kind for kind, _ in variant("postgres")}


@pytest.mark.parametrize(
    ("name", "hostnames", "secrets", "stand_by_for"),
    [
        ("sqlite", (), False, "nobody"),
        ("names of Ingresses", ("ingress", "gateway"), False, "nobody"),
        ("passwords in Secrets", (), True, "nobody"),
        ("beside MetalLB", (), False, "metallb"),
        ("all that may be read", ("ingress", "gateway"), True, "metallb"),
    ],
)
def test_a_component_that_gives_a_right_makes_use_of_it(name: str, hostnames, secrets, stand_by_for):
    said = settings(name).kubernetes

    assert (said.hostnames, said.secrets, said.stand_by_for) == (hostnames, secrets, stand_by_for)


def test_a_component_leaves_what_the_overlay_says():
    assert settings("beside MetalLB").kubernetes.guard_lease == settings("sqlite").kubernetes.guard_lease
    assert settings("all that may be read").database == settings("postgres").database


@EVERY
def test_budgets_leave_one_and_never_stop_a_drain_for_good(name: str):
    budgets = {
        key: each["spec"]["minAvailable"]
        for each in of_kind(name, "PodDisruptionBudget")
        for key in selected(name, each["spec"]["selector"]["matchLabels"])
    }
    replicas = {key: each["spec"].get("replicas", 99) for key, each in workloads(variant(name)).items()}

    assert budgets.keys() == {key for key, count in replicas.items() if count > 1}
    assert all(least < replicas[key] for key, least in budgets.items())


@EVERY
def test_every_object_is_in_a_namespace_that_the_two_manifests_bring(name: str):
    spaces = {each["metadata"].get("namespace") for each in variant(name).values()}
    wide = {
        kind
        for kind, each in ((key[0], body) for key, body in variant(name).items())
        if "namespace" not in each["metadata"]
    }

    assert spaces <= {None, "suite-system", "metallb-system"}
    assert wide <= {"Namespace", "ClusterRole", "ClusterRoleBinding"}
