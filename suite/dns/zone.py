"""Zone: an immutable tree of names; a change makes the next zone and shares everything it did not touch.

Names lie flat in one persistent map from folded name to Node (nodes.py). A node counts its children, so an empty
non-terminal (RFC 8020, RFC 4592 section 2.2.2) exists exactly as long as something lives below it, and nobody has to
store it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from rpds import HashTrieMap

from suite.dns import rrtype
from suite.dns.name import is_below, parent, to_text
from suite.dns.nodes import Node, Nodes, fold, has_below, records_in, spread, unfold
from suite.dns.rrset import RRset, soa_serial, soa_with_serial

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, KeysView, Mapping

_ALONE = frozenset({rrtype.CNAME})
_BESIDE_CNAME = frozenset({rrtype.RRSIG, rrtype.NSEC})
_SINGLE = frozenset({rrtype.CNAME, rrtype.DNAME, rrtype.SOA})


class ZoneError(ValueError):
    """The records cannot stand in one zone; the message names the owner and the rule."""


_ABSENT = Node()


@dataclass(frozen=True, slots=True)
class Zone:
    """One version of one zone. `origin` is folded; `cuts` counts delegations and DNAMEs, so most lookups skip them.

    `notes` says for a name why it has less than one would expect; it travels as an extended error (RFC 8914).
    """

    origin: bytes
    nodes: Nodes
    cuts: int = 0
    notes: HashTrieMap[bytes, str] = HashTrieMap()  # noqa: RUF009 - immutable

    @classmethod
    def build(
        cls,
        origin: bytes,
        rrsets: Iterable[RRset],
        notes: Mapping[bytes, str] | None = None,
        folded: dict[bytes, bytes] | None = None,
    ) -> Zone:
        """Make a zone of its record sets, the SOA among them; ZoneError when they break a rule.

        `folded` are more of its names, in folded letters, that none of the record sets is at (nor at what they hold below):
        Services, or one record each, of a type that `_check` has no rule for. They belong to the zone from now on.
        """
        origin = origin.lower()
        sets: dict[bytes, tuple[RRset, ...]] = {}
        for rrset in rrsets:
            if rrset.rdatas:
                key = rrset.name.lower()
                sets[key] = (*sets.get(key, ()), rrset)
        if origin not in sets or not any(rrset.rtype == rrtype.SOA for rrset in sets[origin]):
            raise ZoneError(f"zone {to_text(origin)} has no SOA")
        base: dict[bytes, Any] = {} if folded is None else folded
        base.update(dict.fromkeys(sets, _ABSENT))
        children = _count_children(origin, base.keys())
        if mixed := {key: here for key in children if isinstance(here := base.get(key), bytes) and has_below(here)}:
            return cls.build(origin, [*chain.from_iterable(sets.values()), *_taken_out(base, mixed)], notes, base)
        cuts = 0
        for key in sets.keys() | children.keys():
            here = base.get(key)
            alone = unfold(key, here).rrsets if isinstance(here, bytes) else ()
            node = Node(sets.get(key, alone), children.get(key, 0))
            if node.rrsets:
                _check(origin, key, node)
                cuts += _is_cut(origin, key, node)
            base[key] = fold(key, node)
        lowered = {key.lower(): text for key, text in (notes or {}).items()}
        return cls(origin, Nodes(base), cuts, HashTrieMap(lowered))

    def with_changes(
        self, changes: Iterable[RRset], serial: int | None = None, notes: Mapping[bytes, str | None] | None = None
    ) -> Zone:
        """Give the next version: each RRset replaces the set of its owner and type, an empty one removes it.

        The cost is that of the changes alone. `serial` becomes the SOA's; a note of None is removed. ZoneError (and no
        change at all) when the result would break a rule.
        """
        touched: dict[bytes, list[RRset]] = {}
        for rrset in changes:
            touched.setdefault(rrset.name.lower(), []).append(rrset)
        if serial is not None and not any(r.rtype == rrtype.SOA for r in touched.get(self.origin, ())):
            touched.setdefault(self.origin, []).append(self.soa)
        nodes, cuts = self.nodes, self.cuts
        for key, news in touched.items():
            if not is_below(key, self.origin):
                raise ZoneError(f"{to_text(key)} is not in zone {to_text(self.origin)}")
            old = nodes.get(key, _ABSENT)
            node = Node(_merged(old.rrsets, news, serial), old.children)
            _check(self.origin, key, node)
            cuts += _is_cut(self.origin, key, node) - _is_cut(self.origin, key, old)
            nodes = _place(nodes, self.origin, key, node)
        return replace(self, nodes=nodes, cuts=cuts, notes=_with_notes(self.notes, notes))

    @property
    def soa(self) -> RRset:
        """The SOA record set; every zone has one."""
        found = self.nodes[self.origin].get(rrtype.SOA)
        assert found is not None  # noqa: S101 - _check refuses a zone without
        return found

    @property
    def serial(self) -> int:
        return soa_serial(self.soa.rdatas[0])

    def get(self, key: bytes) -> Node | None:
        """Look up a folded name; an empty non-terminal is a node without record sets."""
        return self.nodes.get(key)

    def closest_encloser(self, key: bytes) -> bytes:
        """Return the longest existing ancestor of a folded name inside the zone (RFC 4592 section 3.3.1)."""
        while key not in self.nodes:
            key = key[1 + key[0] :]
        return key

    def cut_above(self, key: bytes) -> tuple[bytes, Node] | None:
        """Return the topmost delegation at or above a folded name, or DNAME above it (RFC 1034 4.3.2, RFC 6672 3.2)."""
        found = None
        while self.cuts and key != self.origin:
            node = self.nodes.get(key)
            if node is not None and node.get(rrtype.NS) is not None:
                found = key, node
            key = key[1 + key[0] :]
            above = self.nodes.get(key)
            if above is not None and above.get(rrtype.DNAME) is not None:
                found = key, above
        return found

    @property
    def size(self) -> int:
        """The number of records; counted without unfolding any."""
        standing = (here for _, here in self.nodes.standing())
        return sum(
            records_in(here) if isinstance(here, bytes) else sum(len(each.rdatas) for each in here.rrsets)
            for here in standing
        )

    def rrsets(self) -> Iterator[RRset]:
        """Give every record set, in no order, glue and occluded data included."""
        for _, node in self.nodes.every():
            yield from node.rrsets


def _taken_out(base: dict[bytes, Any], mixed: Mapping[bytes, bytes]) -> Iterator[RRset]:
    """The record sets of folded names, which hold some below, from where others have names too."""
    for key, here in mixed.items():
        del base[key]
        for node in spread(key, here).values():
            yield from node.rrsets


def _count_children(origin: bytes, names: KeysView[bytes]) -> dict[bytes, int]:
    """Count the names directly below each name, level by level: who is nobody's owner counts below its parent too."""
    children: dict[bytes, int] = {}
    fresh: Iterable[bytes] = names
    while fresh:
        found = Counter(key[1 + key[0] :] for key in fresh if key != origin)
        if b"" in found:
            start = next(name for name in names if not is_below(name, origin))
            raise ZoneError(f"{to_text(start)} is not in zone {to_text(origin)}")
        fresh = [key for key in found if key not in names and key not in children]
        for key, count in found.items():
            children[key] = children.get(key, 0) + count
    return children


