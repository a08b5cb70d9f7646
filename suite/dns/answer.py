"""Zones and a question give an Answer: the algorithm of RFC 1034 section 4.3.2 with every branch in sight.

NODATA, NXDOMAIN, referral, alias, wildcard and refusal are separate functions; each names its rule. Nothing here knows
how an answer is written down (wire.py) or sent (udp.py, tcp.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from suite.dns import rrtype
from suite.dns.name import MAX_NAME, ROOT
from suite.dns.rrset import RRset, negative_ttl, target

if TYPE_CHECKING:
    from suite.dns.catalogue import Zones
    from suite.dns.nodes import Node
    from suite.dns.zone import Zone

MAX_ALIASES = 16
"""CNAMEs and DNAMEs followed for one question; NSD stops at 18, resolvers between 8 and 20."""

_WITH_ADDRESSES = frozenset({rrtype.NS, rrtype.MX, rrtype.SRV, rrtype.SVCB, rrtype.HTTPS})


class ExtendedError(NamedTuple):
    """RFC 8914: a code of the IANA registry and words for people."""

    code: int
    text: str = ""


OTHER, NOT_READY, NOT_AUTHORITATIVE, NETWORK_ERROR = 0, 14, 20, 23


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say. `required` counts the leading additional records that may not be left out (glue, RFC 9471).

    `local` is true when nothing but the asked name's own node and its zone's SOA shaped it.
    """

    rcode: int
    authoritative: bool = False
    answer: tuple[RRset, ...] = ()
    authority: tuple[RRset, ...] = ()
    additional: tuple[RRset, ...] = ()
    required: int = 0
    errors: tuple[ExtendedError, ...] = ()
    zone: Zone | None = None
    local: bool = False
    rclass: int = rrtype.IN


def ask(zones: Zones, qname: bytes, qtype: int, *, all_types: bool = False) -> Answer:
    """Answer a question of class IN. `all_types` answers ANY with everything at the name, else with one set (RFC 8482)."""
    if not zones.ready:
        return Answer(rrtype.SERVFAIL, errors=(ExtendedError(NOT_READY, "waiting for the first zones"),))
    return _Search(zones, qtype, all_types).run(qname)


