"""Zone transfers out: AXFR (RFC 5936) and IXFR (RFC 1995) as lazy streams of messages over immutable zones.

A stream holds one version of the zone, so what changes meanwhile cannot leak into it. Messages are filled to about
16 kB and, with a TSIG key, every one of them is signed: some clients check each (RFC 8945 section 5.3.1 would let us
sign every hundredth).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from suite.dns import edns, rrtype
from suite.dns.answer import Answer
from suite.dns.message import Writer
from suite.dns.ratelimit import is_in
from suite.dns.rrset import soa_serial
from suite.dns.wire import MAX_TCP, flags_of, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from suite.dns.catalogue import Zones
    from suite.dns.journal import Difference, Journal
    from suite.dns.rrset import RRset
    from suite.dns.settings import Context
    from suite.dns.wire import Request
    from suite.dns.zone import Zone

MESSAGE_SIZE = 16_384
_HALF = 0x80000000


@dataclass(frozen=True, slots=True)
class _Line:
    """One record on its way out."""

    name: bytes
    rtype: int
    ttl: int
    rdata: bytes


def is_transfer(request: Request) -> bool:
    """Tell whether a request asks for a transfer in class IN."""
    query = request.query
    return query.qtype in {rrtype.AXFR, rrtype.IXFR} and query.qclass == rrtype.IN and query.opcode == rrtype.QUERY


class Transfer(NamedTuple):
    """What answers a request: IXFR for differences (or the SOA alone), AXFR for the whole zone; and its messages."""

    kind: int
    rcode: int
    messages: Iterator[bytes]


def transfer(zones: Zones, journal: Journal, request: Request, context: Context) -> Transfer:
    """Give the messages of a transfer over TCP, or the one that refuses it: nobody copies what may be out of date."""
    zone = zones.get(request.query.qname.lower())
    if not zones.ready or zones.stale or zone is None:
        return _refused(rrtype.NOTAUTH if zones.ready and zone is None else rrtype.SERVFAIL, request, context)
    if not is_allowed(request, context):
        return _refused(rrtype.REFUSED, request, context)
    steps = _incremental(zone, journal, request) if request.query.qtype == rrtype.IXFR else None
    kind, lines = (rrtype.AXFR, _whole(zone)) if steps is None else (rrtype.IXFR, steps)
    return Transfer(kind, rrtype.NOERROR, _messages(request, context, lines))


def _refused(rcode: int, request: Request, context: Context) -> Transfer:
    return Transfer(request.query.qtype, rcode, iter((write(request, Answer(rcode), context),)))


def is_allowed(request: Request, context: Context) -> bool:
    """Tell whether the client's key or address may transfer."""
    transfers = context.settings.transfers
    if request.key is not None:
        return request.key in transfers.keys
    return any(is_in(context.client, network) for network in transfers.networks)


def is_newer(serial: int, than: int) -> bool:
    """Compare serials in the arithmetic of RFC 1982 section 3.2: the zone may wrap around 2**32."""
    return 0 < (serial - than) & 0xFFFFFFFF < _HALF


def _whole(zone: Zone) -> Iterable[_Line]:
    """SOA, everything else, SOA again (RFC 5936 section 2.2)."""
    soa = list(_lines(zone.soa))
    rest = (line for rrset in zone.rrsets() if rrset.rtype != rrtype.SOA for line in _lines(rrset))
    return chain(soa, rest, soa)


def _incremental(zone: Zone, journal: Journal, request: Request) -> Iterable[_Line] | None:
    """The single SOA for who is up to date, the differences when all are known; None for the whole zone (RFC 1995 section 4)."""
    have = next((soa_serial_of(record.rdata) for record in request.query.authority if record.rtype == rrtype.SOA), None)
    soa = list(_lines(zone.soa))
    if have is not None and not is_newer(zone.serial, have):
        return soa
    differences = journal.since(zone.origin, have, zone.serial) if have is not None else None
    if differences is None:
        return None
    return chain(soa, (line for difference in differences for line in _difference(zone, difference)), soa)


def soa_serial_of(rdata: bytes) -> int | None:
    """Serial of a SOA record from a packet, whose names may be compressed; None when it is too short to hold one."""
    return soa_serial(rdata) if len(rdata) >= 22 else None


def _difference(zone: Zone, difference: Difference) -> Iterator[_Line]:
    """Old SOA and deletions, new SOA and additions."""
    soa = zone.soa
    yield _Line(soa.name, soa.rtype, difference.old_soa.ttl, difference.old_soa.rdatas[0])
    for rrset in difference.removed:
        yield from _lines(rrset)
    yield _Line(soa.name, soa.rtype, difference.new_soa.ttl, difference.new_soa.rdatas[0])
    for rrset in difference.added:
        yield from _lines(rrset)


def _lines(rrset: RRset) -> Iterator[_Line]:
    for rdata in rrset.rdatas:
        yield _Line(rrset.name, rrset.rtype, rrset.ttl, rdata)


def _messages(request: Request, context: Context, lines: Iterable[_Line]) -> Iterator[bytes]:
    """Fill messages; the question stands in the first (RFC 5936 section 2.2.1), in the others too, which is allowed.

    A record that no message can hold is let in nowhere; should one be there, the others are copied all the same.
    """
    query = request.query
    opt = b"" if request.edns is None else edns.record(context.settings.udp_size, 0, request.edns.dnssec_ok)
    flags = flags_of(query, Answer(rrtype.NOERROR, authoritative=True), context)
    room = MAX_TCP - len(opt) - (request.signer.size if request.signer is not None else 0)
    writer, count = Writer(query.qname, query.question), 0
    for line in lines:
        if count and len(writer) + len(line.rdata) + len(line.name) + 10 > MESSAGE_SIZE:
            yield _finished(request, writer, flags, count, opt)
            writer, count, opt = Writer(query.qname, query.question), 0, b""
        count += writer.tried(line.name, line.rtype, line.ttl, line.rdata, room)
    yield _finished(request, writer, flags, count, opt)


def _finished(request: Request, writer: Writer, flags: int, count: int, opt: bytes) -> bytes:
    writer.raw(opt)
    octets = writer.finish(request.query.ident, flags, (1, count, 0, bool(opt)))
    return octets if request.signer is None else request.signer.sign(octets)
