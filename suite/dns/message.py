"""A DNS message as octets: reading a query whole, and writing records with name compression (RFC 1035 section 4).

Reading never trusts a count or a length: it either gives a Query or raises FormatError, whose rcode is the reply to send.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from struct import Struct
from struct import error as StructError  # noqa: N812 - an exception's name
from typing import TYPE_CHECKING, NamedTuple

from suite.dns import rrtype
from suite.dns.name import DomainNameError, read, split_wire

if TYPE_CHECKING:
    from collections.abc import Iterable

    from suite.dns.rrset import RRset

HEADER = Struct("!HHHHHH")
HEADER_SIZE = 12
MOST_RECORDS = 64
"""Records that a query may announce; none needs more than an SOA (RFC 1995), an OPT and a TSIG."""
_FIXED = Struct("!HHIH")
_QUESTION = Struct("!HH")

QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010
OPCODE_SHIFT, OPCODE_MASK = 11, 0xF


UNWRITABLE = (IndexError, OverflowError, StructError, ValueError)
"""What comes of writing data that is none of its type, or too much of it. None is let in; should some be there already, its question
alone fails."""


class FormatError(ValueError):
    """The packet breaks the message format; FORMERR is the reply."""


class Record(NamedTuple):
    """One record as found in a packet: where it starts, its owner, and its data uninterpreted."""

    start: int
    owner: bytes
    rtype: int
    rclass: int
    ttl: int
    rdata_at: int
    rdata: bytes


@dataclass(frozen=True, slots=True)
class Query:
    """A query read whole. `question` is its octets as asked, letter case included, so it can be echoed (0x20)."""

    ident: int
    flags: int
    qname: bytes
    qtype: int
    qclass: int
    question: bytes
    answer: tuple[Record, ...]
    authority: tuple[Record, ...]
    additional: tuple[Record, ...]

    @property
    def opcode(self) -> int:
        return self.flags >> OPCODE_SHIFT & OPCODE_MASK


def parse(packet: bytes) -> Query:
    """Read a message of at most one question; FormatError when a count, a name or a length does not hold."""
    ident, flags, *counts = HEADER.unpack_from(packet)
    try:
        if sum(counts[1:]) > MOST_RECORDS:
            raise FormatError("more records than any query needs")
        qname, qtype, qclass, at = _question(packet, counts[0])
        question = packet[HEADER_SIZE:at]
        sections, known = [], dict[int, bytes]()
        for count in counts[1:]:
            records, at = _records(packet, at, count, known)
            sections.append(records)
    except (DomainNameError, StructError, IndexError) as error:
        raise FormatError(str(error)) from None
    return Query(ident, flags, qname, qtype, qclass, question, *sections)


def _question(packet: bytes, count: int) -> tuple[bytes, int, int, int]:
    if count == 0:
        return b"", 0, 0, HEADER_SIZE
    if count > 1:
        raise FormatError("more than one question (RFC 9619)")
    qname, at = read(packet, HEADER_SIZE)
    if at != HEADER_SIZE + len(qname):
        raise FormatError("the question's name is compressed")
    qtype, qclass = _QUESTION.unpack_from(packet, at)
    return qname, qtype, qclass, at + 4


def _records(packet: bytes, at: int, count: int, known: dict[int, bytes]) -> tuple[tuple[Record, ...], int]:
    if count * 11 > len(packet) - at:
        raise FormatError("more records announced than octets left")
    out = []
    for _ in range(count):
        owner, fixed = read(packet, at, known)
        rtype, rclass, ttl, size = _FIXED.unpack_from(packet, fixed)
        behind = fixed + 10 + size
        if behind > len(packet):
            raise FormatError("a record runs over the end of the packet")
        out.append(Record(at, owner, rtype, rclass, ttl, fixed + 10, packet[fixed + 10 : behind]))
        at = behind
    return tuple(out), at


_NAMES_AT = {
    rrtype.NS: (0, 1), rrtype.CNAME: (0, 1), rrtype.PTR: (0, 1), rrtype.SOA: (0, 2), rrtype.MX: (2, 1),
}  # fmt: skip
"""Types whose names may be compressed (RFC 3597 section 4): offset of the first name, how many follow each other."""


class Writer:
    """Writes records behind a header and question; names are compressed against everything written before."""

    def __init__(self, qname: bytes, question: bytes) -> None:
        self.octets = bytearray(HEADER_SIZE)
        self.octets += question
        self._seen: dict[bytes, int] = {}
        if question:
            self._remember(qname, HEADER_SIZE)

    def __len__(self) -> int:
        return len(self.octets)

    def add(self, rrset: RRset, limit: int, rclass: int = rrtype.IN) -> int:
        """Write a whole set and return its count of records, or write nothing and return 0 when it would not fit."""
        start, seen = len(self.octets), dict(self._seen)
        for rdata in rrset.rdatas:
            self.record(rrset.name, rrset.rtype, rclass, rrset.ttl, rdata)
            if len(self.octets) > limit:
                del self.octets[start:]
                self._seen = seen
                return 0
        return len(rrset.rdatas)

    def record(self, owner: bytes, rtype: int, rclass: int, ttl: int, rdata: bytes) -> None:
        self.name(owner)
        fixed = len(self.octets)
        self.octets += _FIXED.pack(rtype, rclass, ttl, 0)
        self._data(rtype, rdata)
        self.octets[fixed + 8 : fixed + 10] = (len(self.octets) - fixed - 10).to_bytes(2)

    def tried(self, owner: bytes, rtype: int, ttl: int, rdata: bytes, limit: int) -> bool:
        """Write a record of class IN if it can be written and stays within `limit`; tell whether it was."""
        start = len(self.octets)
        with suppress(*UNWRITABLE):
            self.record(owner, rtype, rrtype.IN, ttl, rdata)
            if len(self.octets) <= limit:
                return True
        del self.octets[start:]
        self._seen = {name: at for name, at in self._seen.items() if at < start}
        return False

    def raw(self, octets: bytes) -> None:
        """Append octets as they are (an OPT or TSIG record)."""
        self.octets += octets

    def name(self, name: bytes) -> None:
        """Write a name, as a pointer from the first suffix on that was written before (compared without case)."""
        at = 0
        while name[at]:
            offset = self._seen.get(name[at:].lower())
            if offset is not None:
                here = len(self.octets)
                self.octets += name[:at]
                self._remember(name, here, at)
                self.octets += (0xC000 | offset).to_bytes(2)
                return
            at += 1 + name[at]
        self._remember(name, len(self.octets))
        self.octets += name

    def finish(self, ident: int, flags: int, counts: Iterable[int]) -> bytes:
        """Fill in the header and give the message."""
        self.octets[:HEADER_SIZE] = HEADER.pack(ident, flags, *counts)
        return bytes(self.octets)

    def _remember(self, name: bytes, start: int, end: int | None = None) -> None:
        at = 0
        while name[at] and (end is None or at < end) and start + at < 0x4000:
            self._seen.setdefault(name[at:].lower(), start + at)
            at += 1 + name[at]

    def _data(self, rtype: int, rdata: bytes) -> None:
        at, count = _NAMES_AT.get(rtype, (0, 0))
        self.octets += rdata[:at]
        for _ in range(count):
            behind = split_wire(rdata, at)
            self.name(rdata[at:behind])
            at = behind
        self.octets += rdata[at:]
