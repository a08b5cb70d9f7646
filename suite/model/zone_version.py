"""What a serial of a DNS zone stood for: the value that the database keeps of each version that a secondary may have."""

from dataclasses import dataclass


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
