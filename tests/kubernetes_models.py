"""What is wrong with an object by Kubernetes' OpenAPI description, as the official client's models carry it.

The models are generated from the description of one release: they know every field, which ones an object must have, and their
types.  Two things are added here, because the models let them pass: Python spellings of fields (``host_network``), and fields
that take a few words only.  The words are those of the API reference (kubernetes.io/docs/reference/kubernetes-api), for the
fields that our manifests use; ``tests/README.md`` says what stays unchecked.
"""

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from deploy_files import Object
from pydantic import BaseModel, ValidationError

KINDS = {
    "v1": {"ConfigMap", "Namespace", "PersistentVolumeClaim", "Pod", "Secret", "Service", "ServiceAccount"},
    "apps/v1": {"DaemonSet", "Deployment"},
    "networking.k8s.io/v1": {"NetworkPolicy"},
    "policy/v1": {"PodDisruptionBudget"},
    "rbac.authorization.k8s.io/v1": {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"},
}
"""What may stand in a manifest of ours: the models' names leave the group out, and would let a wrong one pass."""

PROTOCOLS = {"TCP", "UDP", "SCTP"}
POLICIES = {"Cluster", "Local"}
WORDS = {
    ("V1Container", "imagePullPolicy"): {"Always", "IfNotPresent", "Never"},
    ("V1Container", "terminationMessagePolicy"): {"File", "FallbackToLogsOnError"},
    ("V1ContainerPort", "protocol"): PROTOCOLS,
    ("V1DaemonSetUpdateStrategy", "type"): {"OnDelete", "RollingUpdate"},
    ("V1DeploymentStrategy", "type"): {"Recreate", "RollingUpdate"},
    ("V1HTTPGetAction", "scheme"): {"HTTP", "HTTPS"},
    ("V1HostPathVolumeSource", "type"): {
        "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
    },
    ("V1NetworkPolicyPort", "protocol"): PROTOCOLS,
    ("V1NetworkPolicySpec", "policyTypes"): {"Egress", "Ingress"},
    ("V1PersistentVolumeClaimSpec", "accessModes"): {
        "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod",
    },
    ("V1PodDisruptionBudgetSpec", "unhealthyPodEvictionPolicy"): {"AlwaysAllow", "IfHealthyBudget"},
    ("V1PodSpec", "dnsPolicy"): {"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"},
    ("V1PodSpec", "restartPolicy"): {"Always", "Never", "OnFailure"},
    ("V1PolicyRule", "verbs"): {
        "*", "bind", "create", "delete", "deletecollection", "escalate", "get", "impersonate", "list", "patch", "update",
        "watch",
    },
    ("V1RoleRef", "kind"): {"ClusterRole", "Role"},
    ("V1SeccompProfile", "type"): {"Localhost", "RuntimeDefault", "Unconfined"},
    ("V1ServicePort", "protocol"): PROTOCOLS,
    ("V1ServiceSpec", "externalTrafficPolicy"): POLICIES,
    ("V1ServiceSpec", "internalTrafficPolicy"): POLICIES,
    ("V1ServiceSpec", "ipFamilyPolicy"): {"PreferDualStack", "RequireDualStack", "SingleStack"},
    ("V1ServiceSpec", "sessionAffinity"): {"ClientIP", "None"},
    ("V1ServiceSpec", "type"): {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"},
    ("V1Toleration", "effect"): {"NoExecute", "NoSchedule", "PreferNoSchedule"},
    ("V1Toleration", "operator"): {"Equal", "Exists", "Gt", "Lt"},
    ("RbacV1Subject", "kind"): {"Group", "ServiceAccount", "User"},
}  # fmt: skip
"""By model and field: all that means something to Kubernetes (any word may stand as a verb, and a misspelt one gives no right)."""


def faults(body: Object) -> list[str]:
    """Each fault with its place; none for an object that the description allows."""
    version, kind = body.get("apiVersion"), body.get("kind")
    if not isinstance(version, str) or kind not in KINDS.get(version, ()):
        return [f"{version} has no kind {kind} that is known here"]
    model = model_called(f"{version.rpartition('/')[2].capitalize()}{kind}")
    try:
        read = model.model_validate(body)
    except ValidationError as wrong:
        return [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in wrong.errors()]
    back = json.loads(read.to_json())  # type: ignore[attr-defined]
    return [*_differences(body, back, ""), *_unknown_words(read, "")]


def model_called(name: str) -> type[BaseModel]:
    """A model of the official client."""
    found: type[BaseModel] = getattr(import_module("kubernetes.client.models"), name)
    return found


def _differences(said: Any, back: Any, place: str) -> list[str]:
    """Where the model read something else than was said: a Python spelling, a null, a list that was none."""
    if isinstance(said, dict) and isinstance(back, dict):
        names = sorted(said.keys() | back.keys())
        return [
            found for name in names for found in _differences(said.get(name), back.get(name, ...), f"{place}.{name}")
        ]
    if isinstance(said, list) and isinstance(back, list) and len(said) == len(back):
        pairs = enumerate(zip(said, back, strict=True))
        return [found for at, pair in pairs for found in _differences(*pair, f"{place}.{at}")]
    return [] if said == back and type(said) is type(back) else [f"{place[1:]}: is read as something else"]


def _unknown_words(model: BaseModel, place: str) -> Iterator[str]:
    names: dict[str, str] = type(model).attribute_map  # type: ignore[attr-defined]
    for attribute, name in names.items():
        known = WORDS.get((type(model).__name__, name))
        for at, each in _placed(getattr(model, attribute), f"{place}{name}"):
            if isinstance(each, BaseModel):
                yield from _unknown_words(each, f"{at}.")
            elif known is not None and each is not None and each not in known:
                yield f"{at}: {each} is none of {', '.join(sorted(known))}"


def _placed(value: Any, place: str) -> list[tuple[str, Any]]:
    return [(f"{place}.{at}", each) for at, each in enumerate(value)] if isinstance(value, list) else [(place, value)]
