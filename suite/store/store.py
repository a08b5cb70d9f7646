"""The store as the roles see it: read, refresh, commit, wait, and the doors to history, audit and backup."""

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Self

from suite.model.address import Address, Range
from suite.model.announcement import Announcement, AnnouncementSpan
from suite.model.changes import Changes
from suite.model.event import Action, Actor
from suite.model.lease import Lease
from suite.model.peering import SessionSpan, SessionState
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot
from suite.model.status import Fellow, Instance
from suite.model.token import Reviewed, Token
from suite.model.zone_version import ZoneVersion
from suite.store import (
    announcements,
    audit,
    authority,
    bgp_sessions,
    health,
    history,
    node_reports,
    past,
    reviews,
    schema,
    snapshots,
    tokens,
    zone_versions,
)
from suite.store.backup import back_up, write_archive
from suite.store.commit import Writer, Written, write
from suite.store.database import Database, Transaction
from suite.store.engine import open_database
from suite.store.errors import OutcomeUnknown, Unavailable
from suite.store.feed import Bell, Known, news
from suite.store.hearsay import Hearsay
from suite.store.history import PAGE, LoggedEvent
from suite.store.leadership import Leadership
from suite.store.listening import Listening
from suite.store.presence import Presence
from suite.store.snapshots import Head, News
from suite.store.touched import Touched, touched

SETTLE_SECONDS = 15.0
"""How long a commit whose answer was lost waits for the database to come back and tell."""

SETTLE_PAUSE = 0.2


