r"""Record data between presentation form and wire form, off every fast path.

The types a network at home or in a rack uses are rows of one table: a type is a sequence of fields, a field reads
tokens and writes octets. Other types that dnslib knows (LOC, NSEC, ...) go through it; all others have the generic form
`\# 4 0a000001` of RFC 3597, which is accepted for every type; octets of a type that has a row are read whole first.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnslib import QTYPE, RD, RDMAP, DNSBuffer
from dnslib.buffer import BufferError as DnslibError
from dnslib.dns import DNSError

from suite.dns import rare_types, rrtype, svcb
from suite.dns.international import in_ascii
from suite.dns.name import ROOT, from_text, read, to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


SPACES = frozenset(" \t\r\n")
"""What parts words (RFC 1035 section 5.1): not all that Unicode calls a space."""


class RdataError(ValueError):
    """The text is no data of this type; the message says which field is wrong."""


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of record data: text tokens to octets, and octets at an offset to text and the next offset."""

    parse: Callable[[Tokens, bytes], bytes]
    show: Callable[[bytes, int], tuple[str, int]]


class Tokens:
    r"""The tokens of one record's data: words and quoted strings, escapes still in them."""

    def __init__(self, text: str) -> None:
        self._tokens = list(tokens(text))
        self._at = 0

    def next(self, what: str) -> str:
        if self._at == len(self._tokens):
            raise RdataError(f"{what} is missing")
        self._at += 1
        return self._tokens[self._at - 1][0]

    def rest(self) -> list[str]:
        left = [text for text, _ in self._tokens[self._at :]]
        self._at = len(self._tokens)
        return left

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise RdataError(f"{self._tokens[self._at][0]!r} is too much")


def parse_rdata(rtype: int, text: str, origin: bytes = ROOT) -> bytes:
    """Read one record's data; names without a final dot are below `origin`. RdataError says what is wrong."""
    words = Tokens(text)
    try:
        if text.lstrip().startswith("\\#"):
            octets = _parse_generic(words)
            check_rdata(rtype, octets)
            return octets
        if rtype in _FIELDS:
            octets = b"".join(field.parse(words, origin) for field in _FIELDS[rtype])
            _check_whole(rtype, octets)
        else:
            octets = _parse_dnslib(rtype, words.rest(), origin)
        words.end()
    except ValueError as error:
        raise RdataError(f"{rrtype.type_to_text(rtype)} {text}: {error}") from None
    if len(octets) > 0xFFFF:
        raise RdataError("record data has at most 65535 octets")
    return octets


def check_rdata(rtype: int, octets: bytes) -> None:
    """RdataError unless octets are data of a known type: written out and read again they are the same (RFC 3597 section 4)."""
    if rtype not in _FIELDS:
        return
    try:
        words = Tokens(_shown(rtype, octets))
        again = b"".join(field.parse(words, ROOT) for field in _FIELDS[rtype])
        words.end()
        _check_whole(rtype, again)
    except (IndexError, ValueError) as error:
        reason = "they are cut short" if isinstance(error, IndexError) else str(error)
        raise RdataError(f"these octets are no {rrtype.type_to_text(rtype)} record: {reason}") from None
    if again != octets:
        raise RdataError(f"these octets are no {rrtype.type_to_text(rtype)} record")


def _check_whole(rtype: int, octets: bytes) -> None:
    """What no field can tell alone: a digest has the length of its kind, an alias has no parameters (RFC 9460 section 2.4.2)."""
    if rtype in _DIGESTS:
        at, behind, lengths = _DIGESTS[rtype]
        length, found = lengths.get(octets[at]), len(octets) - behind
        if length == 0:
            raise RdataError("digests of kind 0 are reserved")
        if found != (length or max(found, _SHORTEST.get(rtype, 0))):
            raise RdataError(f"a digest of this kind has {length or _SHORTEST[rtype]} octets, not {found}")
    if rtype == 63 and not octets[4]:
        raise RdataError("scheme 0 is reserved")
    if rtype in {rrtype.SVCB, rrtype.HTTPS} and octets[:2] == bytes(2) and read(octets, 2)[1] < len(octets):
        raise RdataError("a record of priority 0 is an alias and has no parameters")


