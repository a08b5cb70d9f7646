"""Services as the table that `kubectl get` asks for and prints; other kinds it prints by itself, with name and age.

The columns and what stands in them are those of Kubernetes (pkg/printers/internalversion); the age is in one unit, and rows hold
whole objects, as with ``includeObject=Object``.
"""

from datetime import UTC, datetime
from typing import Any

from apiserver.objects import Body

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
COLUMNS = ("Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age")
UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"))


def shown(accept: str, plural: str, body: Body) -> Body:
    """An answer in the form that was asked for: Services, one or a list, as a table; anything else as it is."""
    if plural != "services" or TABLE not in accept.replace(" ", "").split(","):
        return body
    columns = [{"name": each, "type": "string", "format": "", "description": "", "priority": 0} for each in COLUMNS]
    metadata = body["metadata"]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {name: metadata[name] for name in ("resourceVersion", "continue") if name in metadata},
        "columnDefinitions": columns,
        "rows": [{"cells": _cells(each), "object": each} for each in body.get("items", [body])],
    }


def _cells(service: Body) -> list[str]:
    metadata, spec = service["metadata"], service["spec"]
    ports = [_port(each) for each in spec.get("ports", ())]
    return [
        metadata["name"],
        spec.get("type", "ClusterIP"),
        spec.get("clusterIP") or "<none>",
        _external(spec, service.get("status", {}).get("loadBalancer", {}).get("ingress", ())),
        ",".join(ports) or "<none>",
        _age(datetime.now(UTC) - datetime.fromisoformat(metadata["creationTimestamp"])),
    ]


def _external(spec: Body, ingress: Any) -> str:
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", "<none>"))
    balanced = spec.get("type") == "LoadBalancer"
    found = [each.get("ip") or each.get("hostname", "") for each in ingress] if balanced else []
    return ",".join([*found, *spec.get("externalIPs", ())]) or ("<pending>" if balanced else "<none>")


def _port(port: Body) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node}/{port.get('protocol', 'TCP')}"


def _age(age: Any) -> str:
    seconds = int(age.total_seconds())
    return next((f"{seconds // each}{unit}" for each, unit in UNITS if seconds >= each), f"{seconds}s")
