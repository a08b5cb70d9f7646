"""The HTTP side: routes, authentication, what is refused on request, and the faults a test asks for."""

import asyncio
import json
import re
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from apiserver.fields import Fields
from apiserver.objects import Body, Key, Objects, Refused, Resource, Selects
from apiserver.patches import apply_patch
from apiserver.resources import CORE, GATEWAY, METALLB, VERSION, group, groups, openapi, openapi_index, resource_list
from apiserver.rights import Grant
from apiserver.selectors import selection
from apiserver.tables import shown

OPENAPI_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""Read before 1.27, as protobuf: no octets are a document that describes nothing, so that kubectl checks nothing itself."""


class Call(NamedTuple):
    """One request, in the words of RBAC; ``resource`` is ``services/status`` for a subresource."""

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""


@dataclass
class Fault:
    """Something that goes wrong with requests whose ``verb resource`` the pattern matches, ``times`` times."""

    pattern: str
    times: int = 1
    skip: int = 0
    """How many of them are spared first."""
    status: int = 0
    reason: str = ""
    """Kubernetes' word for it; empty for the usual one."""
    message: str = "injected"
    retry_after: str = ""
    delay: float = 0.0
    cut_after: int | None = None
    """Watches: the connection breaks after so many events; anything else: in the middle of the answer."""

    def matches(self, call: Call) -> bool:
        return self.times > 0 and re.fullmatch(self.pattern, f"{call.verb} {call.resource}") is not None


