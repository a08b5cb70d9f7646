"""The Helm chart beside the kustomize files: two ways to write the same objects."""

import json
from functools import cache
from typing import Any

import pytest
from deploy_files import CHART, KUSTOMIZE, chart, chart_values, installed, objects, rendered
from jsonschema import Draft7Validator


@cache
def schema() -> Draft7Validator:
    text = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    Draft7Validator.check_schema(text)
    return Draft7Validator(text)


def test_the_defaults_are_install_yaml_without_its_namespace():
    expected = {key: value for key, value in installed().items() if key[0] != "Namespace"}

    assert chart() == expected


def test_with_postgresql_the_settings_are_those_of_the_overlay():
    [overlay] = objects((KUSTOMIZE / "overlays/postgres/settings.yaml").read_text(encoding="utf-8")).values()

    assert chart(database="postgres")["ConfigMap", "suite"]["data"] == overlay["data"]


def test_with_postgresql_a_pod_runs_on_every_node_and_none_has_a_volume_claim():
    kinds = {kind for kind, _ in chart(database="postgres")}

    assert "DaemonSet" in kinds
    assert not kinds & {"Deployment", "PersistentVolumeClaim"}


def test_the_defaults_fit_the_schema():
    assert list(schema().iter_errors(chart_values())) == []


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"database": "mysql"}, id="a database nobody speaks to"),
        pytest.param({"databse": "sqlite"}, id="a key that is misspelt"),
        pytest.param({"postgres": {"url": "postgresql://me:secret@db/suite", "existingSecret": "s"}}, id="a password"),
        pytest.param({"disruptionBudget": {"minAvailable": "50%"}}, id="a share of a DaemonSet's pods"),
        pytest.param({"dns": {"port": 53}}, id="a port the pod may not bind"),
        pytest.param({"image": {"repository": "a b", "tag": "1", "pullPolicy": "Always"}}, id="a space"),
    ],
)
def test_the_schema_refuses(wrong: dict[str, Any]):
    assert not schema().is_valid(chart_values() | wrong)


def test_every_value_has_a_place_in_the_schema_and_in_a_template():
    templates = "".join(path.read_text(encoding="utf-8") for path in CHART.glob("templates/*"))

    assert [path for path in _paths(chart_values()) if f".Values.{path} " not in templates] == []


def test_a_template_that_needs_more_than_the_reader_is_refused():
    with pytest.raises(ValueError, match="range"):
        rendered("{{ range .Values.nodes }}", {"nodes": []})


def _paths(values: dict[str, Any], above: str = "") -> list[str]:
    found: list[str] = []
    for key, value in values.items():
        found += _paths(value, f"{above}{key}.") if isinstance(value, dict) else [f"{above}{key}"]
    return found
