"""EDNS(0): the OPT record of a query read, the one of a reply written (RFC 6891), with the options this server knows."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING

from suite.dns import rrtype
from suite.dns.message import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from suite.dns.answer import ExtendedError
    from suite.dns.message import Query, Record

NSID, COOKIE, KEEPALIVE, EXTENDED_ERROR = 3, 10, 11, 15
MIN_SIZE = 512
_DO = 0x8000
_OPTION = Struct("!HH")
_OPT = Struct("!BHHBBHH")


@dataclass(frozen=True, slots=True)
class Edns:
    """What a query's OPT says; `options` keeps the last of each code."""

    size: int
    version: int
    dnssec_ok: bool
    options: dict[int, bytes]


def find(query: Query) -> Edns | None:
    """Return the query's EDNS, or None; FormatError for a second OPT, an owner that is not the root, or an overrun."""
    opts = [record for record in query.additional if record.rtype == rrtype.OPT]
    if not opts:
        return None
    if len(opts) > 1:
        raise FormatError("two OPT records (RFC 6891 section 6.1.1)")
    return _read(opts[0])


def _read(opt: Record) -> Edns:
    if opt.owner != b"\0":
        raise FormatError("the OPT record's owner is not the root")
    options = dict(_options(opt.rdata))
    cookie = options.get(COOKIE)
    if cookie is not None and len(cookie) != 8 and not 16 <= len(cookie) <= 40:
        raise FormatError(f"a cookie of {len(cookie)} octets (RFC 7873 section 5.2.2)")
    return Edns(max(opt.rclass, MIN_SIZE), opt.ttl >> 16 & 0xFF, bool(opt.ttl & _DO), options)


def _options(rdata: bytes) -> Iterable[tuple[int, bytes]]:
    at = 0
    while at < len(rdata):
        if at + 4 > len(rdata):
            raise FormatError("an EDNS option is cut short")
        code, size = _OPTION.unpack_from(rdata, at)
        at += 4 + size
        if at > len(rdata):
            raise FormatError("an EDNS option runs over the end of its record")
        yield code, rdata[at - size : at]


def option(code: int, value: bytes) -> bytes:
    """One option in wire form."""
    return _OPTION.pack(code, len(value)) + value


def keepalive(idle: float) -> bytes:
    """How many seconds a connection may idle, told in tenths, never more than is meant (RFC 7828 section 3.1)."""
    return option(KEEPALIVE, min(int(idle * 10), 0xFFFF).to_bytes(2))


def extended_error(error: ExtendedError) -> bytes:
    """One extended error option (RFC 8914 section 2)."""
    return option(EXTENDED_ERROR, error.code.to_bytes(2) + error.text.encode()[:120])


def record(size: int, rcode: int, dnssec_ok: bool, options: bytes = b"") -> bytes:
    """Write the OPT record of a reply: version 0, flags other than DO zero (RFC 6891 section 6.1.4)."""
    return _OPT.pack(0, rrtype.OPT, size, rcode >> 4, 0, _DO if dnssec_ok else 0, len(options)) + options
