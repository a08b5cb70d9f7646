"""A cluster in memory: the double that ships, for tests, examples and whoever embeds the suite.

Objects are put and deleted as the dicts an API server would send; a Service's status is written back into its object
and Events are kept in a list, so that a test reads what a user of ``kubectl`` would see.
"""

import asyncio
import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from suite.cluster.convert import Key, convert
from suite.cluster.inventory import Inventory
from suite.cluster.source import Batch, Deliver
from suite.cluster.status import CONDITION, Outcome, Writes, event_again, event_body, plan_writes, standing_of
from suite.model.problem import Problem


class MemoryCluster:
    """A source that has what it was given."""

    def __init__(
        self,
        *documents: Mapping[str, Any],
        in_cluster: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.in_cluster = in_cluster
        self.events: dict[tuple[str, str], dict[str, Any]] = {}
        """Events by namespace and name."""
        self._now = now
        self._objects: dict[Key, dict[str, Any]] = {}
        self._inventory = Inventory()
        self._problems: dict[Key, tuple[Problem, ...]] = {}
        self._news = asyncio.Event()
        for document in documents:
            self.put(document)

    def put(self, document: Mapping[str, Any]) -> Key:
        """Create or replace an object.

        Raises:
            ValueError: it is of a kind nobody here reads, or has no usable name.
        """
        converted = convert(copy.deepcopy(dict(document)), in_cluster=self.in_cluster)
        if converted is None or not converted.key.name:
            raise ValueError(f"not taken: {converted.problems[0] if converted else document.get('kind')}")
        before = self._objects.get(converted.key, {})
        kept = {"status": before["status"]} if "status" in before else {}  # who writes an object keeps its status
        self._objects[converted.key] = {**kept, **copy.deepcopy(dict(document))}
        self._problems[converted.key] = converted.problems
        if converted.value is not None:
            self._inventory.put(converted.key, converted.value)
        self._news.set()
        return converted.key

    def delete(self, kind: str, name: str, namespace: str = "") -> None:
        """Delete an object.

        Raises:
            KeyError: there is none of that name.
        """
        key = Key(kind, namespace if kind in {"Node", "Namespace"} else namespace or "default", name)
        del self._objects[key], self._problems[key]
        self._inventory.remove(key)
        self._news.set()

    def get(self, kind: str, name: str, namespace: str = "default") -> dict[str, Any]:
        """The object as it stands."""
        return copy.deepcopy(self._objects[Key(kind, "" if kind in {"Node", "Namespace"} else namespace, name)])

    def tell(self, outcomes: Iterable[Outcome]) -> None:
        """Write status, annotation and Events into the objects."""
        for outcome in outcomes:
            key = Key("Service", outcome.ref.namespace, outcome.ref.name)
            if key in self._objects:
                self._write(self._objects[key], plan_writes(standing_of(self._objects[key]), outcome, now=self._now()))
                self.put(self._objects[key])

    def _write(self, document: dict[str, Any], writes: Writes) -> None:
        status = document.setdefault("status", {})
        patch = (writes.status or {}).get("status", {})
        if "loadBalancer" in patch:
            ingress = patch["loadBalancer"]["ingress"]
            status["loadBalancer"] = {"ingress": ingress} if ingress else {}
        for condition in patch.get("conditions", ()):
            before = {each["type"]: each for each in status.get("conditions", ())}
            ours = (
                {} if condition.get("$patch") == "delete" else {CONDITION: {**before.pop(CONDITION, {}), **condition}}
            )
            before.pop(CONDITION, None)
            status["conditions"] = list((before | ours).values())
        annotations = document["metadata"].get("annotations") or {}
        merged = annotations | (writes.metadata or {}).get("metadata", {}).get("annotations", {})
        document["metadata"]["annotations"] = {key: text for key, text in merged.items() if text is not None}
        ref = standing_of(document).ref
        for note in writes.notes:
            event = event_body(note, ref, document["metadata"].get("uid", ""), now=self._now(), instance="memory")
            known = self.events.setdefault((ref.namespace, event["metadata"]["name"]), event)
            if known is not event:
                known |= event_again(known, now=self._now())

    async def run(self, deliver: Deliver) -> None:
        """Deliver everything, then each change, until cancelled."""
        self._news.clear()
        told = self._all_problems()
        await deliver(replace(self._inventory.full(), problems=told))
        while True:
            await self._news.wait()
            self._news.clear()
            changes, problems = self._inventory.changes(), self._all_problems()
            if changes is not None or problems != told:
                told = problems
                await deliver(replace(changes or Batch(), problems=told))

    def _all_problems(self) -> tuple[Problem, ...]:
        return tuple(problem for key in sorted(self._problems) for problem in self._problems[key])
