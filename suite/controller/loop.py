"""The controller's loop: hear from a source, plan, commit, then tell.

Everything that can start a turn (a source's batch, a new configuration, an address whose time is over, an operator's
commit) goes through one lock, so turns never overlap and whatever arrives meanwhile is part of the next one.  Planning
and committing run in a worker thread; the event loop stays free.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from time import CLOCK_BOOTTIME, clock_gettime, perf_counter

from suite.cluster.source import Batch
from suite.controller.confirmation import Confirmation
from suite.controller.merge import everything, merged
from suite.controller.plan import Adoptable, Planner, Preview, preview
from suite.controller.proven import Proven
from suite.controller.reporting import announce, commit_declined, rejection
from suite.controller.steady import SteadyTime
from suite.controller.trouble import Trouble
from suite.controller.watch import watch_clock, watch_database
from suite.metrics import names
from suite.metrics.registry import Registry
from suite.model.address import Address
from suite.model.announcement import Announcement
from suite.model.changes import Changes
from suite.model.configuration import Configuration
from suite.model.event import Action, Event
from suite.model.problem import Problem
from suite.model.publication import Publication, Tell, touched_by
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot
from suite.store.errors import Conflict, Deposed, Unavailable
from suite.store.snapshots import News
from suite.store.store import Store

RETRY = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the database is tried again after the first, second, ... fault."""

UNPLANNED = frozenset({"static_record", "secret"})
"""Tables that no turn looks at."""

_log = logging.getLogger(__name__)


def _boot_time() -> float:
    """Seconds since the machine started, those in which it was suspended too."""
    return clock_gettime(CLOCK_BOOTTIME)


