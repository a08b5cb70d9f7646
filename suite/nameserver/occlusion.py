"""Delegations and DNAMEs: which names lie below each, since nothing may hide what somebody else has there.  Pure.

An operator's own static names below an own delegation are its glue; any other name there makes it yield.
"""

from collections.abc import Iterable

from suite.dns import rrtype
from suite.dns.name import ROOT
from suite.nameserver.claims import Claims, ClaimTable, Owner, Source, Touched
from suite.nameserver.records import Record

_CUTS = frozenset({rrtype.NS, rrtype.DNAME})


def is_cut(owner: Owner, record: Record) -> bool:
    """Whether a record sends everything below its name elsewhere; the NS of a zone itself do not (RFC 1034 section 4.2)."""
    return record.rtype == rrtype.DNAME or (record.rtype == rrtype.NS and owner[0] != owner[1])


class Cuts:
    """The names with a delegation or DNAME in static records, and those below them that anybody asks for."""

    __slots__ = ("_below", "_of")

    def __init__(self) -> None:
        self._of: dict[Source, set[Owner]] = {}
        self._below: dict[Owner, set[bytes]] = {}

    def note(self, source: Source, records: Iterable[Record]) -> None:
        """Remember what a source asks for from now on."""
        if source[0] != "record":
            return
        found = {(record.zone, record.owner.lower()) for record in records if record.rtype in _CUTS}
        self._of.pop(source, None)
        if found:
            self._of[source] = found

    def follow(self, touched: Touched, claims: ClaimTable) -> None:
        """Learn which names came and went; every delegation and DNAME is to be looked at again, so it is touched too."""
        cuts: set[Owner] = set().union(*self._of.values())
        for gone in self._below.keys() - cuts:
            del self._below[gone]
        if not cuts:
            return
        for origin, owners in touched.items() if self._below else ():
            self._learn(origin, owners, claims)
        fresh = cuts - self._below.keys()
        self._below |= {cut: set() for cut in fresh}
        for origin in {zone for zone, _ in fresh}:
            self._learn(origin, claims.owners(origin), claims)
        for origin, owner in cuts:
            touched.setdefault(origin, set()).add(owner)

    def hides(self, owner: Owner, claims: ClaimTable) -> tuple[bytes, Claims] | None:
        """The first name below that somebody else has, and the claims to it; None where nothing would be hidden."""
        theirs = {
            below: {source: records for source, records in claims.at(owner[0], below).items() if source[0] != "record"}
            for below in self._below.get(owner, ())
        }
        hidden = min((below for below, others in theirs.items() if others), default=None)
        return None if hidden is None else (hidden, theirs[hidden])

    def _learn(self, origin: bytes, owners: Iterable[bytes], claims: ClaimTable) -> None:
        for owner in owners:
            above = owner
            while above not in {origin, ROOT}:
                above = above[1 + above[0] :]
                below = self._below.get((origin, above))
                if below is not None:
                    (below.add if claims.at(origin, owner) else below.discard)(owner)
