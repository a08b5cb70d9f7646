"""Nodes: the names of one zone and what each holds, as a persistent map that keeps most of it folded.

In a large zone nearly every name holds one record, and nothing lies below it, or leads to a Service: an address of
each family, and SRV records below for its named ports. Such a node is one piece of octets until somebody asks for it,
and again afterwards, and what it has below stands nowhere else: 100,000 names then cost a tenth of the memory, and go
from the server to its workers as they are, without a step of Python for each. A change makes another map, which shares
what did not change; in it the names around what changed stand one by one.

    type, TTL, data                       one record
    0, TTL, size, addresses, ports        a Service; each port is the two labels of its SRV record and its number
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

from rpds import HashTrieMap

from suite.dns import rrtype
from suite.dns.rrset import RRset

if TYPE_CHECKING:
    from collections.abc import Iterator

D = TypeVar("D")

SRV_HEAD = b"\x00\x00\x00\x64"
"""Priority 0 and weight 100 of every SRV record of a Service (RFC 2782): there is one for each port, so they never choose."""

_HEAD = 6
_SERVICE = b"\x00\x00"  # RRset knows no type 0 (reserved, RFC 6895 section 3.1)
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


def service_head(ttl: int, size: int) -> bytes:
    """Give the octets that stand before `size` octets of addresses in the folded node of a Service.

    These are an IPv4 or IPv6 address or one of each in this order, all leased. Behind them stands `port` by `port`.
    """
    return _SERVICE + (ttl | _LEASED).to_bytes(4) + bytes([size])


def port(first: bytes, second: bytes, number: int) -> bytes:
    """Give what a Service's folded node says of a named port: the labels (`_http`, `_tcp`) in folded letters, the number."""
    return b"%c%b%c%b" % (len(first), first, len(second), second) + number.to_bytes(2)


def has_below(folded: bytes) -> bool:
    """Tell whether a folded node holds names below its own."""
    return folded.startswith(_SERVICE) and len(folded) > _ports_at(folded)


def holder(key: bytes) -> bytes:
    """Give the name above the one or two labels with an underscore that a name begins with; empty where it has none."""
    if key[1:2] != b"_":
        return b""
    above = key[1 + key[0] :]
    return above[1 + above[0] :] if above[1:2] == b"_" else above


def records_in(folded: bytes) -> int:
    """Count the records that stand folded at a name."""
    if not folded.startswith(_SERVICE):
        return 1
    return (folded[_HEAD] + 12) // 16 + sum(1 for _ in _ports(folded))  # 4, 16 or both octets of addresses


def spread(key: bytes, folded: bytes) -> dict[bytes, Node]:
    """Give the nodes that stand folded at a name: its own first, then those below it."""
    rtype, flagged = folded[:2], int.from_bytes(folded[2:_HEAD])
    ttl = flagged & ~_LEASED
    if rtype != _SERVICE:
        return {key: Node((RRset(key, int.from_bytes(rtype), ttl, (folded[_HEAD:],), flagged >= _LEASED),))}
    packed = folded[_HEAD + 1 : _ports_at(folded)]
    addresses = {rrtype.A: packed[: len(packed) % 16], rrtype.AAAA: packed[len(packed) % 16 :]}
    sets = tuple(RRset(key, each, ttl, (octets,), leased=True) for each, octets in addresses.items() if octets)
    below = {labels + key: RRset(labels + key, rrtype.SRV, ttl, (SRV_HEAD + n + key,)) for labels, n in _ports(folded)}
    between = Counter(owner[1 + owner[0] :] for owner in below)
    return (
        {key: Node(sets, len(between))}
        | {owner: Node((), children) for owner, children in between.items()}
        | {owner: Node((rrset,)) for owner, rrset in below.items()}
    )


def unfold(key: bytes, folded: bytes) -> Node:
    """Give the node that stands folded at a name."""
    return spread(key, folded)[key]


def _ports_at(folded: bytes) -> int:
    return _HEAD + 1 + folded[_HEAD]


def _ports(folded: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give the two labels and the number of each port."""
    at = _ports_at(folded)
    while at < len(folded):
        second = at + 1 + folded[at]
        end = second + 1 + folded[second]
        yield folded[at:end], folded[end : end + 2]
        at = end + 2


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

    @property
    def standing_count(self) -> int:
        """How many names there are, without those that stand folded at others; as cheap as can be."""
        return self._count

    @overload
    def get(self, key: bytes, /) -> Node | None: ...
    @overload
    def get(self, key: bytes, /, default: Node | D) -> Node | D: ...
    def get(self, key: bytes, /, default: Any = None) -> Any:
        found = self._at(key)
        if found.__class__ is bytes:
            return unfold(key, found)
        if found is None and key[1:2] == b"_":
            found = self._around(key).get(key)
        return default if found is None else found

    def __getitem__(self, key: bytes) -> Node:
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __contains__(self, key: object) -> bool:
        if self._changes and key in self._changes:
            return self._changes[key] is not None
        return key in self._base or (isinstance(key, bytes) and key[1:2] == b"_" and key in self._around(key))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[bytes]:
        for key, here in self.standing():
            yield from spread(key, here) if isinstance(here, bytes) and has_below(here) else (key,)

    def every(self) -> Iterator[tuple[bytes, Node]]:
        """Give every name with its node."""
        for key, here in self.standing():
            yield from spread(key, here).items() if isinstance(here, bytes) else ((key, here),)

    def standing(self) -> Iterator[tuple[bytes, Standing]]:
        """Give the names with their nodes, folded where they stand folded, without those that stand folded at others."""
        if not self._changes:
            yield from self._base.items()
            return
        changes = self._changes
        yield from (each for each in self._base.items() if each[0] not in changes)
        yield from ((key, value) for key, value in changes.items() if value is not None)

    def insert(self, key: bytes, node: Node) -> Nodes:
        """Give the map with this node, new or in place of another."""
        if around := self._around(key):
            return self._one_by_one(around).insert(key, node)
        return self._successor(self._changes.insert(key, fold(key, node)), self._count + (key not in self))

    def remove(self, key: bytes) -> Nodes:
        """Give the map without a name that is in it."""
        if around := self._around(key):
            return self._one_by_one(around).remove(key)
        changes = self._changes.insert(key, None) if key in self._base else self._changes.remove(key)
        return self._successor(changes, self._count - 1)

    def _at(self, key: bytes) -> Standing | None:
        return self._changes[key] if self._changes and key in self._changes else self._base.get(key)

    def _around(self, key: bytes) -> dict[bytes, Node]:
        """The nodes that stand folded at a name or above it, where they are more than one."""
        for place in (key, holder(key)):
            here = self._at(place)
            if isinstance(here, bytes) and has_below(here):
                return spread(place, here)
        return {}

    def _one_by_one(self, around: dict[bytes, Node]) -> Nodes:
        """The same, with what stands folded at one name each in its own place."""
        changes = self._changes.update({key: fold(key, node) for key, node in around.items()})
        return self._successor(changes, self._count + len(around) - 1)

    def _successor(self, changes: HashTrieMap[bytes, Standing | None], count: int) -> Nodes:
        new = Nodes(self._base)
        new._changes, new._count = changes, count
        return new
