"""The kinds this server knows, and the answers that let ``kubectl`` discover them."""

from apiserver.objects import Body, Resource

CORE = (
    Resource("", "v1", "services", "Service", has_status=True),
    Resource("", "v1", "nodes", "Node", namespaced=False, has_status=True),
    Resource("", "v1", "namespaces", "Namespace", namespaced=False, has_status=True),
    Resource("", "v1", "configmaps", "ConfigMap"),
    Resource("", "v1", "secrets", "Secret"),
    Resource("", "v1", "pods", "Pod", has_status=True),
    Resource("", "v1", "events", "Event"),
    Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
    Resource("coordination.k8s.io", "v1", "leases", "Lease"),
    Resource("apps", "v1", "daemonsets", "DaemonSet", has_status=True),
    Resource("apps", "v1", "deployments", "Deployment", has_status=True),
    Resource("networking.k8s.io", "v1", "ingresses", "Ingress", has_status=True),
)
METALLB = (
    Resource("metallb.io", "v1beta1", "ipaddresspools", "IPAddressPool", has_status=True),
    Resource("metallb.io", "v1beta1", "l2advertisements", "L2Advertisement"),
    Resource("metallb.io", "v1beta1", "bgpadvertisements", "BGPAdvertisement"),
    Resource("metallb.io", "v1beta1", "bfdprofiles", "BFDProfile"),
    Resource("metallb.io", "v1beta1", "communities", "Community"),
    Resource("metallb.io", "v1beta2", "bgppeers", "BGPPeer"),
)
GATEWAY = (
    Resource("gateway.networking.k8s.io", "v1", "gateways", "Gateway", has_status=True),
    Resource("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute", has_status=True),
    Resource("gateway.networking.k8s.io", "v1", "grpcroutes", "GRPCRoute", has_status=True),
    Resource("gateway.networking.k8s.io", "v1alpha2", "tlsroutes", "TLSRoute", has_status=True),
)
DEPLOYMENT = (
    Resource("", "v1", "serviceaccounts", "ServiceAccount"),
    Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
    Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False),
    Resource("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    Resource("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
    Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
    Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    Resource("monitoring.coreos.com", "v1", "servicemonitors", "ServiceMonitor"),
    Resource("monitoring.coreos.com", "v1", "prometheusrules", "PrometheusRule"),
)
"""What else is in our manifests; the suite asks for none of it."""

SHORT = {"services": ["svc"], "nodes": ["no"], "namespaces": ["ns"], "configmaps": ["cm"], "events": ["ev"]}
VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]

VERSION: Body = {"major": "1", "minor": "36", "gitVersion": "v1.36.1", "platform": "linux/amd64"}


def groups(resources: list[Resource]) -> Body:
    """``/apis``."""
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [group(name, resources) for name in _names(resources)],
    }


def group(name: str, resources: list[Resource]) -> Body:
    """``/apis/NAME``."""
    versions = sorted({each.version for each in resources if each.group == name})
    named = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": named, "preferredVersion": named[-1]}


def resource_list(name: str, version: str, resources: list[Resource]) -> Body:
    """``/api/v1`` and ``/apis/NAME/VERSION``."""
    listed = []
    for each in resources:
        if (each.group, each.version) != (name, version):
            continue
        entry: Body = {"name": each.plural, "singularName": each.kind.lower(), "namespaced": each.namespaced}
        entry |= {"kind": each.kind, "verbs": VERBS, "shortNames": SHORT.get(each.plural, [])}
        listed.append(entry)
        if each.has_status:
            verbs = ["get", "patch", "update"]
            listed.append({**entry, "name": f"{each.plural}/status", "verbs": verbs, "shortNames": []})
    group_version = f"{name}/{version}" if name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}


def openapi_index(resources: list[Resource]) -> Body:
    """``/openapi/v3``: where each group's description is."""
    paths = sorted({_root(each) for each in resources})
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}"} for path in paths}}


def openapi(root: str, resources: list[Resource]) -> Body:
    """One group's description: enough for kubectl to see that the server checks fields itself."""
    paths: Body = {}
    for each in resources:
        if _root(each) == root:
            space = "/namespaces/{namespace}" if each.namespaced else ""
            kind = {"group": each.group, "version": each.version, "kind": each.kind}
            parameters = [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}]
            patch = {"x-kubernetes-group-version-kind": kind, "parameters": parameters, "responses": {}}
            paths[f"/{root}{space}/{each.plural}/{{name}}"] = {"patch": patch}
    return {"openapi": "3.0.0", "info": {"title": "test", "version": "1"}, "paths": paths}


def _root(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"


def _names(resources: list[Resource]) -> list[str]:
    return sorted({each.group for each in resources if each.group})
