"""Which content each serial of a zone stood for, kept on the disk of a nameserver that has no database of its own.

It does what ``store.zone_versions`` does, in a file beside the last good snapshot: after a restart equal content keeps its
serial, other content gets one that this server never served, and secondaries go on by the differences.

The file is one line per version, written before the version is served; a line that was cut off by a power failure is
skipped.  ``asked_versions`` keeps here what the controller gave, and asks here while it is away.  Only what changes a zone that may be transferred writes one.
"""

import json
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import astuple, replace
from pathlib import Path

from suite.model.zone_version import KEPT, LONGEST, ROOM, SPACE, ZoneVersion, is_newer, led_to
from suite.store.errors import Unavailable

NAME = "zones.versions"
SPARE = 64
"""Lines of versions kept no longer that may gather beside as many as are kept."""
_FIELDS = (str, int, int, str, int | None, str)


class KeptVersions:
    """The versions of one server's zones; for any thread.  ``path`` need not exist."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._busy = threading.Lock()
        self._known: dict[str, dict[int, ZoneVersion]] | None = None
        self._lines = 0

    def number_zones(self, wanted: Sequence[ZoneVersion]) -> list[ZoneVersion]:
        """Each version with the serial it must be served under; those that are new are on the disk then.

        Raises:
            Unavailable: the disk did not take them.
        """
        with self._busy:
            known = dict(self._read())
            given, added = [], []
            for each in wanted:
                mine = known.get(each.origin, {})
                version = _same(mine, each)
                if version is None:
                    version = _fresh(mine, each)
                    known[each.origin] = {**mine, version.serial: version}
                    added.append(version)
                given.append(version)
            if added:
                self._write(known, added)
            return given

    def learn(self, versions: Iterable[ZoneVersion]) -> None:
        """Keep versions that others numbered, so that a start without those others serves them as they were.

        Raises:
            Unavailable: the disk did not take them.
        """
        with self._busy:
            known = dict(self._read())
            added = [each for each in versions if each.serial not in known.get(each.origin, {})]
            for each in added:
                known[each.origin] = {**known.get(each.origin, {}), each.serial: each}
            if added:
                self._write(known, added)

    def zone_chain(self, origin: str, serial: int) -> list[ZoneVersion]:
        """The versions that lead to a serial step by step, oldest first."""
        with self._busy:
            return led_to(dict(self._read().get(origin, {})), serial)

    def _read(self) -> dict[str, dict[int, ZoneVersion]]:
        """What the file holds, read once."""
        if self._known is None:
            try:
                lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
            except FileNotFoundError:
                lines = []
            except OSError as error:
                raise Unavailable(f"{self._path} cannot be read: {error.strerror}") from error
            self._known = {}
            for version in filter(None, map(_from_line, lines)):
                self._known.setdefault(version.origin, {})[version.serial] = version
            self._lines = len(lines)
        return self._known

    def _write(self, after: dict[str, dict[int, ZoneVersion]], added: list[ZoneVersion]) -> None:
        """Add lines, or begin the file anew where more than half of it is of versions that are kept no longer."""
        for origin in {each.origin for each in added}:
            after[origin] = _pruned(after[origin])
        kept = [each for versions in after.values() for each in versions.values()]
        is_anew = self._lines + len(added) > 2 * len(kept) + SPARE
        try:
            _replace(self._path, kept) if is_anew else _append(self._path, added)
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be written: {error.strerror}") from error
        self._lines = len(kept) if is_anew else self._lines + len(added)
        self._known = after


def _same(known: dict[int, ZoneVersion], wanted: ZoneVersion) -> ZoneVersion | None:
    """The newest version, if it is this content and does not lead the server back."""
    latest = _latest(known, wanted)
    is_same = latest is not None and latest.digest == wanted.digest and not is_newer(wanted.old_serial, latest.serial)
    return latest if is_same else None


def _fresh(known: dict[int, ZoneVersion], wanted: ZoneVersion) -> ZoneVersion:
    """The version under a serial that this server never served."""
    latest, serial = _latest(known, wanted), wanted.serial
    if latest is not None and not is_newer(serial, latest.serial):
        serial = (latest.serial + 1) % SPACE
    while serial in known:
        serial = (serial + 1) % SPACE
    return replace(wanted, serial=serial, difference=wanted.difference if len(wanted.difference) <= LONGEST else "")


def _latest(known: dict[int, ZoneVersion], wanted: ZoneVersion) -> ZoneVersion | None:
    """The newest version of the same or an earlier revision; the last written is the newest of one revision."""
    newest = [each for each in known.values() if each.revision <= wanted.revision]
    return max(newest, key=lambda each: (each.revision, each.serial), default=None)


def _pruned(versions: dict[int, ZoneVersion]) -> dict[int, ZoneVersion]:
    """The newest versions, as many as are kept and have room."""
    kept: dict[int, ZoneVersion] = {}
    room = ROOM
    for each in sorted(versions.values(), key=lambda each: (each.revision, each.serial), reverse=True):
        room -= len(each.difference)
        if kept and (len(kept) >= KEPT or room < 0):
            break
        kept[each.serial] = each
    return dict(reversed(kept.items()))


def _from_line(line: str) -> ZoneVersion | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    is_row = isinstance(row, list) and len(row) == len(_FIELDS)
    if not is_row or not all(isinstance(value, kind) for value, kind in zip(row, _FIELDS, strict=True)):
        return None
    return ZoneVersion(*row)


def _octets(versions: Iterable[ZoneVersion]) -> bytes:
    return "".join(json.dumps(astuple(each), separators=(",", ":")) + "\n" for each in versions).encode()


def _append(path: Path, versions: list[ZoneVersion]) -> None:
    """A line may follow one that was cut off: it begins on a line of its own."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        is_cut_off = size and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, (b"\n" if is_cut_off else b"") + _octets(versions))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(path: Path, versions: list[ZoneVersion]) -> None:
    fresh = path.with_name(f"{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(_octets(versions))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