@dataclass(slots=True)
class _Search:
    """One walk through the zones; it collects records until a branch ends it."""

    zones: Zones
    qtype: int
    all_types: bool
    chain: list[RRset] = field(default_factory=list)
    is_local: bool = True

    def run(self, qname: bytes) -> Answer:
        """Follow aliases until something ends the chase."""
        name = qname
        for _ in range(MAX_ALIASES + 1):
            step = self.step(name)
            if isinstance(step, Answer):
                return step
            name = step
            if any(rrset.name.lower() == name.lower() for rrset in self.chain if rrset.rtype == rrtype.CNAME):
                break
        return self.finish(rrtype.NOERROR)

    def step(self, name: bytes) -> Answer | bytes:
        """Answer for one name, or give the name an alias leads to."""
        key = name.lower()
        zone = self.zones.find(key, self.qtype)
        if zone is None:
            return self.finish(rrtype.NOERROR) if self.chain else _refused()
        cut = zone.cut_above(key)
        if cut is not None and not (self.qtype == rrtype.DS and cut[0] == key and _is_delegation(zone, cut)):
            return self.below_cut(zone, name, *cut)
        node = zone.get(key)
        if node is not None:
            return self.at_node(zone, name, node)
        return self.missing(zone, name, zone.closest_encloser(key))

    def at_node(self, zone: Zone, name: bytes, node: Node, source: bytes = b"") -> Answer | bytes:
        """Serve what the name (or the wildcard `source`) holds: data, an alias, or NODATA (RFC 2308 section 2.2)."""
        if self.zones.stale and node.is_leased:
            return _stale()
        if self.qtype == rrtype.ANY and node.rrsets:
            return self.finish(rrtype.NOERROR, zone, [r.renamed(name) for r in self.any_of(node)])
        found = node.get(self.qtype)
        if found is not None:
            return self.finish(rrtype.NOERROR, zone, [found.renamed(name)])
        alias = node.get(rrtype.CNAME)
        if alias is not None:
            self.chain.append(alias.renamed(name))
            return alias.rdatas[0]
        return self.negative(rrtype.NOERROR, zone, name, source)

    def any_of(self, node: Node) -> tuple[RRset, ...]:
        return node.rrsets if self.all_types else node.rrsets[:1]

    def missing(self, zone: Zone, name: bytes, encloser: bytes) -> Answer | bytes:
        """Expand the wildcard at the closest encloser (RFC 4592 section 3.3.1), else deny the name (RFC 8020)."""
        source = zone.get(b"\x01*" + encloser) if len(encloser) + 2 <= MAX_NAME else None
        if source is None:
            return self.negative(rrtype.NXDOMAIN, zone, name)
        self.is_local = False
        return self.at_node(zone, name, source, b"\x01*" + encloser)

    def below_cut(self, zone: Zone, name: bytes, cut: bytes, node: Node) -> Answer | bytes:
        """Refer to the zone's children (RFC 1034 section 4.2.1) or rewrite the name by DNAME (RFC 6672 section 3)."""
        self.is_local = False
        dname = node.get(rrtype.DNAME)
        delegation = node.get(rrtype.NS) if cut != zone.origin else None
        if delegation is not None:
            return self.referral(zone, delegation)
        assert dname is not None  # noqa: S101 - a cut is one or the other
        return self.rewritten(zone, name, cut, dname)

    def referral(self, zone: Zone, delegation: RRset) -> Answer:
        glue = tuple(_glue(zone, delegation))
        return Answer(
            rrtype.NOERROR, bool(self.chain), tuple(self.chain), (delegation,), glue, required=len(glue), zone=zone
        )

    def rewritten(self, zone: Zone, name: bytes, cut: bytes, dname: RRset) -> Answer | bytes:
        substituted = name[: len(name) - len(cut)] + dname.rdatas[0]
        self.chain.append(dname)
        if len(substituted) > MAX_NAME:
            return Answer(rrtype.YXDOMAIN, authoritative=True, answer=tuple(self.chain), zone=zone)
        if self.qtype in {rrtype.CNAME, rrtype.ANY}:
            return self.finish(rrtype.NOERROR, zone, [RRset(name, rrtype.CNAME, dname.ttl, (substituted,))])
        self.chain.append(RRset(name, rrtype.CNAME, dname.ttl, (substituted,)))
        return substituted

    def negative(self, rcode: int, zone: Zone, name: bytes, source: bytes = b"") -> Answer:
        """NODATA or NXDOMAIN, the SOA saying how long that may be believed (RFC 2308 sections 3 and 5)."""
        soa = negative_soa(zone)
        note = zone.notes.get(source or name.lower())
        errors = (ExtendedError(OTHER, note),) if note is not None else ()
        is_local = self.is_local and not self.chain
        return Answer(rcode, True, tuple(self.chain), (soa,), errors=errors, zone=zone, local=is_local)

    def finish(self, rcode: int, zone: Zone | None = None, found: list[RRset] | None = None) -> Answer:
        answer = (*self.chain, *(found or ()))
        additional = tuple(self.addresses(answer, found or []))
        is_local = self.is_local and not self.chain and not any(r.rtype in _WITH_ADDRESSES for r in answer)
        return Answer(rcode, True, answer, additional=additional, zone=zone, local=is_local)

    def addresses(self, answer: tuple[RRset, ...], found: list[RRset]) -> list[RRset]:
        """Addresses of what the found records point to (RFC 2782, RFC 9460 section 4.1), each set once."""
        taken = {(rrset.name.lower(), rrset.rtype) for rrset in answer}
        extra: list[RRset] = []
        for rrset in found:
            for address in self.pointed_at(rrset):
                key = address.name.lower(), address.rtype
                if key not in taken:
                    taken.add(key)
                    extra.append(address)
        return extra

    def pointed_at(self, rrset: RRset) -> list[RRset]:
        if rrset.rtype not in _WITH_ADDRESSES:
            return []
        targets = (target(rrset.rtype, rdata) or ROOT for rdata in rrset.rdatas)
        return [address for name in targets for address in self.addresses_of(rrset.name if name == ROOT else name)]

    def addresses_of(self, name: bytes) -> list[RRset]:
        key = name.lower()
        zone = self.zones.find(key)
        if zone is None or zone.cut_above(key) is not None:
            return []
        node = zone.get(key)
        return [] if node is None or (self.zones.stale and node.is_leased) else _addresses(node, name)


def negative_soa(zone: Zone) -> RRset:
    """Give the SOA of a negative answer, its TTL bounded by MINIMUM (RFC 2308 section 3)."""
    soa = zone.soa
    return RRset(soa.name, soa.rtype, negative_ttl(soa), soa.rdatas)


def _addresses(node: Node, name: bytes) -> list[RRset]:
    return [rrset.renamed(name) for rrset in node.rrsets if rrset.rtype in {rrtype.A, rrtype.AAAA}]


def _glue(zone: Zone, delegation: RRset) -> list[RRset]:
    nodes = ((rdata, zone.get(rdata.lower())) for rdata in delegation.rdatas)
    return [rrset for name, node in nodes if node is not None for rrset in _addresses(node, name)]


def _is_delegation(zone: Zone, cut: tuple[bytes, Node]) -> bool:
    return cut[0] != zone.origin and cut[1].get(rrtype.NS) is not None


def _refused() -> Answer:
    return Answer(rrtype.REFUSED, errors=(ExtendedError(NOT_AUTHORITATIVE, "no zone of this server holds the name"),))


def _stale() -> Answer:
    text = "the source of this address has been out of reach for too long"
    return Answer(rrtype.SERVFAIL, errors=(ExtendedError(NETWORK_ERROR, text),))
