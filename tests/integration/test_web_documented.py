"""The page about the API and the metrics names every one of them."""

from pathlib import Path

import pytest

from suite.metrics.names import METRICS, new_registry
from suite.model.snapshot import Snapshot
from suite.model.status import Status
from suite.web.application import application
from suite.web.backend import Backend

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text("utf-8")
PATHS = application(Backend(Snapshot, Status, new_registry())).openapi()["paths"]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_documented_with_its_parameters(path):
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| `{path}` |")]

    wanted = [each["name"] for each in PATHS[path]["get"].get("parameters", []) if each["in"] == "query"]
    assert all(f"`{name}`" in row for name in wanted)
    assert " ".join(PATHS[path]["get"]["description"].split()) in row


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_is_documented_with_its_labels(metric):
    row = f"| `{metric.name}` | {metric.kind} | {', '.join(metric.labels)} | {metric.help} |"

    assert row in PAGE.splitlines()
