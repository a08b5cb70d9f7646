"""From lines to a snapshot: one that is whole, or none.  It counts, adds up and compares before anything is believed.

A document that cannot be understood (a word that a newer release added, say) is left out and named; everything else of the
answer counts.  What is left out still weighs in the digest, because that is about what was sent.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from suite.model.address import Address
from suite.model.configuration import Configuration
from suite.model.lease import Lease
from suite.model.persistent import PersistentMap
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot
from suite.store import rows
from suite.store.collector import without_collector
from suite.store.remote import lines
from suite.store.remote.lines import FeedError, Header, Item, Position, Secrets

MOST_LINE = 16 << 20
"""Octets of one line that are read; a configuration with thousands of pools is far below."""

TOUCHES_ALL = {"configuration", "small", "node"}
"""Tables whose change may touch any Service."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a follower has: the snapshot, the secrets told with it, and what each line weighs."""

    snapshot: Snapshot = field(default_factory=Snapshot)
    secrets: Secrets = field(default_factory=Secrets)
    weights: dict[Item, int] = field(default_factory=dict, repr=False)
    """Mutable and handed on: only the newest Known has the right ones."""
    sum: int = 0
    ahead: tuple[Address, ...] = ()
    """The free addresses that come next, as they were told with the snapshot."""

    @property
    def position(self) -> Position | None:
        """Where it stands; None before the first whole answer."""
        return Position(self.snapshot.epoch, self.snapshot.revision) if self.snapshot.epoch else None


@dataclass(frozen=True, slots=True)
class Read:
    """One answer, understood."""

    known: Known
    touched: frozenset[ServiceRef] | None
    """None when any Service may differ."""
    left_out: tuple[str, ...] = ()
    """What could not be understood."""


@dataclass(slots=True)
class _Gathered:
    """The lines of one answer, before they count."""

    maps: dict[str, dict[Any, Any]] = field(default_factory=lambda: {table: {} for table in lines.TABLES})
    weights: dict[Item, int | None] = field(default_factory=dict)
    configuration: Configuration | None = None
    small: dict[str, Any] = field(default_factory=dict)
    secrets: Secrets = field(default_factory=Secrets)
    left_out: list[str] = field(default_factory=list)


def read(source: Iterable[bytes], before: Known) -> Read:
    """The answer in ``source``, told after ``before``.

    Raises:
        FeedError: it is cut off, broken, of another format, or does not follow from ``before``.
    """
    try:
        return _read(iter(source), before)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        if isinstance(error, FeedError):
            raise
        raise FeedError(f"a line cannot be read: {type(error).__name__}") from error


def _read(source: Iterator[bytes], before: Known) -> Read:
    header = _header(next(source, b""))
    is_base = header.kind == "base"
    if not is_base and header.after != str(before.position):
        raise FeedError(f"changes after {header.after} were sent to one who stands at {before.position}")
    with without_collector() if is_base else nullcontext():
        gathered = _gather(source)
    if is_base and gathered.configuration is None:
        raise FeedError("there is no configuration in it")
    weights, number = _weighed(gathered, {} if is_base else before.weights, 0 if is_base else before.sum)
    if lines.digest_text(number) != header.digest:
        raise FeedError("the digest differs")
    snapshot = _snapshot(header, gathered, Snapshot() if is_base else before.snapshot)
    touched = None if is_base else _touched(gathered, before)
    if not is_base:
        weights = _updated(before.weights, gathered)
    known = Known(snapshot, gathered.secrets, weights, number, header.ahead)
    return Read(known, touched, tuple(gathered.left_out))


def _header(text: bytes) -> Header:
    found = json.loads(text)
    if not isinstance(found, dict) or found.get("format") != lines.FORMAT:
        raise FeedError("it is of another format")
    header: Header = rows.adapter(Header).validate_python(found)
    if header.kind not in {"base", "changes"}:
        raise FeedError(f"nobody knows what {header.kind!r} is")
    return header


def _gather(source: Iterator[bytes]) -> _Gathered:
    gathered = _Gathered()
    for count, text in enumerate(source):
        table, key, document = json.loads(text)
        if table == "end":
            if document != count or next(source, None) is not None:
                raise FeedError(f"{count} lines came, {document} were sent")
            return gathered
        _take(gathered, text, table, tuple(key), document)
    raise FeedError("the end is missing")


