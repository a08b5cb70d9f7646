"""The objects a source holds, by identity, and what changed about them since they were last told.

Pure bookkeeping shared by every source: several EndpointSlices become one ``Endpoints`` per Service, an object that is
put twice with the same value is no change, one that comes and goes between two batches is never told at all, and a
status is told with a Service's first appearance and its other changes, never alone.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from suite.cluster.convert import Key, Slice, Value
from suite.cluster.source import Batch
from suite.model.node import Namespace, Node
from suite.model.service import Endpoints, Service, ServiceRef

_Told = TypeVar("_Told", bound=Service | Endpoints | Node | Namespace)


class Inventory:
    """Objects by key, and the difference to the last batch."""

    def __init__(self) -> None:
        self._values: dict[Key, Value] = {}
        self._slices: dict[ServiceRef, set[Key]] = {}
        self._dirty: set[Key] = set()
        self._told: dict[Key, Service | Endpoints | Node | Namespace] = {}

    def __len__(self) -> int:
        return len(self._values)

    def put(self, key: Key, value: Value) -> None:
        """The object at ``key`` is now ``value``."""
        before = self._values.get(key)
        if before == value:
            return
        self._unlink(key, before)
        self._values[key] = value
        self._link(key, value)

    def remove(self, key: Key) -> None:
        """There is no object at ``key`` any more."""
        self._unlink(key, self._values.pop(key, None))

    def keys(self, *kinds: str) -> list[Key]:
        """The objects of these kinds."""
        return [key for key in self._values if key.kind in kinds]

    def value(self, key: Key) -> Value | None:
        """The object at ``key``."""
        return self._values.get(key)

    def full(self) -> Batch:
        """Everything; the next :meth:`changes` start from here."""
        self._told = {key: now for key in sorted(self._subjects()) if (now := self._now(key)) is not None}
        self._dirty.clear()
        return _batch(self._told.values(), (), is_full=True)

    def changes(self) -> Batch | None:
        """What differs from what was told; None when nothing does."""
        changed, gone = [], []
        for key in sorted(self._dirty):
            now, before = self._now(key), self._told.get(key)
            if now == before or _is_only_status(now, before):
                continue
            if now is None:
                gone.append(key)
                del self._told[key]
            else:
                changed.append(now)
                self._told[key] = now
        self._dirty.clear()
        return _batch(changed, gone, is_full=False) if changed or gone else None

    def _link(self, key: Key, value: Value) -> None:
        if isinstance(value, Slice):
            self._slices.setdefault(value.ref, set()).add(key)
        self._dirty.add(_subject(key, value))

    def _unlink(self, key: Key, value: Value | None) -> None:
        if value is None:
            return
        if isinstance(value, Slice):
            of_service = self._slices[value.ref]
            of_service.discard(key)
            if not of_service:
                del self._slices[value.ref]
        self._dirty.add(_subject(key, value))

    def _subjects(self) -> set[Key]:
        return {_subject(key, value) for key, value in self._values.items()}

    def _now(self, subject: Key) -> Service | Endpoints | Node | Namespace | None:
        if subject.kind != "Endpoints":
            value = self._values.get(subject)
            return None if isinstance(value, Slice) else value
        ref = ServiceRef(subject.namespace, subject.name)
        slices = [self._values[key] for key in sorted(self._slices.get(ref, ()))]
        if not slices:
            return None
        return _union(ref, [part for part in slices if isinstance(part, Slice)])


def _union(ref: ServiceRef, slices: list[Slice]) -> Endpoints:
    endpoints = dict.fromkeys(each for part in slices for each in part.endpoints)
    told = [part.ports for part in slices if part.endpoints]
    if not told or None in told:
        return Endpoints(ref, tuple(endpoints))
    return Endpoints(ref, tuple(endpoints), tuple(sorted({name for ports in told for name in ports or ()})))


def _is_only_status(now: object, before: object) -> bool:
    """Whether nothing but the status differs: that is ours to write, and coming back it is no news."""
    return isinstance(now, Service) and isinstance(before, Service) and replace(now, status=before.status) == before


def _subject(key: Key, value: Value) -> Key:
    """What a batch speaks of: the Service's endpoints instead of one of their slices."""
    return Key("Endpoints", *value.ref) if isinstance(value, Slice) else key


def _batch(changed: Iterable[Service | Endpoints | Node | Namespace], gone: Iterable[Key], *, is_full: bool) -> Batch:
    changed, gone = list(changed), list(gone)
    return Batch(
        services=_only(Service, changed),
        services_gone=tuple(ServiceRef(key.namespace, key.name) for key in gone if key.kind == "Service"),
        endpoints=_only(Endpoints, changed),
        endpoints_gone=tuple(ServiceRef(key.namespace, key.name) for key in gone if key.kind == "Endpoints"),
        nodes=_only(Node, changed),
        nodes_gone=tuple(key.name for key in gone if key.kind == "Node"),
        namespaces=_only(Namespace, changed),
        namespaces_gone=tuple(key.name for key in gone if key.kind == "Namespace"),
        is_full=is_full,
    )


def _only(kind: type[_Told], values: Iterable[object]) -> tuple[_Told, ...]:
    return tuple(value for value in values if isinstance(value, kind))
