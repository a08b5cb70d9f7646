"""install.yaml by itself: what its parts say about each other and about the program."""

from functools import cache
from typing import Any

from deploy_files import DEPLOY, KUSTOMIZE, installed, objects

from suite.cli.run import command
from suite.config.document import read_text
from suite.config.loading import load
from suite.model.configuration import Configuration


@cache
def pod() -> dict[str, Any]:
    return dict(installed()["Deployment", "suite"]["spec"]["template"]["spec"])


def container() -> dict[str, Any]:
    [only] = pod()["containers"]
    return dict(only)


@cache
def settings() -> Configuration:
    """What the program makes of both manifests."""
    ours = installed()["ConfigMap", "suite"]["data"]["suite.yaml"]
    second = objects((DEPLOY / "manifests" / "config.yaml").read_text(encoding="utf-8"))
    pools = second["ConfigMap", "config"]["data"]["config"]
    outcome = load([*read_text(ours, "suite.yaml"), *read_text(pools, "config")])
    assert outcome.problems == ()
    assert outcome.configuration is not None
    return outcome.configuration


def test_every_volume_that_is_mounted_is_there():
    assert {each["name"] for each in container()["volumeMounts"]} == {each["name"] for each in pod()["volumes"]}


def test_every_argument_is_one_the_program_knows():
    known = {option for parameter in command.params for option in parameter.opts}
    verb, *options = container()["args"]
    assert verb == "run"
    assert {each.partition("=")[0] for each in options} <= known


def test_the_probes_ask_where_the_api_listens():
    listen = settings().web.listen
    assert listen is not None
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container()[probe]["httpGet"]
        assert (asked["host"], asked["port"]) == (str(listen.address), listen.port)


def test_the_heartbeats_have_their_port():
    [port] = [each["containerPort"] for each in container()["ports"] if each["name"] == "heartbeat"]
    assert port == settings().l2.heartbeat_port


def test_the_names_are_asked_where_they_are_answered():
    [listen] = [each for each in container()["args"] if each.startswith("--dns-listen=")]
    ports = installed()["Service", "suite-dns"]["spec"]["ports"]
    assert {(each["protocol"], each["port"]) for each in ports} == {("UDP", 53), ("TCP", 53)}
    assert {f"--dns-listen=0.0.0.0:{each['targetPort']}" for each in ports} == {listen}


def test_the_nameserver_has_an_address_of_its_own_in_the_second_manifest():
    [reservation] = settings().reservations
    assert str(reservation.ref) == "suite-system/suite-dns"


def test_one_pod_writes_to_a_sqlite_file():
    spec = installed()["Deployment", "suite"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_pod_has_one_capability_and_a_root_file_system_it_cannot_write():
    context = container()["securityContext"]
    assert context["capabilities"] == {"drop": ["ALL"], "add": ["NET_RAW"]}
    assert (context["readOnlyRootFilesystem"], context["allowPrivilegeEscalation"]) == (True, False)


def test_selectors_find_the_pods():
    labels = installed()["Deployment", "suite"]["spec"]["template"]["metadata"]["labels"].items()
    assert installed()["Service", "suite-dns"]["spec"]["selector"].items() <= labels
    assert installed()["Deployment", "suite"]["spec"]["selector"]["matchLabels"].items() <= labels


def test_the_settings_for_postgresql_are_good_and_hold_no_password():
    text = (KUSTOMIZE / "overlays" / "postgres" / "settings.yaml").read_text(encoding="utf-8")
    [settings_map] = objects(text).values()
    outcome = load(read_text(settings_map["data"]["suite.yaml"], "suite.yaml"))
    assert outcome.problems == ()
    assert outcome.configuration is not None
    assert outcome.configuration.database.password_file == "/etc/suite-secrets/database.password"