def _merged(olds: tuple[RRset, ...], news: list[RRset], serial: int | None) -> tuple[RRset, ...]:
    by_type = {rrset.rtype: rrset for rrset in olds}
    for rrset in news:
        by_type[rrset.rtype] = _numbered(rrset, serial) if rrset.rtype == rrtype.SOA else rrset
    return tuple(rrset for rrset in by_type.values() if rrset.rdatas)


def _numbered(soa: RRset, serial: int | None) -> RRset:
    if serial is None or not soa.rdatas:
        return soa
    return replace(soa, rdatas=tuple(soa_with_serial(rdata, serial) for rdata in soa.rdatas))


def _place(nodes: Nodes, origin: bytes, key: bytes, node: Node) -> Nodes:
    """Put a node in its place and keep the count of children right all the way up."""
    existed, exists = key in nodes, bool(node.rrsets or node.children)
    if exists:
        nodes = nodes.insert(key, node)
    elif existed:
        nodes = nodes.remove(key)
    if existed == exists or key == origin:
        return nodes
    above = parent(key)
    old = nodes.get(above, _ABSENT)
    return _place(nodes, origin, above, Node(old.rrsets, old.children + (1 if exists else -1)))


def _with_notes(notes: HashTrieMap[bytes, str], news: Mapping[bytes, str | None] | None) -> HashTrieMap[bytes, str]:
    for name, text in (news or {}).items():
        notes = notes.discard(name.lower()) if text is None else notes.insert(name.lower(), text)
    return notes


def _is_cut(origin: bytes, key: bytes, node: Node) -> bool:
    return any(r.rtype == rrtype.DNAME or (r.rtype == rrtype.NS and key != origin) for r in node.rrsets)


def _check(origin: bytes, key: bytes, node: Node) -> None:
    types = [rrset.rtype for rrset in node.rrsets]
    if len(types) != len(set(types)):
        raise ZoneError(f"{to_text(key)} has two sets of one type")
    if rrtype.CNAME in types and not _BESIDE_CNAME.union(_ALONE).issuperset(types):
        raise ZoneError(f"{to_text(key)} has a CNAME and other data (RFC 1034 section 3.6.2)")
    if (rrtype.SOA in types) != (key == origin):
        raise ZoneError(f"{to_text(key)}: a SOA stands at the apex and only there")
    for rrset in node.rrsets:
        if rrset.rtype in _SINGLE and len(rrset.rdatas) != 1:
            raise ZoneError(f"{to_text(key)} has more than one {rrtype.type_to_text(rrset.rtype)}")
