"""TSIG: messages authenticated by a shared secret (RFC 8945). Pure: the clock is an argument.

`verify` reads a request's signature; a fault is a `Verdict` whose error is the reply to send. `Signer` signs a reply,
or each message of a stream, chaining every MAC to the one before (section 5.3.1).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from struct import Struct
from struct import error as StructError  # noqa: N812 - an exception's name
from typing import TYPE_CHECKING

from suite.dns import rrtype
from suite.dns.message import HEADER_SIZE, FormatError
from suite.dns.name import DomainNameError, from_text
from suite.dns.name import read as read_name

if TYPE_CHECKING:
    from suite.dns.message import Query, Record
    from suite.dns.settings import Key

ALGORITHMS = {
    "hmac-sha1": hashlib.sha1, "hmac-sha224": hashlib.sha224, "hmac-sha256": hashlib.sha256,
    "hmac-sha384": hashlib.sha384, "hmac-sha512": hashlib.sha512,
}  # fmt: skip
"""Algorithms offered; hmac-md5 is off (RFC 8945 section 6 says MUST NOT use)."""

FUDGE = 300
_NAMES = {from_text(text + "."): text for text in ALGORITHMS}
_WIRE_NAMES = {text: wire for wire, text in _NAMES.items()}
_TIME = Struct("!HIH")
_TAIL = Struct("!HHH")
_MAC_SIZE = Struct("!H")


@dataclass(frozen=True, slots=True)
class Signature:
    """The fields of one TSIG record."""

    key: bytes
    algorithm: bytes
    signed_at: int
    fudge: int
    mac: bytes
    ident: int
    error: int
    other: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """Outcome for a signed request. `error` 0 is good; `signer` writes the reply's own TSIG, signed or not."""

    error: int
    signer: Signer
    key: bytes


def find(query: Query) -> Record | None:
    """Return the TSIG record; FormatError when it is not the last record or stands twice (section 5.1)."""
    places = [record for record in (*query.answer, *query.authority, *query.additional) if record.rtype == rrtype.TSIG]
    if not places:
        return None
    if len(places) > 1 or not query.additional or query.additional[-1] is not places[0]:
        raise FormatError("a TSIG record is not the last record")
    return places[0]


