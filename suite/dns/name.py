r"""Domain names as wire-form bytes: `\3www\7example\0`.

A name is plain `bytes`, length octets and the root's zero included, never compressed. Two facts make this cheap:
`bytes.lower()` folds ASCII letters only, and a length octet (at most 63) lies below the letters, so `name.lower()`
is exactly the case folding of RFC 4343; and every ancestor of a name is one of its suffixes. Any octet may stand in a
label (RFC 2181 section 11); text form with its escapes exists only here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = b"\x00"
MAX_NAME = 255
MAX_LABEL = 63
_POINTER = 0xC0
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*/+=:,!#%&'<>?[]^`{}|~")


class DomainNameError(ValueError):
    """The text or the octets are no domain name (RFC 1035 section 3.1); the message says why."""


def from_text(text: str, origin: bytes = ROOT) -> bytes:
    r"""Read presentation form (RFC 1035 section 5.1: `\.`, `\065`); without a final dot the name is below `origin`."""
    if text == "@":
        return origin
    if text == ".":
        return ROOT
    labels, absolute = _split(text)
    return _checked(from_labels(labels)[:-1] + (ROOT if absolute else origin))


def to_text(name: bytes) -> str:
    """Presentation form, always absolute (with the final dot)."""
    return "".join(_label_text(label) + "." for label in labels(name)) or "."


def from_labels(parts: Iterable[bytes]) -> bytes:
    """Join labels, leftmost first, into an absolute name."""
    out = bytearray()
    for part in parts:
        if not 0 < len(part) <= MAX_LABEL:
            raise DomainNameError(f"a label has 1 to {MAX_LABEL} octets, not {len(part)}")
        out.append(len(part))
        out += part
    return _checked(bytes(out) + ROOT)


def labels(name: bytes) -> Iterator[bytes]:
    """Give the labels, leftmost first, without the root."""
    at = 0
    while size := name[at]:
        yield name[at + 1 : at + 1 + size]
        at += 1 + size


def parent(name: bytes) -> bytes:
    """Drop the leftmost label; the root is its own parent."""
    return name[1 + name[0] :] if name != ROOT else ROOT


def ancestors(name: bytes) -> Iterator[bytes]:
    """Give the name itself, then each parent up to and including the root."""
    while name != ROOT:
        yield name
        name = name[1 + name[0] :]
    yield ROOT


def is_below(name: bytes, origin: bytes) -> bool:
    """Tell whether the folded `name` is the folded `origin` or below it, on a label boundary."""
    return any(above == origin for above in ancestors(name)) if name.endswith(origin) else False


def is_wildcard(name: bytes) -> bool:
    """Tell whether the leftmost label is a lone asterisk (RFC 4592 section 2.1.1)."""
    return name.startswith(b"\x01*")


def canonical_key(name: bytes) -> tuple[bytes, ...]:
    """Sort key of RFC 4034 section 6.1: folded labels, rightmost first."""
    return tuple(reversed(list(labels(name.lower()))))


def read(packet: bytes, at: int, known: dict[int, bytes] | None = None) -> tuple[bytes, int]:
    """Read a possibly compressed name; return it whole and the offset behind it.

    A pointer must point before the name it stands in, and each further one before the last (RFC 1035 section 4.1.4
    says "prior occurrence"), so a loop cannot be written down. Who reads many names of one packet passes a dict: what
    was found at an offset is `known` from then on, so all of them together cost no more steps than the packet has octets.
    """
    out, passed = bytearray(), []
    behind, floor = 0, at
    try:
        while size := packet[at]:
            if known is not None:
                if behind and at in known:
                    out += known[at][:-1]
                    break
                passed.append((at, len(out)))
            if size <= MAX_LABEL:
                out += packet[at : at + 1 + size]
                at += 1 + size
                if len(out) >= MAX_NAME:
                    raise DomainNameError("a name is longer than 255 octets")
                continue
            if size < _POINTER:
                raise DomainNameError("label type 01 or 10")
            target = (size & 0x3F) << 8 | packet[at + 1]
            behind = behind or at + 2
            if target >= floor:
                raise DomainNameError("a compression pointer does not point back")
            at = floor = target
    except IndexError:
        raise DomainNameError("a name runs over the end of the packet") from None
    if len(out) >= MAX_NAME:
        raise DomainNameError("a name is longer than 255 octets")
    name = bytes(out) + ROOT
    if known is not None:
        known.update((place, name[start:]) for place, start in passed)
    return name, behind or at + 1


def split_wire(rdata: bytes, at: int) -> int:
    """Return the offset behind the uncompressed name that starts at `at`."""
    while size := rdata[at]:
        at += 1 + size
    return at + 1


def _checked(name: bytes) -> bytes:
    if len(name) > MAX_NAME:
        raise DomainNameError(f"a name has at most {MAX_NAME} octets, not {len(name)}")
    return name


def _split(text: str) -> tuple[list[bytes], bool]:
    parts, current, at = [], bytearray(), 0
    while at < len(text):
        character = text[at]
        if character == ".":
            parts.append(bytes(current))
            current.clear()
            at += 1
            continue
        octets, at = _octets(text, at)
        current += octets
    absolute = not current and bool(parts)
    return (parts if absolute else [*parts, bytes(current)]), absolute


def _octets(text: str, at: int) -> tuple[bytes, int]:
    if text[at] != "\\":
        return text[at].encode(), at + 1
    digits = text[at + 1 : at + 4]
    if len(digits) == 3 and digits.isascii() and digits.isdigit():
        if int(digits) > 255:
            raise DomainNameError(f"\\{digits} is no octet")
        return bytes([int(digits)]), at + 4
    if at + 1 == len(text) or text[at + 1].isdigit():
        raise DomainNameError("an escape is cut short")
    return text[at + 1].encode(), at + 2


def _label_text(label: bytes) -> str:
    return "".join(chr(c) if c in _PLAIN else f"\\{c:03}" if not 0x21 <= c <= 0x7E else f"\\{chr(c)}" for c in label)