def format_rdata(rtype: int, octets: bytes) -> str:
    """Write one record's data; what does not fit its type comes out in the generic form."""
    if rtype in _FIELDS:
        with suppress(IndexError, ValueError):
            return _shown(rtype, octets)
    return f"\\# {len(octets)} {octets.hex()}".rstrip()


def _shown(rtype: int, octets: bytes) -> str:
    """The fields of a record as text; IndexError or ValueError where the octets are none of its type."""
    at, shown = 0, []
    for field in _FIELDS[rtype]:
        text, at = field.show(octets, at)
        shown.append(text)
    if at != len(octets):
        raise RdataError(f"{len(octets) - at} octets are too much")
    return " ".join(text for text in shown if text)


def tokens(text: str) -> Iterator[tuple[str, bool]]:
    """Split text into words and quoted strings (True); escapes stay, quotes go. RdataError for an open quote."""
    at = 0
    while at < len(text):
        if text[at] in SPACES:
            at += 1
            continue
        is_quoted = text[at] == '"'
        end = _token_end(text, at + is_quoted, is_quoted)
        yield text[at + is_quoted : end], is_quoted
        at = end + is_quoted


def _token_end(text: str, at: int, is_quoted: bool) -> int:
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        if (text[at] == '"') if is_quoted else text[at] in SPACES:
            return at
        # A key="value" pair of SVCB holds its quotes inside a word.
        at = _token_end(text, at + 1, is_quoted=True) if text[at] == '"' else at
        at += 1
    if is_quoted:
        raise RdataError("a quoted string has no end")
    return len(text)


def unescape(text: str) -> bytes:
    r"""Octets of a character string: `\"`, `\034` (RFC 1035 section 5.1)."""
    out, at = bytearray(), 0
    while at < len(text):
        digits = text[at + 1 : at + 4]
        if text[at] != "\\":
            out += text[at].encode()
            at += 1
        elif len(digits) == 3 and digits.isascii() and digits.isdigit():
            out.append(_octet(digits))
            at += 4
        elif digits:
            out += digits[0].encode()
            at += 2
        else:
            raise RdataError("an escape is cut short")
    return bytes(out)


def quote(octets: bytes) -> str:
    """Give a character string in quotes, octets that are not plain ASCII escaped."""
    return '"' + "".join(_escaped(octet) for octet in octets) + '"'


def _escaped(octet: int) -> str:
    if octet in b'"\\':
        return "\\" + chr(octet)
    return chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03}"


def _octet(digits: str) -> int:
    if int(digits) > 0xFF:
        raise RdataError(f"\\{digits} is no octet")
    return int(digits)


def _parse_generic(words: Tokens) -> bytes:
    words.next("\\#")
    size, octets = words.next("the length"), "".join(words.rest())
    try:
        found = bytes.fromhex(octets)
    except ValueError:
        raise RdataError("the generic form holds no hexadecimal digits") from None
    if not size.isdigit() or len(found) != int(size):
        raise RdataError(f"the generic form announces {size} octets and holds {len(found)} (RFC 3597 section 5)")
    return found