def verify(packet: bytes, record: Record, keys: tuple[Key, ...], now: int) -> Verdict:
    """Check a request (section 5.2): key, MAC, time, in this order. FormatError when the record or its MAC is cut short."""
    signature = read(record)
    key = next((k for k in keys if k.name == signature.key and _WIRE_NAMES[k.algorithm] == signature.algorithm), None)
    if key is None:
        return Verdict(rrtype.BADKEY, Signer(None, signature, now, rrtype.BADKEY), signature.key)
    full = ALGORITHMS[key.algorithm]().digest_size
    if not max(10, full // 2) <= len(signature.mac) <= full:
        raise FormatError("a MAC of a size that RFC 8945 section 5.2.2.1 forbids")
    expected = _mac(key, [_unsigned(packet, record, signature.ident), _variables(signature)])
    if not hmac.compare_digest(expected[: len(signature.mac)], signature.mac):
        return Verdict(rrtype.BADSIG, Signer(None, signature, now, rrtype.BADSIG), signature.key)
    if abs(now - signature.signed_at) > signature.fudge:
        return Verdict(rrtype.BADTIME, Signer(key, signature, now, rrtype.BADTIME), signature.key)
    if len(signature.mac) < full:
        return Verdict(rrtype.BADTRUNC, Signer(key, signature, now, rrtype.BADTRUNC), signature.key)
    return Verdict(0, Signer(key, signature, now, 0), signature.key)


def read(record: Record) -> Signature:
    """Take a TSIG record apart; FormatError when a length does not hold or class and TTL are not ANY and 0."""
    data = record.rdata
    try:
        algorithm, at = read_name(data, 0)
        high, low, fudge = _TIME.unpack_from(data, at)
        mac_at = at + 10
        mac_end = mac_at + _MAC_SIZE.unpack_from(data, at + 8)[0]
        ident, error, other_size = _TAIL.unpack_from(data, mac_end)
    except (StructError, DomainNameError):
        raise FormatError("a TSIG record is cut short or names no algorithm") from None
    if mac_end + 6 + other_size != len(data) or record.rclass != rrtype.CLASS_ANY or record.ttl:
        raise FormatError("a TSIG record's lengths, class or TTL are wrong")
    signed_at, mac, other = high << 32 | low, data[mac_at:mac_end], data[mac_end + 6 :]
    return Signature(record.owner.lower(), algorithm.lower(), signed_at, fudge, mac, ident, error, other)


class Signer:
    """Signs the replies to one request; without a key it appends the unsigned TSIG that tells an error (section 5.3.2)."""

    def __init__(self, key: Key | None, request: Signature, now: int, error: int) -> None:
        self._key = key
        self._request = request
        self._now = now
        self._error = error
        self._previous = request.mac
        self._is_first = True

    @property
    def size(self) -> int:
        """Octets the signature will add to a message."""
        digest = ALGORITHMS[self._key.algorithm]().digest_size if self._key is not None else 0
        return len(self._request.key) + 10 + len(self._request.algorithm) + 16 + digest + 6

    def sign(self, message: bytes) -> bytes:
        """Return the message with its TSIG record, the count in its header raised."""
        mac = b"" if self._key is None else self._signed(self._key, message)
        self._previous, self._is_first = mac, False
        return append(message, self._fields(mac, int.from_bytes(message[:2])))

    def _signed(self, key: Key, message: bytes) -> bytes:
        fields = self._fields(b"", 0)
        variables = _variables(fields) if self._is_first else _timers(fields)
        return _mac(key, [_MAC_SIZE.pack(len(self._previous)), self._previous, message, variables])

    def _fields(self, mac: bytes, ident: int) -> Signature:
        request, is_late = self._request, self._error == rrtype.BADTIME
        other = self._now.to_bytes(6) if is_late else b""
        signed_at = request.signed_at if is_late else self._now
        return Signature(request.key, request.algorithm, signed_at, FUDGE, mac, ident, self._error, other)


def sign_request(message: bytes, key: Key, now: int) -> tuple[bytes, bytes]:
    """Sign a message of our own (a NOTIFY); give it and its MAC, which the reply's MAC covers."""
    ident = int.from_bytes(message[:2])
    bare = Signature(key.name, _WIRE_NAMES[key.algorithm], now, FUDGE, b"", ident, 0, b"")
    mac = _mac(key, [message, _variables(bare)])
    return append(message, Signature(bare.key, bare.algorithm, now, FUDGE, mac, ident, 0, b"")), mac


def append(message: bytes, fields: Signature) -> bytes:
    """Write a TSIG record behind a message and count it."""
    data = fields.algorithm + _time(fields) + _MAC_SIZE.pack(len(fields.mac)) + fields.mac
    data += _TAIL.pack(fields.ident, fields.error, len(fields.other)) + fields.other
    head = rrtype.TSIG.to_bytes(2) + rrtype.CLASS_ANY.to_bytes(2) + bytes(4) + len(data).to_bytes(2)
    count = int.from_bytes(message[10:12]) + 1
    return message[:10] + count.to_bytes(2) + message[HEADER_SIZE:] + fields.key + head + data


def _unsigned(packet: bytes, record: Record, ident: int) -> bytes:
    """Give the request as it was before signing: its original ID, one additional record less, the TSIG cut off."""
    count = int.from_bytes(packet[10:12]) - 1
    return ident.to_bytes(2) + packet[2:10] + count.to_bytes(2) + packet[HEADER_SIZE : record.start]


def _mac(key: Key, parts: list[bytes]) -> bytes:
    return hmac.digest(key.secret, b"".join(parts), ALGORITHMS[key.algorithm])


def _time(fields: Signature) -> bytes:
    return _TIME.pack(fields.signed_at >> 32, fields.signed_at & 0xFFFFFFFF, fields.fudge)


def _timers(fields: Signature) -> bytes:
    return _time(fields)


def _variables(fields: Signature) -> bytes:
    """Name, class ANY, TTL 0, algorithm, time, error and other data (section 4.3.3)."""
    head = fields.key + rrtype.CLASS_ANY.to_bytes(2) + bytes(4) + fields.algorithm
    return head + _time(fields) + fields.error.to_bytes(2) + len(fields.other).to_bytes(2) + fields.other
