"""The log put to the test, written out, and shortened.

What the chain shows: a row that was changed, added, moved or removed anywhere but at the end, and an end that does not
fit ``head``.  What it cannot show by itself: a log that was shortened together with ``head``, or written anew from
some place to the end.  For that a hash must be known elsewhere (an anchor: from a log, a metric, an export), or the
last event of each commit must carry a seal made with a key that is not in the database.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, NamedTuple

from suite.model.address import address_from_key
from suite.model.event import Action, Actor, Event
from suite.store import chain
from suite.store.commit import EVENT_INTO, Writer, write_events
from suite.store.database import Transaction, time_text
from suite.store.errors import StoreError
from suite.store.snapshots import Head, read_head

PAGE = 2_000


class Anchor(NamedTuple):
    """A place in the log and its hash, as somebody wrote it down: ``1795347336.1:9f86d08...``."""

    revision: int
    n: int
    hash: str

    def __str__(self) -> str:
        return f"{self.revision}.{self.n}:{self.hash}"


def parse_anchor(text: str) -> Anchor:
    """The inverse of ``str(anchor)``.

    Raises:
        ValueError: ``text`` is no anchor.
    """
    place, _, digest = text.strip().partition(":")
    revision, _, n = place.partition(".")
    if not (revision.isdecimal() and n.isdecimal() and len(digest) == 64):
        raise ValueError(f"{text!r} is no anchor; one looks like 1795347336.1:HASH, the hash with 64 digits")
    return Anchor(int(revision), int(n), digest)


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a walk over the log found."""

    events: int
    """How many were walked."""
    first: tuple[int, int] | None
    last: Anchor | None
    """The end of the log: write it down elsewhere, and the next walk can be held to it."""
    sealed: int
    """How many seals were found right."""
    pruned: int
    """Events that went to archives; the walk began after them."""
    faults: tuple[str, ...]
    """What is wrong, the first place first; the walk ends at the first row that breaks the chain."""

    @property
    def is_good(self) -> bool:
        return not self.faults


class _Walk:
    """The state of a walk: where it is, what it counted, what it found."""

    def __init__(self, prev_hash: str, key: bytes) -> None:
        self.hash = prev_hash
        self.place = (0, 0)
        self.at = ""
        self.key = key
        self.events = self.sealed = 0
        self.first: tuple[int, int] | None = None
        self.faults: list[str] = []
        self._sealed_last = False

    def step(self, row: dict[str, Any]) -> bool:
        """One event in the order of the log; False when the chain breaks here."""
        place = (row["revision"], row["n"])
        problem = self._broken(row, place)
        if problem:
            self.faults.append(f"event {place[0]}.{place[1]}: {problem}")
            return False
        self._check_seal(row, place)
        self.first = self.first or place
        self.events += 1
        self.place, self.hash, self.at = place, row["hash"], row["at"]
        return True

    def _broken(self, row: dict[str, Any], place: tuple[int, int]) -> str:
        follows = place == (self.place[0], self.place[1] + 1) or (place[0] > self.place[0] and place[1] == 1)
        if row["prev_hash"] != self.hash:
            return "it does not continue the event before it; something between them was removed, added or changed"
        if chain.link(self.hash, chain.canonical([row[name] for name in chain.FIELDS])) != row["hash"]:
            return "its content does not fit its hash; it was changed"
        if not follows or row["at"] < self.at:
            return "its place or time lies before that of the event before it"
        return ""

    def _check_seal(self, row: dict[str, Any], place: tuple[int, int]) -> None:
        if self.key and place[0] != self.place[0]:
            self._check_commit_was_sealed()
        self._sealed_last = bool(row["seal"])  # a commit seals its last event
        if self.key and row["seal"]:
            if row["seal"] != chain.seal(self.key, row["hash"]):
                self.faults.append(f"event {place[0]}.{place[1]}: its seal was not made with this key")
            else:
                self.sealed += 1

    def _check_commit_was_sealed(self) -> None:
        """From the first seal on every commit must end in one."""
        if self.sealed and not self._sealed_last:
            self.faults.append(f"revision {self.place[0]}: it carries no seal, but commits before it do")
        self._sealed_last = False

    def report(self, pruned: int = 0) -> VerifyReport:
        if self.key and self.events and not self._sealed_last:
            self.faults.append(f"revision {self.place[0]}: the end of the log carries no seal")
        last = Anchor(*self.place, self.hash) if self.events else None
        return VerifyReport(self.events, self.first, last, self.sealed, pruned, tuple(self.faults))


