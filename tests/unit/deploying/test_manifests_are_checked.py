"""The check of manifests finds each kind of fault: an object that is right, damaged in one place."""

import copy
from typing import Any

import pytest
from deploy_files import Object, installed
from kubernetes_models import WORDS, faults, model_called

CONTAINER = ("spec", "template", "spec", "containers", 0)
AT = ".".join(map(str, CONTAINER))


def damaged(place: tuple[str | int, ...], value: Any) -> Object:
    """The Deployment of install.yaml with another value in a place; `...` takes the place away."""
    body = copy.deepcopy(installed()["Deployment", "suite-nameserver"])
    above: Any = body
    for step in place[:-1]:
        above = above[step]
    if value is ...:
        del above[place[-1]]
    else:
        above[place[-1]] = value
    return body


def test_a_deployment_that_is_right_has_no_fault():
    assert faults(installed()["Deployment", "suite-nameserver"]) == []


@pytest.mark.parametrize(
    ("place", "value", "found"),
    [
        pytest.param(("spec", "replicsa"), 1, "spec.replicsa: Extra inputs are not permitted", id="a misspelt field"),
        pytest.param((*CONTAINER, "tty2"), True, f"{AT}.tty2: Extra inputs are not permitted", id="one deep inside"),
        pytest.param(("spec", "selector"), ..., "spec.selector: Field required", id="a field that must be there"),
        pytest.param((*CONTAINER, "name"), ..., f"{AT}.name: Field required", id="one that must be deep inside"),
        pytest.param(
            ("spec", "replicas"), "1", "spec.replicas: Input should be a valid integer", id="words for a number"
        ),
        pytest.param(("spec", "paused"), 1, "spec.paused: Input should be a valid boolean", id="a number for yes"),
        pytest.param(
            (*CONTAINER, "args"), "run", f"{AT}.args: Input should be a valid list", id="one thing for a list"
        ),
        pytest.param(("spec", "min_ready_seconds"), 3, "spec.minReadySeconds: is read as something else", id="Python"),
        pytest.param(("spec", "paused"), None, "spec.paused: is read as something else", id="null"),
        pytest.param(
            (*CONTAINER, "imagePullPolicy"),
            "Sometimes",
            f"{AT}.imagePullPolicy: Sometimes is none of Always, IfNotPresent, Never",
            id="a word nobody knows",
        ),
        pytest.param(("kind",), "Service", "apps/v1 has no kind Service that is known here", id="another group's kind"),
        pytest.param(("apiVersion",), ..., "None has no kind Deployment that is known here", id="no version"),
    ],
)
def test_a_fault_is_found_and_placed(place: tuple[str | int, ...], value: Any, found: str):
    assert found in faults(damaged(place, value))


@pytest.mark.parametrize(("model", "name"), WORDS)
def test_fields_with_few_words_are_fields_of_kubernetes(model: str, name: str):
    assert name in model_called(model).attribute_map.values()  # type: ignore[attr-defined]
