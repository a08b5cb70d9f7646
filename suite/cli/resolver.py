"""Asking a DNS server one question: over UDP, again over TCP when the answer is cut short (RFC 7766)."""

import asyncio
import secrets
from dataclasses import dataclass
from ipaddress import ip_address
from typing import cast

from suite.cli.arguments import DNS_PORT
from suite.dns import edns, message, rrtype
from suite.dns.presentation import rdata_text
from suite.model.configuration import Configuration, Listen

ROOM = 1232
"""EDNS payload size: fits every path without fragments (RFC 9715)."""
TRIES = 3
OPT = b"\x00" + rrtype.OPT.to_bytes(2) + ROOM.to_bytes(2) + bytes(6)


@dataclass(frozen=True, slots=True)
class Row:
    """One record as text."""

    section: str
    name: str
    ttl: int
    type: str
    data: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said."""

    rcode: str
    is_authoritative: bool
    transport: str
    rows: tuple[Row, ...]
    is_authentic: bool = False
    """Whether the server claims to have validated the answer (AD)."""
    errors: tuple[int, ...] = ()
    """Codes of extended errors (RFC 8914)."""

    @property
    def answers(self) -> tuple[Row, ...]:
        """The records of the answer section."""
        return tuple(row for row in self.rows if row.section == "answer")


def own_server(configuration: Configuration) -> Listen:
    """Where a configuration makes the suite listen, as this machine asks it: a wildcard address on the loopback."""
    listens = configuration.dns.listen
    if not listens:
        return Listen(ip_address("127.0.0.1"), DNS_PORT)
    first = listens[0]
    if not first.address.is_unspecified:
        return first
    return Listen(ip_address("127.0.0.1" if first.address.version == 4 else "::1"), first.port)


async def ask(
    server: Listen,
    qname: bytes,
    qtype: int,
    patience: float,
    *,
    flags: int = 0,
    qclass: int = rrtype.IN,
    tries: int = TRIES,
) -> Reply:
    """The answer to one question; ``flags`` are those of the header (RD, CD).

    Raises:
        TimeoutError: nobody answered in time.
        OSError: the server cannot be reached.
    """
    packet = _question(qname, qtype, flags, qclass)
    for attempt in range(tries):
        try:
            async with asyncio.timeout(patience):
                answer = await _over_udp(server, packet)
            break
        except TimeoutError:
            if attempt == tries - 1:
                raise
    if int.from_bytes(answer[2:4]) & message.TC:
        async with asyncio.timeout(patience):
            return _reply(await _over_tcp(server, packet), "tcp")
    return _reply(answer, "udp")


class _Exchange(asyncio.DatagramProtocol):
    """One question and the answer with its number."""

    def __init__(self, packet: bytes) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._packet = packet

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.DatagramTransport", transport).sendto(self._packet)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Take the first reply with our number and our question."""
        if not self.answer.done() and data[:2] == self._packet[:2] and len(data) >= message.HEADER_SIZE:
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        """The machine answered that nobody listens there."""
        if not self.answer.done():
            self.answer.set_exception(exc)


async def _over_udp(server: Listen, packet: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    place = (str(server.address), server.port)
    transport, exchange = await loop.create_datagram_endpoint(lambda: _Exchange(packet), remote_addr=place)
    try:
        return await exchange.answer
    finally:
        transport.close()


async def _over_tcp(server: Listen, packet: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(str(server.address), server.port)
    try:
        writer.write(len(packet).to_bytes(2) + packet)
        size = int.from_bytes(await reader.readexactly(2))
        return await reader.readexactly(size)
    except asyncio.IncompleteReadError:
        raise ConnectionError("the server closed the connection without an answer") from None
    finally:
        writer.close()


def _question(qname: bytes, qtype: int, flags: int, qclass: int) -> bytes:
    header = message.HEADER.pack(secrets.randbits(16), flags, 1, 0, 0, 1)
    return header + qname + qtype.to_bytes(2) + qclass.to_bytes(2) + OPT


def _reply(packet: bytes, transport: str) -> Reply:
    try:
        parsed = message.parse(packet)
    except message.FormatError as error:
        raise ConnectionError(f"the server's answer cannot be read: {error}") from None
    sections = (("answer", parsed.answer), ("authority", parsed.authority), ("additional", parsed.additional))
    rows = tuple(
        _row(section, record, packet)
        for section, records in sections
        for record in records
        if record.rtype != rrtype.OPT
    )
    flags = parsed.flags
    return Reply(
        rrtype.rcode_to_text(flags & 0xF),
        bool(flags & message.AA),
        transport,
        rows,
        bool(flags & message.AD),
        _errors(parsed),
    )


def _errors(parsed: message.Query) -> tuple[int, ...]:
    """Codes of extended errors, wherever an OPT record has them; what cannot be read says nothing."""
    found: list[int] = []
    for record in parsed.additional:
        at = 0
        while record.rtype == rrtype.OPT and at + 6 <= len(record.rdata):
            code, size = (int.from_bytes(record.rdata[part : part + 2]) for part in (at, at + 2))
            if code == edns.EXTENDED_ERROR and size >= 2:
                found.append(int.from_bytes(record.rdata[at + 4 : at + 6]))
            at += 4 + size
    return tuple(found)


def _row(section: str, record: message.Record, packet: bytes) -> Row:
    from suite.dns.name import to_text

    data = rdata_text(record.rtype, packet, record.rdata_at, len(record.rdata))
    return Row(section, to_text(record.owner), record.ttl, rrtype.type_to_text(record.rtype), data)
