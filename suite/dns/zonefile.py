"""Zone files (RFC 1035 section 5, RFC 2308 section 4 for $TTL): read with every refused line named, and written.

A line that cannot be used becomes a Refused value with its number; the others are read all the same, so a person can
mend a file in one go. $INCLUDE and $GENERATE are refused: a file read here stands for itself. A line ends with LF or CRLF and with nothing else:
form feeds and the line ends that Unicode knows are octets like others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from suite.dns import rrtype
from suite.dns.international import in_ascii
from suite.dns.name import ROOT, canonical_key, from_text, is_below, to_text
from suite.dns.rdata import SPACES, format_rdata, parse_rdata
from suite.dns.rrset import MAX_SET, MAX_TTL, RRset, size_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_SPACES = "".join(SPACES)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_TTL = re.compile(r"(?:\d+[smhdw]?)+", re.IGNORECASE | re.ASCII)
_TTL_PART = re.compile(r"(\d+)([smhdw]?)", re.IGNORECASE | re.ASCII)
_WORD = re.compile(r'[ \t\r\n]*((?:\\.|"(?:\\.|[^"\\])*"|[^ \t\r\n"\\])+)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that was not read, and why."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a zone file gave: record sets in the order of the file, the lines that were refused, and where each record stands."""

    rrsets: tuple[RRset, ...]
    refused: tuple[Refused, ...]
    lines: Mapping[tuple[bytes, int, bytes], int] = field(default_factory=dict)
    """Numbers of lines by folded name, type and data."""


def read(text: str, origin: bytes, ttl: int = 3600) -> Reading:
    """Read a zone file; names without a final dot are below `origin`, `ttl` holds until a $TTL or a record sets one."""
    reader = _Reader(origin, ttl)
    refused = []
    for number, line, starts_blank, is_whole in _entries(text):
        try:
            reader.entry(number, line, starts_blank=starts_blank, is_whole=is_whole)
        except ValueError as error:
            refused.append(Refused(number, line.strip(), str(error)))
    return Reading(tuple(reader.found.values()), tuple(refused), reader.lines)


def write(rrsets: Iterable[RRset], origin: bytes) -> Iterator[str]:
    """Give the lines of a zone file: SOA first, then names in canonical order, owners below `origin` shortened."""
    yield f"$ORIGIN {to_text(origin)}"
    for rrset in sorted(rrsets, key=lambda r: (r.rtype != rrtype.SOA, canonical_key(r.name), r.rtype)):
        owner = _relative(rrset.name, origin)
        for rdata in rrset.rdatas:
            yield f"{owner}\t{rrset.ttl}\tIN\t{rrtype.type_to_text(rrset.rtype)}\t{format_rdata(rrset.rtype, rdata)}"


def parse_ttl(text: str) -> int:
    """Read seconds, or BIND's units: `1h30m`."""
    if not _TTL.fullmatch(text):
        raise ValueError(f"{text!r} is no TTL")
    seconds = sum(int(count) * _UNITS[unit.lower()] for count, unit in _TTL_PART.findall(text))
    if seconds > MAX_TTL:
        raise ValueError(f"TTL {text} is above {MAX_TTL} (RFC 2181 section 8)")
    return seconds


