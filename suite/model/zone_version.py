"""What a serial of a DNS zone stood for: the value that is kept of each version that a secondary may have."""

from dataclasses import dataclass

KEPT = 1_000
"""Versions kept of each zone; a secondary further behind gets the whole zone."""
ROOM = 16 << 20
"""Characters that the differences of one zone may have together."""
LONGEST = 1 << 20
"""Characters of one difference; above that the whole zone costs a secondary less."""
SPACE = 1 << 32
"""Serials there are; they are compared in the arithmetic of RFC 1982."""


@dataclass(frozen=True, slots=True)
class ZoneVersion:
    """One version of one zone.  Equal serials mean equal content, whichever server asks and whenever."""

    origin: str
    """The zone's name in lower case, with its dot at the end."""
    serial: int
    """Of the SOA record, below 2^32."""
    revision: int
    """Of the snapshot it was made from."""
    digest: str
    """Of its records, apart from the serial."""
    old_serial: int | None = None
    """Of the version that the difference leads from; None where no version came before it."""
    difference: str = ""
    """What changed since, as text; empty where it is too much or nobody knows."""


def led_to(known: dict[int, ZoneVersion], serial: int) -> list[ZoneVersion]:
    """The versions among these that lead to a serial step by step, oldest first; ``known`` is used up."""
    found: list[ZoneVersion] = []
    version = known.pop(serial, None)
    while version is not None:
        found.append(version)
        is_step = version.old_serial is not None and version.difference
        version = known.pop(version.old_serial, None) if is_step and version.old_serial is not None else None
    return found[::-1]


def is_newer(serial: int | None, than: int) -> bool:
    """In the arithmetic of RFC 1982 section 3.2."""
    return serial is not None and 0 < (serial - than) % SPACE < SPACE // 2
