"""The nameserver's loop: each publication becomes updates of the DNS server, visible before it returns."""

import asyncio
import logging
from collections.abc import Callable

from suite import __version__
from suite.dns import name, rrtype
from suite.dns.feed import ReplaceZone, SetState, Update
from suite.dns.server import Server
from suite.dns.settings import Settings
from suite.dns.zone import Zone
from suite.model.address import Address, address_from_key
from suite.model.configuration import Listen
from suite.model.publication import Publication
from suite.model.refusal import Refusal
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot
from suite.model.status import Instance
from suite.nameserver.plan import ZonePlanner

RETRY = 2.0
"""Seconds before addresses that could not be bound are tried again."""
LOOK = 1.0
"""Seconds between two looks at how long ago the last contact was."""

_log = logging.getLogger(__name__)


class Nameserver:
    """One DNS server that says what the snapshots say.

    ``clock`` gives seconds that never jump; ``settings`` are the server's own (cookie secrets and the like).
    """

    def __init__(
        self, listen: tuple[Listen, ...], node: str, clock: Callable[[], float], settings: Settings, *, workers: int = 1
    ) -> None:
        self._server = Server([(str(each.address), each.port) for each in listen], settings, workers=workers)
        self._node = node
        self._clock = clock
        self._planner = ZonePlanner()
        self._publishing = asyncio.Lock()
        self._snapshot = Snapshot()
        self._contact = clock()
        self._is_stale = False
        self._is_listening = False
        self._trouble = "it has not opened its sockets yet"
        self.refused: dict[ServiceRef, tuple[Refusal, ...]] = {}
        """Services some of whose names belong to others."""

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens."""
        return self._server.addresses

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
        """Keep trying to listen, and watch how long ago the last contact was, until cancelled."""
        while not self._is_listening:
            await asyncio.sleep(RETRY)
            if await self.open():
                await self._publish([ReplaceZone(zone) for zone in self._planner.zones.values()])
        while True:
            await asyncio.sleep(LOOK)
            await self._look_at_age()

    async def stop(self) -> None:
        """Stop answering."""
        if self._is_listening:
            await self._server.stop()

    async def follow(self, publication: Publication) -> None:
        """Serve what the publication says; returns when the next query sees it."""
        async with self._publishing:
            planned = self._planner.plan(publication.snapshot, publication.touched)
            self._snapshot, self.refused = publication.snapshot, planned.refused
            self.contact()
            self._is_stale = False
            await self._publish(list(planned.updates))

    def contact(self) -> None:
        """The controller or the database was heard from: what is served is as good as new."""
        self._contact = self._clock()

    def instance(self) -> Instance:
        """What this role says about itself."""
        reasons = [self._trouble] if self._trouble else []
        if not self._snapshot.is_complete:
            reasons.append("it has no snapshot yet and answers SERVFAIL")
        if self._is_stale:
            reasons.append("its snapshot is older than the stale limit; leased names answer SERVFAIL")
        notes = tuple(f"{ref}: {each.message}" for ref, all_of in sorted(self.refused.items()) for each in all_of)
        snapshot = self._snapshot
        return Instance("nameserver", self._node, __version__, snapshot.epoch, snapshot.revision, tuple(reasons), notes)

    def answers(self) -> dict[str, tuple[Address, ...]]:
        """Addresses by fully qualified name, as they are served now."""
        found: dict[str, tuple[Address, ...]] = {}
        for zone in self._planner.zones.values():
            found.update(_addresses_in(zone))
        return found

    async def _publish(self, updates: list[Update]) -> None:
        if self._is_listening:
            await self._server.publish(updates, self._snapshot.revision)

    async def _look_at_age(self) -> None:
        limit = self._snapshot.configuration.dns.stale_limit
        is_stale = self._clock() - self._contact > limit
        if is_stale == self._is_stale:
            return
        async with self._publishing:
            self._is_stale = is_stale
            await self._publish([SetState(ready=self._snapshot.is_complete, stale=is_stale)])
        _log.warning("the last contact is %s than %d s ago", "more" if is_stale else "less", limit)


def _addresses_in(zone: Zone) -> dict[str, tuple[Address, ...]]:
    found: dict[str, tuple[Address, ...]] = {}
    for rrset in zone.rrsets():
        if rrset.rtype in {rrtype.A, rrtype.AAAA}:
            family = b"\x04" if rrset.rtype == rrtype.A else b"\x06"
            owner = name.to_text(rrset.name)
            found[owner] = (*found.get(owner, ()), *(address_from_key(family + rdata) for rdata in rrset.rdatas))
    return found
