"""The Helm chart beside the kustomize files: two ways to write the same objects."""

import json
from functools import cache
from typing import Any

import pytest
from deploy_files import CHART, VARIANTS, Objects, changed_values, chart, chart_values, installed, rendered
from jsonschema import Draft7Validator
from kustomization import variant


@cache
def schema() -> Draft7Validator:
    text = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    Draft7Validator.check_schema(text)
    return Draft7Validator(text)


BESIDE_THE_CHART = {"Namespace suite-system"}
"""Who installs a chart makes the namespace."""


def octets(objects: Objects) -> bytes:
    """What a set of objects comes to, whoever wrote it down in which order."""
    said = {f"{kind} {name}": body for (kind, name), body in objects.items()}
    return json.dumps({key: said[key] for key in said.keys() - BESIDE_THE_CHART}, sort_keys=True).encode()


@pytest.mark.parametrize("name", VARIANTS)
def test_the_chart_is_the_overlay_octet_by_octet(name: str):
    assert octets(chart(**dict(VARIANTS[name].values))) == octets(variant(name))


def test_the_defaults_are_install_yaml_without_its_namespace():
    assert octets(chart()) == octets(installed())


def test_the_defaults_fit_the_schema():
    assert list(schema().iter_errors(chart_values())) == []


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_fits_the_schema(name: str):
    assert list(schema().iter_errors(changed_values(**dict(VARIANTS[name].values)))) == []


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"database": "mysql"}, id="a database nobody speaks to"),
        pytest.param({"databse": "sqlite"}, id="a key that is misspelt"),
        pytest.param({"postgres": {"url": "postgresql://me:secret@db/suite", "existingSecret": "s"}}, id="a password"),
        pytest.param({"disruptionBudget": {"minAvailable": "50%"}}, id="a share of a DaemonSet's pods"),
        pytest.param({"dns": {"replicas": 0, "secondAddress": False}}, id="no nameserver"),
        pytest.param({"image": {"repository": "a b", "tag": "1", "pullPolicy": "Always"}}, id="a space"),
    ],
)
def test_the_schema_refuses(wrong: dict[str, Any]):
    assert not schema().is_valid(chart_values() | wrong)


def test_every_value_has_a_place_in_the_schema_and_in_a_template():
    templates = "".join(path.read_text(encoding="utf-8") for path in CHART.glob("templates/*"))

    assert [path for path in _paths(chart_values()) if f".Values.{path} " not in templates] == []


def test_no_template_is_bound_to_the_namespace_of_install_yaml():
    for path in CHART.glob("templates/*"):
        assert "suite-system" not in path.read_text(encoding="utf-8").replace('replace "suite-system" .Release', "")


def test_a_template_that_needs_more_than_the_reader_is_refused():
    with pytest.raises(ValueError, match="range"):
        rendered("{{ range .Values.nodes }}", {"nodes": []})


def test_a_block_inside_a_block_is_refused():
    nested = "{{- if .Values.a }}\n{{- if .Values.b }}\nx\n{{- end }}\n{{- end }}\n"

    with pytest.raises(ValueError, match="more than this reader knows"):
        rendered(nested, {"a": True, "b": True})


def test_a_block_for_something_that_is_neither_yes_nor_no_is_refused():
    with pytest.raises(ValueError, match="more than this reader knows"):
        rendered("{{- if .Values.name }}\nx\n{{- end }}\n", {"name": "suite"})


def _paths(values: dict[str, Any], above: str = "") -> list[str]:
    found: list[str] = []
    for key, value in values.items():
        found += _paths(value, f"{above}{key}.") if isinstance(value, dict) else [f"{above}{key}"]
    return found
