"""Versions of zones: what a serial stood for, in a form that a database can keep.  Pure.

A secondary believes the serial: content that differs under a serial it has seen never reaches it.  Serials are revisions
of the database, and equal revisions make equal zones, until a newer release of this program makes something else of them,
or two servers follow a burst of commits in different steps.  So a server with secondaries asks the database for the
serial of what it is about to serve: equal content keeps its serial, over restarts and on every machine, other content
gets a new one, and the difference between the two goes with it, for IXFR.

The digest is the sum of a hash of each record, so that a change costs its own records and not the zone.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from suite.dns import name, rrtype
from suite.dns.feed import ChangeZone, ReplaceZone, Update
from suite.dns.journal import Difference, difference
from suite.dns.rrset import RRset, soa_with_serial
from suite.dns.transfer import is_newer
from suite.dns.zone import Zone
from suite.model.zone_version import ZoneVersion

_SIZE = 16
_MODULUS = 1 << 8 * _SIZE


@dataclass(frozen=True, slots=True)
class Served:
    """A zone as it was served last, and the digest of its records."""

    zone: Zone
    digest: int


def next_serial(serial: int, revision: int) -> int:
    """The serial after ``serial``: the revision, unless that is not above it (RFC 1982)."""
    return revision & 0xFFFFFFFF if is_newer(revision & 0xFFFFFFFF, serial) else (serial + 1) & 0xFFFFFFFF


def version_of(update: Update, before: Served | None, after: Zone, revision: int) -> tuple[ZoneVersion, int]:
    """The version that an update of a zone makes, to be numbered by the database, and its digest as a number.

    ``before`` is None where this server served nothing yet: then all of the zone is looked at, and the version comes
    without a difference.
    """
    origin = name.to_text(after.origin)
    if before is None:
        digest = digest_of(after.rrsets())
        return ZoneVersion(origin, after.serial, revision, _text(digest)), digest
    changed = update.changes if isinstance(update, ChangeZone) else (*before.zone.rrsets(), *after.rrsets())
    step = difference(before.zone, after, ((each.name.lower(), each.rtype) for each in changed))
    digest = moved(before.digest, step)
    return ZoneVersion(origin, after.serial, revision, _text(digest), before.zone.serial, as_text(step)), digest


def with_serial(update: Update, after: Zone, serial: int) -> tuple[Update, Zone]:
    """An update and the zone it makes, under the serial that the database gave."""
    if serial == after.serial:
        return update, after
    zone = after.with_changes((), serial)
    if isinstance(update, ChangeZone):
        return replace(update, serial=serial), zone
    return ReplaceZone(zone), zone


def history_of(versions: Iterable[ZoneVersion]) -> tuple[Difference, ...]:
    """The differences of a chain of versions, oldest first.

    What cannot be read, or does not lead from one digest to the next (another server may have said it), makes the chain
    begin behind it.
    """
    found: list[Difference] = []
    before: ZoneVersion | None = None
    for version in versions:
        if version.difference:
            try:
                step = from_text(version.difference, version.serial)
            except (ValueError, TypeError, IndexError, KeyError):
                found.clear()
            else:
                if before is not None and not _leads(before, step, version):
                    found.clear()
                else:
                    found.append(step)
        before = version
    return tuple(found)


def _leads(before: ZoneVersion, step: Difference, version: ZoneVersion) -> bool:
    """Whether a difference makes the one version of the other."""
    try:
        return _text(moved(int(before.digest, 16), step)) == version.digest
    except ValueError:
        return False


def digest_of(rrsets: Iterable[RRset]) -> int:
    """The sum over all records; the serial of a SOA record does not count, nor does the order of anything."""
    return sum(_hash(rrset, rdata) for rrset in rrsets for rdata in rrset.rdatas) % _MODULUS


def moved(digest: int, step: Difference) -> int:
    """The digest after a difference."""
    gone, come = (*step.removed, step.old_soa), (*step.added, step.new_soa)
    return (digest - digest_of(gone) + digest_of(come)) % _MODULUS


def as_text(step: Difference) -> str:
    """A difference as JSON, octets in hex."""
    sets: Mapping[str, Any] = {
        "old": _row(step.old_soa),
        "new": _row(step.new_soa),
        "removed": [_row(rrset) for rrset in step.removed],
        "added": [_row(rrset) for rrset in step.added],
    }
    return json.dumps(sets, separators=(",", ":"))


def from_text(text: str, serial: int) -> Difference:
    """The inverse of :func:`as_text`; the version it leads to was numbered ``serial`` after it was written.

    Raises:
        ValueError, TypeError, IndexError, KeyError: this is no difference.
    """
    row = json.loads(text)
    new = _rrset(*row["new"])
    new = replace(new, rdatas=(soa_with_serial(new.rdatas[0], serial),))
    sets = (tuple(_rrset(*each) for each in row[part]) for part in ("removed", "added"))
    return Difference(_rrset(*row["old"]), new, *sets)


def _text(digest: int) -> str:
    return f"{digest:0{2 * _SIZE}x}"


def _hash(rrset: RRset, rdata: bytes) -> int:
    plain = soa_with_serial(rdata, 0) if rrset.rtype == rrtype.SOA else rdata
    head = rrset.name + rrset.rtype.to_bytes(2) + rrset.ttl.to_bytes(4)
    return int.from_bytes(blake2b(head + plain, digest_size=_SIZE).digest())


def _row(rrset: RRset) -> list[Any]:
    return [rrset.name.hex(), rrset.rtype, rrset.ttl, [rdata.hex() for rdata in rrset.rdatas]]


def _rrset(owner: str, rtype: int, ttl: int, rdatas: list[str]) -> RRset:
    return RRset(bytes.fromhex(owner), rtype, ttl, tuple(map(bytes.fromhex, rdatas)))
