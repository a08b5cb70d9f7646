"""What a kubelet and Prometheus ask of any process, whatever its roles: does it live, is it ready, what has it counted.

These three have a listener of their own, because they may be reached from the network where the API should not: they take
no orders, name no Service and cost little.  No web framework is needed for them, so a speaker does without one.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict
from typing import Any

from suite.metrics.registry import exposition
from suite.model.status import Status
from suite.web.backend import Backend
from suite.web.documents import ReadyDocument
from suite.web.gauges import Gauges, newest_hash

Message = MutableMapping[str, Any]
Answer = tuple[int, str, bytes]
"""Status, media type, body."""

JSON = "application/json"
METRICS = "text/plain; version=0.0.4; charset=utf-8"


class Probes:
    """An ASGI application of three paths."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._gauges = Gauges(backend.registry)
        self._paths: dict[str, Callable[[], Answer]] = {
            "/healthz": lambda: (200, JSON, b'{"status":"ok"}'),
            "/readyz": self._ready,
            "/metrics": self._metrics,
        }

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Answer one request; its body, if it has one, is not read."""
        if scope["type"] != "http":
            return
        status, kind, body = await self._answer(scope["method"], scope["path"])
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(self, method: str, path: str) -> Answer:
        found = self._paths.get(path)
        if found is None:
            return 404, JSON, b'{"error":"here are /healthz, /readyz and /metrics","fix":"the API is at web.listen"}'
        if method not in {"GET", "HEAD"}:
            return 405, JSON, b'{"error":"this is only asked, with GET","fix":""}'
        return await asyncio.to_thread(found)  # counting a hundred thousand leases takes a while

    def _ready(self) -> Answer:
        document = ready_document(self._backend.status())
        return 200 if document.ready else 503, JSON, json.dumps(asdict(document)).encode()

    def _metrics(self) -> Answer:
        backend = self._backend
        self._gauges.record(backend.snapshot(), backend.status(), newest_hash(backend.store))
        return 200, METRICS, exposition(backend.registry)


def ready_document(status: Status) -> ReadyDocument:
    """Whether every role does its work, and why not."""
    reasons = {f"{each.role}@{each.node}": list(each.reasons) for each in status.instances if each.reasons}
    return ReadyDocument(status.is_ready, reasons)
