"""List and watch: keeps somebody informed of all objects of one kind, through whatever the server does.

The rules are client-go's: list in pages, watch from the list's version, take the version of every event and bookmark;
when the stream ends, watch again from the last version; when that version is compacted (410), list again; when the
server is away, wait and go on where it was.  A lost server never looks like deleted objects: only a complete list and
DELETED events take anything away.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from suite.cluster.backoff import Backoff
from suite.cluster.connection import ApiError, Connection, Lost

PAGE = 500
"""Objects per page of a list, as in client-go."""
WATCH_SECONDS = 300
"""The server ends a watch after so long, up to twice that by chance; it keeps old connections from living for ever."""
SHORTEST_WATCH = 1.0
"""A watch that ends sooner counts as a failure, so that a server that ends them at once is not flooded."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Collection:
    """All objects of one kind, or the one of a name: who may read only that one is let in by its name (RBAC's ``resourceNames``)."""

    kind: str
    path: str
    """``/api/v1/services``."""
    api_version: str = "v1"
    name: str = ""

    @property
    def query(self) -> dict[str, str]:
        """What narrows a list or watch."""
        return {"fieldSelector": f"metadata.name={self.name}"} if self.name else {}

    @property
    def place(self) -> str:
        """What tells it from others."""
        return f"{self.path}/{self.name}" if self.name else self.path


class Audience(Protocol):
    """Who is kept informed."""

    def listed(self, collection: Collection, items: list[dict[str, Any]]) -> None:
        """These are all objects there are."""
        ...

    def changed(self, collection: Collection, item: dict[str, Any]) -> None:
        """This object is new or different."""
        ...

    def deleted(self, collection: Collection, item: dict[str, Any]) -> None:
        """This object is gone."""
        ...

    def troubled(self, collection: Collection, message: str) -> None:
        """The server cannot be followed now; an empty ``message`` says that it can again."""
        ...


class Reflector:
    """Follows one collection for as long as :meth:`run` runs."""

    def __init__(self, connection: Connection, collection: Collection, audience: Audience) -> None:
        self._connection = connection
        self._collection = collection
        self._audience = audience
        self._version = ""
        self._backoff = Backoff()
        self._started = 0.0
        self._is_troubled = False

    async def run(self) -> None:
        """List, then watch, until cancelled; waits after failures, longer each time."""
        while True:
            self._started = time.monotonic()
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except ApiError as error:
                await self._failed(error, error.retry_after)
            except Lost as error:
                await self._failed(error, 0.0)

    async def _list(self) -> None:
        items: list[dict[str, Any]] = []
        query = {**self._collection.query, "limit": str(PAGE)}
        while True:
            page = await self._connection.get(self._collection.path, query)
            items += page.get("items") or ()
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                break
            query["continue"] = metadata["continue"]
        for item in items:  # items of a list carry neither
            item["kind"], item["apiVersion"] = self._collection.kind, self._collection.api_version
        self._version = str(metadata.get("resourceVersion", ""))
        self._audience.listed(self._collection, items)
        self._trouble("")

    async def _watch(self) -> None:
        seconds = int(WATCH_SECONDS * (1 + random.random()))  # noqa: S311 - spreads load, keeps no secret
        query = {
            **self._collection.query,
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
        }
        async for event in self._connection.watch(self._collection.path, query):
            self._take(str(event.get("type")), event.get("object") or {})
        if time.monotonic() - self._started < SHORTEST_WATCH:
            raise Lost("the server ended the watch at once")

    def _take(self, kind: str, item: dict[str, Any]) -> None:
        if kind == "ERROR":
            raise ApiError.of(item)
        self._trouble("")
        tell: Callable[[Collection, dict[str, Any]], None] | None = {
            "ADDED": self._audience.changed,
            "MODIFIED": self._audience.changed,
            "DELETED": self._audience.deleted,
        }.get(kind)
        if tell is not None:
            tell(self._collection, item)
        self._version = str((item.get("metadata") or {}).get("resourceVersion") or self._version)

    async def _failed(self, error: ApiError | Lost, at_least: float) -> None:
        self._backoff = self._backoff.failed(time.monotonic() - self._started)
        wait = self._backoff.wait(random.random(), at_least=at_least)  # noqa: S311 - spreads load, keeps no secret
        if isinstance(error, ApiError) and error.is_gone:
            self._version = ""  # the objects stay until the new list says otherwise
        elif isinstance(error, ApiError) and not error.is_passing:
            self._version = ""
            self._trouble(str(error))
        elif self._backoff.failures > 1:
            self._trouble(str(error))
        _log.info("%s: %s; again in %.1f s", self._collection.place, error, wait)
        await asyncio.sleep(wait)

    def _trouble(self, message: str) -> None:
        if message or self._is_troubled:
            self._is_troubled = bool(message)
            self._audience.troubled(self._collection, message)