def verify(tx: Transaction, *, key: bytes = b"", anchors: Iterable[Anchor] = ()) -> VerifyReport:
    """Walk the whole log: every hash, every seal (with ``key``), the checkpoints, the head, and the given anchors."""
    checkpoint = _last_checkpoint(tx)
    walk = _Walk(checkpoint.through_hash if checkpoint else "", key)
    wanted = {(anchor.revision, anchor.n): anchor.hash for anchor in anchors}
    met: set[tuple[int, int]] = set()
    for row in event_rows(tx):
        if not walk.step(row):
            return walk.report(checkpoint.events if checkpoint else 0)
        if walk.place in wanted:
            met.add(walk.place)
            if wanted[walk.place] != walk.hash:
                walk.faults.append(
                    f"event {walk.place[0]}.{walk.place[1]}: the anchor has another hash; it was rewritten"
                )
    through = (checkpoint.through_revision, checkpoint.through_n) if checkpoint else (0, 0)
    for place in sorted(wanted.keys() - met):
        if place > through:
            walk.faults.append(
                f"event {place[0]}.{place[1]}: an anchor names it, and it is gone; the log was shortened"
            )
    walk.faults += _ends(tx, walk, checkpoint)
    return walk.report(_pruned(tx))


def _ends(tx: Transaction, walk: _Walk, checkpoint: "Checkpoint | None") -> Iterator[str]:
    """Whether the walk ended where ``head`` says, and each checkpoint has its event."""
    head = read_head(tx)
    if walk.hash != head.hash or walk.place[0] > head.revision:
        yield f"the log ends at {walk.place[0]}.{walk.place[1]}, and head has another hash; the end was removed or changed"
    if checkpoint and not tx.scalar(
        "SELECT 1 FROM event WHERE revision = ? AND action = 'pruned'", (checkpoint.revision,)
    ):
        yield f"checkpoint {checkpoint.revision}: the event that says who pruned is missing"


class Checkpoint(NamedTuple):
    """The last prune: where the log begins."""

    revision: int
    through_revision: int
    through_n: int
    through_hash: str
    events: int


def _last_checkpoint(tx: Transaction) -> Checkpoint | None:
    row = tx.execute(
        "SELECT revision, through_revision, through_n, through_hash, events FROM checkpoint"
        " ORDER BY revision DESC LIMIT 1"
    ).fetchone()
    return Checkpoint(*row) if row else None


def _pruned(tx: Transaction) -> int:
    return int(tx.scalar("SELECT coalesce(sum(events), 0) FROM checkpoint"))


COLUMNS = tuple(EVENT_INTO.removeprefix("event (").removesuffix(")").replace(" ", "").split(","))