class Store:
    """One database.  Every method may be called from any thread; each takes a connection of its own."""

    def __init__(self, database: Database, *, key: bytes = b"") -> None:
        self.database = database
        self._writer = Writer(secrets.token_hex(8), key)
        self._bell = Bell()
        self._hearsay = Hearsay()
        self._listening = Listening()
        self._leadership = Leadership(database)
        self._presence = Presence(database)

    @classmethod
    def open(cls, url: str, *, password_file: str = "", create: bool = True, key: bytes = b"") -> "Store":
        """See :func:`suite.store.open_store`."""
        database = open_database(url, password_file=password_file, create=create)
        with ExitStack() as undo:
            undo.callback(database.close)
            schema.ensure(database, create=create, now=datetime.now(UTC), key=key)
            undo.pop_all()
        return cls(database, key=key)

    def close(self) -> None:
        """Give up all connections; whoever waits gets False."""
        self._bell.ring(close=True)
        self._leadership.resign()
        self._presence.close()
        self._listening.close()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self) -> Snapshot:
        """Everything at the newest revision."""
        return self.database.read(snapshots.read)

    def refresh(self, snapshot: Snapshot) -> Snapshot:
        """``snapshot`` brought up to date; the same object when nothing happened since."""
        return self.database.read(lambda tx: snapshots.refresh(tx, snapshot))

    def commit(self, changes: Changes, based_on: Snapshot, *, now: datetime, term: int | None = None) -> Snapshot:
        """Write one turn as one revision, durably, or nothing of it.

        Args:
            changes: what to write; its new leases get ids, times and the revision here.
            based_on: the snapshot the turn was planned against.
            now: the clock; the commit's time is never before that of the commit before it.
            term: the term under which this instance leads; None for writers that need not lead.

        Returns:
            The snapshot after the commit.

        Raises:
            Conflict: somebody else was first; refresh and plan again.
            Deposed: ``term`` is over.
            Unavailable: the database is away, read-only or full.
            OutcomeUnknown: it went away during the commit and did not come back in time.
        """
        written: list[Written] = []

        def act(tx: Transaction) -> None:
            written.append(write(tx, self._writer, changes, based_on, now=now, term=term))

        try:
            self.database.write(act, is_piped=True)
        except OutcomeUnknown:
            if not self._settle(written[-1].head):
                self.database.write(act, is_piped=True)
        self._bell.ring()
        done = written[-1]
        if done.is_newest:
            return snapshots.applied(based_on, changes, done.opened, done.head)
        try:
            return self.refresh(based_on)
        except Unavailable as error:
            raise OutcomeUnknown(f"it was committed, but not read again: {error.what}", error.fix) from error

    def announce(self, node: str, announced: frozenset[Announcement], *, now: datetime) -> bool:
        """Remember that ``node`` announces exactly this; whether anything had to be written.

        Raises:
            Unavailable: the database is away, read-only or full.
        """
        if self.database.read(lambda tx: announcements.open_rows(tx, node)).keys() == announced:
            return False
        self.database.write(lambda tx: announcements.record(tx, node, announced, now))
        return True

    def note_sessions(self, node: str, sessions: frozenset[SessionState], *, now: datetime) -> bool:
        """Remember that the BGP sessions of ``node`` are exactly these; whether anything had to be written.

        Raises:
            Unavailable: the database is away, read-only or full.
        """
        if self.database.read(lambda tx: bgp_sessions.open_rows(tx, node)).keys() == sessions:
            return False
        self.database.write(lambda tx: bgp_sessions.record(tx, node, sessions, now))
        return True

    def sessions(self, *, node: str = "", peer: str = "", limit: int = PAGE) -> list[SessionSpan]:
        """BGP sessions with their times, the newest first."""
        return self.database.read(lambda tx: bgp_sessions.spans(tx, node=node, peer=peer, limit=limit))

    def announcing(
        self,
        *,
        address: Address | None = None,
        node: str = "",
        mode: str = "",
        at: datetime | None = None,
        before_id: int | None = None,
        limit: int = PAGE,
    ) -> list[AnnouncementSpan]:
        """What every node announces, or did at a time, the newest first; see ``announcements.spans``."""
        return self.database.read(
            lambda tx: announcements.spans(
                tx, address=address, node=node, mode=mode, at=at, before_id=before_id, limit=limit
            )
        )

    def last_announcement(self) -> int:
        """The number of the newest announcement, for :meth:`announced_since`.

        Raises:
            Unavailable: the database is away.
        """
        return self.database.read(announcements.last_id)

    def announced_since(self, number: int) -> tuple[list[Announcement], int]:
        """What is announced now and began after announcement ``number``; and the number of the newest.

        Raises:
            Unavailable: the database is away.
        """
        return self.database.read(lambda tx: announcements.begun_since(tx, number))

    def number_zones(self, wanted: Sequence[ZoneVersion]) -> list[ZoneVersion]:
        """The versions under the serials they must be served with; see ``zone_versions``.

        Raises:
            Unavailable: the database is away, read-only or full.
        """
        return self.database.write(lambda tx: zone_versions.number(tx, wanted))

    def zone_chain(self, origin: str, serial: int) -> list[ZoneVersion]:
        """The versions that lead to a serial of a zone, oldest first, as far as they are known."""
        return self.database.read(lambda tx: zone_versions.chain(tx, origin, serial))

    def take_report(self, node: str, serial: str, announced: frozenset[Announcement], *, at: datetime) -> None:
        """Remember what ``node`` announced at ``at``, as it reports now; see ``node_reports``.

        Raises:
            Unavailable: the database is away, read-only or full.
        """
        self._take(
            lambda tx: (
                announcements.open_rows(tx, node).keys() == announced
                or node_reports.is_taken(tx, node_reports.Kind.ANNOUNCED, node, serial)
            ),
            lambda tx: node_reports.take(tx, node, serial, announced, at),
        )

    def take_sessions(self, node: str, serial: str, sessions: frozenset[SessionState], *, at: datetime) -> None:
        """Remember which BGP sessions of ``node`` were up at ``at``, as it reports now; see ``node_reports``.

        Raises:
            Unavailable: the database is away, read-only or full.
        """
        self._take(
            lambda tx: (
                bgp_sessions.open_rows(tx, node).keys() == sessions
                or node_reports.is_taken(tx, node_reports.Kind.SESSIONS, node, serial)
            ),
            lambda tx: node_reports.take_sessions(tx, node, serial, sessions, at),
        )

    def _take(self, is_known: Callable[[Transaction], bool], take: Callable[[Transaction], None]) -> None:
        """Take a report down, without waiting for the writers' turn where a look shows that it says nothing new."""
        if not self.database.read(is_known):
            self.database.write(take)

    def touched(self, epoch: str, after: int, until: int) -> Touched | None:
        """What commits after revision ``after`` up to ``until`` touched; None where everything is to be looked at."""
        return self.database.read(lambda tx: touched(tx, epoch, after, until))

    def authority(self) -> tuple[str, str] | None:
        """The certificate and key of this suite's authority, in PEM; None before anybody made one."""
        return self.database.read(authority.authority)

    def keep_authority(self, certificate: str, key: str, *, now: datetime) -> tuple[str, str]:
        """Keep an authority unless there is one; the one that counts."""
        return self.database.write(lambda tx: authority.keep_authority(tx, certificate, key, now))

    def tokens(self) -> list[Token]:
        """Every token ever made, the newest first."""
        return self.database.read(tokens.all_tokens)

    def review(self, digest: str) -> Reviewed | None:
        """What an API server said of the token with this SHA-256 (hex)."""
        return self.database.read(lambda tx: reviews.review(tx, digest))

    def keep_review(self, digest: str, reviewed: Reviewed, now: float) -> None:
        """Keep what an API server said of a token until it ends; ``now`` is Unix time.

        Raises:
            Unavailable: the database is away, read-only or full.
        """
        self.database.write(lambda tx: reviews.keep(tx, digest, reviewed, now))

    def token(self, token_id: str) -> Token | None:
        """One token, revoked and expired ones too."""
        return self.database.read(lambda tx: tokens.token_by_id(tx, token_id))

    def _settle(self, head: Head) -> bool:
        """Whether a commit whose answer was lost happened; (epoch, revision, writer) names it beyond doubt.

        Raises:
            OutcomeUnknown: the database did not come back in time.
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                return self.database.write(lambda tx: self._is_ours(tx, head))
            except Unavailable as error:
                if time.monotonic() > deadline:
                    raise OutcomeUnknown(f"the outcome of a commit is unknown: {error.what}", error.fix) from error
            time.sleep(SETTLE_PAUSE)

    def _is_ours(self, tx: Transaction, head: Head) -> bool:
        """Under the lock on ``head``, so that the lost transaction has ended one way or the other."""
        now = snapshots.read_head(tx, lock=True)
        writer = tx.scalar("SELECT writer FROM feed WHERE revision = ?", (head.revision,))
        return now.epoch == head.epoch and writer == self._writer.name

    def news(self, known: Known, timeout: float) -> News | None:
        """What anybody committed since the snapshot that ``known`` gives; None when nothing is within ``timeout`` seconds.

        ``known`` is asked again at each look, from the thread that waits.

        Raises:
            Unavailable: the database is away.
        """
        return news(self.database, known, timeout, self._bell, self._listening, self._hearsay)

    def say_clean(self, address: Address) -> None:
        """Let whoever waits on this database know that nobody on the network has ``address``; see ``hearsay``."""
        self._hearsay.say(address)

    def heard_clean(self) -> tuple[Address, ...]:
        """What other programs said so since the last call."""
        return self._hearsay.take()

    def lead(self, instance: str, now: datetime) -> int | None:
        """The term in which ``instance`` leads, or None while another instance does; call it again and again.

        While it stays leader this writes nothing, on either database.  ``close`` gives leadership up.
        """
        return self._leadership.lead(instance, now)

    def is_term(self, term: int) -> bool:
        """Whether ``term`` goes on, as the database says now.

        Raises:
            Unavailable: the database is away.
        """
        return bool(self.database.read(lambda tx: tx.scalar("SELECT term FROM leadership")) == term)

    def resign(self) -> None:
        """Let another instance lead."""
        self._leadership.resign()

    def meet(self, mine: Sequence[Instance], *, now: datetime, uptime: float) -> tuple[Fellow, ...]:
        """Say what the roles of this process do, hear about those of others; while nothing changes nothing is written.

        ``uptime`` is a clock that nobody sets, in seconds.  ``leave`` ends it in order, the end of the process otherwise.

        Raises:
            Unavailable: the database is away, read-only or full.
        """
        return self._presence.meet(mine, now=now, uptime=uptime)

    def leave(self) -> None:
        """Take the rows of this process's roles back: it ends in order."""
        self._presence.leave()

    def fellows(self) -> tuple[Fellow, ...]:
        """The roles of every program on this database, for whoever only looks."""
        return self._presence.fellows()

    def history(
        self,
        address: Address | Range | None = None,
        ref: ServiceRef | None = None,
        *,
        pool: str | None = None,
        at: datetime | None = None,
        until: datetime | None = None,
        limit: int = PAGE,
        before_id: int | None = None,
    ) -> list[Lease]:
        """Leases of an address, range, Service or pool, newest first; with ``at`` those that counted at that time.

        With ``until`` they are what was known then: what ended later is open.

        A page holds ``limit``; the next one has the last id as ``before_id``.

        Raises:
            NotKept: ``at`` lies before the database began, or before what was pruned.
        """

        def act(tx: Transaction) -> list[Lease]:
            if at is not None:
                past.require_kept(tx, at)
            return history.leases(
                tx, address=address, ref=ref, pool=pool, at=at, until=until, limit=limit, before_id=before_id
            )

        return self.database.read(act)

    def past(self, at: datetime) -> Snapshot:
        """The snapshot at ``at``: configuration, leases, reservations and drained pools; the rest has no history.

        Raises:
            NotKept: ``at`` lies before the database began, or before what was pruned.
        """
        return self.database.read(lambda tx: past.past(tx, at))

    def announced(self, address: Address, at: datetime | None = None) -> list[tuple[Announcement, datetime]]:
        """Who announced an address at a time, now without one, and since when."""
        return self.database.read(lambda tx: past.announced(tx, address, at))

    def events(
        self,
        address: Address | Range | None = None,
        ref: ServiceRef | None = None,
        *,
        action: Action | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: int | None = None,
        limit: int = PAGE,
        before: tuple[int, int] | None = None,
    ) -> list[LoggedEvent]:
        """Events newest first: at or after ``since``, before ``until``, of revisions above ``after``.

        A page holds ``limit``; the next one has the last event's ``place`` as ``before``.
        """
        return self.database.read(
            lambda tx: history.events(
                tx, address=address, ref=ref, action=action, since=since, until=until,
                after=after, limit=limit, before=before,
            )
        )  # fmt: skip

    def verify(self, *, anchors: Iterable[audit.Anchor] = ()) -> audit.VerifyReport:
        """Walk the whole log; with ``anchors`` also hold it to hashes that were written down elsewhere."""
        return self.database.read(lambda tx: audit.verify(tx, key=self._writer.key, anchors=tuple(anchors)))

    def anchor(self) -> audit.Anchor:
        """The end of the log now; written down elsewhere it shows later whether the log was shortened or rewritten."""
        return self.database.read(audit.anchor_of)

    def export(self, file: IO[bytes], *, before: datetime | None = None) -> audit.Exported:
        """Write the log and the lease history as lines of JSON, all of it or what a prune would remove."""
        with self.database.reading() as tx:
            return audit.export(tx, file, before=before)

    def prune(self, before: datetime, archive: Path, *, now: datetime, actor: Actor, reason: str = "") -> audit.Pruned:
        """Move what lies before a time out of the database into ``archive``, which is on the disk before any is removed.

        Raises:
            StoreError: nothing lies before that time, or ``archive`` exists.
        """
        exported = write_archive(archive, lambda file: self.export(file, before=before))
        with ExitStack() as undo:
            undo.callback(archive.unlink, missing_ok=True)
            try:
                done = self.database.write(
                    lambda tx: audit.prune(
                        tx, self._writer, exported, before=before, now=now, actor=actor, reason=reason
                    )
                )
            except OutcomeUnknown:
                undo.pop_all()  # the archive stays: the rows may be gone
                raise
            undo.pop_all()
        self._bell.ring()
        return done

    def backup(self, target: Path) -> None:
        """Write a backup to ``target``: of SQLite a SQLite file, of PostgreSQL compressed lines of JSON."""
        back_up(self.database, target)

    def check(self) -> list[str]:
        """What is wrong with the database, in sentences; empty when all is well.  Walks everything."""
        return health.check(self.database, key=self._writer.key)

    def current_schema(self) -> tuple[str, str]:
        """The schema the database has, and the one this release needs."""
        return schema.version(self.database) or "", schema.CURRENT
