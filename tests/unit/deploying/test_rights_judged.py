"""How the tests' API server judges rights: as a real one does, or the tests of the manifests would show nothing."""

from typing import Any

import pytest
from apiserver.app import Call
from apiserver.rights import Grant, grants_of

ACCOUNT = "suite-system/suite"
READ = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}


def role(kind: str, rule: dict[str, Any], **metadata: str) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "reader", **metadata}, "rules": [rule]}


def binding(kind: str, to: str, account: str = "suite", **metadata: str) -> dict[str, Any]:
    subject = {"kind": "ServiceAccount", "namespace": "suite-system", "name": account}
    return {"kind": kind, "metadata": metadata, "roleRef": {"kind": to, "name": "reader"}, "subjects": [subject]}


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        pytest.param([role("ClusterRole", READ), binding("ClusterRoleBinding", "ClusterRole")], {""}, id="cluster"),
        pytest.param(
            [role("ClusterRole", READ), binding("RoleBinding", "ClusterRole", namespace="a")], {"a"}, id="bound"
        ),
        pytest.param(
            [role("Role", READ, namespace="a"), binding("RoleBinding", "Role", namespace="a")], {"a"}, id="role"
        ),
        pytest.param(
            [role("ClusterRole", READ), binding("ClusterRoleBinding", "ClusterRole", "other")], set(), id="other"
        ),
        pytest.param([role("ClusterRole", READ)], set(), id="unbound"),
    ],
)
def test_a_binding_says_where_a_role_counts(objects, expected):
    assert {grant.namespace for grant in grants_of(objects, ACCOUNT)} == expected


@pytest.mark.parametrize(
    ("grant", "call", "is_allowed"),
    [
        (Grant("", "configmaps", "list", "a"), Call("list", "configmaps", "a"), True),
        (Grant("", "configmaps", "list", "a"), Call("list", "configmaps", "b"), False),
        (Grant("", "configmaps", "list", "a"), Call("list", "configmaps"), False),
        (Grant("", "configmaps", "list"), Call("list", "configmaps"), True),
        (Grant("", "configmaps", "list", "a", "config"), Call("list", "configmaps", "a", "config"), True),
        (Grant("", "configmaps", "list", "a", "config"), Call("list", "configmaps", "a"), False),
        (Grant("", "services", "patch"), Call("patch", "services/status", "a", "coffee"), False),
        (Grant("metallb.io", "configmaps", "list"), Call("list", "configmaps"), False),
    ],
)
def test_a_grant_lets_in_what_it_says_and_nothing_else(grant, call, is_allowed):
    assert grant.allows("", call) is is_allowed
