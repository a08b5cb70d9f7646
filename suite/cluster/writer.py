"""Tells a cluster what became of its Services: patches and Events, after the commit and only where they differ.

What is to be said of each Service is kept, the newest outcome only, and compared with what its object says whenever
either changes.  So a lost connection, a conflict or somebody else's write heals by itself, and a Service that changes a
hundred times a second costs as many writes as the server can take.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Protocol

from suite.cluster.backoff import Backoff
from suite.cluster.connection import ApiError, Connection, Lost
from suite.cluster.status import Note, Outcome, Standing, Writes, event_again, event_body, plan_writes, problem_note
from suite.model.problem import Problem
from suite.model.service import ServiceRef, parse_ref

WORKERS = 16
"""Writes at one time; the server answers a status patch in about 4 ms, and throttles who asks for more."""
IP_MODE_SINCE = (1, 29)
MAX_NOTES = 10_000
"""Events that wait to be sent; the server throttles who sends many."""
LEAD_INTERVAL = 0.5
"""Seconds between two looks at whether this instance leads by now."""
FIGHT = Backoff(first=0.1, most=60.0, quiet=300.0)
"""How often the same thing is written again over somebody else's writing: MetalLB still running, say."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Written:
    """What was last written to a Service's status, and when (seconds of the event loop)."""

    outcome: Outcome
    at: float
    fight: Backoff = FIGHT


class Standings(Protocol):
    """Who knows what the objects say (the source)."""

    on_standing: Callable[[ServiceRef], None]

    def standing(self, ref: ServiceRef) -> Standing | None:
        """What a Service's object says now; None where there is none."""
        ...

    def restate(self, document: dict[str, Any]) -> None:
        """Take a Service as the server answered it."""
        ...

    def uid(self, kind: str, ref: ServiceRef) -> str:
        """The uid of a Service or ConfigMap; empty where it is not known."""
        ...


async def always() -> bool:
    """Nobody else writes."""
    return True


