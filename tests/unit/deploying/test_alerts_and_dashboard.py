"""What is measured and what is alerted on is what the program really exports."""

import json
import re
from functools import cache
from typing import Any

import yaml
from deploy_files import MONITORING

from suite.metrics.names import METRICS
from suite.metrics.registry import Kind

NAME = re.compile(r"\b(?:suite|metallb)_[a-z0-9_]+")


@cache
def exported() -> frozenset[str]:
    """The names of the time series: histograms have three each."""
    names = {metric.name for metric in METRICS if metric.kind != Kind.HISTOGRAM}
    histograms = [metric.name for metric in METRICS if metric.kind == Kind.HISTOGRAM]
    return frozenset(names | {f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count")})


@cache
def alerts() -> list[dict[str, Any]]:
    rules = yaml.load((MONITORING / "rules.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return [rule for group in rules["spec"]["groups"] for rule in group["rules"]]


@cache
def panels() -> list[dict[str, Any]]:
    return list(json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))["panels"])


def expressions() -> list[str]:
    return [rule["expr"] for rule in alerts()] + [target["expr"] for each in panels() for target in each["targets"]]


def test_every_expression_asks_for_something_that_is_exported():
    assert [each for each in expressions() if not set(NAME.findall(each)) & exported()] == []


def test_no_expression_asks_for_anything_else():
    assert {name for each in expressions() for name in NAME.findall(each)} - exported() == set()


def test_labels_in_expressions_are_labels_of_their_metric():
    given = {"le", "instance"} | {label for metric in METRICS for label in metric.labels}
    asked = {
        label.strip()
        for each in expressions()
        for inside in re.findall(r"by \(([^)]*)\)|\{([a-z]+)!?=", each)
        for label in ",".join(inside).split(",")
        if label.strip()
    }
    assert asked - given == set()


def test_every_alert_says_how_bad_it_is_and_what_to_do():
    for rule in alerts():
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description"}


def test_panels_have_numbers_of_their_own_and_do_not_overlap():
    taken = [(each["gridPos"]["x"], each["gridPos"]["y"]) for each in panels()]
    assert len({each["id"] for each in panels()}) == len(set(taken)) == len(panels())