@dataclass
class Api:
    """The server's state, open to the test."""

    objects: Objects = field(default_factory=Objects)
    fields: Fields = field(default_factory=Fields)
    resources: list[Resource] = field(default_factory=lambda: list(CORE))
    calls: list[Call] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    denied: set[tuple[str, str]] = field(default_factory=set)
    """(verb, resource) that RBAC forbids."""
    grants: frozenset[Grant] | None = None
    """What RBAC allows; None allows everything."""
    refused: list[Call] = field(default_factory=list)
    """What was forbidden."""
    tokens: set[str] | None = None
    """Bearer tokens that are let in; None lets everybody in."""
    service_accounts: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """For TokenReview: token to (user name, audiences)."""
    bookmark_interval: float = 60.0
    bookmarked: dict[str, int] = field(default_factory=dict)
    """The version of the last bookmark, by resource."""
    watches: int = 0
    """Watches open now."""
    _cutting: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        for name in ("default", "kube-system", "metallb-system"):
            self.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def install_metallb(self) -> None:
        """MetalLB's custom resources exist from now on."""
        self.resources += METALLB

    def install_gateway_api(self) -> None:
        """The kinds of the Gateway API exist from now on."""
        self.resources += GATEWAY

    def put(self, body: Body) -> Body:
        """Create or replace an object, as if by an allowed request; a status in it counts."""
        resource = next(
            each for each in self.resources if (each.api_version, each.kind) == (body["apiVersion"], body["kind"])
        )
        key = _key(resource, body["metadata"].get("namespace", "default"), body["metadata"]["name"])
        status = body.get("status")
        try:
            before = self.objects.get(key)
            stored = self.objects.update(key, self.fields.prepare(key, {**before, **body}, before), status_only=False)
        except Refused:
            stored = self.objects.create(key, self.fields.prepare(key, body))
        if status is not None and resource.has_status:
            stored = self.objects.update(
                key, self.fields.prepare_status(key, {"status": status, **_only(stored, "spec")}), status_only=True
            )
        return stored

    def delete(self, plural: str, name: str, namespace: str = "default") -> None:
        """Delete an object, as if by an allowed request."""
        resource = next(each for each in self.resources if each.plural == plural)
        self.objects.delete(_key(resource, namespace, name), {})

    def look(self, plural: str, name: str, namespace: str = "default") -> Body:
        """An object as it stands."""
        resource = next(each for each in self.resources if each.plural == plural)
        return self.objects.get(_key(resource, namespace, name))

    def every(self, plural: str) -> list[Body]:
        """All objects of a kind."""
        resource = next(each for each in self.resources if each.plural == plural)
        return [body for _, body in self.objects.find(resource, "", lambda _: True)]

    def cut_watches(self) -> None:
        """Break every open watch in the middle of its stream."""
        self._cutting.set()
        self._cutting = asyncio.Event()

    def app(self) -> Starlette:
        """The application."""
        discovery = [
            Route("/version", lambda _: JSONResponse(VERSION)),
            Route("/readyz", lambda _: Response("ok")),
            Route("/calls", lambda _: JSONResponse(Counter(f"{call.verb} {call.resource}" for call in self.calls))),
            Route("/api", lambda _: JSONResponse({"kind": "APIVersions", "versions": ["v1"]})),
            Route("/apis", lambda _: JSONResponse(groups(self.resources))),
            Route("/openapi/v2", lambda _: Response(b"", media_type=OPENAPI_V2)),
            Route("/openapi/v3", lambda _: JSONResponse(openapi_index(self.resources))),
            Route("/openapi/v3/{root:path}", self._openapi),
            Route("/api/v1", lambda _: JSONResponse(resource_list("", "v1", self.resources))),
            Route("/apis/{group}", self._group),
            Route("/apis/{group}/{version}", self._resource_list),
            Route("/apis/authentication.k8s.io/v1/tokenreviews", self._token_review, methods=["POST"]),
        ]
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        paths = ("/{plural}", "/{plural}/{name}", "/{plural}/{name}/{subresource}")
        spaced = [f"{space}{path}" for space in ("/namespaces/{namespace}", "") for path in paths]
        roots = ("/api/{version}", "/apis/{group}/{version}")
        routes = [Route(root + path, self._serve, methods=methods) for root in roots for path in spaced]
        return Starlette(routes=[*discovery, *routes])

    # --- Discovery and reviews

    async def _group(self, request: Request) -> Response:
        name = request.path_params["group"]
        if not any(each.group == name for each in self.resources):
            return _refusal(Refused(404, "NotFound", f"no group {name}"))
        return JSONResponse(group(name, self.resources))

    async def _openapi(self, request: Request) -> Response:
        return JSONResponse(openapi(request.path_params["root"], self.resources))

    async def _resource_list(self, request: Request) -> Response:
        name, version = request.path_params["group"], request.path_params["version"]
        if not any((each.group, each.version) == (name, version) for each in self.resources):
            return _refusal(Refused(404, "NotFound", f"no group {name}/{version}"))
        return JSONResponse(resource_list(name, version, self.resources))

    async def _token_review(self, request: Request) -> Response:
        call = Call("create", "tokenreviews")
        self.calls.append(call)
        try:
            self._authenticate(request)
            self._authorize("authentication.k8s.io", call)
        except Refused as refused:
            return _refusal(refused)
        asked = (await request.json())["spec"]
        user, audiences = self.service_accounts.get(asked["token"], ("", ()))
        wanted = asked.get("audiences") or ["https://kubernetes.default.svc"]
        granted = [each for each in wanted if each in audiences]
        status: Body = {"authenticated": bool(granted)}
        if granted:
            status |= {"user": {"username": user}, "audiences": granted}
        body = {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "spec": asked, "status": status}
        return JSONResponse(body, 201)

    # --- Objects

    async def _serve(self, request: Request) -> Response:
        try:
            self._authenticate(request)
            resource, namespace, name, subresource = self._place(request)
            verb = _verb(request, name)
            named = name or _name_selected(request.query_params.get("fieldSelector", ""))
            call = Call(verb, f"{resource.plural}/{subresource}" if subresource else resource.plural, namespace, named)
            self.calls.append(call)
            self._authorize(resource.group, call)
            fault = await self._fault(call)
            if verb in {"list", "watch"}:
                return self._collection(request, resource, namespace, name, verb, fault)
            body, code = await self._one(request, resource, namespace, name, subresource)
            response = JSONResponse(shown(request.headers.get("accept", ""), resource.plural, body), code)
            return _broken(response) if fault and fault.cut_after is not None else response
        except Refused as refused:
            return _refusal(refused)

    def _authenticate(self, request: Request) -> None:
        if self.tokens is not None:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or token.strip() not in self.tokens:
                raise Refused(401, "Unauthorized", "Unauthorized")

    def _authorize(self, group: str, call: Call) -> None:
        is_granted = self.grants is None or any(grant.allows(group, call) for grant in self.grants)
        if not is_granted or (call.verb, call.resource) in self.denied:
            self.refused.append(call)
            raise Refused(403, "Forbidden", f"{call.resource} is forbidden: cannot {call.verb}")

    def _place(self, request: Request) -> tuple[Resource, str, str, str]:
        params = request.path_params
        namespace, plural, name = params.get("namespace", ""), params["plural"], params.get("name", "")
        subresource = params.get("subresource", "")
        if namespace and plural in {"status", "finalize"} and not name:  # /namespaces/NAME/status
            namespace, plural, name, subresource = "", "namespaces", namespace, plural
        for resource in self.resources:
            if (resource.group, resource.version, resource.plural) == (
                params.get("group", ""),
                params["version"],
                plural,
            ):
                return resource, namespace, name, subresource
        raise Refused(404, "NotFound", "the server could not find the requested resource")

    async def _fault(self, call: Call) -> Fault | None:
        fault = next((fault for fault in self.faults if fault.matches(call)), None)
        if fault is None:
            return None
        if fault.skip:
            fault.skip -= 1
            return None
        fault.times -= 1
        await asyncio.sleep(fault.delay)
        if fault.status:
            reason = fault.reason or ("TooManyRequests" if fault.status == 429 else "Injected")
            headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            raise Refused(fault.status, reason, fault.message, **headers)
        return fault

    def _collection(
        self, request: Request, resource: Resource, namespace: str, name: str, verb: str, fault: Fault | None
    ) -> Response:
        query = request.query_params
        fields = ",".join(
            part for part in (query.get("fieldSelector", ""), f"metadata.name={name}" if name else "") if part
        )
        selects = selection(query.get("labelSelector", ""), fields)
        if verb == "watch":
            stream = self._watch(request, resource, namespace, selects, fault)
            return StreamingResponse(stream, media_type="application/json")
        page = self.objects.page(resource, namespace, selects, int(query.get("limit") or 0), query.get("continue", ""))
        response = JSONResponse(shown(request.headers.get("accept", ""), resource.plural, page))
        return _broken(response) if fault and fault.cut_after is not None else response

    async def _watch(
        self, request: Request, resource: Resource, namespace: str, selects: Selects, fault: Fault | None
    ) -> AsyncIterator[bytes]:
        query, accept = request.query_params, request.headers.get("accept", "")
        version = int(query.get("resourceVersion") or self.objects.version)
        ends = time.monotonic() + float(query.get("timeoutSeconds") or 1800)
        left = fault.cut_after if fault and fault.cut_after is not None else None
        cutting = asyncio.create_task(self._cutting.wait())
        self.watches += 1
        try:
            while time.monotonic() < ends:
                try:
                    events = self.objects.since(version, resource, namespace, selects)
                except Refused as refused:
                    yield _line("ERROR", refused.body())
                    return
                version = self.objects.version
                for type_, body in events:
                    if left is not None and left == 0:
                        raise ConnectionResetError("cut on request")
                    left = left - 1 if left is not None else None
                    yield _line(type_, shown(accept, resource.plural, body))
                news = asyncio.create_task(self.objects.wait(version, self.bookmark_interval))
                await asyncio.wait({news, cutting}, return_when=asyncio.FIRST_COMPLETED)
                if cutting.done() or left == 0:
                    news.cancel()
                    raise ConnectionResetError("cut on request")
                if not news.result() and query.get("allowWatchBookmarks") == "true":
                    metadata = {"resourceVersion": str(version), "creationTimestamp": None}
                    bookmark = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
                    self.bookmarked[resource.plural] = version
                    yield _line("BOOKMARK", bookmark)
        finally:
            self.watches -= 1
            cutting.cancel()

    async def _one(
        self, request: Request, resource: Resource, namespace: str, name: str, subresource: str
    ) -> tuple[Body, int]:
        if subresource not in {"", "status"} or (subresource and not resource.has_status):
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        octets = await request.body()
        if request.method == "POST":
            return self._create(resource, namespace, _json(octets)), 201
        key = _key(resource, namespace, name)
        if request.method == "GET":
            return self.objects.get(key), 200
        if request.method == "DELETE":
            return self.objects.delete(key, (_json(octets) if octets else {}).get("preconditions") or {}), 200
        before = self.objects.get(key)
        if request.method == "PATCH":
            kind = request.headers.get("content-type", "").partition(";")[0]
            body = apply_patch(kind, before, _json(octets))
        else:
            body = _json(octets)
        status_only = subresource == "status"
        body = (
            self.fields.prepare_status(key, {**body, **_only(before, "spec")})
            if status_only
            else self.fields.prepare(key, body, before)
        )
        return self.objects.update(key, body, status_only=status_only), 200

    def _create(self, resource: Resource, namespace: str, body: Body) -> Body:
        metadata = body.get("metadata") or {}
        name = metadata.get("name") or (
            metadata.get("generateName") and metadata["generateName"] + uuid.uuid4().hex[:5]
        )
        if not name:
            raise Refused(422, "Invalid", "metadata.name: Required value: name or generateName is required")
        if resource.namespaced:
            self.objects.get(_key(self.resources[2], "", namespace))
        key = _key(resource, namespace, name)
        if resource.has_status:
            body = {**body, "status": {"loadBalancer": {}} if resource.plural == "services" else body.get("status", {})}
        return self.objects.create(key, self.fields.prepare(key, body))