class _Reader:
    """Carries what one line leaves to the next: origin, default TTL, last owner."""

    def __init__(self, origin: bytes, ttl: int) -> None:
        self.found: dict[tuple[bytes, int], RRset] = {}
        self.lines: dict[tuple[bytes, int, bytes], int] = {}
        self._sizes: dict[tuple[bytes, int], int] = {}
        self._top = self._origin = origin
        self._ttl = ttl
        self._owner: bytes | None = None

    def entry(self, number: int, line: str, *, starts_blank: bool, is_whole: bool) -> None:
        if not is_whole:
            raise ValueError("a parenthesis is never closed")
        words = _split(line)
        if words[0].startswith("$"):
            self._directive(words)
            return
        if not starts_blank:
            self._owner = None  # a refused owner must not leave its records to the one before
            self._owner = from_text(in_ascii(words[0]), self._origin)
            line = line[line.index(words[0]) + len(words[0]) :]
        if self._owner is None:
            raise ValueError("the record has no owner")
        self._record(number, self._owner, line)

    def _directive(self, words: list[str]) -> None:
        directive = words[0].upper()
        if directive not in {"$ORIGIN", "$TTL"} or len(words) != 2:
            raise ValueError(f"{words[0]} is not read here")
        if directive == "$ORIGIN":
            self._origin = from_text(in_ascii(words[1]), self._origin)
        else:
            self._ttl = parse_ttl(words[1])

    def _record(self, number: int, owner: bytes, line: str) -> None:
        ttl, rtype, data = self._head(line)
        if not is_below(owner.lower(), self._top.lower()):
            raise ValueError(f"{to_text(owner)} is not in zone {to_text(self._top)}")
        if rtype in rrtype.META:
            raise ValueError(f"{rrtype.type_to_text(rtype)} is stored in no zone")
        rdata = parse_rdata(rtype, data, self._origin)
        ttl = self._ttl if ttl is None else ttl
        key = owner.lower(), rtype
        old = self.found.get(key)
        if old is None or rdata not in old.rdatas:
            self._make_room(key, rdata)
            self.lines[(*key, rdata)] = number
        if old is None:
            self.found[key] = RRset(owner, rtype, ttl, (rdata,))
        elif rdata not in old.rdatas:
            self.found[key] = replace(old, rdatas=(*old.rdatas, rdata), ttl=min(ttl, old.ttl))

    def _make_room(self, key: tuple[bytes, int], rdata: bytes) -> None:
        """Refuse a record with which its set would fit into no answer, not even over TCP."""
        size = self._sizes.get(key, 0) + size_of(rdata)
        if size > MAX_SET:
            raise ValueError(
                f"{size} octets of {rrtype.type_to_text(key[1])} records at one name; an answer has room for {MAX_SET}"
            )
        self._sizes[key] = size

    @staticmethod
    def _head(line: str) -> tuple[int | None, int, str]:
        """Read TTL and class in either order, then the type; give the rest of the line as data."""
        ttl, at = None, 0
        while (match := _WORD.match(line, at)) is not None:
            word, at = match.group(1), match.end()
            if _TTL.fullmatch(word):
                ttl = parse_ttl(word)
            elif word.upper() in {"CH", "HS", "CS"}:
                raise ValueError(f"class {word} is not served")
            elif word.upper() not in {"IN", "CLASS1"}:
                return ttl, _type(word), line[at:].strip(_SPACES)
        raise ValueError("the record has no type")


def _type(word: str) -> int:
    try:
        return rrtype.type_from_text(word)
    except ValueError as error:
        raise ValueError(
            f"{error}; one without a name here is written by its number: TYPE65280 \\# 2 0a00 (RFC 3597)"
        ) from None


def _entries(text: str) -> Iterator[tuple[int, str, bool, bool]]:
    """Join lines within parentheses and drop comments; give the first line's number, whether it starts blank, whether it ends."""
    depth, start = 0, 0
    parts: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not depth:
            start, parts = number, []
        kept, depth = _without_comment(line, depth)
        parts.append(kept)
        if depth <= 0 and " ".join(parts).strip(_SPACES):
            yield start, " ".join(parts), parts[0][:1] in SPACES, True
            depth = 0
    if depth > 0:
        yield start, " ".join(parts), parts[0][:1] in SPACES, False


def _without_comment(line: str, depth: int) -> tuple[str, int]:
    out, at, is_quoted = [], 0, False
    while at < len(line):
        character = line[at]
        if character == "\\":
            out.append(line[at : at + 2])
            at += 2
            continue
        if character == '"':
            is_quoted = not is_quoted
        elif character == ";" and not is_quoted:
            break
        elif character in "()" and not is_quoted:
            depth += 1 if character == "(" else -1
            character = " "
        out.append(character)
        at += 1
    return "".join(out), depth


def _split(line: str) -> list[str]:
    return [match.group(1) for match in _WORD.finditer(line)]


def _relative(name: bytes, origin: bytes) -> str:
    if name.lower() == origin.lower():
        return "@"
    if origin == ROOT or not is_below(name.lower(), origin.lower()):
        return to_text(name)
    return to_text(name[: len(name) - len(origin)] + ROOT)[:-1]
