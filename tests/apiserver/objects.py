"""Objects with uid, resourceVersion and generation, and the journal that watches follow.

Facts this follows: one counter for all kinds; an update with a stale resourceVersion is a conflict (409); an update that
changes nothing gets no new version; the status subresource ignores everything but the status and the main resource
ignores the status; finalizers turn a deletion into a mark; versions before the compaction are gone (410).
"""

import asyncio
import copy
import json
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

Body = dict[str, Any]


class Resource(NamedTuple):
    """One kind of object and where it lives."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    has_status: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


class Refused(Exception):  # noqa: N818 - it is an answer
    """An answer that is no success; becomes a ``Status`` object."""

    def __init__(self, code: int, reason: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.headers = code, reason, message, headers

    def body(self) -> Body:
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }


class Key(NamedTuple):
    resource: Resource
    namespace: str
    name: str


@dataclass(frozen=True)
class Entry:
    """One line of the journal: the object after it (before it for a deletion), and what it was."""

    version: int
    type: str
    resource: Resource
    body: Body
    before: Body | None = None


Selects = Callable[[Body], bool]


class Objects:
    """Everything the server knows."""

    def __init__(self) -> None:
        self.version = 1000
        self.compacted = 0
        self.journal: list[Entry] = []
        self._objects: dict[Key, Body] = {}
        self._order: dict[Resource, list[Key]] = {}
        self._news = asyncio.Event()

    def get(self, key: Key) -> Body:
        if key not in self._objects:
            raise Refused(404, "NotFound", f'{key.resource.plural} "{key.name}" not found')
        return self._objects[key]

    def find(
        self, resource: Resource, namespace: str, selects: Selects, after: tuple[str, str] = ("", "")
    ) -> Iterator[tuple[Key, Body]]:
        order = self._order.get(resource, [])
        for key in order[bisect_right(order, after, key=lambda key: (key.namespace, key.name)) :]:
            if namespace in {"", key.namespace} and selects(self._objects[key]):
                yield key, self._objects[key]

    def create(self, key: Key, body: Body) -> Body:
        if key in self._objects:
            raise Refused(409, "AlreadyExists", f'{key.resource.plural} "{key.name}" already exists')
        metadata = {
            **body.get("metadata", {}),
            "name": key.name,
            "uid": str(uuid.uuid4()),
            "creationTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "generation": 1,
        }
        if key.resource.namespaced:
            metadata["namespace"] = key.namespace
        return self._commit("ADDED", key, {**body, "metadata": metadata})

    def update(self, key: Key, body: Body, *, status_only: bool) -> Body:
        before = self.get(key)
        self._check_preconditions(key, before, body.get("metadata", {}))
        after = self._merged(key, before, body, status_only=status_only)
        if after == before:
            return before
        if after["metadata"].get("deletionTimestamp") and not after["metadata"].get("finalizers"):
            return self._remove(key)
        return self._commit("MODIFIED", key, after, before)

    def delete(self, key: Key, preconditions: Body) -> Body:
        before = self.get(key)
        self._check_preconditions(key, before, preconditions)
        if not before["metadata"].get("finalizers"):
            return self._remove(key)
        if before["metadata"].get("deletionTimestamp"):
            return before
        marked = copy.deepcopy(before)
        marked["metadata"]["deletionTimestamp"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._commit("MODIFIED", key, marked, before)

    def page(self, resource: Resource, namespace: str, selects: Selects, limit: int, token: str) -> Body:
        """One page of a list; the version is that of the first page."""
        version, start = self.version, ("", "")
        if token:
            version, *start_at = json.loads(urlsafe_b64decode(token))
            start = (start_at[0], start_at[1])
            if version < self.compacted:
                raise Refused(410, "Expired", "The provided continue parameter is too old")
        found = list(islice(self.find(resource, namespace, selects, start), limit + 1 if limit else None))
        metadata: Body = {"resourceVersion": str(version)}
        if limit and len(found) > limit:
            last = found[limit - 1][0]
            rest = json.dumps([version, last.namespace, last.name]).encode()
            metadata["continue"] = urlsafe_b64encode(rest).decode()
            found = found[:limit]
        return {
            "kind": f"{resource.kind}List",
            "apiVersion": resource.api_version,
            "metadata": metadata,
            "items": [body for _, body in found],
        }

    def since(self, version: int, resource: Resource, namespace: str, selects: Selects) -> list[tuple[str, Body]]:
        """Watch events after ``version``; an object that stops being selected is DELETED for that watch."""
        if version < self.compacted:
            raise Refused(410, "Expired", f"too old resource version: {version} ({self.compacted})")
        events = []
        for entry in self._after(version):
            there = entry.body["metadata"].get("namespace", "")
            if entry.resource != resource or namespace not in {"", there}:
                continue
            was = entry.before is not None and selects(entry.before)
            now = entry.type != "DELETED" and selects(entry.body)
            if now:
                events.append(("MODIFIED" if was else "ADDED", entry.body))
            elif was:
                events.append(("DELETED", entry.body))
        return events

    async def wait(self, version: int, seconds: float) -> bool:
        """Wait for anything newer than ``version``."""
        if self.version > version:
            return True
        news = self._news
        try:
            await asyncio.wait_for(news.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def compact(self) -> None:
        """Forget the journal: watches that have to begin before now get 410."""
        self.journal.clear()
        self.compacted = self.version

    def _after(self, version: int) -> Iterator[Entry]:
        for place in range(len(self.journal) - 1, -1, -1):
            if self.journal[place].version <= version:
                return iter(self.journal[place + 1 :])
        return iter(self.journal)

    def _check_preconditions(self, key: Key, before: Body, wanted: Body) -> None:
        for name in ("resourceVersion", "uid"):
            if wanted.get(name) not in {None, "", before["metadata"][name]}:
                message = f'Operation cannot be fulfilled on {key.resource.plural} "{key.name}": '
                raise Refused(409, "Conflict", message + f"the {name} {wanted[name]} is not the current one")

    def _merged(self, key: Key, before: Body, body: Body, *, status_only: bool) -> Body:
        if status_only:
            after = {**before, "status": body.get("status") or {}}
        else:
            after = {**body, **({"status": before.get("status", {})} if key.resource.has_status else {})}
        fixed = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "generation", "resourceVersion")
        kept = {name: before["metadata"][name] for name in fixed if name in before["metadata"]}
        metadata = {**(before if status_only else body).get("metadata", {}), **kept}
        if after.get("spec") != before.get("spec"):
            metadata["generation"] = before["metadata"]["generation"] + 1
        return {**after, "metadata": metadata}

    def _commit(self, type_: str, key: Key, body: Body, before: Body | None = None) -> Body:
        self.version += 1
        stored = copy.deepcopy(body)
        stored["metadata"]["resourceVersion"] = str(self.version)
        stored |= {"kind": key.resource.kind, "apiVersion": key.resource.api_version}
        if before is None:
            insort(self._order.setdefault(key.resource, []), key)
        self._objects[key] = stored
        self._told(Entry(self.version, type_, key.resource, stored, before))
        return stored

    def _remove(self, key: Key) -> Body:
        before = self._objects.pop(key)
        self._order[key.resource].remove(key)
        self.version += 1
        last = copy.deepcopy(before)
        last["metadata"]["resourceVersion"] = str(self.version)
        self._told(Entry(self.version, "DELETED", key.resource, last, before))
        return last

    def _told(self, entry: Entry) -> None:
        self.journal.append(entry)
        self._news.set()
        self._news = asyncio.Event()
