"""What a server fills in, and the fields it refuses (422): only where a controller for Services can be wrong.

Checked against kube-apiserver 1.36: an address in a status with leading zeros, or not in canonical form, is invalid; a
status with addresses needs type LoadBalancer; ``ipMode`` needs an address.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from itertools import count
from typing import Any

from apiserver.objects import Body, Key, Refused

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_TYPES = {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"}


class Fields:
    """Defaults and checks; hands out cluster addresses and node ports."""

    def __init__(self) -> None:
        self._v4 = (str(ip_network("10.96.0.0/12")[number]) for number in count(10))
        self._v6 = (str(ip_network("fd00:96::/108")[number]) for number in count(10))
        self._node_ports = count(30000)

    def prepare(self, key: Key, body: Body, before: Body | None = None) -> Body:
        """``body`` with what the server adds to it on create and update (``before`` is what stood there)."""
        pattern = _LABEL if key.resource.plural in {"services", "namespaces"} else _SUBDOMAIN
        if not pattern.fullmatch(key.name):
            self._refuse(key, [f'metadata.name: Invalid value: "{key.name}"'])
        for name, value in (body.get("metadata", {}).get("annotations") or {}).items():
            if not isinstance(value, str):
                raise Refused(400, "BadRequest", f"cannot unmarshal {type(value).__name__} into annotations.{name}")
        if key.resource.plural != "services":
            return body
        spec = self._service_spec(body.get("spec") or {})
        problems = [*_service_problems(spec), *_change_problems((before or {}).get("spec") or {}, spec)]
        if problems:
            self._refuse(key, problems)
        prepared = {**body, "spec": spec}
        if spec["type"] != "LoadBalancer" and "status" in prepared:
            prepared["status"] = {**(prepared["status"] or {}), "loadBalancer": {}}
        return prepared

    def prepare_status(self, key: Key, body: Body) -> Body:
        """``body`` with the defaults of its status; refused where a server refuses it."""
        if key.resource.plural != "services":
            return body
        problems = list(_status_problems(body))
        if problems:
            self._refuse(key, problems)
        status = body.get("status") or {}
        balancer = status.get("loadBalancer") or {}
        ingress = [{"ipMode": "VIP", **entry} if entry.get("ip") else entry for entry in balancer.get("ingress") or []]
        return {**body, "status": {**status, "loadBalancer": {"ingress": ingress} if ingress else {}}}

    def _refuse(self, key: Key, problems: list[str]) -> None:
        message = f'{key.resource.kind} "{key.name}" is invalid: {", ".join(problems)}'
        raise Refused(422, "Invalid", message)

    def _service_spec(self, given: Body) -> Body:
        spec = {"type": "ClusterIP", "sessionAffinity": "None", **given}
        spec["ports"] = [self._port(port, spec["type"]) for port in given.get("ports") or []]
        if spec["type"] == "ExternalName":
            return {key: value for key, value in spec.items() if key not in {"clusterIP", "clusterIPs", "ipFamilies"}}
        spec.setdefault("internalTrafficPolicy", "Cluster")
        if spec["type"] in {"LoadBalancer", "NodePort"}:
            spec.setdefault("externalTrafficPolicy", "Cluster")
        else:
            spec.pop("externalTrafficPolicy", None)
        return self._with_families(spec)

    def _with_families(self, spec: Body) -> Body:
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        families = list(spec.get("ipFamilies") or ["IPv4"])
        if spec["ipFamilyPolicy"] != "SingleStack" and len(families) == 1:
            families.append("IPv6" if families[0] == "IPv4" else "IPv4")
        elif spec["ipFamilyPolicy"] == "SingleStack":
            families = families[:1]
        given = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
        if given[:1] == ["None"]:
            addresses = ["None"]
        else:
            addresses = [
                *given[: len(families)],
                *(next(self._v4 if family == "IPv4" else self._v6) for family in families[len(given) :]),
            ]
        return {**spec, "ipFamilies": families, "clusterIP": addresses[0], "clusterIPs": addresses}

    def _port(self, given: Body, type_: str) -> Body:
        port = {"protocol": "TCP", "targetPort": given.get("port"), **given}
        if type_ in {"LoadBalancer", "NodePort"} and not port.get("nodePort"):
            port["nodePort"] = next(self._node_ports)
        elif type_ not in {"LoadBalancer", "NodePort"}:
            port.pop("nodePort", None)
        return port


def _service_problems(spec: Body) -> Iterator[str]:
    if spec["type"] not in _TYPES:
        yield f'spec.type: Unsupported value: "{spec["type"]}"'
    if not spec["ports"] and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        yield "spec.ports: Required value"
    for number, port in enumerate(spec["ports"]):
        if not isinstance(port.get("port"), int) or not 0 < port["port"] < 65536:
            yield f"spec.ports[{number}].port: Invalid value: {port.get('port')}"
        if len(spec["ports"]) > 1 and not port.get("name"):
            yield f"spec.ports[{number}].name: Required value"
    if spec["type"] == "LoadBalancer" and spec.get("clusterIP") == "None":
        yield "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for LoadBalancer services"
    if spec["type"] != "LoadBalancer" and spec.get("loadBalancerClass"):
        yield "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"


def _change_problems(before: Body, spec: Body) -> Iterator[str]:
    is_balancer = before.get("type") == spec["type"] == "LoadBalancer"
    if is_balancer and before.get("loadBalancerClass") != spec.get("loadBalancerClass"):
        yield "spec.loadBalancerClass: Invalid value: may not change once set"


def _status_problems(body: Body) -> Iterator[str]:
    ingress = ((body.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    if ingress and body.get("spec", {}).get("type") != "LoadBalancer":
        yield 'status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is "LoadBalancer"'
    for number, entry in enumerate(ingress):
        path = f"status.loadBalancer.ingress[{number}]"
        if entry.get("ip") is not None and not _is_canonical(entry["ip"]):
            yield f'{path}.ip: Invalid value: "{entry["ip"]}": must be a valid IP address'
        if entry.get("ipMode") is not None and not entry.get("ip"):
            yield f"{path}.ipMode: Forbidden: may not be specified when `ip` is not set"
        if entry.get("ipMode") not in {None, "VIP", "Proxy"}:
            yield f"{path}.ipMode: Unsupported value"


def _is_canonical(text: Any) -> bool:
    try:
        return str(ip_address(text)) == text
    except ValueError:
        return False
