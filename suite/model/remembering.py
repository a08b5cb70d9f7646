"""A persistent map that remembers what changed in it lately, so that nobody compares all of it to find out.

What differs between two snapshots of a large map is known to whoever made the second out of the first, and would have to
be told along every way that snapshots take.  Here the map itself knows, and cannot be told wrong: each version carries
the last few steps that led to it.  A map that was read anew has no past, and who asks it compares everything.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, TypeVar, overload

from rpds import HashTrieMap

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
D = TypeVar("D")

STEPS = 256
"""How many changes are remembered, and of how many keys at once; beyond that a look at everything costs little more."""


class Remembering(Mapping[K, V]):
    """A HashTrieMap, and the steps that made it what it is: the version before each, and the keys that were changed."""

    __slots__ = ("_entries", "_steps", "_version")

    def __init__(self, entries: Mapping[K, V] | HashTrieMap[K, V] | None = None) -> None:
        self._entries: HashTrieMap[K, V] = HashTrieMap(entries or {})
        self._version = object()
        self._steps: tuple[tuple[object, tuple[K, ...]], ...] = ()
        """The newest last."""

    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, /, default: V | D) -> V | D: ...
    def get(self, key: K, /, default: Any = None) -> Any:
        """The value; ``default`` where there is none."""
        return self._entries.get(key, default)

    def __getitem__(self, key: K) -> V:
        return self._entries[key]

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[K]:
        return iter(self._entries)

    def update(self, said: Mapping[K, V]) -> Remembering[K, V]:
        """With these values, new or in place of others."""
        return self._successor(self._entries.update(said), tuple(said)) if said else self

    def discard(self, key: K) -> Remembering[K, V]:
        """Without this key, whether it was there or not."""
        return self._successor(self._entries.discard(key), (key,)) if key in self._entries else self

    def changed_since(self, before: Remembering[K, V]) -> set[K] | None:
        """Keys that may differ from ``before``; None where this one was not made of it, or too long ago."""
        changed: set[K] = set()
        if before._version is self._version:
            return changed
        for version, keys in reversed(self._steps):
            changed.update(keys)
            if version is before._version:
                return changed
        return None

    def _successor(self, entries: HashTrieMap[K, V], keys: tuple[K, ...]) -> Remembering[K, V]:
        new: Remembering[K, V] = Remembering()
        new._entries = entries
        if len(keys) <= STEPS:
            new._steps = (*self._steps[1 - STEPS :], (self._version, keys))
        return new

    def __repr__(self) -> str:
        return f"Remembering({dict(self)!r})"
