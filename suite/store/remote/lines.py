"""A snapshot as lines of JSON, whole or as what changed; the form of the feed and of the file a follower keeps.

    {"format":1,"version":"0.1.0","kind":"base","epoch":"..","revision":7,"at":"..","digest":".."}
    ["configuration",[],{..}]        never with a password in it; in changes only when it changed
    ["small",[],{..}]                single values and short lists, all of them each time
    ["service",["default","coffee"],{..}]
    ["lease",["10.0.42.0"],[{..}]]   all open leases of an address; null: it has none any more
    ["secrets",[],{..}]              what the asking role uses, and not part of the digest
    ["end",[],9]                     how many lines came before, the header apart

The digest is the sum of a hash of each line between header and secrets, as they stand in a *base*: it costs one change
what one change costs, on both sides, and does not depend on an order.  A reader ignores fields that it does not know and
takes the default for those that are missing, so releases next to each other understand one another.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from functools import cache
from hashlib import blake2b
from typing import Any, NamedTuple

from suite.model.address import Address, parse_address
from suite.model.lease import Lease, Reservation
from suite.model.snapshot import Snapshot
from suite.store import rows

FORMAT = 1
_SIZE = 16
_MODULUS = 1 << 8 * _SIZE

Key = tuple[Any, ...]
Item = tuple[str, Key]
"""What a line is about: its table and key."""


class FeedError(ValueError):
    """A feed or a kept file says what cannot be: it is broken, cut off, or of another format."""


class Position(NamedTuple):
    """Where a follower stands."""

    epoch: str
    revision: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.revision}"


def read_position(text: str) -> Position | None:
    """``EPOCH:REVISION``; None for anything else."""
    epoch, _, number = text.strip().strip('"').rpartition(":")
    return Position(epoch, int(number)) if epoch and number.isascii() and number.isdigit() else None


@dataclass(frozen=True, slots=True)
class Header:
    """The first line."""

    kind: str
    """``base`` or ``changes``."""
    epoch: str
    revision: int
    at: datetime
    digest: str
    format: int
    version: str = ""
    after: str = ""
    """The position that changes are told after."""
    ahead: tuple[Address, ...] = ()
    """The free addresses that come next, for speakers to ask the network about."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What only some roles are told; nothing of it is in a repr."""

    heartbeat_keys: tuple[str, ...] = field(default=(), repr=False)
    passwords: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Of BGP peers, by the peer's name."""
    tsig_keys: str = field(default="", repr=False)
    """The text of the file of TSIG keys."""


TABLES: Mapping[str, str] = {table: each[2] for table, each in rows.DOCUMENTS.items()} | {
    "lease": "leases",
    "reservation": "reservations",
    "record": "records",
}
"""Tables of lines, and the map of the snapshot that each is."""

SMALL: Mapping[str, Any] = {
    "drained": frozenset[str],
    "drained_nodes": frozenset[str],
    "withheld": str,
    "confirmed": str,
}
"""Single values and short lists of the snapshot, with their types."""

DEFAULTS: Mapping[str, Any] = {each.name: each.default for each in fields(Snapshot) if each.default is not MISSING}

OTHERS = frozenset({"epoch", "revision", "at", "configuration", "holdings", "heartbeat_keys"})
"""Fields of the snapshot that header, configuration, leases and secrets tell; a test holds that no field is forgotten."""


def line(table: str, key: Key, document: str) -> bytes:
    """One line, with its end; ``document`` is JSON."""
    return f'["{table}",{json.dumps(key, separators=(",", ":"))},{document}]\n'.encode()


def header_line(header: Header) -> bytes:
    """The first line."""
    return rows.dump(Header, header).encode() + b"\n"


def secrets_line(secrets: Secrets) -> bytes:
    """The line that is not part of the digest."""
    return line("secrets", (), rows.dump(Secrets, secrets))


def end_line(count: int) -> bytes:
    """The last line, after ``count`` others."""
    return line("end", (), str(count))


def weight(text: bytes) -> int:
    """What a line adds to the digest."""
    return int.from_bytes(blake2b(text, digest_size=_SIZE).digest(), "big")


def total(weights: Iterable[int], begin: int = 0) -> int:
    """The sum that is the digest."""
    return (begin + sum(weights)) % _MODULUS


def digest_text(number: int) -> str:
    """The digest as it is sent."""
    return f"{number:0{2 * _SIZE}x}"


def base_lines(snapshot: Snapshot) -> Iterator[bytes]:
    """Every line between header and secrets."""
    yield configuration_line(snapshot)
    yield small_line(snapshot)
    for table, name in TABLES.items():
        for key, value in getattr(snapshot, name).items():
            yield line(table, written_key(table, key), _document(table, value))


def configuration_line(snapshot: Snapshot) -> bytes:
    """The configuration, never with a password in it."""
    return line("configuration", (), rows.dump_configuration(snapshot.configuration))


def small_line(snapshot: Snapshot) -> bytes:
    """The line that every answer holds."""
    values = {name: getattr(snapshot, name) for name in SMALL}
    values = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}
    return line("small", (), json.dumps(values, separators=(",", ":"), sort_keys=True))


def line_of(snapshot: Snapshot, table: str, key: Any) -> bytes | None:
    """The line about one key of the snapshot; None where it has no such thing."""
    value = getattr(snapshot, TABLES[table]).get(key)
    return None if value is None else line(table, written_key(table, key), _document(table, value))


GONE = b",null]\n"
"""How a line ends that says that something is no more."""


def gone_line(table: str, key: Any) -> bytes:
    """The line that says that a key is no more."""
    return line(table, written_key(table, key), "null")


def written_key(table: str, key: Any) -> Key:
    """A key of the snapshot as it is written."""
    if table in {"lease", "reservation"}:
        return (str(key),)
    return rows.record_row(key) if table == "record" else rows.document_key(key)


def read_key(table: str, key: list[Any]) -> Any:
    """The inverse of :func:`written_key`."""
    if table in {"lease", "reservation"}:
        return parse_address(key[0])
    return rows.record_of(key) if table == "record" else rows.snapshot_key(key)


def read_document(table: str, document: Any) -> Any:
    """The value of a line.

    Raises:
        ValueError: it is no such thing; pydantic's error is one.
    """
    if table == "record":
        return True
    return _adapter_of(table).validate_python(document)


def read_small(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a snapshot that the small line gives; one that it does not name gets its default."""
    return {
        name: rows.adapter(kind).validate_python(document[name]) if name in document else DEFAULTS[name]
        for name, kind in SMALL.items()
    }


def _document(table: str, value: Any) -> str:
    if table == "lease":
        return f"[{','.join(rows.dump(Lease, each) for each in value)}]"
    if table == "record":
        return "true"
    return rows.dump(Reservation if table == "reservation" else rows.DOCUMENTS[table][1], value)


@cache
def _adapter_of(table: str) -> Any:
    if table == "lease":
        return rows.adapter(tuple[Lease, ...])
    return rows.adapter(Reservation if table == "reservation" else rows.DOCUMENTS[table][1])
