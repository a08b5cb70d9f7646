"""Nodes: the names of one zone and what each holds, as a persistent map that keeps most of it folded.

In a large zone nearly every name holds one record, and nothing lies below it. Such a node is one piece of octets until
somebody asks for it, and again afterwards: 100,000 names then cost a tenth of the memory, and go from the server to its
workers as they are, without a step of Python for each. A change makes another map, which shares what did not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

from rpds import HashTrieMap

from suite.dns import rrtype
from suite.dns.rrset import RRset

if TYPE_CHECKING:
    from collections.abc import Iterator

D = TypeVar("D")

_HEAD = 6
_LEASED = 1 << 31  # no TTL is that long (RFC 2181 section 8)
_RULED = frozenset({rrtype.SOA, rrtype.NS, rrtype.CNAME, rrtype.DNAME})
"""Types that change what the names around them mean."""


@dataclass(frozen=True, slots=True)
class Node:
    """What one name holds: its record sets (none for an empty non-terminal) and how many names lie directly below."""

    rrsets: tuple[RRset, ...] = ()
    children: int = 0

    def get(self, rtype: int) -> RRset | None:
        for rrset in self.rrsets:
            if rrset.rtype == rtype:
                return rrset
        return None

    @property
    def is_leased(self) -> bool:
        """Tell whether anything here points at an address lease."""
        return any(rrset.leased for rrset in self.rrsets)


Standing: TypeAlias = "Node | bytes"
"""A node, or its folded form."""


def head(rtype: int, ttl: int, *, leased: bool) -> bytes:
    """Give the octets that stand before the data in the folded node of one such record."""
    return rtype.to_bytes(2) + (ttl | _LEASED * leased).to_bytes(4)


def data(folded: bytes) -> bytes:
    """Give the data of a folded node's record."""
    return folded[_HEAD:]


def unfold(key: bytes, folded: bytes) -> Node:
    """Give the node that stands folded at a name."""
    flagged = int.from_bytes(folded[2:_HEAD])
    rtype, ttl = int.from_bytes(folded[:2]), flagged & ~_LEASED
    return Node((RRset(key, rtype, ttl, (folded[_HEAD:],), flagged >= _LEASED),))


def fold(key: bytes, node: Node) -> Standing:
    """Fold a node where that is possible: one record in folded letters, and nothing below."""
    if node.children or len(node.rrsets) != 1:
        return node
    (rrset,) = node.rrsets
    if len(rrset.rdatas) != 1 or rrset.name != key or rrset.rtype in _RULED:
        return node
    return head(rrset.rtype, rrset.ttl, leased=rrset.leased) + rrset.rdatas[0]


class Nodes(Mapping[bytes, Node]):
    """Nodes by folded name."""

    __slots__ = ("_base", "_changes", "_count")

    def __init__(self, base: dict[bytes, Standing]) -> None:
        """`base` belongs to the map from now on."""
        self._base = base
        self._changes: HashTrieMap[Any, Standing | None] = HashTrieMap()  # None: gone
        self._count = len(base)

    @overload
    def get(self, key: bytes, /) -> Node | None: ...
    @overload
    def get(self, key: bytes, /, default: Node | D) -> Node | D: ...
    def get(self, key: bytes, /, default: Any = None) -> Any:
        found = self._changes[key] if self._changes and key in self._changes else self._base.get(key)
        if found.__class__ is bytes:
            return unfold(key, found)
        return default if found is None else found

    def __getitem__(self, key: bytes) -> Node:
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __contains__(self, key: object) -> bool:
        if self._changes and key in self._changes:
            return self._changes[key] is not None
        return key in self._base

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        return (key for key, _ in self.standing())

    def standing(self) -> Iterator[tuple[bytes, Standing]]:
        """Give every name with its node, folded where it stands folded."""
        if not self._changes:
            yield from self._base.items()
            return
        changes = self._changes
        yield from (each for each in self._base.items() if each[0] not in changes)
        yield from ((key, value) for key, value in changes.items() if value is not None)

    def insert(self, key: bytes, node: Node) -> Nodes:
        """Give the map with this node, new or in place of another."""
        return self._successor(self._changes.insert(key, fold(key, node)), self._count + (key not in self))

    def remove(self, key: bytes) -> Nodes:
        """Give the map without a name that is in it."""
        changes = self._changes.insert(key, None) if key in self._base else self._changes.remove(key)
        return self._successor(changes, self._count - 1)

    def _successor(self, changes: HashTrieMap[bytes, Standing | None], count: int) -> Nodes:
        new = Nodes(self._base)
        new._changes, new._count = changes, count
        return new
