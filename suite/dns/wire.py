"""Bytes to bytes: one query packet in, one reply or silence out. Pure; this is the reference the fast path must equal.

Silence only for what must not be answered: a reply (loops) and less than a header. Everything else gets the rcode that
its fault deserves, and no bit of the query leaks into the reply but ID, opcode, RD and CD.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from suite.dns import cookie, edns, message, rrtype, tsig
from suite.dns.answer import Answer, ask
from suite.dns.message import HEADER_SIZE, UNWRITABLE, FormatError, Writer
from suite.dns.rrset import RRset

if TYPE_CHECKING:
    from collections.abc import Iterable

    from suite.dns.catalogue import Zones
    from suite.dns.edns import Edns
    from suite.dns.message import Query
    from suite.dns.settings import Context
    from suite.dns.tsig import Signer

MAX_TCP = 65535
_KEPT = message.RD | message.CD
_OPCODES = frozenset({rrtype.QUERY, rrtype.NOTIFY})
_CHAOS_IDENTITY = frozenset({b"\x02id\x06server\0", b"\x08hostname\x04bind\0"})
_CHAOS_VERSION = frozenset({b"\x07version\x04bind\0", b"\x07version\x06server\0"})


class Request(NamedTuple):
    """A query understood as far as any reply needs: its EDNS, and who signed it."""

    query: Query
    edns: Edns | None
    signer: Signer | None
    key: bytes | None


def respond(zones: Zones, packet: bytes, context: Context) -> bytes | None:
    """Reply to one packet, or None when it deserves silence. Never raises for anything the network can send."""
    outcome = understand(packet, context)
    if not isinstance(outcome, Request):
        return outcome
    return reply(zones, outcome, context)


def reply(zones: Zones, request: Request, context: Context) -> bytes:
    """Write the one message that answers a request; SERVFAIL where the data cannot be written."""
    try:
        return write(request, _answer(zones, request, context), context)
    except UNWRITABLE:
        return write(request, Answer(rrtype.SERVFAIL), context)


def understand(packet: bytes, context: Context) -> Request | bytes | None:
    """Read a packet; give the Request, or the error reply it deserves, or None for silence."""
    if len(packet) < HEADER_SIZE or packet[2] & 0x80:
        return None
    if packet[2] >> 3 & message.OPCODE_MASK not in _OPCODES:
        return header_only(packet, rrtype.NOTIMP)
    try:
        query = message.parse(packet)
        request = Request(query, edns.find(query), None, None)
        signature = tsig.find(query)
        if signature is not None:
            verdict = tsig.verify(packet, signature, context.settings.keys, context.now)
            request = Request(query, request.edns, verdict.signer, None if verdict.error else verdict.key)
            if verdict.error:
                return write(request, Answer(rrtype.NOTAUTH), context)
    except FormatError:
        return header_only(packet, rrtype.FORMERR)
    return _refuse_early(request, packet, context) or request


def _refuse_early(request: Request, packet: bytes, context: Context) -> bytes | None:
    opt = request.edns
    if opt is not None and opt.version:
        return write(request, Answer(rrtype.BADVERS), context)
    if not request.query.question:
        if opt is not None and edns.COOKIE in opt.options:  # RFC 7873 section 5.4
            return write(request, Answer(rrtype.NOERROR), context)
        return header_only(packet, rrtype.FORMERR)
    return None


def header_only(packet: bytes, rcode: int) -> bytes:
    """Reply with nothing but a header: ID, opcode and RD of the query, and the rcode."""
    return packet[:2] + bytes([0x80 | packet[2] & 0x79, rcode]) + bytes(8)


def _answer(zones: Zones, request: Request, context: Context) -> Answer:
    query = request.query
    if query.opcode == rrtype.NOTIFY:
        known = zones.get(query.qname.lower()) is not None
        return Answer(rrtype.REFUSED if known else rrtype.NOTAUTH)
    if query.qclass == rrtype.CH:
        return _chaos(query, context)
    if query.qclass != rrtype.IN or query.qtype == rrtype.AXFR:
        return Answer(rrtype.REFUSED)
    if query.qtype == rrtype.IXFR:
        return _ixfr_over_udp(zones, query)
    return ask(zones, query.qname, query.qtype, all_types=context.tcp)


def _ixfr_over_udp(zones: Zones, query: Query) -> Answer:
    """Give the SOA alone, which sends the client to TCP when it is behind (RFC 1995 section 2)."""
    zone = zones.get(query.qname.lower())
    if zone is None or not zones.ready or zones.stale:
        return Answer(rrtype.NOTAUTH if zones.ready and zone is None else rrtype.SERVFAIL)
    return Answer(rrtype.NOERROR, authoritative=True, answer=(zone.soa,))


def _chaos(query: Query, context: Context) -> Answer:
    """Tell identity or version in class CH, TXT, when configured (RFC 4892)."""
    key, settings = query.qname.lower(), context.settings
    text = settings.identity if key in _CHAOS_IDENTITY else settings.version if key in _CHAOS_VERSION else b""
    if not text or query.qtype not in {rrtype.TXT, rrtype.ANY}:
        return Answer(rrtype.REFUSED)
    found = RRset(query.qname, rrtype.TXT, 0, (bytes([len(text)]) + text,))
    return Answer(rrtype.NOERROR, authoritative=True, answer=(found,), rclass=rrtype.CH)


def limit_of(request: Request, context: Context) -> int:
    """Largest reply in octets: the client's wish within 512 and ours on UDP (RFC 6891 section 6.2.5), all on TCP."""
    if context.tcp:
        return MAX_TCP
    return min(request.edns.size, context.settings.udp_size) if request.edns is not None else edns.MIN_SIZE