def _key(resource: Resource, namespace: str, name: str) -> Key:
    return Key(resource, namespace if resource.namespaced else "", name)


def _verb(request: Request, name: str) -> str:
    query = request.query_params
    if request.method == "GET":
        watches = query.get("watch") in {"true", "1"}
        return "watch" if watches else "get" if name else "list"
    return {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[request.method]


def _name_selected(field_selector: str) -> str:
    """The one name that a list or watch is about: as in a real server, that is what RBAC's ``resourceNames`` let in."""
    names = [
        part.partition("=")[2].lstrip("=") for part in field_selector.split(",") if part.startswith("metadata.name=")
    ]
    return names[0] if len(names) == 1 else ""


def _only(body: Body, *names: str) -> Body:
    return {name: body[name] for name in names if name in body}


def _json(octets: bytes) -> Any:
    try:
        return json.loads(octets)
    except ValueError:
        raise Refused(400, "BadRequest", "the body is no JSON") from None


def _line(type_: str, body: Body) -> bytes:
    return json.dumps({"type": type_, "object": body}, separators=(",", ":")).encode() + b"\n"


def _refusal(refused: Refused) -> Response:
    return JSONResponse(refused.body(), refused.code, headers=refused.headers)


def _broken(response: JSONResponse) -> Response:
    """The same answer, with the connection lost in the middle of it."""

    async def half() -> AsyncIterator[bytes]:
        octets = bytes(response.body)
        yield octets[: len(octets) // 2]
        raise ConnectionResetError("cut on request")

    return StreamingResponse(half(), response.status_code, media_type="application/json")
