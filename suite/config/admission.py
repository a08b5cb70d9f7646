"""Admission: whether one custom resource may come into a cluster, judged among the others of its kind alone.

References to other kinds are left out first, so that resources may be created in any order (MetalLB's webhooks do the
same); whether they lead anywhere is told when the whole configuration is loaded.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from suite.config.document import from_object
from suite.config.loading import load
from suite.model.node import Node
from suite.model.problem import Problem


def admit(resources: Iterable[Mapping[str, Any]], nodes: Iterable[Node] = ()) -> tuple[Problem, ...]:
    """The errors of the resources of one kind (the new one among them); empty when they may come in."""
    documents = [document for each in resources for document in from_object(without_references(each))]
    return tuple(problem for problem in load(documents, strict=False, nodes=nodes).errors if not problem.is_transient)


def without_references(resource: Mapping[str, Any]) -> dict[str, Any]:
    """The resource without the names of objects of other kinds: BFD profile, Secret, aliases of communities."""
    spec = dict(resource.get("spec") or {})
    for name in ("bfdProfile", "passwordSecret"):
        spec.pop(name, None)
    if isinstance(spec.get("communities"), list):
        spec["communities"] = [each for each in spec["communities"] if not isinstance(each, str) or ":" in each]
        if not spec["communities"]:
            del spec["communities"]
    return dict(resource) | {"spec": spec}
