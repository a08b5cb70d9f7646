"""The nameserver's loop: each publication becomes updates of the DNS server, visible before it returns.

Beside that it watches how long ago the last contact was, and counts answers.
"""

import asyncio
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext

from suite import __version__
from suite.dns.feed import ChangeZone, RemoveZone, ReplaceZone, SetState, Update
from suite.dns.server import Server
from suite.dns.zone import Zone
from suite.metrics import names
from suite.metrics.registry import Registry
from suite.model.address import Network
from suite.model.configuration import DnsSettings
from suite.model.persistent import changed_keys
from suite.model.publication import Publication
from suite.model.refusal import Refusal
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot
from suite.model.status import Instance
from suite.nameserver.answers import Answers
from suite.nameserver.apex import cooling_needed
from suite.nameserver.metering import count_answers, count_refused, describe_zones
from suite.nameserver.numbering import Numbering, VersionStore
from suite.nameserver.own_networks import OwnNetworks
from suite.nameserver.plan import ZonePlan, ZonePlanner
from suite.nameserver.secondaries import Secondaries
from suite.nameserver.secret_files import Secrets, marks_of, read_secrets
from suite.nameserver.settings import serves_transfers, settings_of, targets_of
from suite.store.collector import keep_for_good, without_collector

RETRY = 2.0
"""Seconds before addresses that could not be bound are tried again."""
LOOK = 1.0
"""Seconds between two looks at how long ago the last contact was, and at the counters."""
CONTACT_INTERVAL = 1.0
"""Seconds between two looks at whether there is contact now."""

TURN = 0.0005
"""Seconds for which a thread keeps the interpreter while another one waits for it, a tenth of what is usual.  A commit
changes hands ten times on its way into the answers, and threads that count or write files are at work at any time.
"""

NAMED = 20
"""Refused names that are logged one by one when many are new."""
DESCRIBE_SHARE = 50
"""Counting the records of all zones takes at most one part of so many of the time."""

_log = logging.getLogger(__name__)


