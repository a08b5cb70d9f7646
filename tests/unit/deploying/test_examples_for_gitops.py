"""The examples for Argo CD and Flux: fields that these tools have, files that are there, and nothing pruned.

The fields are those of argo-cd.readthedocs.io (operator manual, application.yaml) and fluxcd.io/flux/components (GitRepository
v1, Kustomization v1), as far as the examples use them; the tools' own schemas are not part of this project.
"""

from functools import cache
from typing import Any

import pytest
import yaml
from deploy_files import DEPLOY, installed
from jsonschema import Draft7Validator


def exactly(**fields: Any) -> dict[str, Any]:
    """An object with these fields and no others."""
    return {"type": "object", "required": list(fields), "properties": fields, "additionalProperties": False}


TEXT, NO, YES = {"type": "string", "minLength": 1}, {"const": False}, {"const": True}
TIME = {"type": "string", "pattern": "^([0-9]+(ms|s|m|h))+$"}
NAMED = exactly(name=TEXT, namespace=TEXT)
KINDS = {
    ("argoproj.io/v1alpha1", "Application"): exactly(
        project=TEXT,
        source=exactly(repoURL={"type": "string", "pattern": "^https://"}, targetRevision=TEXT, path=TEXT),
        destination=exactly(server={"const": "https://kubernetes.default.svc"}, namespace={"const": "suite-system"}),
        syncPolicy=exactly(
            automated=exactly(prune=NO, selfHeal=YES),
            syncOptions={"type": "array", "items": {"enum": ["CreateNamespace=false", "ServerSideApply=true"]}},
        ),
    ),
    ("source.toolkit.fluxcd.io/v1", "GitRepository"): exactly(
        interval=TIME, url={"type": "string", "pattern": "^https://"}, ref=exactly(branch=TEXT)
    ),
    ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"): exactly(
        interval=TIME,
        sourceRef=exactly(kind={"const": "GitRepository"}, name=TEXT),
        path=TEXT,
        prune=NO,
        wait=YES,
        timeout=TIME,
    ),
}


@cache
def examples() -> list[dict[str, Any]]:
    texts = [path.read_text(encoding="utf-8") for path in sorted((DEPLOY / "gitops").glob("*.yaml"))]
    return [each for text in texts for each in yaml.safe_load_all(text)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[1])
def test_each_kind_has_its_fields_and_no_others(kind: tuple[str, str]):
    whole = exactly(apiVersion=TEXT, kind=TEXT, metadata=NAMED, spec=KINDS[kind])
    found = [each for each in examples() if (each["apiVersion"], each["kind"]) == kind]

    assert len(found) == 1
    assert [error.message for error in Draft7Validator(whole).iter_errors(found[0])] == []


def test_there_is_no_other_kind():
    assert {(each["apiVersion"], each["kind"]) for each in examples()} == KINDS.keys()


def test_the_paths_lead_to_a_kustomization():
    specs = [each["spec"] for each in examples()]
    paths = [spec.get("path") or spec.get("source", {}).get("path") for spec in specs if "url" not in spec]

    assert [(DEPLOY.parent / path / "kustomization.yaml").is_file() for path in paths] == [True, True]


def test_flux_takes_its_files_out_of_the_repository_that_it_names():
    by_kind = {each["kind"]: each for each in examples()}

    assert by_kind["Kustomization"]["spec"]["sourceRef"]["name"] == by_kind["GitRepository"]["metadata"]["name"]
    assert by_kind["Kustomization"]["metadata"]["namespace"] == by_kind["GitRepository"]["metadata"]["namespace"]


def test_the_namespace_that_argo_does_not_make_is_in_the_manifests():
    assert ("Namespace", "suite-system") in installed()
