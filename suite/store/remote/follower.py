"""Following a controller's feed: an Origin of publications for a machine without a database.

What was heard last is kept on the disk.  While the controller is away the roles go on with it, and a nameserver counts its
age; what a speaker reports waits in the journal.  A first answer that is empty, cut off or broken is never acted on.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from suite.model.address import Address
from suite.model.announcement import Announcement
from suite.model.peering import SessionState
from suite.model.publication import Publication, Tell
from suite.model.snapshot import Snapshot
from suite.model.status import Instance
from suite.store import rows
from suite.store.errors import Unavailable
from suite.store.remote import kept
from suite.store.remote.asked_versions import AskedVersions
from suite.store.remote.client import Client, Refused, Remote, Unreachable
from suite.store.remote.journal import NAME as JOURNAL
from suite.store.remote.journal import Journal
from suite.store.remote.kept_versions import NAME as VERSIONS
from suite.store.remote.kept_versions import KeptVersions
from suite.store.remote.lines import FeedError
from suite.store.remote.passing import Passing
from suite.store.remote.reader import Known, Read, read
from suite.store.remote.standing import Standing

WAIT = 10.0
"""Seconds after which the controller answers also when nothing is new: the follower then knows that it is current."""
SHORTEST_PAUSE = 0.2
LONGEST_PAUSE = 10.0
"""Seconds between two tries; each doubles the one before, and a random half of it is left out."""
KEEP_DELAY = 2.0
"""Seconds after a change until it is kept on the disk; changes meanwhile are part of it."""
TOUCH_INTERVAL = 30.0
"""Seconds between two notes on the disk that the controller was heard from."""
LAST_WORDS = 2.0
"""Seconds that the end of the program waits for the controller to take down what was reported last."""
REPEAT = 60.0
"""Seconds after which a node's announcements are told again, whatever the controller had: it may be another one."""
BATCH = 500
"""Reports that travel together."""
TSIG_FILE = "tsig.keys"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Moments:
    """Where time and chance come from."""

    random: Callable[[], float]
    """From 0 to 1."""
    clock: Callable[[], datetime]
    monotonic: Callable[[], float] = time.monotonic


