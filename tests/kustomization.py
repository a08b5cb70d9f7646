"""A reader of the little of kustomize that deploy/kustomize uses, for machines whose kubectl is too old for it.

Debian 12 has kubectl of 2021, which knows neither components nor ``labels``. ``build`` gives the objects of a folder, as
`kubectl kustomize` of today does (a test compares them where there is one), and refuses every key that it does not know.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import yaml
from apiserver.patches import apply_patch
from deploy_files import VARIANTS, Object, Objects

if TYPE_CHECKING:
    from pathlib import Path

Key = tuple[str, str]
KNOWN = {
    "apiVersion", "kind", "namespace", "resources", "components", "labels", "images", "patches", "configMapGenerator",
    "replacements",
}  # fmt: skip
CLUSTER_WIDE = {"Namespace", "ClusterRole", "ClusterRoleBinding"}
MERGE_KEYS = {"containers": "name", "volumes": "name", "env": "name", "volumeMounts": "mountPath"}
PATCH = "application/json-patch+json"
LOCAL = "config.kubernetes.io/local-config"
"""The annotation of an object that only says something to kustomize and is not given out."""


def build(folder: Path, *components: Path) -> Objects:
    """The objects by kind and name; with components beside what the folder says."""
    found = _build(folder)
    for component in components:
        found = _build(component, found)
    given = [body for body in found if body["metadata"].get("annotations", {}).get(LOCAL) != "true"]
    return {(body["kind"], body["metadata"]["name"]): body for body in given}


@cache
def variant(name: str) -> Objects:
    """One of VARIANTS."""
    return build(*VARIANTS[name].folders)


def _build(folder: Path, below: list[Object] | None = None) -> list[Object]:
    """The folder's objects; a component changes those ``below`` it too."""
    said = yaml.load((folder / "kustomization.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    if said.keys() - KNOWN:
        raise ValueError(f"{folder}: more than this reader knows: {said.keys() - KNOWN}")
    found = list(below or ())
    for name in said.get("resources", ()):
        found += _read(folder / name)
    found += [_generated(folder, each) for each in said.get("configMapGenerator", ())]
    for name in said.get("components", ()):
        found = _build(folder / name, found)
    for patch in said.get("patches", ()):
        found = _patched(folder, found, patch)
    for body in found:
        _adorn(body, said)
    for each in said.get("replacements", ()):
        found = _replaced(found, each)
    return found


def _read(path: Path) -> list[Object]:
    if path.is_dir():
        return _build(path.resolve())
    return [each for each in yaml.load_all(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) if each]


def _generated(folder: Path, said: Object) -> Object:
    if not said["options"]["disableNameSuffixHash"]:
        raise ValueError("names with a hash are more than this reader knows")
    pairs = (each.partition("=") for each in said["files"])
    data = {name: (folder / path).read_text(encoding="utf-8") for name, _, path in pairs}
    metadata = {"name": said["name"], "namespace": said["namespace"], "labels": said["options"]["labels"]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _patched(folder: Path, found: list[Object], patch: Object) -> list[Object]:
    text = (folder / patch["path"]).read_text(encoding="utf-8") if "path" in patch else patch["patch"]
    change = yaml.load(text, Loader=yaml.CSafeLoader)
    target = patch.get("target") or {"kind": change["kind"], "name": change["metadata"]["name"]}
    return [_changed(body, change) if _is_meant(body, target) else body for body in found]


def _changed(body: Object, change: Any) -> Object:
    if isinstance(change, list):
        return apply_patch(PATCH, body, change)
    merged = _merged(body, change)
    assert isinstance(merged, dict)
    return merged


def _merged(target: Any, patch: Any) -> Any:
    """A strategic merge as kustomize does it: what is new in a list goes before what was there."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if isinstance(value, list) and key in MERGE_KEYS:
            merged[key] = _joined(merged.get(key, []), value, MERGE_KEYS[key])
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged


def _joined(before: list[Object], patch: list[Object], by: str) -> list[Object]:
    changes = {each[by]: each for each in patch}
    kept = [_merged(each, changes.pop(each[by], {})) for each in before]
    new = [each for each in patch if each[by] in changes]
    return [each for each in (*new, *kept) if each.get("$patch") != "delete"]


def _replaced(found: list[Object], said: Object) -> list[Object]:
    """A value of one object put behind the last part of another's, which is all that an index beyond the parts does."""
    [target] = said["targets"]
    [path] = target["fieldPaths"]
    if said["source"]["fieldPath"] != path or target["options"].keys() != {"delimiter", "index"}:
        raise ValueError(f"more than this reader knows: {said}")
    key, delimiter = path.removeprefix("data.[").removesuffix("]"), target["options"]["delimiter"]
    [value] = [body["data"][key] for body in found if _is_meant(body, said["source"])]
    [before] = [body["data"][key] for body in found if _is_meant(body, target["select"])]
    if before.count(delimiter) >= target["options"]["index"]:
        raise ValueError("a part in the middle is more than this reader knows")
    after = {"data": {key: f"{before}{delimiter}{value}"}}
    return [_changed(body, after) if _is_meant(body, target["select"]) else body for body in found]


def _is_meant(body: Object, target: Object) -> bool:
    return body["kind"] == target["kind"] and body["metadata"]["name"] == target["name"]


def _adorn(body: Object, said: Object) -> None:
    metadata = body["metadata"]
    if "namespace" in said and body["kind"] not in CLUSTER_WIDE:
        metadata["namespace"] = said["namespace"]
    for each in said.get("labels", ()):
        metadata["labels"] = {**metadata.get("labels", {}), **each["pairs"]}
    for container in _containers(body):
        for image in said.get("images", ()):
            name, _, tag = container["image"].partition(":")
            if name == image["name"]:
                container["image"] = f"{image.get('newName', name)}:{image.get('newTag', tag)}".rstrip(":")


def _containers(body: Object) -> list[Any]:
    pod = (
        body.get("spec", {}).get("template", {}).get("spec", {}) if body["kind"] in {"Deployment", "DaemonSet"} else {}
    )
    return list(pod.get("containers", ()))
