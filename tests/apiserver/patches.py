"""The three kinds of patch: JSON merge (RFC 7386), JSON patch (RFC 6902), and Kubernetes' strategic merge."""

import copy
from collections.abc import Sequence
from typing import Any

from apiserver.objects import Body, Refused

MERGE_KEYS = {
    "addresses": "address",
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ports": "port",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
"""Lists of objects that a strategic merge joins by key (Services, Nodes and pods; lists not named here are replaced)."""
PRIMITIVE_SETS = {"finalizers"}


def apply_patch(kind: str, body: Body, patch: Any) -> Body:
    """``body`` after ``patch`` of the given media type."""
    before = copy.deepcopy(body)
    if kind == "application/json-patch+json":
        return _json_patch(before, patch)
    if not isinstance(patch, dict):
        raise Refused(400, "BadRequest", "the patch is no object")
    if kind == "application/merge-patch+json":
        merged = _merge(before, patch)
    elif kind == "application/strategic-merge-patch+json":
        merged = _strategic(before, patch)
    else:
        raise Refused(415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {kind}")
    return merged if isinstance(merged, dict) else {}


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged


def _strategic(target: Any, patch: dict[str, Any]) -> Any:
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            merged[name] = [each for each in merged.get(name, []) if each not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = _strategic(merged.get(key), value)
        elif isinstance(value, list) and key in MERGE_KEYS:
            order = patch.get(f"$setElementOrder/{key}", ())
            merged[key] = _join(merged.get(key) or [], value, MERGE_KEYS[key], order)
        elif isinstance(value, list) and key in PRIMITIVE_SETS:
            merged[key] = list(dict.fromkeys([*(merged.get(key) or []), *value]))
        else:
            merged[key] = value
    return merged


def _join(before: list[Body], patch: list[Body], key: str, order: Sequence[Body]) -> list[Body]:
    joined = {each.get(key): each for each in before}
    for each in patch:
        if each.get("$patch") == "delete":
            joined.pop(each.get(key), None)
        else:
            joined[each.get(key)] = _strategic(joined.get(each.get(key)), each)
    first = [each.get(key) for each in order if each.get(key) in joined]
    return [joined.pop(name) for name in first] + list(joined.values())


def _json_patch(body: Body, operations: Any) -> Body:
    for operation in operations:
        *parents, last = [
            part.replace("~1", "/").replace("~0", "~") for part in operation["path"].removeprefix("/").split("/")
        ]
        try:
            place: Any = body
            for part in parents:
                place = place[int(part)] if isinstance(place, list) else place[part]
            _operate(place, last, operation)
        except (KeyError, IndexError, ValueError, TypeError):
            raise Refused(422, "Invalid", f"the server rejected our request: {operation['path']}") from None
    return body


def _operate(place: Any, last: str, operation: Body) -> None:
    index: Any = last if isinstance(place, dict) else len(place) if last == "-" else int(last)
    match operation["op"]:
        case "add" if isinstance(place, list):
            place.insert(index, operation["value"])
        case "add":
            place[index] = operation["value"]
        case "replace":
            del place[index]  # it has to be there
            if isinstance(place, list):
                place.insert(index, operation["value"])
            else:
                place[index] = operation["value"]
        case "remove":
            del place[index]
        case "test" if place[index] == operation["value"]:
            pass
        case _:
            raise ValueError(operation["op"])
