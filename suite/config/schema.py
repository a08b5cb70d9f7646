"""JSON Schema (draft 2020-12) of everything we read, for editors; made of the shapes that the parser reads by.

In a file: ``# yaml-language-server: $schema=suite.schema.json`` with the output of ``suite config schema``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from suite.config.document import GROUP
from suite.config.group import Group, Made
from suite.config.resources import SPECS
from suite.config.settings import FILE
from suite.config.shape import Dialect, Listing, Shape, Words


def json_schema() -> dict[str, Any]:
    """The schema of one document: our own file, an old ConfigMap, or a custom resource."""
    definitions = {kind: _resource(kind, group) for kind, group in SPECS.items()} | {"ConfigMap": _config_map()}
    chosen = [
        {"if": {"properties": {"kind": {"const": kind}}}, "then": {"$ref": f"#/$defs/{kind}"}} for kind in definitions
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of suite",
        "if": {"type": "object", "required": ["kind"]},
        "then": {"allOf": chosen},
        "else": {"$ref": "#/$defs/Configuration"},
        "$defs": {"Configuration": FILE.schema(Dialect.NATIVE), **definitions},
    }


def _resource(kind: str, group: Group) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["apiVersion", "kind", "metadata"],
        "properties": {
            "apiVersion": {"enum": [f"{GROUP}v1beta1", f"{GROUP}v1beta2"]},
            "kind": {"const": kind},
            "metadata": {"type": "object"},
            "spec": group.schema(Dialect.RESOURCE),
            "status": {},
        },
        "additionalProperties": False,
    }


def _config_map() -> dict[str, Any]:
    return {"type": "object", "required": ["data"], "properties": {"data": {"type": "object"}}}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: ``path`` as ``dns.hosts[].name``, and what the schema says of it."""

    path: str
    doc: str
    default: Any
    is_required: bool


def settings(shape: Shape = FILE, dialect: Dialect = Dialect.NATIVE, path: str = "") -> Iterator[Setting]:
    """Every setting there is, groups before their members."""
    match shape:
        case Made():
            yield from settings(shape.of, dialect, path)
        case Listing():
            yield from settings(shape.of, dialect, f"{path}[]")
        case Words():
            yield from settings(shape.of, dialect, f"{path}.*")
        case Group():
            for each in shape.fields:
                key = each.spelled(dialect)
                if key != "-":
                    here = f"{path}.{key}" if path else key
                    yield Setting(here, each.doc, each.default, bool(each.missing))
                    yield from settings(each.shape, dialect, here)
