"""Records that somebody asks for as the record sets of a zone.  Pure."""

from collections.abc import Iterable
from dataclasses import replace

from suite.dns import rrtype
from suite.dns.rrset import RRset, soa_with_serial
from suite.nameserver.records import Record


def set_of(record: Record) -> RRset:
    """One record as a set of its own."""
    return RRset(record.owner, record.rtype, record.ttl, (record.rdata,), record.is_leased)


def sets_of(records: Iterable[Record]) -> list[RRset]:
    """Records of one owner as record sets: one TTL, the smallest asked for (RFC 2181 section 5.2), no duplicates."""
    grouped: dict[int, list[Record]] = {}
    for record in records:
        grouped.setdefault(record.rtype, []).append(record)
    return [
        RRset(
            members[0].owner,
            rtype,
            min(record.ttl for record in members),
            tuple(sorted({record.rdata for record in members})),
            any(record.is_leased for record in members),
        )
        for rtype, members in grouped.items()
    ]


def says_the_same(served: RRset, wanted: RRset) -> bool:
    """Whether two record sets say the same; the serial of a SOA is the zone's own."""
    if wanted.rtype != rrtype.SOA:
        return served == wanted
    return replace(served, rdatas=(soa_with_serial(served.rdatas[0], 0),)) == replace(
        wanted, rdatas=(soa_with_serial(wanted.rdatas[0], 0),)
    )