def _parse_dnslib(rtype: int, words: list[str], origin: bytes) -> bytes:
    mnemonic = QTYPE.forward.get(rtype, "")
    rdata = RDMAP.get(mnemonic, RD)
    if rdata is RD:
        raise RdataError(
            f"{rrtype.type_to_text(rtype)} is written in the generic form: \\# 2 0a00 (RFC 3597 section 5)"
        )
    buffer = DNSBuffer()
    try:
        rdata.fromZone(words, to_text(origin)).pack(buffer)
    except (DNSError, DnslibError, ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise RdataError(f"not understood ({error})") from None
    return bytes(buffer.data)


def _number(what: str, size: int) -> _Field:
    def parse(words: Tokens, _: bytes) -> bytes:
        text = words.next(what)
        if not (text.isascii() and text.isdigit()) or int(text) >> 8 * size:
            raise RdataError(f"{what} {text!r} is no number of {8 * size} bits")
        return int(text).to_bytes(size)

    def show(octets: bytes, at: int) -> tuple[str, int]:
        _need(octets, at + size)
        return str(int.from_bytes(octets[at : at + size])), at + size

    return _Field(parse, show)


def _address(what: str, size: int) -> _Field:
    family = ipaddress.IPv4Address if size == 4 else ipaddress.IPv6Address

    def show(octets: bytes, at: int) -> tuple[str, int]:
        _need(octets, at + size)
        return str(family(octets[at : at + size])), at + size

    return _Field(lambda words, _: family(words.next(what)).packed, show)


def _named(what: str, size: int, names: Mapping[str, int]) -> _Field:
    """A number that may be written by its name."""
    return _Field(lambda words, _: rare_types.number(words.next(what), size, names), _number(what, size).show)


def _groups(separator: str, digits: int, count: int) -> _Field:
    """Octets as groups of hexadecimal digits."""
    size = digits * count // 2

    def show(octets: bytes, at: int) -> tuple[str, int]:
        _need(octets, at + size)
        return rare_types.shown_groups(octets[at : at + size], separator, digits), at + size

    return _Field(lambda words, _: rare_types.groups(words.next("a number"), separator, digits, count), show)


def _show_name(octets: bytes, at: int) -> tuple[str, int]:
    if at >= len(octets):
        raise RdataError("a name is missing")
    found, behind = read(octets, at)
    if octets[at:behind] != found:
        raise RdataError("a name is compressed")
    return to_text(found), behind


def _string(text: str) -> bytes:
    octets = unescape(text)
    if len(octets) > 0xFF:
        raise RdataError(f"a character string has at most 255 octets, not {len(octets)}")
    return bytes([len(octets)]) + octets


def _parse_strings(words: Tokens, _: bytes) -> bytes:
    return b"".join(_string(text) for text in [words.next("a string"), *words.rest()])


def _parse_one_or_two(words: Tokens, _: bytes) -> bytes:
    first, second = words.next("a string"), words.rest()
    if len(second) > 1:
        raise RdataError(f"{second[1]!r} is too much")
    return _string(first) + b"".join(_not_empty("the subaddress", unescape(text)) and _string(text) for text in second)


def _show_string(octets: bytes, at: int) -> tuple[str, int]:
    behind = at + 1 + octets[at]
    _need(octets, behind)
    return quote(octets[at + 1 : behind]), behind


def _bare(shown: tuple[str, int]) -> tuple[str, int]:
    """Take the quotes off, as the tag of a CAA record stands (RFC 8659 section 4.1)."""
    return shown[0][1:-1], shown[1]


def _tag(text: str) -> bytes:
    """The tag of a CAA record: letters and digits (RFC 8659 section 4.1)."""
    if not (text.isascii() and text.isalnum()):
        raise RdataError(f"{text!r} is no tag of letters and digits")
    return _string(text)


def _not_empty(what: str, octets: bytes) -> bytes:
    if not octets:
        raise RdataError(f"{what} is empty")
    return octets


def _show_strings(octets: bytes, at: int) -> tuple[str, int]:
    shown: list[str] = []
    while at < len(octets) or not shown:
        text, at = _show_string(octets, at)
        shown.append(text)
    return " ".join(shown), at


def _parse_hex(words: Tokens, _: bytes) -> bytes:
    try:
        return bytes.fromhex("".join(words.rest()))
    except ValueError:
        raise RdataError("hexadecimal digits are wrong") from None


def _parse_base64(words: Tokens, _: bytes) -> bytes:
    try:
        return base64.b64decode("".join(words.rest()), validate=True)
    except binascii.Error:
        raise RdataError("base64 digits are wrong") from None


def _need(octets: bytes, size: int) -> None:
    if size > len(octets):
        raise RdataError("record data is cut short")


_NAME = _Field(lambda words, origin: from_text(in_ascii(words.next("a name")), origin), _show_name)
_STRING = _Field(lambda words, _: _string(words.next("a string")), _show_string)
_TAG = _Field(lambda words, _: _tag(words.next("a tag")), lambda octets, at: _bare(_show_string(octets, at)))
_STRINGS = _Field(_parse_strings, _show_strings)
_ONE_OR_TWO = _Field(_parse_one_or_two, _show_strings)
_HEX = _Field(_parse_hex, lambda octets, at: (octets[at:].hex(), len(octets)))
_BASE64 = _Field(_parse_base64, lambda octets, at: (base64.b64encode(octets[at:]).decode(), len(octets)))
_LONG = _Field(lambda words, _: unescape(words.next("a value")), lambda octets, at: (quote(octets[at:]), len(octets)))
_TARGET = _Field(lambda words, _: _not_empty("a target", unescape(words.next("a target"))), _LONG.show)
_PARAMETERS = _Field(
    lambda words, _: svcb.parse([(text, unescape) for text in words.rest()]),
    lambda octets, at: (svcb.show(octets[at:]), len(octets)),
)
_CERTIFICATE = (
    _named("type", 2, rare_types.CERTIFICATES), _number("key tag", 2), _named("algorithm", 1, rare_types.ALGORITHMS), _BASE64,
)  # fmt: skip
_APL = _Field(
    lambda words, _: rare_types.prefixes(words.rest()),
    lambda octets, at: (rare_types.shown_prefixes(octets[at:]), len(octets)),
)
_HIP = _Field(
    lambda words, origin: rare_types.host_identity(words.rest(), origin),
    lambda octets, at: (rare_types.shown_host_identity(octets[at:]), len(octets)),
)
_V4, _V6 = _address("an IPv4 address", 4), _address("an IPv6 address", 16)
_SERVICE = (_number("priority", 2), _NAME, _PARAMETERS)
_KEY = (_number("flags", 2), _number("protocol", 1), _number("algorithm", 1), _BASE64)
_DIGEST = (_number("key tag", 2), _number("algorithm", 1), _number("digest type", 1), _HEX)
_MATCHING = (_number("usage", 1), _number("selector", 1), _number("matching type", 1), _HEX)

_FIELDS: dict[int, tuple[_Field, ...]] = {
    rrtype.A: (_V4,),
    rrtype.AAAA: (_V6,),
    rrtype.NS: (_NAME,),
    rrtype.CNAME: (_NAME,),
    rrtype.PTR: (_NAME,),
    rrtype.DNAME: (_NAME,),
    rrtype.SOA: (_NAME, _NAME, *(_number(text, 4) for text in ("serial", "refresh", "retry", "expire", "minimum"))),
    rrtype.MX: (_number("preference", 2), _NAME),
    rrtype.SRV: (_number("priority", 2), _number("weight", 2), _number("port", 2), _NAME),
    rrtype.TXT: (_STRINGS,),
    99: (_STRINGS,),
    rrtype.HINFO: (_STRING, _STRING),
    17: (_NAME, _NAME),
    18: (_number("subtype", 2), _NAME),
    19: (_STRING,),
    20: (_ONE_OR_TWO,),
    21: (_number("preference", 2), _NAME),
    25: _KEY,
    26: (_number("preference", 2), _NAME, _NAME),
    rrtype.NAPTR: (_number("order", 2), _number("preference", 2), _STRING, _STRING, _STRING, _NAME),
    36: (_number("preference", 2), _NAME),
    37: _CERTIFICATE,
    42: (_APL,),
    44: (_number("algorithm", 1), _number("type", 1), _HEX),
    49: (_BASE64,),
    61: (_BASE64,),
    rrtype.DS: _DIGEST,
    55: (_HIP,),
    59: _DIGEST,
    rrtype.DNSKEY: _KEY,
    60: _KEY,
    rrtype.TLSA: _MATCHING,
    53: _MATCHING,
    63: (_number("serial", 4), _number("scheme", 1), _number("algorithm", 1), _HEX),
    104: (_number("preference", 2), _groups(":", 4, 4)),
    105: (_number("preference", 2), _V4),
    106: (_number("preference", 2), _groups(":", 4, 4)),
    107: (_number("preference", 2), _NAME),
    108: (_groups("-", 2, 6),),
    109: (_groups("-", 2, 8),),
    rrtype.SVCB: _SERVICE,
    rrtype.HTTPS: _SERVICE,
    256: (_number("priority", 2), _number("weight", 2), _TARGET),
    rrtype.CAA: (_number("flags", 1), _TAG, _LONG),
}

_DIGESTS: dict[int, tuple[int, int, dict[int, int]]] = {
    rrtype.DS: (3, 4, {0: 0, 1: 20, 2: 32, 3: 32, 4: 48}),
    44: (1, 2, {1: 20, 2: 32}),
    rrtype.TLSA: (2, 3, {1: 32, 2: 64}),
    53: (2, 3, {1: 32, 2: 64}),
    59: (3, 4, {0: 1, 1: 20, 2: 32, 3: 32, 4: 48}),
    63: (5, 6, {0: 0, 1: 48, 2: 64}),
}
"""Where the kind of a digest stands, where the digest begins, and how long it is by kind, 0 for none (RFC 4034, 4255, 6698, 8078, 8976)."""
_SHORTEST = {63: 12}
