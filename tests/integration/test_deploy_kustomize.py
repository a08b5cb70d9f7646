"""The kustomize files, rendered by kubectl (or a reader of ours where it is too old) and read by the official client's models."""

import json
import re
import shutil
import subprocess
import textwrap
from functools import cache
from pathlib import Path

import pytest
from deploy_files import CHART, DEPLOY, KUSTOMIZE, NAMESPACE, VARIANTS, Objects, chart, installed, objects
from kubernetes_models import faults
from kubernetes_validate import validate
from kustomization import build
from project_files import text

OVERLAYS = ("sqlite", "postgres", "bgp")
COMPONENTS = ("monitoring", "secrets", "hostnames", "beside-metallb", "bgp", "keys", "second-address")
HELM = shutil.which("helm")
FOREIGN = {"ServiceMonitor", "PrometheusRule"}
COMPONENTS_OF = {"controller": "Deployment", "speaker": "DaemonSet", "nameserver": "Deployment"}


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


@pytest.mark.skipif(HELM is None, reason="beyond this machine: no helm (it is none of Debian's packages)")
@pytest.mark.parametrize("name", VARIANTS)
def test_helm_itself_makes_of_the_chart_what_our_reader_does(name: str):
    said = [f"--set={key.replace('__', '.')}={str(value).lower()}" for key, value in VARIANTS[name].values]
    command = (str(HELM), "template", "suite", str(CHART), f"--namespace={NAMESPACE}", *said)
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.stderr == ""
    assert objects(done.stdout) == chart(**dict(VARIANTS[name].values))


@pytest.mark.skipif(HELM is None, reason="beyond this machine: no helm (it is none of Debian's packages)")
def test_the_chart_is_at_home_in_any_namespace():
    said = ("--set=monitoring.enabled=true", "--set=kubernetes.hostnames=true", "--set=kubernetes.secrets=true")
    command = (str(HELM), "template", "suite", str(CHART), "--namespace=elsewhere", *said)
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.count("suite-system")) == (0, 0)


def test_the_objects_of_install_yaml_are_those_of_the_overlay():
    assert installed() == overlay("sqlite")


@needs_kustomize
def test_install_yaml_is_the_overlay_rendered():
    header, _, rest = text("deploy/manifests/install.yaml").partition("\n")

    assert header.startswith("# Rendered from deploy/kustomize/overlays/sqlite")
    assert rest == render(KUSTOMIZE / "overlays/sqlite")


@needs_kustomize
@pytest.mark.parametrize("name", COMPONENTS)
def test_our_reader_makes_of_a_component_what_kustomize_does(name: str, tmp_path: Path):
    assert build(KUSTOMIZE / "overlays/sqlite", KUSTOMIZE / name) == beside_sqlite(name, tmp_path)


def test_monitoring_goes_beside_any_overlay(tmp_path):
    added = beside_sqlite("monitoring", tmp_path).keys() - installed().keys()

    assert {kind for kind, _ in added} == {"ConfigMap", "NetworkPolicy", "Service"} | FOREIGN


def beside_sqlite(component: str, folder: Path) -> Objects:
    """The objects of the overlay `sqlite` with a component."""
    shutil.copytree(DEPLOY, folder / "deploy")
    mine = folder / "deploy/kustomize/mine"
    mine.mkdir()
    lines = ("kind: Kustomization", "resources: [../overlays/sqlite]", f"components: [../{component}]")
    (mine / "kustomization.yaml").write_text("\n".join(lines))
    return made(mine)


@pytest.mark.parametrize("page", ["install-kubernetes.md", "from-metallb.md"])
def test_the_kustomization_in_the_documentation_does_what_it_says(page: str, tmp_path: Path):
    shutil.copytree(DEPLOY, tmp_path / "suite/deploy")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "kustomization.yaml").write_text(_kustomization_in(text(f"docs/{page}")), encoding="utf-8")

    found = made(mine)

    expected = installed()
    assert expected.keys() <= found.keys()
    assert {key for key in expected if expected[key] != found[key]} == {
        "install-kubernetes.md": {(kind, f"suite-{name}") for name, kind in COMPONENTS_OF.items()},
        "from-metallb.md": {("ConfigMap", "suite")},
    }[page]


def _kustomization_in(page: str) -> str:
    [block] = [each for each in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "resources:" in each]
    return textwrap.dedent(block)


@pytest.mark.parametrize("name", ["install.yaml", "config.yaml"])
def test_the_manifests_are_what_kubernetes_calls_so(name: str):
    for each in objects((DEPLOY / "manifests" / name).read_text(encoding="utf-8")).values():
        assert faults(each) == []


@pytest.mark.parametrize("release", ["1.26", "1.35"])
def test_every_object_of_every_form_is_what_a_release_of_kubernetes_describes(release: str):
    everything = [each for variant in VARIANTS.values() for each in build(*variant.folders).values()]
    distinct = {json.dumps(each, sort_keys=True): each for each in everything if each["kind"] not in FOREIGN}
    for each in distinct.values():
        validate(each, release, strict=True)


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_overlays_are_what_kubernetes_calls_so(name: str):
    for each in overlay(name).values():
        assert faults(each) == []


@pytest.mark.parametrize("name", COMPONENTS)
def test_what_a_component_adds_is_what_kubernetes_calls_so(name: str, tmp_path: Path):
    for (kind, _), each in beside_sqlite(name, tmp_path).items():
        assert kind in FOREIGN or faults(each) == []
