"""Record data out of a message as text: names that are compressed against the message are written out first.

What to write is `rdata.format_rdata`'s business; data that does not have the form of its type comes out in the generic
form of RFC 3597, so nothing is hidden or raised.
"""

from __future__ import annotations

from suite.dns import rrtype
from suite.dns.name import DomainNameError, read
from suite.dns.rdata import format_rdata

_NAMES_AT = {
    rrtype.NS: (0, 1), rrtype.CNAME: (0, 1), rrtype.PTR: (0, 1), rrtype.DNAME: (0, 1), rrtype.SOA: (0, 2),
    rrtype.MX: (2, 1), rrtype.SRV: (6, 1),
}  # fmt: skip
"""Where names begin, and how many follow each other. RFC 3597 section 4 forbids to compress SRV and DNAME; some do."""


def rdata_text(rtype: int, packet: bytes, at: int = 0, size: int | None = None) -> str:
    """The data of ``size`` octets at ``at``, whose names may be compressed against ``packet``."""
    end = len(packet) if size is None else at + size
    try:
        octets = _written_out(rtype, packet, at, end)
    except (DomainNameError, IndexError):
        octets = None
    return format_rdata(rtype, packet[at:end]) if octets is None else format_rdata(rtype, octets)


def _written_out(rtype: int, packet: bytes, at: int, end: int) -> bytes | None:
    """The data without pointers; None where a name runs over its end."""
    offset, count = _NAMES_AT.get(rtype, (0, 0))
    octets, at = packet[at : at + offset], at + offset
    for _ in range(count):
        name, at = read(packet, at)
        octets += name
    return octets + packet[at:end] if at <= end else None
