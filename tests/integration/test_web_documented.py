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


OPERATIONS = [(path, method) for path, methods in PATHS.items() for method in methods]


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_a_path_is_documented_with_its_parameters(path, method):
    begin = f"| `{path}` |" if method == "get" else f"| `{path}` ({method.upper()}) |"
    [row] = [line for line in PAGE.splitlines() if line.startswith(begin)]

    operation = PATHS[path][method]
    wanted = [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]
    assert all(f"`{name}`" in row for name in wanted)
    assert " ".join(operation["description"].split()) in row


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_is_documented_with_its_labels(metric):
    row = f"| `{metric.name}` | {metric.kind} | {', '.join(metric.labels)} | {metric.help} |"

    assert row in PAGE.splitlines()
