"""The door of the application: every request over the network passes it, and who asks stands in the request afterwards.

Over the plain listener questions stay open to whoever reaches it, as they always were; orders, reports and the feed need a
token.  Over TLS everything does, but for what says whether the process lives and whose certificate it has.  The feed holds
secrets, so it leaves this machine only through TLS.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from ipaddress import ip_address
from typing import Any

from fastapi.responses import JSONResponse

from suite.web.access import LOCAL, Caller, Denied, Doorkeeper

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

OPEN = frozenset({"/healthz", "/readyz", "/v1/authority"})
FEED = frozenset({"/v1/snapshot", "/v1/reports", "/v1/zone-versions"})
QUESTIONS = frozenset({"GET", "HEAD"})
CALLER = "suite.caller"
MOST_BODY = 32 << 20
"""Octets of one request's body; a full batch of reports about thousands of addresses each is below."""


class Door:
    """An ASGI application in front of another."""

    def __init__(self, app: Application, doorkeeper: Doorkeeper | None) -> None:
        self._inner = app
        self._doorkeeper = doorkeeper

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let it pass, or say why not."""
        if scope["type"] == "http":
            caller = await self._caller(scope)
            denied = caller if isinstance(caller, Denied) else _too_large(scope)
            if denied is not None:
                await _refusal(denied)(scope, receive, send)
                return
            scope[CALLER] = caller
        await self._inner(scope, receive, send)

    async def _caller(self, scope: Message) -> Caller | Denied | None:
        """Who asks; None for somebody whom nobody had to know."""
        if is_local(scope):
            return LOCAL
        path, is_secure = scope["path"], scope["scheme"] == "https"
        is_feed = path in FEED
        if path in OPEN or not (is_secure or is_feed or scope["method"] not in QUESTIONS):
            return None
        if self._doorkeeper is None:
            return Denied(403, "this instance lets nobody in over the network", "ask one with a database")
        if not is_secure and not _is_same_machine(scope):
            return Denied(403, "this leaves the machine only through TLS", "use the address of web.feed-listen")
        return await self._doorkeeper.who(_header(scope, b"authorization"))


def is_local(scope: Message) -> bool:
    """Whether a request came through the unix socket, which belongs to this user alone: its place is a path, not a host."""
    host, port = scope.get("server") or ("", 0)
    return port is None and ("/" in host or host.endswith(".sock"))


def _is_same_machine(scope: Message) -> bool:
    try:
        return ip_address((scope.get("client") or ("",))[0]).is_loopback
    except ValueError:
        return False


def _too_large(scope: Message) -> Denied | None:
    length = _header(scope, b"content-length")
    if _header(scope, b"transfer-encoding"):
        return Denied(411, "the length of the body must be told", "send Content-Length")
    if length.isdigit() and int(length) > MOST_BODY:
        return Denied(413, f"the body is longer than {MOST_BODY} octets")
    return None


def _header(scope: Message, name: bytes) -> str:
    found: bytes = next((value for key, value in scope["headers"] if key == name), b"")
    return found.decode("latin-1")


def _refusal(denied: Denied) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if denied.status == 401 else None
    return JSONResponse({"error": denied.error, "fix": denied.fix}, denied.status, headers)
