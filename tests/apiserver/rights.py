"""RBAC: who may do what, from the Roles, ClusterRoles and bindings in manifests, judged as a real server does.

A RoleBinding lets in one namespace, whatever kind of role it names; only a ClusterRoleBinding lets list the whole cluster or touch
what has no namespace.  A rule with ``resourceNames`` lets in a list or watch that selects one of these names, and no create.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from apiserver.app import Call


@dataclass(frozen=True, slots=True)
class Grant:
    """One verb on one resource; an empty ``namespace`` is the whole cluster, an empty ``name`` any."""

    group: str
    resource: str
    verb: str
    namespace: str = ""
    name: str = ""

    def allows(self, group: str, call: "Call") -> bool:
        """Whether it lets this request in."""
        is_meant = (self.group, self.resource, self.verb) == (group, call.resource, call.verb)
        return is_meant and self.namespace in {"", call.namespace} and self.name in {"", call.name}


def grants_of(objects: Iterable[dict[str, Any]], account: str) -> frozenset[Grant]:
    """What a ServiceAccount (namespace/name) may do by these objects; those of other kinds are passed over."""
    objects = list(objects)
    roles = {_key(each): each.get("rules") or [] for each in objects if each["kind"] in {"Role", "ClusterRole"}}
    found: set[Grant] = set()
    for binding in objects:
        if binding["kind"] in {"RoleBinding", "ClusterRoleBinding"} and account in _subjects(binding):
            is_wide, kind = binding["kind"] == "ClusterRoleBinding", binding["roleRef"]["kind"]
            namespace = "" if is_wide else binding["metadata"]["namespace"]
            rules = roles[kind, namespace if kind == "Role" else "", binding["roleRef"]["name"]]
            found |= {grant for rule in rules for grant in _of_rule(rule, namespace)}
    return frozenset(found)


def _key(role: dict[str, Any]) -> tuple[str, str, str]:
    return role["kind"], role["metadata"].get("namespace", ""), role["metadata"]["name"]


def _subjects(binding: dict[str, Any]) -> set[str]:
    return {
        f"{each.get('namespace')}/{each['name']}" for each in binding["subjects"] if each["kind"] == "ServiceAccount"
    }


def _of_rule(rule: dict[str, Any], namespace: str) -> Iterable[Grant]:
    names = rule.get("resourceNames") or [""]
    parts = product(rule["apiGroups"], rule["resources"], rule["verbs"], names)
    return (Grant(group, resource, verb, namespace, name) for group, resource, verb, name in parts)