def _take(gathered: _Gathered, text: bytes, table: str, key: tuple[Any, ...], document: Any) -> None:
    if table == "secrets":
        gathered.secrets = rows.adapter(Secrets).validate_python(document)
        return
    gathered.weights[table, key] = None if document is None else lines.weight(text)
    if table == "configuration":
        gathered.configuration = rows.adapter(Configuration).validate_python(document)
    elif table == "small":
        gathered.small = lines.read_small(document)
    elif table in lines.TABLES:  # a newer release may have others
        place = lines.read_key(table, list(key))
        try:
            gathered.maps[table][place] = None if document is None else lines.read_document(table, document)
        except ValueError:
            gathered.maps[table][place] = None
            gathered.left_out.append(f"{table} {place}")


def _weighed(gathered: _Gathered, old: dict[Item, int], begin: int) -> tuple[dict[Item, int], int]:
    """The weights that are new, and the sum after them."""
    fresh = {item: each for item, each in gathered.weights.items() if each is not None}
    gone = sum(old.get(item, 0) for item in gathered.weights)
    return fresh, lines.total(fresh.values(), begin - gone)


def _updated(weights: dict[Item, int], gathered: _Gathered) -> dict[Item, int]:
    """The same dictionary, up to date: a copy would cost what the whole snapshot has."""
    for item, each in gathered.weights.items():
        if each is None:
            weights.pop(item, None)
        else:
            weights[item] = each
    return weights


def _snapshot(header: Header, gathered: _Gathered, old: Snapshot) -> Snapshot:
    fields: dict[str, Any] = dict(gathered.small)
    for table, found in gathered.maps.items():
        if found:
            fields[lines.TABLES[table]] = _changed(getattr(old, lines.TABLES[table]), found)
    if gathered.maps["lease"]:
        fields["holdings"] = _holdings(old, gathered.maps["lease"])
    return replace(
        old,
        epoch=header.epoch,
        revision=header.revision,
        at=header.at,
        configuration=_completed(gathered, old),
        heartbeat_keys=gathered.secrets.heartbeat_keys,
        **fields,
    )


def _completed(gathered: _Gathered, old: Snapshot) -> Configuration:
    """The configuration with the passwords that were told; the same object when nothing differs, as roles compare it."""
    told = gathered.configuration or old.configuration
    passwords = dict(gathered.secrets.passwords)
    peers = tuple(replace(peer, password=passwords.get(peer.name, "")) for peer in told.peers)
    found = replace(told, peers=peers) if peers else told
    return old.configuration if found == old.configuration else found


def _changed(old: "PersistentMap[Any, Any]", found: dict[Any, Any]) -> "PersistentMap[Any, Any]":
    new = old
    for key in [key for key, value in found.items() if value is None]:
        new = new.discard(key)
    return new.update({key: value for key, value in found.items() if value is not None})


def _holdings(
    old: Snapshot, found: dict[Any, tuple[Lease, ...] | None]
) -> "PersistentMap[ServiceRef, tuple[Lease, ...]]":
    """The leases by Service, after those of some addresses changed."""
    refs: dict[ServiceRef, list[Lease]] = {}
    for address, leases in found.items():
        for lease in (*(old.leases.get(address) or ()), *(leases or ())):
            refs.setdefault(lease.ref, [])
    for ref, kept in refs.items():
        kept.extend(lease for lease in old.holdings.get(ref) or () if lease.address not in found)
    for leases in found.values():
        for lease in leases or ():
            refs[lease.ref].append(lease)
    grouped = {ref: tuple(sorted(kept, key=lambda each: each.id)) or None for ref, kept in refs.items()}
    return _changed(old.holdings, grouped)


def _touched(gathered: _Gathered, before: Known) -> frozenset[ServiceRef] | None:
    """The Services that these changes may make look different."""
    if any(_differs(gathered, item, before) for item in gathered.weights if item[0] in TOUCHES_ALL):
        return None
    refs: set[ServiceRef] = set()
    for table in ("service", "endpoints", "refusal"):
        refs |= gathered.maps[table].keys()
    for address, leases in gathered.maps["lease"].items():
        refs |= {lease.ref for lease in (*(before.snapshot.leases.get(address) or ()), *(leases or ()))}
    return frozenset(refs)


def _differs(gathered: _Gathered, item: Item, before: Known) -> bool:
    return gathered.weights[item] != before.weights.get(item)
