"""What the tests about `deploy/` read: manifests by kind and name, and the chart, rendered.

Helm is not among Debian's packages, so ``rendered`` is a reader of the little the chart's templates use: values and files put
in, and blocks that depend on one value.  It refuses everything else, so a template cannot come to rely on more than is tested.
"""

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
KUSTOMIZE = DEPLOY / "kustomize"
CHART = DEPLOY / "helm"
MONITORING = CHART / "monitoring"
NAMESPACE = "suite-system"

Object = dict[str, Any]
Objects = dict[tuple[str, str], Object]


@dataclass(frozen=True)
class Variant:
    """One way to install it: an overlay with components, and what the chart is told for the same objects."""

    overlay: str
    components: tuple[str, ...] = ()
    values: tuple[tuple[str, str | bool], ...] = ()

    @property
    def folders(self) -> tuple[Path, ...]:
        return (KUSTOMIZE / "overlays" / self.overlay, *(KUSTOMIZE / each for each in self.components))


_POSTGRES = ("database", "postgres")
VARIANTS = {
    "sqlite": Variant("sqlite"),
    "postgres": Variant("postgres", (), (_POSTGRES,)),
    "bgp": Variant("bgp", (), (_POSTGRES, ("bgp__enabled", True))),
    "sqlite and BGP": Variant("sqlite", ("bgp",), (("bgp__enabled", True),)),
    "keys of one's own": Variant("sqlite", ("keys",), (("keys__enabled", True),)),
    "two addresses for names": Variant("sqlite", ("second-address",), (("dns__secondAddress", True),)),
    "names of Ingresses": Variant("sqlite", ("hostnames",), (("kubernetes__hostnames", True),)),
    "passwords in Secrets": Variant("postgres", ("secrets",), (_POSTGRES, ("kubernetes__secrets", True))),
    "beside MetalLB": Variant("sqlite", ("beside-metallb",), (("kubernetes__standByForMetallb", True),)),
    "all that may be read": Variant(
        "postgres",
        ("hostnames", "secrets", "beside-metallb"),
        (
            _POSTGRES,
            ("kubernetes__hostnames", True),
            ("kubernetes__secrets", True),
            ("kubernetes__standByForMetallb", True),
        ),
    ),
    "sqlite, measured": Variant("sqlite", ("monitoring",), (("monitoring__enabled", True),)),
    "postgres, measured": Variant("postgres", ("monitoring",), (_POSTGRES, ("monitoring__enabled", True))),
}

_BLOCK = re.compile(
    r"^\{\{- if (?P<test>[^}]+) \}\}\n(?P<then>(?:(?!\{\{- if ).*\n)*?)"
    r"(?:\{\{- else \}\}\n(?P<otherwise>(?:(?!\{\{- if ).*\n)*?))?\{\{- end \}\}\n",
    re.MULTILINE,
)
_EQUAL = re.compile(r'eq \.(Values\.[A-Za-z.]+) "([a-z]+)"')
_YES = re.compile(r"\.(Values\.[A-Za-z.]+)")
_FILE = re.compile(
    r'\{\{ \.Files\.Get "(?P<path>[a-z./]+)" \| (?P<then>toJson|replace "suite-system" \.Release\.Namespace) \}\}'
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


def workloads(found: Objects) -> dict[str, Object]:
    """What runs, by its component."""
    label = "app.kubernetes.io/component"
    kinds = {"DaemonSet", "Deployment"}
    return {body["metadata"]["labels"][label]: body for (kind, _), body in found.items() if kind in kinds}


@cache
def installed() -> Objects:
    """The objects of install.yaml."""
    return objects((DEPLOY / "manifests" / "install.yaml").read_text(encoding="utf-8"))


@cache
def chart_values() -> Object:
    """The chart's defaults."""
    return dict(yaml.load((CHART / "values.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))


def chart(**changed: str | bool) -> Objects:
    """The objects of the chart with some of its values changed; `bgp__enabled` is `bgp.enabled`."""
    values = changed_values(**changed)
    texts = [rendered(path.read_text(encoding="utf-8"), values) for path in sorted(CHART.glob("templates/*.yaml"))]
    return objects("\n---\n".join(text for text in texts if text.strip()))


def changed_values(**changed: str | bool) -> Object:
    """The chart's defaults with some of them changed."""
    values = copy.deepcopy(chart_values())
    for path, value in changed.items():
        above: Any = values
        *parts, last = path.split("__")
        for part in parts:
            above = above[part]
        above[last] = value
    return values


def rendered(template: str, values: Mapping[str, Any]) -> str:
    """What Helm makes of a template that puts values and files in and has blocks for one value of a word, or for yes and no."""
    text = _BLOCK.sub(
        lambda found: found["then"] if _holds(found["test"], values) else found["otherwise"] or "", template
    )
    text = _VALUE.sub(lambda found: str(_value(found[1], values)), text)
    if "{{" in (rest := _FILE.sub("", text)):
        raise ValueError(f"more than this reader knows: {rest[rest.index('{{') :][:60]}")
    return _FILE.sub(_put_in, text)


def _put_in(found: re.Match[str]) -> str:
    text = (CHART / found["path"]).read_text(encoding="utf-8")
    return json.dumps(text) if found["then"] == "toJson" else text.replace("suite-system", NAMESPACE)


def _holds(test: str, values: Mapping[str, Any]) -> bool:
    if equal := _EQUAL.fullmatch(test):
        return _value(equal[1], values) == equal[2]
    yes = _YES.fullmatch(test)
    found = _value(yes[1], values) if yes else None
    if not isinstance(found, bool):
        raise ValueError(f"more than this reader knows: if {test}")  # noqa: TRY004 - the template is wrong, no type
    return found


def _value(path: str, values: Mapping[str, Any]) -> object:
    if path == "Release.Namespace":
        return NAMESPACE
    found: Any = values
    for part in path.split(".")[1:]:
        found = found[part]
    return found