class StatusWriter:
    """Brings objects to say what the database says.

    Args:
        connection: to the API server.
        standings: what the objects say.
        instance: the name of this controller, for Events.
        now: the clock.
        may_write: whether this instance still leads, asked before every write: what is found out after the question counts.
    """

    def __init__(
        self,
        connection: Connection,
        standings: Standings,
        *,
        instance: str,
        now: Callable[[], datetime],
        may_write: Callable[[], Awaitable[bool]] = always,
    ) -> None:
        self._connection = connection
        self._standings = standings
        self._instance = instance
        self._now = now
        self._may_write = may_write
        self._outcomes: dict[ServiceRef, Outcome] = {}
        self._due: dict[ServiceRef, None] = {}
        self._busy: set[ServiceRef] = set()
        self._failures: dict[ServiceRef, Backoff] = {}
        self._parked: set[ServiceRef] = set()
        self._has_parked = asyncio.Event()
        self._written: dict[ServiceRef, _Written] = {}
        self._news = asyncio.Event()
        self._with_ip_mode = True
        self._notes: deque[tuple[str, ServiceRef, Note]] = deque()
        self._note_news = asyncio.Event()
        self._complaints: dict[str, dict[Problem, tuple[str, ServiceRef]]] = {}
        self._said: set[Problem] = set()
        standings.on_standing = self._on_standing

    def tell(self, outcomes: Iterable[Outcome]) -> None:
        """These Services stand so in the database now; returns at once."""
        for outcome in outcomes:
            self._outcomes[outcome.ref] = outcome
            self._enqueue(outcome.ref)

    @property
    def is_settled(self) -> bool:
        """Whether every object is known to say what it should."""
        return not self._due and not self._busy and not self._failures

    def note(self, ref: ServiceRef, note: Note, kind: str = "Service") -> None:
        """Send an Event about a Service, or a ConfigMap; returns at once, and one that cannot be sent is lost."""
        if len(self._notes) < MAX_NOTES:
            self._notes.append((kind, ref, note))
            self._note_news.set()

    def complain(self, problems: Iterable[Problem], topic: str = "objects") -> None:
        """Let the owners of objects see what is wrong with them: one Event for each problem that is new.

        Takes all problems of its ``topic`` every time; those about anything but a Service or a ConfigMap are passed over.
        """
        self._complaints[topic] = {problem: about for problem in problems if (about := _about(problem)) is not None}
        self._said.intersection_update(chain.from_iterable(self._complaints.values()))
        self._note_news.set()

    async def run(self) -> None:
        """Write what is due, until cancelled."""
        self._with_ip_mode = await self._knows_ip_mode()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send_notes(), name="event writer")
            group.create_task(self._unpark(), name="parked writes")
            for number in range(WORKERS):
                group.create_task(self._work(), name=f"status writer {number}")

    async def _send_notes(self) -> None:
        while True:
            await self._note_news.wait()
            self._note_news.clear()
            while self._notes:
                kind, ref, note = self._notes.popleft()
                if await self._may_write():
                    await self._try_event(note, ref, self._standings.uid(kind, ref), kind)
            await self._send_complaints()

    async def _send_complaints(self) -> None:
        """What is wrong since before this instance led is said once it leads."""
        unsaid = {
            problem: about
            for each in self._complaints.values()
            for problem, about in each.items()
            if problem not in self._said
        }
        for problem, (kind, ref) in unsaid.items():
            if not await self._may_write():
                self._has_parked.set()
                return
            self._said.add(problem)
            await self._try_event(problem_note(problem), ref, self._standings.uid(kind, ref), kind)

    def _on_standing(self, ref: ServiceRef) -> None:
        if self._standings.standing(ref) is None:
            self._outcomes.pop(ref, None)
            self._written.pop(ref, None)
        elif ref in self._outcomes:
            self._enqueue(ref)

    def _enqueue(self, ref: ServiceRef) -> None:
        self._due[ref] = None
        self._news.set()

    async def _work(self) -> None:
        while True:
            ref = next((each for each in self._due if each not in self._busy), None)
            if ref is None:
                self._news.clear()
                await self._news.wait()
                continue
            del self._due[ref]
            self._busy.add(ref)
            try:
                await self._settle(ref)
            finally:
                self._busy.discard(ref)
                self._news.set()

    async def _settle(self, ref: ServiceRef) -> None:
        try:
            await self._write(ref)
            self._failures.pop(ref, None)
        except Lost as error:
            await self._again(ref, str(error), 0.0)
        except ApiError as error:
            if error.status == 404:
                self._failures.pop(ref, None)  # deleted; the watch will say so
            elif error.is_conflict:
                await self._conflict(ref, error)
            else:
                await self._again(ref, str(error), error.retry_after)

    async def _write(self, ref: ServiceRef) -> None:
        if not self._planned(ref):  # nothing to say costs no question
            return
        if not await self._may_write():
            self._park(ref)
            return
        outcome, standing = self._outcomes.get(ref), self._standings.standing(ref)
        writes = self._planned(ref)  # the answer took a while
        if outcome is None or standing is None or not writes:
            return
        path = f"/api/v1/namespaces/{ref.namespace}/services/{ref.name}"
        if writes.status is not None:
            if not self._may_insist(outcome):
                return
            self._standings.restate(await self._connection.patch(f"{path}/status", writes.status, strategic=True))
            self._wrote(outcome)
        for note in writes.notes:  # before anything else can fail: once the status is written, nothing calls for them
            await self._try_event(note, ref, standing.uid)
        if writes.metadata is not None:
            if not await self._may_write():
                self._park(ref)
                return
            metadata = self._current(writes.metadata, ref)
            self._standings.restate(await self._connection.patch(path, metadata))

    def _planned(self, ref: ServiceRef) -> Writes:
        """What is to be said of a Service now."""
        outcome, standing = self._outcomes.get(ref), self._standings.standing(ref)
        if outcome is None or standing is None:
            return Writes()
        return plan_writes(standing, outcome, now=self._now(), with_ip_mode=self._with_ip_mode)

    def _park(self, ref: ServiceRef) -> None:
        """Another instance leads; should this one lead later, it says what is still to be said."""
        self._parked.add(ref)
        self._has_parked.set()

    async def _unpark(self) -> None:
        while True:
            await self._has_parked.wait()
            await asyncio.sleep(LEAD_INTERVAL)
            if await self._may_write():
                parked, self._parked = self._parked, set()
                self._has_parked.clear()
                self._note_news.set()
                for ref in parked:
                    self._enqueue(ref)

    def _may_insist(self, outcome: Outcome) -> bool:
        """Whether to write now; what was written before and undone by somebody waits longer each time."""
        loop, last = asyncio.get_running_loop(), self._written.get(outcome.ref)
        if last is None or last.outcome != outcome:
            return True
        remaining = last.at + last.fight.wait(0.5) - loop.time()
        if remaining > 0:
            loop.call_later(remaining, self._enqueue, outcome.ref)
        return remaining <= 0

    def _wrote(self, outcome: Outcome) -> None:
        now, last = asyncio.get_running_loop().time(), self._written.get(outcome.ref)
        is_again = last is not None and last.outcome == outcome
        fight = last.fight.failed(now - last.at) if last is not None and is_again else FIGHT
        if fight.failures == 4:
            _log.warning("somebody else keeps writing the status of %s; is another load balancer running?", outcome.ref)
        self._written[outcome.ref] = _Written(outcome, now, fight)

    def _current(self, body: dict[str, Any], ref: ServiceRef) -> dict[str, Any]:
        """``body`` for the version our own status patch just made."""
        standing = self._standings.standing(ref)
        version = standing.resource_version if standing else body["metadata"]["resourceVersion"]
        return {**body, "metadata": {**body["metadata"], "resourceVersion": version}}

    async def _conflict(self, ref: ServiceRef, error: ApiError) -> None:
        """Somebody else wrote first: look at the object again and write what still differs."""
        try:
            self._standings.restate(
                await self._connection.get(f"/api/v1/namespaces/{ref.namespace}/services/{ref.name}")
            )
        except (ApiError, Lost) as failed:
            _log.debug("%s: %s", ref, failed)
        await self._again(ref, str(error), 0.0)

    async def _again(self, ref: ServiceRef, message: str, at_least: float) -> None:
        """Try once more after a wait, in which another worker may serve other Services."""
        backoff = self._failures[ref] = self._failures.get(ref, Backoff(first=0.05)).failed()
        wait = backoff.wait(random.random(), at_least=at_least)  # noqa: S311 - spreads load, keeps no secret
        log = _log.warning if backoff.failures == 5 else _log.debug
        log("%s: %s; again in %.1f s", ref, message, wait)
        asyncio.get_running_loop().call_later(wait, self._enqueue, ref)

    async def _try_event(self, note: Note, ref: ServiceRef, uid: str, kind: str = "Service") -> None:
        """An Event that cannot be sent is lost: it must not hold up what it speaks of."""
        try:
            await self._event(note, ref, uid, kind)
        except (ApiError, Lost) as error:
            _log.debug("%s: Event %s not sent: %s", ref, note.reason, error)

    async def _event(self, note: Note, ref: ServiceRef, uid: str, kind: str = "Service") -> None:
        body = event_body(note, ref, uid, now=self._now(), instance=self._instance, kind=kind)
        path = f"/api/v1/namespaces/{ref.namespace}/events"
        try:
            await self._connection.create(path, body)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            path = f"{path}/{body['metadata']['name']}"
            await self._connection.patch(path, event_again(await self._connection.get(path), now=self._now()))

    async def _knows_ip_mode(self) -> bool:
        try:
            version = await self._connection.get("/version")
            numbers = [int("".join(filter(str.isdigit, str(version.get(part, ""))))) for part in ("major", "minor")]
        except (ApiError, Lost, ValueError):
            return False  # the field is optional; without it the server fills in the same
        return tuple(numbers) >= IP_MODE_SINCE


def _about(problem: Problem) -> tuple[str, ServiceRef] | None:
    """The object a problem is about, from its source (``ConfigMap metallb-system/config``)."""
    kind, _, name = problem.source.partition(" ")
    if kind not in {"Service", "ConfigMap"}:
        return None
    try:
        return kind, parse_ref(name)
    except ValueError:
        return None
