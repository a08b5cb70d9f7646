"""Text to values: durations, flags, whole numbers, communities, listen addresses; each with the inverse where one is needed.

Every function raises ValueError with a message that says what is wrong and what would be right.
"""

import re

from suite.model.address import Address, Range, address_key, parse_address, parse_range
from suite.model.advertisement import Community
from suite.model.configuration import Listen
from suite.model.reverse import is_reverse

UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""Go's units (``time.ParseDuration``), and days."""
DURATION = re.compile(r"(?:\d{1,15}(?:\.\d{0,15})?(?:ns|us|µs|ms|s|m|h|d))+", re.ASCII)
PART = re.compile(r"([\d.]+)(ns|us|µs|ms|s|m|h|d)")
PLAIN = re.compile(r"\d{1,15}(?:\.\d{1,15})?", re.ASCII)
WHOLE = re.compile(r"[+-]?\d{1,20}", re.ASCII)
HEXADECIMAL = re.compile(r"0x[0-9A-Fa-f]{1,16}", re.ASCII)
PREFIX_LENGTH = re.compile(r"\d{1,3}", re.ASCII)
CLASSLESS = re.compile(r"(?<![^.])[0-9]{1,3}/[0-9]{1,2}(?![^.])", re.ASCII)
LABEL = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?|\*)", re.ASCII)
LONGEST = 10 * 365 * 86400.0
"""Ten years in seconds: longer is a slip of the hand, and overflows calendars."""

TRUE = frozenset({"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})
FALSE = frozenset({"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})


class CodedError(ValueError):
    """A bad value whose fault has a code of its own."""

    code = ""


class MalformedCommunityError(CodedError):
    """Not of the shape of a community at all; it may be the name of one."""

    code = "community.malformed"


class CommunityRangeError(CodedError):
    """Of the shape of a community, with a part that is no number of its width."""

    code = "community.out_of_range"


class InvertedRangeError(CodedError):
    """A range whose first address lies behind its last."""

    code = "pool.range_inverted"


def parse_duration(text: str) -> float:
    """Seconds: ``90``, ``90s``, ``3m0s``, ``1h30m``, ``250ms``, ``2d``."""
    written = text.strip()
    if PLAIN.fullmatch(written):
        seconds = float(written)
    elif DURATION.fullmatch(written):
        seconds = sum(float(number) * UNITS[unit] for number, unit in PART.findall(written))
    else:
        raise ValueError(
            f"{text!r} is no duration; write seconds (90) or a number with its unit (90s, 10m, 1h30m, 250ms)"
        )
    if seconds > LONGEST:
        raise ValueError(f"{text!r} is longer than ten years")
    return round(seconds, 9)


def duration_text(seconds: float) -> str:
    """The way Go prints a duration: ``1m30s``, ``3m0s``, ``1h0m0s``, ``250ms``, ``0s``."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:g}ms"
    minutes, rest = divmod(round(seconds, 9), 60)
    hours, minutes = divmod(int(minutes), 60)
    tail = f"{round(rest, 9):g}s"
    if hours:
        return f"{hours}h{minutes}m{tail}"
    return f"{minutes}m{tail}" if minutes else tail


def parse_whole(text: str) -> int:
    """A whole number; leading zeros change nothing (YAML 1.1 would read 010 as eight)."""
    if WHOLE.fullmatch(text):
        return int(text)
    if HEXADECIMAL.fullmatch(text):
        return int(text, 16)
    raise ValueError("no whole number")


def parse_community(text: str) -> Community:
    """``64512:100`` (RFC 1997) or ``large:64512:1:2`` (RFC 8092).

    Raises:
        MalformedCommunityError: neither shape.
        CommunityRangeError: the shape, but a part is no number of 16 (32) bits, or four parts without ``large``.
    """
    parts = text.split(":")
    if len(parts) not in {2, 4}:
        raise MalformedCommunityError(f"{text!r} is no community; write 64512:100 or large:64512:1:2")
    if len(parts) == 4 and parts.pop(0) != "large":
        raise CommunityRangeError(f"{text!r}: a community of four parts begins with large:")
    bits = 16 if len(parts) == 2 else 32
    numbers = tuple(int(part) if WHOLE.fullmatch(part) and part[0] not in "+-" else -1 for part in parts)
    if not all(0 <= number < 1 << bits for number in numbers):
        raise CommunityRangeError(f"{text!r}: each part is a number from 0 to {(1 << bits) - 1}")
    return Community(numbers)


def parse_span(text: str) -> Range:
    """``10.0.42.0/24``, ``10.10.10.10-10.10.10.250`` or one address, as :func:`suite.model.address.parse_range`.

    Raises:
        InvertedRangeError: the first address lies behind the last.
        ValueError: no addresses.
    """
    first, dash, last = text.strip().partition("-")
    network, slash, length = first.partition("/")
    if slash and (dash or not PREFIX_LENGTH.fullmatch(length) or (":" in network and "." in network)):
        raise ValueError(f"{text!r} is no network; write 10.0.42.0/24, 10.0.42.10-10.0.42.99 or 10.0.42.7")
    try:
        if dash and address_key(parse_address(first)) > address_key(parse_address(last)):
            raise InvertedRangeError(f"{text!r}: the first address lies behind the last; exchange them")
        return parse_range(text)
    except CodedError:
        raise
    except ValueError as fault:
        raise ValueError(f"{fault}; write 10.0.42.0/24, 10.0.42.10-10.0.42.99 or 10.0.42.7") from fault


def parse_listen(text: str) -> Listen:
    """``10.0.0.1:53``, ``[2001:db8::1]:53``."""
    host, colon, port = text.strip().rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        number, address = parse_port(port), parse_address(host)
    except ValueError:
        colon = ""
    if not colon:
        raise ValueError(f"{text!r} is no address and port; write 127.0.0.1:53 or [::1]:53")
    return Listen(address, number)


def parse_port(text: str) -> int:
    """A port from 1 to 65535."""
    number = parse_whole(text)
    if not 0 < number < 65536:
        raise ValueError("a port is a number from 1 to 65535")
    return number


def parse_name(text: str) -> str:
    """A domain name in small letters (RFC 1035 section 2.3.1, with ``_`` and a ``*`` label); ``.`` at the end stays.

    Raises:
        ValueError: an empty label, one of more than 63 octets, other characters, or more than 253 in all.
    """
    name = text.strip().lower()
    labels = name.removesuffix(".").split(".")
    if len(name.removesuffix(".")) > 253 or not all(LABEL.fullmatch(label) for label in labels):
        raise ValueError(
            f"{text!r} is no name; write labels of letters, digits and - with dots between, such as web.service"
        )
    return name


def parse_owner(text: str) -> str:
    """The name of a record: as :func:`parse_name`, in reverse also with a classless label such as ``0/26`` (RFC 2317)."""
    parse_name(CLASSLESS.sub("0", text) if is_reverse(text.strip()) else text)
    return text.strip().lower()


def parse_zone(text: str) -> str:
    """A zone in full, with the dot at the end; no wildcard."""
    name = parse_name(text)
    if "*" in name:
        raise ValueError(f"{text!r}: a zone has no wildcard")
    return name.removesuffix(".") + "."


def family_of(addresses: list[Address]) -> str:
    """``ipv4``, ``ipv6``, or ``dual`` for one of each.

    Raises:
        ValueError: none, two of one family, or more than two.
    """
    families = [address.version for address in addresses]
    if len(families) == 1:
        return f"ipv{families[0]}"
    if sorted(families) == [4, 6]:
        return "dual"
    raise ValueError("one address, or one of each family")
