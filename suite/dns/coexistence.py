"""Which records may stand beside each other at one name, and which would be hidden by a delegation above.  Pure.

An alias is alone at its name (RFC 1034 section 3.6.2); below a delegation only addresses of the servers it names are ever
told (section 4.2.1), below a DNAME nothing is (RFC 6672 section 2.4); and a set must fit into one message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.dns import name, rrtype
from suite.dns.rrset import MAX_SET, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator

CUTS = frozenset({rrtype.NS, rrtype.DNAME})
"""Types that send what lies below their name elsewhere; who asks about many records asks about these first."""
_ADDRESSES = frozenset({rrtype.A, rrtype.AAAA})
_BESIDE_NS = frozenset({rrtype.NS, rrtype.DS, rrtype.NSEC, rrtype.RRSIG})


class Coexistence:
    """Static records as they are put beside each other. Names are folded; `who` says whose a record is, for people."""

    def __init__(self) -> None:
        self._types: dict[bytes, dict[int, str]] = {}
        self._cuts: dict[bytes, int] = {}
        self._servers: dict[bytes, set[bytes]] = {}
        self._sizes: dict[tuple[bytes, int], int] = {}

    def expect(self, owner: bytes, rtype: int, rdata: bytes) -> None:
        """Know the servers of a delegation before anything is asked: their addresses may stand below it."""
        if rtype == rrtype.NS:
            self._servers.setdefault(owner, set()).add(rdata.lower())

    def add(self, owner: bytes, rtype: int, rdata: bytes, who: str = "", *, is_apex: bool = False) -> None:
        """Let a record stand; `is_apex` at the name of a zone, whose NS delegate nothing."""
        self._types.setdefault(owner, {}).setdefault(rtype, who)
        self._sizes[owner, rtype] = self._sizes.get((owner, rtype), 0) + size_of(rdata)
        self.expect(owner, rtype, rdata)
        if rtype in CUTS and not (rtype == rrtype.NS and is_apex):
            self._cuts[owner] = rtype

    def objection(self, owner: bytes, rtype: int, rdata: bytes) -> str:
        """Why a record cannot stand beside the others; empty when it can."""
        if rtype == rrtype.NS and name.is_wildcard(owner):
            return "a wildcard delegates nothing (RFC 4592 section 4.2)"
        return (
            self._alias(owner, rtype)
            or self._hidden(owner, rtype)
            or self._hiding(owner, rtype)
            or self._full(owner, rtype, rdata)
        )

    def _alias(self, owner: bytes, rtype: int) -> str:
        there = self._types.get(owner, {})
        others = {each: who for each, who in there.items() if rrtype.CNAME in {rtype, each}}
        if not others:
            return ""
        holder = next(filter(None, others.values()), "")
        why = "a name has one CNAME" if set(others) == {rtype} else "a name with a CNAME has no other records"
        return f"{why}; {holder} has {name.to_text(owner)}" if holder else why

    def _hidden(self, owner: bytes, rtype: int) -> str:
        cut = next((above for above in name.ancestors(owner) if above in self._cuts), None)
        if cut is None or self._is_told(owner, rtype, cut):
            return ""
        return f"the {_said(self._cuts[cut])} of {name.to_text(cut)} hides it: resolvers ask elsewhere"

    def _is_told(self, owner: bytes, rtype: int, cut: bytes) -> bool:
        """Whether a record at or below a cut is told all the same."""
        if self._cuts[cut] == rrtype.DNAME:
            return owner == cut
        if owner == cut and rtype in _BESIDE_NS:
            return True
        return rtype in _ADDRESSES and owner in self._servers.get(cut, ())

    def _hiding(self, owner: bytes, rtype: int) -> str:
        """Which record that stands already a delegation or DNAME would hide."""
        if rtype not in CUTS or owner in self._cuts:
            return ""
        self._cuts[owner] = rtype
        hidden = next(filter(lambda each: self._hidden(*each), self._at_or_below(owner)), None)
        del self._cuts[owner]
        return "" if hidden is None else f"it would hide {name.to_text(hidden[0])} {rrtype.type_to_text(hidden[1])}"

    def _at_or_below(self, owner: bytes) -> Iterator[tuple[bytes, int]]:
        return ((each, rtype) for each, types in self._types.items() if name.is_below(each, owner) for rtype in types)

    def _full(self, owner: bytes, rtype: int, rdata: bytes) -> str:
        size = self._sizes.get((owner, rtype), 0) + size_of(rdata)
        if size <= MAX_SET:
            return ""
        return f"{size} octets of {rrtype.type_to_text(rtype)} records at one name; an answer has room for {MAX_SET}"


def _said(rtype: int) -> str:
    return "DNAME" if rtype == rrtype.DNAME else "delegation"
