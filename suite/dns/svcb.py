"""Parameters of SVCB and HTTPS records between text and octets (RFC 9460 sections 2.1, 2.2, 7 and appendix A)."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MANDATORY, ALPN, NO_DEFAULT_ALPN, PORT, IPV4HINT, ECH, IPV6HINT, DOHPATH = range(8)
_KEYS = {
    "mandatory": MANDATORY, "alpn": ALPN, "no-default-alpn": NO_DEFAULT_ALPN, "port": PORT, "ipv4hint": IPV4HINT,
    "ech": ECH, "ipv6hint": IPV6HINT, "dohpath": DOHPATH,
}  # fmt: skip
_NAMES = {number: text for text, number in _KEYS.items()}


def parse(words: list[tuple[str, Callable[[str], bytes]]]) -> bytes:
    """Read `key=value` words, each with the function that resolves its escapes; keys come out in ascending order."""
    found: dict[int, bytes] = {}
    for word, unescape in words:
        text, _, value = word.partition("=")
        key = _key(text)
        if key in found:
            raise ValueError(f"parameter {text} stands twice")
        if value.startswith('"') and value.endswith('"'):
            value = value[1:-1]
        found[key] = _value(key, value, unescape)
    _check(found)
    return b"".join(key.to_bytes(2) + len(found[key]).to_bytes(2) + found[key] for key in sorted(found))


def show(octets: bytes) -> str:
    """Write parameters; ValueError when the octets hold none."""
    return " ".join(_shown(key, value) for key, value in _pairs(octets))


def _pairs(octets: bytes) -> Iterator[tuple[int, bytes]]:
    at, last = 0, -1
    while at < len(octets):
        key, size = int.from_bytes(octets[at : at + 2]), int.from_bytes(octets[at + 2 : at + 4])
        at += 4 + size
        if at > len(octets) or key <= last:
            raise ValueError("parameters are cut short or out of order")
        last = key
        yield key, octets[at - size : at]


def _key(text: str) -> int:
    if text in _KEYS:
        return _KEYS[text]
    if text.startswith("key") and text[3:].isascii() and text[3:].isdigit() and int(text[3:]) < 0xFFFF:
        return int(text[3:])
    raise ValueError(f"{text!r} is no service parameter")


def _value(key: int, text: str, unescape: Callable[[str], bytes]) -> bytes:
    if key == MANDATORY:
        return b"".join(number.to_bytes(2) for number in sorted(_key(part) for part in text.split(",")))
    if key == ALPN:
        return b"".join(bytes([len(part)]) + part for part in _alpn_ids(unescape(text)))
    if key == PORT:
        return int(text).to_bytes(2) if text.isdigit() and int(text) <= 0xFFFF else _wrong("port", text)
    if key in {IPV4HINT, IPV6HINT}:
        family = ipaddress.IPv4Address if key == IPV4HINT else ipaddress.IPv6Address
        return b"".join(family(part).packed for part in text.split(","))
    if key == ECH:
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            return _wrong("ech", text)
    if key == NO_DEFAULT_ALPN and text:
        return _wrong("no-default-alpn", text)
    return unescape(text)


def _alpn_ids(octets: bytes) -> list[bytes]:
    r"""Split at commas that no backslash escapes (the second level of escapes of RFC 9460 appendix A.1)."""
    ids, current, at = [], bytearray(), 0
    while at < len(octets):
        if octets[at] == ord("\\") and at + 1 < len(octets):
            at += 1
            current.append(octets[at])
        elif octets[at] == ord(","):
            ids.append(bytes(current))
            current.clear()
        else:
            current.append(octets[at])
        at += 1
    ids.append(bytes(current))
    if any(not 0 < len(part) <= 255 for part in ids):
        raise ValueError("an ALPN id has 1 to 255 octets")
    return ids


def _check(found: dict[int, bytes]) -> None:
    mandatory = found.get(MANDATORY, b"")
    keys = [int.from_bytes(mandatory[at : at + 2]) for at in range(0, len(mandatory), 2)]
    if len(set(keys)) != len(keys) or any(key == MANDATORY or key not in found for key in keys):
        raise ValueError("mandatory names a parameter that is not there, twice, or itself")
    if NO_DEFAULT_ALPN in found and ALPN not in found:
        raise ValueError("no-default-alpn needs alpn")


def _shown(key: int, value: bytes) -> str:
    name = _NAMES.get(key, f"key{key}")
    if key == MANDATORY:
        numbers = (int.from_bytes(value[at : at + 2]) for at in range(0, len(value), 2))
        return f"{name}={','.join(_NAMES.get(number, f'key{number}') for number in numbers)}"
    if key == PORT and len(value) == 2:
        return f"{name}={int.from_bytes(value)}"
    if key in {IPV4HINT, IPV6HINT}:
        size, family = (4, ipaddress.IPv4Address) if key == IPV4HINT else (16, ipaddress.IPv6Address)
        return f"{name}={','.join(str(family(value[at : at + size])) for at in range(0, len(value), size))}"
    if key == ECH:
        return f"{name}={base64.b64encode(value).decode()}"
    if key == ALPN:
        return f'{name}="{",".join(_shown_ids(value))}"'
    return f'{name}="{_escaped(value)}"' if value else name


def _shown_ids(value: bytes) -> Iterator[str]:
    at = 0
    while at < len(value):
        size = value[at]
        part = value[at + 1 : at + 1 + size].replace(b"\\", b"\\\\").replace(b",", b"\\,")
        yield _escaped(part)
        at += 1 + size


def _escaped(octets: bytes) -> str:
    return "".join(chr(c) if 0x20 <= c < 0x7F and c not in b'"\\' else f"\\{c:03}" for c in octets)


def _wrong(what: str, text: str) -> bytes:
    raise ValueError(f"{what}={text!r} is wrong")