class RemoteFollower:
    """Follows one controller; files go to the directory ``state``."""

    def __init__(
        self,
        remote: Remote,
        state: Path,
        tell: Tell,
        moments: Moments,
        roles: Callable[[], tuple[Instance, ...]] = tuple,
    ) -> None:
        self._remote = remote
        self._state = state
        self._tell = tell
        self._moments = moments
        self._roles = roles
        self._said: Standing | None = None
        self._known = Known()
        self._age = kept.UNKNOWN_AGE
        self._has_changed = asyncio.Event()
        self._has_report = asyncio.Event()
        self._journal: Journal | None = None
        self._announced: frozenset[Announcement] | None = None
        self._announced_at = 0.0
        self._touched_at = 0.0
        self._passing = Passing()
        self._left_out: tuple[str, ...] = ()
        self.versions = AskedVersions(remote, KeptVersions(state / VERSIONS), lambda: not self.trouble)
        """Gives the zones served here their serials."""
        self.snapshot = Snapshot()
        self.trouble = "the controller has not answered yet"
        """Why the controller is not heard; empty while it is."""

    async def load(self) -> Snapshot:
        """What the disk kept, when nothing newer is known."""
        if self._journal is not None:
            return self.snapshot
        self._journal = await asyncio.to_thread(Journal, self._state / JOURNAL)
        path = self._state / kept.NAME
        try:
            self._known, self._age = await asyncio.to_thread(kept.recall, path, time.time())
        except (FeedError, OSError) as error:
            _log.error("%s is not used: %s", path, error)
        self.snapshot = await asyncio.to_thread(self._localized, self._known)
        return self.snapshot

    async def meet(self) -> Snapshot:
        """The first snapshot of a machine that has none; nothing is told yet.

        Raises:
            Unavailable: the controller is not heard, or has none itself.
        """
        client = Client(self._remote)
        try:
            await self._learn(client)
        except (Unreachable, FeedError) as error:
            self.trouble = str(error)
            raise Unavailable(str(error)) from error
        finally:
            client.interrupt()
            client.close()
        self._age = 0.0
        return self.snapshot

    async def run(self) -> None:
        """Tell what is known, then every new snapshot, until cancelled."""
        if self.snapshot.is_complete:
            if self.trouble:
                _log.warning("going on with revision %d, kept on the disk", self.snapshot.revision)
            await self._tell(Publication(self.snapshot, None, self._age, self._known.ahead))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._keep())
            tasks.create_task(self._deliver())

    async def announce(self, node: str, announced: frozenset[Announcement]) -> bool:
        """Put into the journal what ``node`` announces; it travels by itself.  What was told just now is not told again."""
        now = self._moments.monotonic()
        if announced == self._announced and now - self._announced_at < REPEAT:
            return True
        self._announced, self._announced_at = announced, now
        return await self._report({"node": node, "announced": _written(announced)})

    async def decline(self, address: Address, mac: str, node: str) -> None:
        """Put into the journal that a stranger has ``address``; one that nobody has yet is told now or not at all."""
        report: dict[str, object] = {"node": node, "declined": [[str(address), mac]]}
        if address not in self._known.ahead:
            await self._report(report)
            return
        self._passing.stranger(address, self._stamped(report))
        self._has_report.set()

    async def note_sessions(self, node: str, sessions: frozenset[SessionState]) -> bool:
        """Put into the journal which BGP sessions of ``node`` are up."""
        adapter = rows.adapter(SessionState)
        plain = [replace(each, why=_printable(each.why)) for each in sessions]
        return await self._report(
            {"node": node, "sessions": [adapter.dump_python(each, mode="json") for each in plain]}
        )

    def probed(self, address: Address) -> None:
        """A free address is nobody's; that is worth knowing for a minute, so it travels with the next reports or not at all."""
        self._passing.clean(address)
        self._has_report.set()

    async def close(self) -> None:
        """Try once to deliver what waits and to say that this ends; the rest is for the next start."""
        self.versions.close()
        has_words = self._said is not None or (self._journal is not None and self._journal.waiting)
        if has_words and not self.trouble:
            client = Client(self._remote)
            task = asyncio.create_task(asyncio.to_thread(self._take_leave, client))
            await asyncio.wait({task}, timeout=LAST_WORDS)
            client.interrupt()
            await asyncio.gather(task, return_exceptions=True)
            client.close()

    async def _report(self, report: dict[str, object]) -> bool:
        if self._journal is None:
            raise RuntimeError("load() comes first")
        try:
            await asyncio.to_thread(self._journal.add, self._stamped(report))
        except OSError as error:
            _log.warning("a report is only in memory, the journal cannot be written: %s", error.strerror)
        self._has_report.set()
        return True

    def _stamped(self, report: dict[str, object]) -> dict[str, object]:
        return {"at": self._moments.clock().isoformat(), **report}

    async def _follow(self) -> None:
        pause = SHORTEST_PAUSE
        client = Client(self._remote)
        try:
            while True:
                try:
                    await self._hear(client)
                    pause = SHORTEST_PAUSE
                except (Unreachable, FeedError) as error:
                    if isinstance(error, FeedError):
                        self._known = replace(self._known, snapshot=self._known.snapshot, weights={}, sum=-1)
                    self._in_trouble(str(error))
                    await asyncio.sleep(pause * (1 - self._moments.random() / 2))
                    pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            client.interrupt()

    async def _hear(self, client: Client) -> None:
        was_complete = self.snapshot.is_complete
        found = await self._learn(client)
        if found is not None and self.snapshot.is_complete:
            touched = found.touched if was_complete else None
            await self._tell(Publication(self.snapshot, touched, ahead=self._known.ahead))

    async def _learn(self, client: Client) -> Read | None:
        """Ask once; what is new is known afterwards."""
        self._said = self._standing()
        found = await asyncio.to_thread(self._ask, client)
        self._recovered()
        self._note_contact()
        if found is None:
            return None
        self._known, left_out = found.known, found.left_out
        if left_out and left_out != self._left_out:
            _log.warning("%d objects are not understood by this release, %s first", len(left_out), left_out[0])
        self._left_out = left_out
        self.snapshot = await asyncio.to_thread(self._localized, self._known)
        self._has_changed.set()
        return found

    def _ask(self, client: Client) -> Read | None:
        """Runs in a worker thread."""
        is_whole = self._known.sum >= 0
        with client.snapshot(self._known.position if is_whole else None, WAIT, self._said) as lines:
            if lines is None:
                return None
            answer = read(lines, self._known)
        self._require_newer(answer.known)
        return answer

    def _standing(self) -> Standing | None:
        """What is said of this program's roles with the next question."""
        roles = self._roles()
        return Standing(roles[0].node, roles) if roles else None

    def _take_leave(self, client: Client) -> None:
        """Runs in a worker thread."""
        self._send(client)
        if self._said is not None:
            with client.snapshot(self._known.position, 0, replace(self._said, is_ending=True)):
                pass

    def _require_newer(self, known: Known) -> None:
        old, new = self._known.position, known.position
        if old and new and old.epoch == new.epoch and new.revision < old.revision:
            raise FeedError(f"the controller is at revision {new.revision}, this machine has seen {old.revision}")

    def _localized(self, known: Known) -> Snapshot:
        """The snapshot with what only means something on the controller's machine turned into what does here."""
        configuration = known.snapshot.configuration
        dns, l2 = configuration.dns, replace(configuration.l2, heartbeat_key_file="")
        if dns.tsig_keys_file and known.secrets.tsig_keys:
            dns = replace(dns, tsig_keys_file=str(self._written_keys(known.secrets.tsig_keys)))
        if (dns, l2) == (configuration.dns, configuration.l2):
            return known.snapshot
        localized = replace(configuration, dns=dns, l2=l2)
        known_here = self.snapshot.configuration
        return replace(known.snapshot, configuration=known_here if known_here == localized else localized)

    def _written_keys(self, text: str) -> Path:
        path = self._state / TSIG_FILE
        try:
            if path.read_text(encoding="utf-8") == text:
                return path
        except OSError:
            pass
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def _note_contact(self) -> None:
        now = self._moments.monotonic()
        if now - self._touched_at > TOUCH_INTERVAL:
            self._touched_at = now
            kept.touch(self._state / kept.NAME)

    async def _keep(self) -> None:
        """Write the last good snapshot, a little after it changed, and never for more than a twentieth of the time."""
        path = self._state / kept.NAME
        while True:
            await self._has_changed.wait()
            await asyncio.sleep(KEEP_DELAY)
            self._has_changed.clear()
            begin = self._moments.monotonic()
            try:
                await asyncio.to_thread(kept.keep, path, self._known)
            except OSError as error:
                _log.warning("the last snapshot could not be kept in %s: %s", path, error.strerror)
            await asyncio.sleep(20 * (self._moments.monotonic() - begin))

    async def _deliver(self) -> None:
        """Send what waits in the journal, in order; a report counts as told once the controller has said so."""
        client, pause = Client(self._remote), SHORTEST_PAUSE
        self._has_report.set()  # the journal may hold something from before
        try:
            while True:
                await self._has_report.wait()
                self._has_report.clear()
                try:
                    await asyncio.to_thread(self._send, client)
                    pause = SHORTEST_PAUSE
                except (Unreachable, OSError) as error:
                    _log.debug("reports wait: %s", error)
                    await asyncio.sleep(pause * (1 - self._moments.random() / 2))
                    pause = min(2 * pause, LONGEST_PAUSE)
                    self._has_report.set()
        finally:
            client.interrupt()

    def _send(self, client: Client) -> None:
        """Runs in a worker thread."""
        passing = self._passing.take()  # first: it is lost with what cannot be sent before it
        if self._journal is not None:
            self._send_journal(client, self._journal)
        if passing is not None:
            try:
                client.report(passing)
            except Refused as error:
                _log.error("the controller does not understand what this release says of free addresses: %s", error)

    def _send_journal(self, client: Client, journal: Journal) -> None:
        size = BATCH
        while batch := journal.first(size):
            try:
                client.report({"reports": batch})
            except Refused as error:
                if len(batch) > 1:  # one of them; the others count
                    size = 1
                    continue
                _log.error("the controller does not understand a report of this release, it is given up: %s", error)
            journal.delivered(batch)

    def _in_trouble(self, text: str) -> None:
        text = f"the controller is not heard: {text}"
        if text != self.trouble:
            _log.error("%s", text)
        self.trouble = text

    def _recovered(self) -> None:
        if self.trouble:
            _log.info("the controller at %s is heard", self._remote.url)
        self.trouble = ""


def _printable(text: str) -> str:
    """What a router said, as the controller takes it."""
    return "".join(each if each.isprintable() else " " for each in text)[:200]


def _written(announced: frozenset[Announcement]) -> list[object]:
    adapter = rows.adapter(Announcement)
    ordered = sorted(announced, key=lambda each: (str(each.address), each.mode, each.interface, each.peer))
    return [adapter.dump_python(each, mode="json") for each in ordered]
