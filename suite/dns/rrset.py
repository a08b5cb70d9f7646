"""RRset: all records of one owner and type, with one TTL (RFC 2181 section 5), data in uncompressed wire form."""

from __future__ import annotations

from dataclasses import dataclass

from suite.dns import rrtype
from suite.dns.name import split_wire

MAX_TTL = 0x7FFFFFFF
MAX_SET = 64_000
"""Octets that a set may have in an answer, so that header, question, EDNS and the longest signature fit into the 65,535 of a message too."""


@dataclass(frozen=True, slots=True)
class RRset:
    """One record set of class IN; without records it stands for the absence of the set in a list of changes.

    `leased` marks data that points at an address lease: it must not be served once it may be stale.
    """

    name: bytes
    rtype: int
    ttl: int
    rdatas: tuple[bytes, ...]
    leased: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.ttl <= MAX_TTL:
            raise ValueError(f"a TTL lies in 0..{MAX_TTL}, not {self.ttl} (RFC 2181 section 8)")
        if self.rtype in rrtype.META or not 0 < self.rtype <= 0xFFFF:
            raise ValueError(f"type {rrtype.type_to_text(self.rtype)} cannot be stored in a zone")

    def renamed(self, owner: bytes) -> RRset:
        """Give the same data under another owner, as wildcard expansion does (RFC 4592 section 3.3.1)."""
        return RRset(owner, self.rtype, self.ttl, self.rdatas, self.leased)


_TARGET_AT = {rrtype.NS: 0, rrtype.CNAME: 0, rrtype.PTR: 0, rrtype.DNAME: 0, rrtype.MX: 2, rrtype.SVCB: 2, rrtype.HTTPS: 2, rrtype.SRV: 6}  # fmt: skip


def target(rtype: int, rdata: bytes) -> bytes | None:
    """Return the name the record points to, or None when its type points nowhere."""
    at = _TARGET_AT.get(rtype)
    return None if at is None else rdata[at : split_wire(rdata, at)]


def size_of(rdata: bytes) -> int:
    """Octets of one record in an answer: a pointer to its name, type, class, TTL and length, and the data."""
    return 12 + len(rdata)


def soa_serial(rdata: bytes) -> int:
    """Serial of a SOA record: its last five fields have fixed size (RFC 1035 section 3.3.13)."""
    return int.from_bytes(rdata[-20:-16])


def soa_with_serial(rdata: bytes, serial: int) -> bytes:
    """Give the same SOA data with another serial, taken modulo 2**32 (RFC 1982)."""
    return rdata[:-20] + (serial & 0xFFFFFFFF).to_bytes(4) + rdata[-16:]


def negative_ttl(soa: RRset) -> int:
    """TTL of the SOA in a negative answer: the lesser of its own and MINIMUM (RFC 2308 section 3)."""
    return min(soa.ttl, int.from_bytes(soa.rdatas[0][-4:]))