class Nameserver:
    """One DNS server that says what the snapshots say.

    ``dns`` is what is configured before the first snapshot: where to listen, with how many workers.  ``clock`` gives
    seconds that never jump.
    """

    def __init__(
        self,
        dns: DnsSettings,
        node: str,
        clock: Callable[[], float],
        registry: Registry,
        own: OwnNetworks | None = None,
    ) -> None:
        listen = [(str(each.address), each.port) for each in dns.listen]
        self._server = Server(listen, settings_of(dns), workers=dns.workers)
        self._node = node
        self._clock = clock
        self._registry = registry
        self._planner: ZonePlanner | None = None
        self._provisional: set[bytes] = set()
        self._publishing = asyncio.Lock()
        self._snapshot = Snapshot()
        self._contact = clock()
        self._visible = Snapshot()
        self._is_stale = False
        self._is_listening = False
        self._trouble = "it has not opened its sockets yet"
        self._secrets = Secrets()
        self._own = own or OwnNetworks()
        self.spared: tuple[Network, ...] = ()
        """The networks of this machine that the rate limit spares."""
        self._secondaries = Secondaries(self._transferable)
        self._numbering = Numbering(lambda: self.versions)
        self.versions: VersionStore | None = None
        """The database that gives zones their serials; without one a serial is the revision."""
        self.before = Snapshot()
        """What the database held at the start: what changes from there is a difference that secondaries can take."""
        self.refused: dict[ServiceRef, tuple[Refusal, ...]] = {}
        """Services some of whose names belong to others."""
        self.refused_static: dict[str, tuple[Refusal, ...]] = {}
        """Static hosts and records that are not served as they are written, by how people call them."""

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens."""
        return self._server.addresses

    @property
    def is_listening(self) -> bool:
        """Whether its sockets are open."""
        return self._is_listening

    async def open(self) -> bool:
        """Open the sockets; whether that went well.  The reason otherwise is told by :meth:`instance`."""
        try:
            await self._server.start()
        except OSError as error:
            where = ", ".join(f"{address} port {port}" for address, port in self._server.addresses)
            trouble = f"DNS cannot listen on {where}: {error.strerror or error}"
            if trouble != self._trouble:
                _log.error("%s; choose another place with dns.listen or --dns-listen", trouble)
            self._trouble = trouble
            return False
        self._is_listening, self._trouble = True, ""
        return True

    async def run(self) -> None:
        """Do what is not an answer to a publication, until cancelled."""
        sys.setswitchinterval(TURN)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch())
                tasks.create_task(self._secondaries.run())
        finally:
            self._own.close()

    async def stop(self) -> None:
        """Stop answering."""
        await self._secondaries.stop()
        if self._is_listening:
            await self._server.stop()

    async def follow(self, publication: Publication) -> None:
        """Serve what the publication says; returns when the next query sees it."""
        async with self._publishing:
            snapshot, old = publication.snapshot, self._snapshot
            if snapshot.configuration is not old.configuration or snapshot.epoch != old.epoch:
                await self._configure(snapshot)
            if is_first := self._planner is None:
                self._planner = ZonePlanner()
                await self._resume(snapshot)
            planned = self._plan(snapshot, publication.touched)
            updates = await self._numbered(planned.updates)
            updates = [*updates, *(RemoveZone(origin) for origin in self._provisional - self._zones.keys())]
            self._provisional = set()
            self._snapshot = snapshot
            self._note_refused(planned)
            self.contact(publication.age)
            self._is_stale = publication.age > snapshot.configuration.dns.stale_limit
            if self._is_stale:  # kept from before: never served as if it were new, not for a moment
                updates = [*updates, SetState(ready=snapshot.is_complete, stale=True)]
            await self._publish(updates)
            self._visible = snapshot
            if is_first:
                keep_for_good()

    def begin_anew(self) -> None:
        """What is served was a stopgap, under serials of its own: the next snapshot replaces all of it, numbered as it should be."""
        self._provisional, self._planner = set(self._zones), None

    def contact(self, age: float = 0.0) -> None:
        """What is served was the newest ``age`` seconds ago, as the controller or the database said."""
        self._contact = self._clock() - age

    async def keep_contact(self, is_current: Callable[[], bool]) -> None:
        """Count as fresh what is served for as long as whoever tells of changes can be heard, until cancelled."""
        while True:
            if is_current():
                self.contact()
            await asyncio.sleep(CONTACT_INTERVAL)

    def instance(self) -> Instance:
        """What this role says about itself."""
        reasons = [self._trouble] if self._trouble else []
        if not self._snapshot.is_complete:
            reasons.append("it has no snapshot yet and answers SERVFAIL")
        if self._is_stale:
            reasons.append("its snapshot is older than the stale limit; leased names answer SERVFAIL")
        notes = [*self._secrets.troubles]
        if needed := cooling_needed(self._snapshot.configuration):
            notes.append(
                f"secondaries may answer for addresses that were given away: make cooling-time at least {needed} s"
            )
        notes += self._refused_lines()
        snapshot, seen = self._visible, self._server.seen  # what the next query sees, not what is on its way
        revision = snapshot.revision if seen is None else min(snapshot.revision, seen)
        return Instance("nameserver", self._node, __version__, snapshot.epoch, revision, tuple(reasons), tuple(notes))

    def answers(self) -> Answers:
        """Addresses by fully qualified name, as they are served now."""
        return Answers(self._zones)

    def zones(self) -> tuple[Zone, ...]:
        """What is served, by origin; for any thread, as no zone ever changes."""
        return tuple(zone for _, zone in sorted(self._zones.copy().items()))

    @property
    def _zones(self) -> dict[bytes, Zone]:
        return self._planner.zones if self._planner else {}

    def _plan(self, snapshot: Snapshot, touched: Iterable[ServiceRef] | None) -> ZonePlan:
        if self._planner is None:
            raise RuntimeError("follow() makes the planner")
        is_much = touched is None or changed_keys(self._planner.snapshot.records, snapshot.records) is None
        with without_collector() if is_much else nullcontext():
            return self._planner.plan(snapshot, touched)

    def _note_refused(self, planned: ZonePlan) -> None:
        """Keep, count and log who does not get a name; the first of many new ones are named, `suite status` has all."""
        if (planned.refused, planned.static) == (self.refused, self.refused_static):
            return
        before = set(self._refused_lines())
        self.refused, self.refused_static = planned.refused, planned.static
        fresh = [line for line in self._refused_lines() if line not in before]
        for line in fresh[:NAMED]:
            _log.warning("%s", line)
        if len(fresh) > NAMED:
            _log.warning("%d more names are refused; `suite status` has them all", len(fresh) - NAMED)
        count_refused(self._registry, (*self.refused.values(), *self.refused_static.values()))

    def _refused_lines(self) -> list[str]:
        """Who does not get which name, and who has it."""
        services = ((str(ref), told) for ref, told in sorted(self.refused.items()))
        return [f"{who}: {each}" for who, told in (*services, *sorted(self.refused_static.items())) for each in told]

    async def _resume(self, snapshot: Snapshot) -> None:
        """Where secondaries know the zones of the last start: begin with these, so that only what changed is new."""
        before, self.before = self.before, Snapshot()
        if serves_transfers(before.configuration.dns) and before.revision != snapshot.revision:
            planned = await asyncio.to_thread(self._plan, before, None)
            updates = [each for each in planned.updates if not isinstance(each, SetState)]
            self._snapshot = before
            await self._server.publish(await self._numbered(updates), before.revision)

    async def _numbered(self, updates: Sequence[Update]) -> list[Update]:
        """``updates`` under the serials that the database gives them, where anybody may transfer zones."""
        planner = self._planner
        if planner is None or not serves_transfers(planner.snapshot.configuration.dns):
            self._numbering.forget()
            return list(updates)
        return await self._numbering.numbered(updates, planner, planner.snapshot.revision)

    async def _publish(self, updates: list[Update]) -> None:
        """Also where nobody listens yet: the workers then begin with it."""
        await self._server.publish(updates, self._snapshot.revision)
        changed = {_origin(each) for each in updates if isinstance(each, ReplaceZone | ChangeZone)}
        if changed and serves_transfers(self._snapshot.configuration.dns):
            self._secondaries.changed(changed)

    def _transferable(self) -> dict[bytes, Zone]:
        """Zones of one label come and go, and no secondary would learn of them."""
        planner = self._planner
        return {origin: zone for origin, zone in self._zones.items() if planner and planner.is_configured(origin)}

    async def _configure(self, snapshot: Snapshot) -> None:
        """Hand the server the settings that this snapshot's configuration makes."""
        dns, before = snapshot.configuration.dns, self._secrets
        secrets = self._secrets = await asyncio.to_thread(read_secrets, dns, before)
        for trouble in secrets.troubles:
            if trouble not in before.troubles:
                _log.error("%s", trouble)
        self._secondaries.targets = targets_of(dns, secrets.keys)
        self.spared = await asyncio.to_thread(self._own.read) if dns.rate_limit.exempt_local else ()
        self._server.configure(
            settings_of(dns, epoch=snapshot.epoch, keys=secrets.keys, cookies=secrets.cookies, own=self.spared)
        )

    async def _look_at_files(self) -> None:
        """Keys and secrets are changed without a word in the configuration."""
        if marks_of(self._snapshot.configuration.dns) != self._secrets.marks:
            async with self._publishing:
                await self._configure(self._snapshot)

    async def look_at_networks(self) -> None:
        """Spare the networks that the interfaces have now; left for the next look while something is being published."""
        is_followed = self._planner is not None and self._snapshot.configuration.dns.rate_limit.exempt_local
        if not is_followed or self._publishing.locked() or not self._own.is_outdated():
            return
        async with self._publishing:
            if await asyncio.to_thread(self._own.read) != self.spared:
                await self._configure(self._snapshot)

    async def _watch(self) -> None:
        while not self._is_listening:
            await asyncio.sleep(RETRY)
            await self.open()
        described: list[Zone] = []
        not_before = 0.0
        while True:
            await asyncio.sleep(LOOK)
            await self.look_at_age()
            await self._look_at_files()
            await self.look_at_networks()
            count_answers(self._registry, await self._server.counts())
            zones, now = list(self._zones.values()), self._clock()
            if now >= not_before and list(map(id, zones)) != list(map(id, described)):
                await asyncio.to_thread(describe_zones, self._registry, zones)
                described, not_before = zones, self._clock() + DESCRIBE_SHARE * (self._clock() - now)

    async def look_at_age(self) -> None:
        """Answer for leased names no longer once the last contact is longer ago than the stale limit; or again."""
        limit = self._snapshot.configuration.dns.stale_limit
        age = self._clock() - self._contact
        self._registry.set(names.DNS_STALE_SECONDS, age)
        is_stale = age > limit
        if is_stale == self._is_stale:
            return
        async with self._publishing:
            self._is_stale = is_stale
            await self._publish([SetState(ready=self._snapshot.is_complete, stale=is_stale)])
        _log.warning("the last contact is %s than %d s ago", "more" if is_stale else "less", limit)


def _origin(update: ReplaceZone | ChangeZone) -> bytes:
    return update.zone.origin if isinstance(update, ReplaceZone) else update.origin.lower()
