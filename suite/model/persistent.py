"""Maps that never change: what a snapshot is made of.

``update`` and ``discard`` give another map, which shares with the first whatever did not change.  Three kinds behave
alike: rpds' ``HashTrieMap``; ``Remembering``, which knows what was changed in it; and :class:`Folded`, whose values were
read in one go and stay as they were read (folded) until somebody asks for one.  A start that reads 100,000 of each kind
so pays for what it looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar, overload

from rpds import HashTrieMap

from suite.model.remembering import Remembering

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
D = TypeVar("D")

_GONE: Any = object()
"""Stands in the changes for a key of the base that is no more."""


class Folded(Mapping[K, V]):
    """A persistent map whose values may still be folded: whatever in its base is not of the class ``kind``.

    Unfolding is remembered in the base, which all descendants share: the same key gives the same value, so it makes no
    difference which thread does it first.
    """

    __slots__ = ("_base", "_changes", "_count", "_fold", "_glance", "_kind", "_unfold")

    def __init__(
        self,
        base: dict[K, Any],
        kind: type[V],
        unfold: Callable[[K, Any], V],
        fold: Callable[[V], Any] = lambda _: None,
        glance: Callable[[Any], Any] = lambda _: None,
    ) -> None:
        """``base`` belongs to the map from now on.

        Args:
            base: every entry; values are folded or of class ``kind``.
            kind: the class of what is not folded, itself and no subclass.
            unfold: gives the value for a key and what stands folded there.
            fold: the inverse of ``unfold``; raises ValueError for a value that it cannot fold.  Equal folded means equal
                unfolded, but not the other way round: an older release may have folded differently.
            glance: what matters of a folded value of the plain kind, without unfolding it; None when in doubt.
        """
        self._base = base
        self._kind = kind
        self._unfold = unfold
        self._fold = fold
        self._glance = glance
        self._changes: HashTrieMap[K, Any] = HashTrieMap()
        self._count = len(base)

    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, /, default: V | D) -> V | D: ...
    def get(self, key: K, /, default: Any = None) -> Any:
        """The value, unfolded; ``default`` where there is none."""
        if self._changes:
            changed = self._changes.get(key)
            if changed is not None:
                return default if changed is _GONE else changed
        value = self._base.get(key)
        if value.__class__ is self._kind:
            return value
        return default if value is None else self._unfolded(key, value)

    def __getitem__(self, key: K) -> V:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        if self._changes and key in self._changes:
            return self._changes[key] is not _GONE  # type: ignore[index]
        return key in self._base

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[K]:
        if self._changes:
            return self._chained(self._changes)
        return iter(self._base)  # unfolding meanwhile replaces values, never keys

    def _chained(self, changes: HashTrieMap[K, Any]) -> Iterator[K]:
        yield from (key for key in self._base if key not in changes)
        yield from (key for key, value in changes.items() if value is not _GONE)

    def standing(self, key: K) -> Any:
        """What stands at a key, folded or not; None where nothing does."""
        changed = self._changes.get(key) if self._changes else None
        if changed is not None:
            return None if changed is _GONE else changed
        return self._base.get(key)

    def glances(self) -> Iterator[tuple[K, V | Any]]:
        """Every entry; in place of a folded value that is plain, what a glance tells of it."""
        changes, kind, glance = self._changes, self._kind, self._glance
        for key, value in self._base.items():
            if changes and key in changes:
                continue
            if value.__class__ is kind:
                yield key, value
            else:
                seen = glance(value)
                yield key, self._unfold(key, value) if seen is None else seen
        yield from ((key, value) for key, value in changes.items() if value is not _GONE)

    def differing(self, said: Mapping[K, V]) -> Iterator[V]:
        """The values of ``said`` that do not stand here; to fold one that is said costs less than to unfold one that is here."""
        base, changes, fold, kind = self._base, self._changes, self._fold, self._kind
        for key, value in said.items():
            here = base.get(key)
            if here is None or here.__class__ is kind or (changes and key in changes):
                if self.get(key) != value:
                    yield value
                continue
            try:
                is_folded_here = fold(value) == here
            except ValueError:
                is_folded_here = False
            if is_folded_here:
                base[key] = value  # so nobody need unfold it
            elif self._unfolded(key, here) != value:
                yield value

    def parted(self) -> tuple[list[K], list[tuple[K, V]]]:
        """The keys of what is still folded, and the rest with its values."""
        base, changes, kind = self._base, self._changes, self._kind
        mine = base if not changes else {key: base[key] for key in base if key not in changes}
        folded = [key for key, value in mine.items() if value.__class__ is not kind]
        rest = [] if len(folded) == len(mine) else [each for each in mine.items() if each[1].__class__ is kind]
        return folded, [*rest, *((key, value) for key, value in changes.items() if value is not _GONE)]

    def update(self, said: Mapping[K, V]) -> Folded[K, V]:
        """With these values, new or in place of others."""
        fresh = sum(key not in self for key in said)
        return self._successor(self._changes.update(said), self._count + fresh)

    def discard(self, key: K) -> Folded[K, V]:
        """Without this key, whether it was there or not."""
        if key not in self:
            return self
        changes = self._changes.insert(key, _GONE) if key in self._base else self._changes.discard(key)
        return self._successor(changes, self._count - 1)

    def _successor(self, changes: HashTrieMap[K, Any], count: int) -> Folded[K, V]:
        new = Folded(self._base, self._kind, self._unfold, self._fold, self._glance)
        new._changes, new._count = changes, count
        return new

    def _unfolded(self, key: K, folded: Any) -> V:
        value = self._unfold(key, folded)
        self._base[key] = value
        return value

    def __repr__(self) -> str:
        return f"Folded({dict(self)!r})"


PersistentMap: TypeAlias = "HashTrieMap[K, V] | Remembering[K, V] | Folded[K, V]"


def parted(known: PersistentMap[K, V]) -> tuple[list[K], Iterable[tuple[K, V]]]:
    """The keys whose values are still folded, and the other entries."""
    return known.parted() if isinstance(known, Folded) else ([], known.items())


def differing(known: PersistentMap[K, V], said: Mapping[K, V]) -> Iterable[V]:
    """The values of ``said`` that do not stand in ``known``, as cheap as it can tell."""
    if isinstance(known, Folded):
        return known.differing(said)
    return (value for key, value in said.items() if known.get(key) != value)


def glances(known: PersistentMap[K, V]) -> Iterable[tuple[K, V | Any]]:
    """Every entry; in place of a value that is still folded and plain, what a glance tells of it."""
    return known.glances() if isinstance(known, Folded) else known.items()


def standing(known: PersistentMap[K, V], key: K) -> Any:
    """What stands at a key, folded or not; None where nothing does."""
    return known.standing(key) if isinstance(known, Folded) else known.get(key)


def changed_keys(before: PersistentMap[K, V], after: PersistentMap[K, V]) -> set[K] | None:
    """Keys that may differ between two maps; None where only a look at all of both would tell."""
    if after is before:
        return set()
    if isinstance(before, Remembering) and isinstance(after, Remembering):
        return after.changed_since(before)
    return None