def write(request: Request, answer: Answer, context: Context) -> bytes:
    """Write a reply within its limit: whole sets or TC (RFC 2181 section 9); OPT, question and signature stay.

    Where even these do not fit (three names of 255 octets and no EDNS, say) a header with TC sends the client to TCP.
    """
    query, opt, limit = request.query, _opt(request, answer, context), limit_of(request, context)
    room = limit - len(opt) - (request.signer.size if request.signer is not None else 0)
    writer = Writer(query.qname, query.question)
    counts, truncated = _sections(writer, answer, room)
    flags = flags_of(query, answer, context) | (message.TC if truncated else 0)
    writer.raw(opt)
    counts[2] += bool(opt)
    octets = writer.finish(query.ident, flags, [bool(query.question), *counts])
    octets = octets if request.signer is None else request.signer.sign(octets)
    return octets if len(octets) <= limit else message.HEADER.pack(query.ident, flags | message.TC, 0, 0, 0, 0)


def flags_of(query: Query, answer: Answer, context: Context) -> int:
    """Header flags of a reply: QR, opcode, AA, RD and CD of the query, RA only when told to, rcode."""
    flags = message.QR | query.flags & (message.OPCODE_MASK << message.OPCODE_SHIFT | _KEPT) | answer.rcode & 0xF
    flags |= message.AA if answer.authoritative else 0
    return flags | (message.RA if context.settings.advertise_ra else 0)


def _sections(writer: Writer, answer: Answer, room: int) -> tuple[list[int], bool]:
    counts = [0, 0, 0]
    for section, sets in enumerate((answer.answer, answer.authority, answer.additional[: answer.required])):
        for rrset in sets:
            added = writer.add(rrset, room, answer.rclass)
            if not added:
                return counts, True
            counts[section] += added
    counts[2] += _optional(writer, answer.additional[answer.required :], room)
    return counts, False


def _optional(writer: Writer, sets: Iterable[RRset], room: int) -> int:
    """Write what fits of the additional records; leaving them out is no truncation (RFC 2181 section 9)."""
    return sum(writer.add(rrset, room) for rrset in sets)


def _opt(request: Request, answer: Answer, context: Context) -> bytes:
    opt, settings = request.edns, context.settings
    if opt is None:
        return b""
    options = b"".join(edns.extended_error(error) for error in answer.errors)
    if edns.NSID in opt.options and settings.identity:
        options += edns.option(edns.NSID, settings.identity)
    if edns.KEEPALIVE in opt.options and context.tcp:
        options += edns.keepalive(context.idle)
    if edns.COOKIE in opt.options and settings.cookie_secrets:
        asked = opt.options[edns.COOKIE]
        options += edns.option(edns.COOKIE, cookie.reply(settings.cookie_secrets, asked, context.client, context.now))
    return edns.record(settings.udp_size, answer.rcode, opt.dnssec_ok, options)