class Controller:
    """One controller; only the instance that leads plans and commits, the others follow the database."""

    def __init__(
        self,
        store: Store,
        tell: Tell,
        registry: Registry,
        instance: str,
        clock: Callable[[], datetime],
        adoptable: Adoptable | None = None,
        hindrance: Callable[[], str] = lambda: "",
        uptime: Callable[[], float] = _boot_time,
    ) -> None:
        self._store = store
        self._tell = tell
        self._registry = registry
        self._instance = instance
        self._clock = clock
        self._adoptable = adoptable
        self._hindrance = hindrance
        self._uptime = uptime
        self._steady = SteadyTime(clock(), uptime())
        self._turning = asyncio.Lock()
        self._planner = Planner(Snapshot())
        self._proven = Proven()
        self._pending = Batch()
        self._wanted_configuration: Configuration | None = None
        self._has_listed = False
        self._is_complete = False
        self.turned = asyncio.Event()
        self.snapshot = Snapshot()
        self.problems: tuple[Problem, ...] = ()
        self.config_problems: tuple[Problem, ...] = ()
        self.is_stale = False
        self.away = Trouble()
        self.is_leading = False
        self._told: tuple[str, int] | None = None
        self._rejected = ""
        self._term = 0
        self._told_term = 0
        """The last term in which a turn told what it left: what others committed before it is known by then."""
        self._confirmation = Confirmation(self._ask_for_term)

    @property
    def trouble(self) -> str:
        """Why the database cannot be used; empty when it can."""
        return str(self.away)

    async def may_write(self) -> bool:
        """Whether the database says, after this call, that our term goes on: a cluster knows no term that it could check.

        Who is deposed between the answer and the write is late by one request, and the write names the version of the
        object it was made for: where the next leader wrote first it is a conflict, and before trying again this is asked.
        """
        return self.is_leading and await self._confirmation.answer()

    async def run(self) -> None:
        """Follow the clock, the database and the question who leads, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watch_database(self, self._store, self._instance, self._clock, self._may_lead))
            tasks.create_task(watch_clock(self))

    async def load(self) -> Snapshot:
        """Read the database; the configuration it remembers is the last good one."""
        async with self._turning:
            await self._reload()
            self._steady = SteadyTime(max(self._clock(), self.snapshot.at), self._uptime())
        return self.snapshot

    async def hear(self, batch: Batch) -> None:
        """Take a batch from the source; returns when it is committed and told."""
        self.problems = batch.problems
        async with self._turning:
            self._pending = merged(self._pending, batch)
            self._has_listed = self._has_listed or batch.is_full
            await self._turn()

    async def configure(self, configuration: Configuration | None, problems: tuple[Problem, ...]) -> None:
        """Take a configuration, or the reasons why there is none; then the last good one stays in force."""
        self.config_problems = problems
        self.is_stale = configuration is None
        if configuration is not None:
            async with self._turning:
                self._wanted_configuration = configuration
                if configuration.digest == self.snapshot.configuration.digest:
                    self._start_from(self.snapshot)
                await self._turn()
        elif self.is_leading and self._is_complete:
            async with self._turning:
                await self._note_rejection([problem for problem in problems if not problem.is_warning])

    async def decline(self, address: Address, mac: str, node: str) -> None:
        """A speaker found that a stranger has ``address``: its Service gets another one at once.

        Whoever leads or follows may commit this; a database that is away loses the report, and the speaker asks the
        network again.
        """
        async with self._turning:
            try:
                is_news = await asyncio.to_thread(self._commit_decline, address, mac, node)
            except Unavailable as error:
                _log.warning("%s is in use by %s; the database cannot be told yet: %s", address, mac, error)
                return
            if is_news:
                await self._turn(look_at_all=True)
                await self._tell_the_rest()

    async def announce(self, node: str, announced: frozenset[Announcement]) -> bool:
        """Write what ``node`` announces, when it differs; whether the database has it now."""
        return await announce(self._store, node, announced, self._clock())

    def probed(self, address: Address) -> None:
        """A speaker found that nobody answers for ``address``, which is free; another instance that leads hears of it too."""
        self._proven.note(address, self._clock())
        if not self.is_leading:
            self._store.say_clean(address)

    def hear_clean(self, addresses: tuple[Address, ...]) -> None:
        """The same, found by speakers beside other programs on the database; only what comes next is worth remembering."""
        for address in set(addresses).intersection(self._planner.ahead() if addresses else ()):
            self._proven.note(address, self._clock())

    def proven(self) -> tuple[Address, ...]:
        """Addresses that the network was asked for a moment ago, and that nobody has."""
        return self._proven.at(self._clock())

    def not_ready(self) -> tuple[str, ...]:
        """Why this controller does not do its work; empty when it does."""
        reasons = []
        if hindrance := self._hindrance():
            reasons.append(hindrance)
        if not self._has_listed:
            reasons.append("the source has not listed everything yet")
        if not self.snapshot.configuration.digest and self._wanted_configuration is None:
            reasons.append("there is no good configuration yet")
        if self.away:
            reasons.append(str(self.away))
        if self.snapshot.withheld:
            reasons.append(f"releases wait for an operator (suite plan --confirm {self.snapshot.withheld})")
        return tuple(reasons)

    def preview(self) -> Preview:
        """The next turn, everything looked at."""
        batch = everything(self.snapshot, self._planner.pending())
        return preview(batch, self.snapshot, self._clock(), self._wanted_configuration)

    async def led(self, term: int | None) -> None:
        """Who leads was asked; whoever begins to lead plans against what is in the database by then."""
        was_leading, self.is_leading = self.is_leading, term is not None
        self._term = term or 0
        self._registry.set(names.IS_LEADER, self.is_leading)
        if self.is_leading and not was_leading:
            async with self._turning:
                await self._reload()
                await self._turn()
        elif not self.is_leading and self._told is None and self._may_turn():
            async with self._turning:  # what the leader committed before we came is no news, and still to be told
                await self._publish(Publication(self.snapshot))

    async def come_back(self) -> None:
        """Take what others committed while the database was away, and do what waited.

        Whether it is back, only an answer of the database tells: a turn in which nothing changes asks it nothing.

        Raises:
            Unavailable: it is still away.
        """
        async with self._turning:
            await self._catch_up()
            await self._turn()
            self.away.ends()

    async def take_news(self, news: News) -> None:
        """Somebody else committed: plan against what they left, everything looked at."""
        async with self._turning:
            if news.since is not self.snapshot:  # a turn of our own was quicker, and may know it already
                await self._catch_up()
                return
            services = news.services if self._told == _identity(self.snapshot) else None
            self._follow(news)
            is_planned = news.tables is None or not news.tables <= UNPLANNED
            if is_planned and self.is_leading and self._is_complete:
                await self._turn(look_at_all=True, others=services)
            await self._tell_the_rest(services)

    async def _catch_up(self) -> None:
        """The same, asked for here and now; the lock is held."""
        snapshot = await asyncio.to_thread(self._store.refresh, self.snapshot)
        if _identity(snapshot) == _identity(self.snapshot):
            return
        self._start_from(snapshot)
        if self.is_leading and self._is_complete:
            await self._turn(look_at_all=True)
        await self._tell_the_rest()

    def seconds_to_due(self) -> float | None:
        """How long until a held or cooling address goes on; None when none waits."""
        due = self._planner.next_due() if self._is_complete else None
        return None if due is None else (due - self._judged(self._clock())).total_seconds()

    async def expire(self) -> None:
        """A held or cooling address is due."""
        async with self._turning:
            await self._turn()

    async def _ask_for_term(self) -> bool:
        """Whether the term goes on; a database that is away confirms nothing, and what is to be written waits."""
        try:
            return self._told_term == self._term and await asyncio.to_thread(self._store.is_term, self._term)
        except Unavailable as error:
            _log.debug("whether this instance still leads cannot be found out: %s", error)
            return False

    def _judged(self, wall: datetime) -> datetime:
        return self._steady.judged(wall, self._uptime(), self.snapshot.configuration.cooling_time)

    def _may_lead(self) -> bool:
        return not self._hindrance()

    async def _turn(self, *, look_at_all: bool = False, others: frozenset[ServiceRef] | None = None) -> None:
        """One turn, tried until it is committed or there is nothing to do; the lock is held.

        ``others`` are Services that others touched since the last telling, where that is certain to be all.
        """
        if not self._may_turn():
            return
        attempt = 0
        while self.is_leading:
            before = _identity(self.snapshot)
            try:
                touched, has_changed = await asyncio.to_thread(self._plan_and_commit, look_at_all)
            except Conflict:
                self._registry.add(names.CONFLICTS)
                look_at_all, others = True, None
                await self._refresh()
                continue
            except Deposed:
                self.is_leading = False
                await self._tell_the_rest()
                return
            except Unavailable as error:
                await self._wait_for_database(error, attempt)
                attempt, others = attempt + 1, None
                continue
            if has_changed:
                self.away.ends()
            self._pending = Batch()
            is_first, self._is_complete = not self._is_complete, True
            self.turned.set()
            if has_changed or is_first or self._told != before:
                # after a lost race the snapshot holds what others committed too, even where nothing is left to do
                if others is None and not (look_at_all or self._told != before):
                    others = frozenset()
                told = _together(others, touched if has_changed else frozenset())
                await self._publish(Publication(self.snapshot, None if is_first else told))
            self._told_term = self._term
            return

    def _may_turn(self) -> bool:
        """No turn before the first full list and a configuration: a partial picture looks like a mass deletion."""
        has_configuration = self._wanted_configuration is not None or bool(self.snapshot.configuration.digest)
        return self._has_listed and has_configuration

    def _plan_and_commit(self, look_at_all: bool) -> tuple[frozenset[ServiceRef] | None, bool]:
        """Runs in a worker thread: the Services touched, and whether anything was written."""
        started, wall = perf_counter(), self._clock()
        judged = self._judged(wall)
        now = max(wall, judged)
        pending = self._pending if self._is_complete else replace(self._pending, is_full=True)
        self._planner.proven, self._planner.judged = self._proven.at(now), judged
        changes, touched = self._planner.turn(pending, now, self._wanted_configuration, look_at_all=look_at_all), None
        if changes:
            before, committing = _identity(self.snapshot), perf_counter()
            committed = self._store.commit(changes, self.snapshot, now=wall, term=self._term)
            self._registry.observe(names.COMMIT_SECONDS, perf_counter() - committing)
            if _identity(committed) == (before[0], before[1] + 1):
                self.snapshot, touched = self._with_passwords(committed), touched_by(changes)
                self._planner.committed(self.snapshot)
            else:  # others committed what does not stand in our way: the snapshot has it, the plan's index has not
                self._start_from(committed)
        else:
            self._planner.committed(self.snapshot)
        self._registry.add(names.TURNS, "committed" if changes else "empty")
        self._registry.observe(names.TURN_SECONDS, perf_counter() - started)
        return touched, bool(changes)

    async def _note_rejection(self, errors: list[Problem]) -> None:
        """Put it into the log that a configuration was kept out, once for each; the lock is held."""
        reason = rejection(errors)
        if not reason or reason == self._rejected:
            return
        self._rejected = reason
        changes = Changes(events=(Event(Action.CONFIG_REJECTED, reason=reason),))
        try:
            snapshot = await asyncio.to_thread(
                self._store.commit, changes, self.snapshot, now=self._clock(), term=self._term
            )
        except (Conflict, Deposed, Unavailable):
            return  # the log of the program has it; the audit log is for what happened to addresses first
        is_whole = self._told != _identity(self.snapshot)
        self.snapshot = snapshot
        self._planner.committed(snapshot)
        await self._publish(Publication(snapshot, None if is_whole else frozenset()))

    def _commit_decline(self, address: Address, mac: str, node: str) -> bool:
        """Runs in a worker thread: whether there was anything to decline."""
        snapshot, is_news = commit_declined(self._store, self.snapshot, address, mac, node, self._clock)
        if snapshot is not self.snapshot:
            self._start_from(snapshot)
        return is_news

    async def _wait_for_database(self, error: Unavailable, attempt: int) -> None:
        """The database is away: nothing is lost, the turn is planned again when it is back."""
        self.away.begins(error)
        self._registry.add(names.TURNS, "unavailable")
        await asyncio.sleep(RETRY[min(attempt, len(RETRY) - 1)])
        await self._refresh()

    async def _refresh(self) -> None:
        """Start from what the database says now; when it is away, the next try finds out."""
        try:
            self._start_from(await asyncio.to_thread(self._store.refresh, self.snapshot))
        except Unavailable as error:
            self.away.begins(error)

    async def _reload(self) -> None:
        """Everything the first time; whoever begins to lead has read it already, and asks only for what came since."""
        self._start_from(await asyncio.to_thread(self._store.refresh, self.snapshot))

    def _start_from(self, snapshot: Snapshot) -> None:
        """Plan against ``snapshot`` from now on."""
        self.snapshot = self._with_passwords(snapshot)
        self._planner = Planner(self.snapshot, self._adoptable, self._planner.pending())

    def _follow(self, news: News) -> None:
        """Plan against the snapshot of ``news`` from now on; what a lease changed costs that lease."""
        snapshot = self._with_passwords(news.snapshot)
        if news.addresses is not None and self._planner.followed(snapshot, news.addresses):
            self.snapshot = snapshot
        else:
            self._start_from(news.snapshot)

    def _with_passwords(self, snapshot: Snapshot) -> Snapshot:
        """What the database does not keep comes from the documents, after a commit as after a start."""
        wanted, known = self._wanted_configuration, snapshot.configuration
        if wanted is None or wanted is known or wanted.digest != known.digest:
            return snapshot
        return replace(snapshot, configuration=wanted)

    async def _tell_the_rest(self, services: frozenset[ServiceRef] | None = None) -> None:
        """What the snapshot took over from others without a turn of its own that told it; ``services`` where that is all."""
        if self._told != _identity(self.snapshot):
            await self._publish(Publication(self.snapshot, services))

    async def _publish(self, publication: Publication) -> None:
        if publication.snapshot.is_complete:
            self._told = _identity(publication.snapshot)
            ahead = self._planner.ahead()
            await self._tell(replace(publication, ahead=ahead, is_leading=self.is_leading))


def _together(*touched: frozenset[ServiceRef] | None) -> frozenset[ServiceRef] | None:
    """All of them; None where one of them may be any."""
    known = [each for each in touched if each is not None]
    return frozenset[ServiceRef]().union(*known) if len(known) == len(touched) else None


def _identity(snapshot: Snapshot) -> tuple[str, int]:
    return snapshot.epoch, snapshot.revision
