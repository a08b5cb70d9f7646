"""What the tests about `deploy/` read: manifests by kind and name, and the chart, rendered.

Helm is not among Debian's packages, so ``rendered`` is a reader of the little the chart's templates use: values put in,
and blocks that depend on one value.  It refuses everything else, so a template cannot come to rely on more than is tested.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
KUSTOMIZE = DEPLOY / "kustomize"
CHART = DEPLOY / "helm"
NAMESPACE = "suite-system"

Object = dict[str, Any]
Objects = dict[tuple[str, str], Object]

_BLOCK = re.compile(
    r'^\{\{- if (eq|ne) \.Values\.([a-z.]+) "([a-z]+)" \}\}\n(.*?)^\{\{- end \}\}\n', re.MULTILINE | re.DOTALL
)
_VALUE = re.compile(r"\{\{ \.(Values\.[A-Za-z.]+|Release\.Namespace) \}\}")


def objects(text: str) -> Objects:
    """The objects of a YAML stream by kind and name; each may be there once."""
    found: Objects = {}
    for each in yaml.load_all(text, Loader=yaml.CSafeLoader):
        key = each["kind"], each["metadata"]["name"]
        if key in found:
            raise ValueError(f"{key} is there twice")
        found[key] = each
    return found


@cache
def installed() -> Objects:
    """The objects of install.yaml."""
    return objects((DEPLOY / "manifests" / "install.yaml").read_text(encoding="utf-8"))


@cache
def chart_values() -> Object:
    """The chart's defaults."""
    return dict(yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8")))


@cache
def chart(**changed: str) -> Objects:
    """The objects of the chart, with some of its values changed."""
    values = chart_values() | changed
    texts = [rendered(path.read_text(encoding="utf-8"), values) for path in sorted(CHART.glob("templates/*.yaml"))]
    return objects("\n---\n".join(text for text in texts if text.strip()))


def rendered(template: str, values: Mapping[str, Any]) -> str:
    """What Helm makes of a template that only puts values in and has blocks for one value of a word, or for all others."""
    text = _BLOCK.sub(lambda found: _block(*found.groups(), values=values), template)
    text = _VALUE.sub(lambda found: str(_value(found[1], values)), text)
    if "{{" in text:
        raise ValueError(f"more than this reader knows: {text[text.index('{{') :][:60]}")
    return text


def _block(test: str, path: str, word: str, lines: str, *, values: Mapping[str, Any]) -> str:
    equal = _value(f"Values.{path}", values) == word
    return lines if equal == (test == "eq") else ""


def _value(path: str, values: Mapping[str, Any]) -> object:
    if path == "Release.Namespace":
        return NAMESPACE
    found: Any = values
    for part in path.split(".")[1:]:
        found = found[part]
    return found
