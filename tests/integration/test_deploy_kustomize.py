"""The kustomize files, rendered by kubectl (or a reader of ours where it is too old) and read by the official client's models."""

import json
import re
import shutil
import subprocess
import textwrap
from functools import cache
from pathlib import Path

import pytest
from deploy_files import DEPLOY, KUSTOMIZE, Objects, chart, installed, objects
from kubernetes_models import faults
from kustomization import build
from project_files import text

from suite.config.document import read_text
from suite.config.loading import load

OVERLAYS = ("sqlite", "postgres", "bgp", "followers")
FOREIGN = {"ServiceMonitor", "PrometheusRule"}


@cache
def _version() -> str:
    if shutil.which("kubectl") is None:
        return ""
    done = subprocess.run(["kubectl", "version", "--client", "-o", "json"], capture_output=True, text=True, check=False)
    return str(json.loads(done.stdout or "{}").get("kustomizeVersion", ""))


needs_kustomize = pytest.mark.skipif(
    not _version().startswith("v5"),
    reason="beyond this machine: no kubectl with kustomize 5 (Debian 12 has only that of 2021)",
)


def made(folder: Path) -> Objects:
    """The objects of a kustomization."""
    return objects(render(folder)) if _version().startswith("v5") else build(folder)


def render(folder: Path) -> str:
    """What `kubectl apply -k` would send."""
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@cache
def overlay(name: str) -> Objects:
    return made(KUSTOMIZE / "overlays" / name)


@needs_kustomize
@pytest.mark.parametrize("name", OVERLAYS)
def test_our_reader_makes_of_an_overlay_what_kustomize_does(name: str):
    assert build(KUSTOMIZE / "overlays" / name) == overlay(name)


def test_the_objects_of_install_yaml_are_those_of_the_overlay():
    assert installed() == overlay("sqlite")


@needs_kustomize
def test_install_yaml_is_the_overlay_rendered():
    header, _, rest = text("deploy/manifests/install.yaml").partition("\n")

    assert header.startswith("# Rendered from deploy/kustomize/overlays/sqlite")
    assert rest == render(KUSTOMIZE / "overlays/sqlite")


@pytest.mark.parametrize("name", ["postgres", "followers"])
def test_the_chart_with_that_database_is_the_overlay(name: str):
    expected = {key: value for key, value in overlay(name).items() if key[0] != "Namespace"}

    assert chart(database=name) == expected


def test_bgp_adds_passwords_and_the_port_of_passive_peers_to_postgresql():
    changed = {key for key in overlay("bgp") if overlay("bgp")[key] != overlay("postgres").get(key)}
    [container] = overlay("bgp")["DaemonSet", "suite"]["spec"]["template"]["spec"]["containers"]

    assert changed == {("DaemonSet", "suite")}
    assert container["securityContext"]["capabilities"]["add"] == ["NET_RAW", "NET_BIND_SERVICE"]


@pytest.mark.parametrize("name", ["postgres", "bgp", "followers"])
def test_an_eviction_leaves_one_of_the_pods_that_are_on_every_node(name: str):
    [budget] = [each["spec"] for (kind, _), each in overlay(name).items() if kind == "PodDisruptionBudget"]
    labels = {key: each["spec"]["template"]["metadata"]["labels"] for key, each in overlay(name).items() if key in PODS}

    assert budget["minAvailable"] == 1
    assert [key for key in labels if budget["selector"]["matchLabels"].items() <= labels[key].items()] == [PODS[0]]


def test_one_pod_with_a_volume_has_no_budget_that_could_only_stop_a_drain():
    assert "PodDisruptionBudget" not in {kind for kind, _ in installed()}


def test_followers_have_no_right_and_the_controller_no_privilege():
    objects = overlay("followers")
    pods = {kind: objects[kind, name]["spec"]["template"]["spec"] for kind, name in PODS}
    bound = {subject["name"] for each in objects.values() for subject in each.get("subjects", ())}

    assert pods["DaemonSet"]["serviceAccountName"] == "suite-follower" not in bound
    assert not pods["DaemonSet"]["automountServiceAccountToken"]
    assert pods["Deployment"]["securityContext"]["runAsNonRoot"]
    assert not pods["Deployment"].get("hostNetwork")
    assert pods["Deployment"]["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}


PODS = (("DaemonSet", "suite"), ("Deployment", "suite-controller"))


def test_the_followers_settings_are_a_configuration_and_name_their_account():
    text = overlay("followers")["ConfigMap", "suite"]["data"]["suite.yaml"]

    outcome = load(read_text(text, "suite.yaml"))

    assert outcome.problems == ()
    assert outcome.configuration.web.service_accounts == (("suite-system/suite-follower", ("speaker", "nameserver")),)


def test_monitoring_goes_beside_any_overlay(tmp_path):
    added = beside_sqlite("monitoring", tmp_path).keys() - installed().keys()

    assert {kind for kind, _ in added} == {"ConfigMap", "Service"} | FOREIGN


def beside_sqlite(component: str, folder: Path) -> Objects:
    """The objects of the overlay `sqlite` with a component."""
    shutil.copytree(KUSTOMIZE, folder / "kustomize")
    mine = folder / "kustomize/mine"
    mine.mkdir()
    lines = ("kind: Kustomization", "resources: [../overlays/sqlite]", f"components: [../{component}]")
    (mine / "kustomization.yaml").write_text("\n".join(lines))
    return made(mine)


@pytest.mark.parametrize("page", ["install-kubernetes.md", "from-metallb.md"])
def test_the_kustomization_in_the_documentation_does_what_it_says(page: str, tmp_path: Path):
    shutil.copytree(KUSTOMIZE, tmp_path / "suite/deploy/kustomize")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "kustomization.yaml").write_text(_kustomization_in(text(f"docs/{page}")), encoding="utf-8")

    found = made(mine)

    expected = installed()
    assert expected.keys() <= found.keys()
    assert {key for key in expected if expected[key] != found[key]} == {
        "install-kubernetes.md": {("ConfigMap", "suite"), ("Deployment", "suite")},
        "from-metallb.md": {("ConfigMap", "suite")},
    }[page]


def _kustomization_in(page: str) -> str:
    [block] = [each for each in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "resources:" in each]
    return textwrap.dedent(block)


@pytest.mark.parametrize("name", ["install.yaml", "config.yaml"])
def test_the_manifests_are_what_kubernetes_calls_so(name: str):
    for each in objects((DEPLOY / "manifests" / name).read_text(encoding="utf-8")).values():
        assert faults(each) == []


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_overlays_are_what_kubernetes_calls_so(name: str):
    for each in overlay(name).values():
        assert faults(each) == []


@pytest.mark.parametrize("name", ["monitoring", "secrets", "hostnames", "beside-metallb"])
def test_what_a_component_adds_is_what_kubernetes_calls_so(name: str, tmp_path: Path):
    for (kind, _), each in beside_sqlite(name, tmp_path).items():
        assert kind in FOREIGN or faults(each) == []
