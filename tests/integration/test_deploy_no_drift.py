"""The suite writes no field that a manifest owns, so what compares manifests with the cluster (Argo CD, Flux) sees no drift."""

from typing import Any

from apiserver.app import Api
from apiserver.server import Running
from cluster_stack import Stack, address, play, until
from deploy_files import DEPLOY, Object, installed, objects

from suite.model.configuration import KubernetesSettings
from suite.model.service import ServiceRef

GUARDED = KubernetesSettings(guard_lease=ServiceRef("suite-system", "suite"))
KNOWN = {"Namespace", "Service", "ConfigMap", "Deployment"}
"""Of the kinds in the manifests, those that the test's server has; the suite asks for none of the others."""


def manifests() -> list[Object]:
    config = objects((DEPLOY / "manifests/config.yaml").read_text(encoding="utf-8"))
    return [body for (kind, _), body in (installed() | config).items() if kind in KNOWN]


def differences(wanted: Any, found: Any, path: str = "") -> list[str]:
    """Where an object says something else than its manifest; what only the object says is no difference."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [each for key in wanted for each in differences(wanted[key], found.get(key), f"{path}.{key}")]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return [each for at, (one, other) in pairs for each in differences(one, other, f"{path}[{at}]")]
    return [] if wanted == found else [path]


def test_after_the_suite_has_served_them_the_objects_still_say_what_their_manifests_say(tmp_path):
    api = Api()
    for body in sorted(manifests(), key=lambda body: body["kind"] != "Namespace"):
        api.put(body)

    async def life(_: Running, __: Stack) -> None:
        await until(lambda: api.every("leases"))
        await until(lambda: _dns(api)["metadata"].get("annotations"))

    play(tmp_path, api, life, settings=GUARDED)

    written = {(call.verb, call.resource) for call in api.calls if call.verb not in {"get", "list", "watch"}}
    assert written <= {
        ("patch", "services/status"),
        ("patch", "services"),
        ("create", "events"),
        ("create", "leases"),
        ("patch", "leases"),
    }
    assert list(_dns(api)["metadata"]["annotations"]) == ["metallb.io/ip-allocated-from-pool"]
    assert address(api, "suite-dns", "suite-system") == "10.0.42.53"
    plurals = {"Namespace": "namespaces", "Service": "services", "ConfigMap": "configmaps", "Deployment": "deployments"}
    for body in manifests():
        metadata = body["metadata"]
        found = api.look(plurals[body["kind"]], metadata["name"], metadata.get("namespace", ""))
        assert differences(body, found) == []


def _dns(api: Api) -> Object:
    return api.look("services", "suite-dns", "suite-system")