def event_rows(
    tx: Transaction, *, since: tuple[int, int] = (0, 0), before: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """Events after a place and before a time in the order of the log, page by page, times as text.

    An address that stands differently in its two columns is given as the key says, so that its hash shows it.
    """
    select = f"SELECT {', '.join(COLUMNS)} FROM event WHERE (revision, n) > (?, ?)"  # noqa: S608 - this module's names
    limit = " ORDER BY revision, n LIMIT ?"
    bound: tuple[Any, ...] = ()
    if before is not None:
        select, bound = f"{select} AND at < ?", (tx.time_in(before),)
    place = since
    while page := tx.execute(select + limit, (*place, *bound, PAGE)).fetchall():
        for values in page:
            row = dict(zip(COLUMNS, values, strict=True))
            row["at"] = time_text(tx.time_out(row["at"]))
            key = row.pop("addr_key")
            row["address"] = row["address"] if key is None else _agreed(row["address"], bytes(key))
            yield row
        place = (page[-1][0], page[-1][1])


def _agreed(text: str, key: bytes) -> str:
    address = str(address_from_key(key))
    return text if text == address else f"{text} is not {address}"


# ---- written out --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export holds."""

    events: int
    leases: int
    sha256: str
    """Of the whole file, in hex."""
    last: Anchor | None


class _Writer:
    """Lines of JSON into a file, with a running digest."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, kind: str, values: dict[str, Any]) -> None:
        text = json.dumps({"kind": kind} | values, ensure_ascii=False, separators=(",", ":"))
        line = f"{text}\n".encode()
        self.digest.update(line)
        self._file.write(line)


def export(tx: Transaction, file: IO[bytes], *, before: datetime | None = None) -> Exported:
    """Write the log and the leases as lines of JSON: all of it, or what lies before a time.

    Events carry their hashes, so that :func:`verify_lines` can walk the file without a database.  With ``before``, of
    the leases only those that were closed before it are written: what a prune removes.
    """
    out = _Writer(file)
    checkpoint = _last_checkpoint(tx)
    out.write("begin", {"prev_hash": checkpoint.through_hash if checkpoint else ""})
    events, last = 0, None
    for row in event_rows(tx, before=before):
        out.write("event", {name: value for name, value in row.items() if value not in {None, ""}})
        events, last = events + 1, Anchor(row["revision"], row["n"], row["hash"])
    leases = 0
    for row in _lease_rows(tx, before):
        out.write("lease", {name: value for name, value in row.items() if value is not None})
        leases += 1
    out.write("end", {"events": events, "leases": leases, "anchor": str(last) if last else ""})
    return Exported(events, leases, out.digest.hexdigest(), last)


LEASE_COLUMNS = (
    "id", "address", "namespace", "service", "uid", "pool", "state", "share_group", "ports", "was_requested", "until",
    "note", "valid_from", "valid_to", "end_reason", "revision", "end_revision",
)  # fmt: skip
TIMES = {"until", "valid_from", "valid_to"}


def _lease_rows(tx: Transaction, before: datetime | None) -> Iterator[dict[str, Any]]:
    select = f"SELECT {', '.join(LEASE_COLUMNS)} FROM lease WHERE id > ?"  # noqa: S608
    bound: tuple[Any, ...] = ()
    if before is not None:
        select, bound = f"{select} AND valid_to < ?", (tx.time_in(before),)
    last = 0
    while page := tx.execute(f"{select} ORDER BY id LIMIT ?", (last, *bound, PAGE)).fetchall():
        for values in page:
            row = dict(zip(LEASE_COLUMNS, values, strict=True))
            row |= {name: time_text(tx.time_out(row[name])) for name in TIMES if row[name] is not None}
            row["was_requested"] = bool(row["was_requested"])
            yield row
        last = page[-1][0]


def verify_lines(lines: Iterable[bytes], *, key: bytes = b"") -> VerifyReport:
    """Walk the events of an export or archive, without any database.

    Raises:
        StoreError: the file is no export, or is cut off.
    """
    walk, is_whole = _Walk("", key), False
    for number, line in enumerate(lines, 1):
        row = _line(line, number)
        kind = row.pop("kind")
        if kind == "begin":
            walk.hash = row["prev_hash"]
        elif kind == "event" and not walk.step(dict.fromkeys((*chain.FIELDS, "prev_hash", "hash", "seal"), "") | row):
            return walk.report()
        is_whole = kind == "end"
    if not is_whole:
        raise StoreError("the export is cut off", "its last line must have the kind `end`; copy the file again")
    return walk.report()


def _line(line: bytes, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
        return row if row["kind"] else {}
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"line {number} is no line of an export", "give a file that `audit export` wrote") from error


# ---- shortened ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune removed."""

    events: int
    leases: int
    archive_sha256: str


def prune(
    tx: Transaction, writer: Writer, exported: Exported, *, before: datetime, now: datetime, actor: Actor, reason: str
) -> Pruned:
    """Remove what ``exported`` holds: a prefix of the log and the leases closed before a time.

    The one way past the guards: the commit adds the event that says so and a checkpoint to continue the chain from.

    Raises:
        StoreError: there is nothing to remove, or ``before`` lies after the last commit.
    """
    old = read_head(tx, lock=True)
    if before > old.time:
        raise StoreError("nothing after the last commit can be pruned", f"give a time up to {old.time.isoformat()}")
    if exported.last is None:
        raise StoreError("nothing in the log lies before that time", "give a later time")
    head = Head(old.epoch, old.revision + 1, old.hash, max(now, old.time), old.last_lease)
    tx.execute("UPDATE head SET revision = ?, time = ?", (head.revision, tx.time_in(head.time)))
    done = Pruned(exported.events, exported.leases, exported.sha256)
    write_events(tx, (_pruned_event(done, exported.last, before, actor, reason),), head, key=writer.key)
    tx.execute(
        "INSERT INTO checkpoint (revision, through_revision, through_n, through_hash, before, events, leases,"
        " archive_sha256) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (head.revision, *exported.last, tx.time_in(before), exported.events, exported.leases, exported.sha256),
    )
    events = tx.execute("DELETE FROM event WHERE (revision, n) <= (?, ?)", exported.last[:2]).rowcount
    leases = tx.execute("DELETE FROM lease WHERE valid_to < ?", (tx.time_in(before),)).rowcount
    tx.execute("DELETE FROM announcement WHERE valid_to < ?", (tx.time_in(before),))
    tx.execute("DELETE FROM bgp_session WHERE valid_to < ?", (tx.time_in(before),))
    tx.execute("INSERT INTO feed (revision, writer, changed) VALUES (?, ?, '{}')", (head.revision, writer.name))
    if (events, leases) != (exported.events, exported.leases):
        raise StoreError("the archive does not hold what would be removed", "try again; nothing was removed")
    return done


def _pruned_event(done: Pruned, last: Anchor, before: datetime, actor: Actor, reason: str) -> Event:
    facts = {"archive_sha256": done.archive_sha256, "before": time_text(before), "events": done.events,
             "leases": done.leases, "through": str(last)}  # fmt: skip
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return Event(Action.PRUNED, reason=reason, before=text, actor=actor)


def anchor_of(tx: Transaction) -> Anchor:
    """The end of the log now."""
    row = tx.execute("SELECT revision, n, hash FROM event ORDER BY revision DESC, n DESC LIMIT 1").fetchone()
    return Anchor(*row)
